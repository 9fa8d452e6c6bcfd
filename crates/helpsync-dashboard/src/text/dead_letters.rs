//! Dead letters.

pub(crate) const DEAD_LETTERS_LONG: &str = "Work that gave up. Replay does it once more; discard takes it off the list, and a later run makes it good.";
pub(crate) const NO_DEAD_LETTERS: &str = "Nothing gave up.";
pub(crate) const NOT_ALL_LOOKED_AT: &str =
    "Not all dead letters were looked at yet: there are very many. The next page looks on.";
pub(crate) const MORE_OF_CAUSE: &str = "There may be more of this cause. They stay: repeat it for them.";
pub(crate) const BY_CAUSE: &str = "By cause";
pub(crate) const REPLAY: &str = "Replay";
pub(crate) const DISCARD: &str = "Discard";
pub(crate) const DISCARD_NOT_ALLOWED: &str = "Discarding takes a key of the scope admin.";
pub(crate) const DISCARD_SURE: &str = "Yes, discard";
pub(crate) const ALL_OF_CAUSE: &str = "all of this cause";
pub(crate) const THE_CHOSEN: &str = "the chosen";
pub(crate) const CHOSEN: &str = "Chosen";
pub(crate) const CHOOSE_ALL: &str = "Choose all of this page";
pub(crate) const FAILED_AT: &str = "Gave up";

pub(crate) fn messages_away(why: &str) -> String {
    format!("Messages are missing here: the queue cannot be asked ({why}).")
}

pub(crate) fn choose(id: &str) -> String {
    format!("Choose {id}")
}

pub(crate) fn discard_asked(letters: usize) -> String {
    let what =
        if letters == 1 { "1 dead letter goes".to_owned() } else { format!("{letters} dead letters go") };
    format!(
        "{what} for good, with the work in {}. What that was to bring comes with a later sync, if Zendesk still has it.",
        if letters == 1 { "it" } else { "them" }
    )
}

pub(crate) fn partly(done: usize, left: usize, why: &str) -> String {
    format!("{done} done, {left} not: {why}")
}
