//! What the broker's user may not do, and the command that lets it.

use helpsync_queue_rabbitmq::{MissingRight, Right};
use url::Url;

use crate::doctor::Finding;

/// Who a broker takes us for whose URL names nobody.
const NOBODY_NAMED: &str = "guest";

/// Of a user that lacks rights: processes find it out at their first message, one error at a time.
pub(crate) fn finding(amqp: &str, prefix: &str, missing: &[MissingRight]) -> Finding {
    let url = Url::parse(amqp).ok();
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let user = url.as_ref().map(|url| decoded(url.username())).filter(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| NOBODY_NAMED.to_owned());
    let vhost = url.as_ref().map(|url| decoded(url.path().trim_start_matches('/')));
    let vhost = vhost.filter(|vhost| !vhost.is_empty()).unwrap_or_else(|| "/".to_owned());
    let rights: Vec<String> = Right::ALL.into_iter().filter_map(|right| told(right, missing)).collect();
    let ours = format!("^{}\\.", regex_of(prefix));
    Finding::wrong(
        "queue",
        format!("the broker refused its user {user:?} the right to {}", rights.join(", to ")),
        format!(
            "rabbitmqctl set_permissions -p {vhost} {user} '{ours}' '{ours}|^amq\\.default$' '{ours}' (it takes the place \
             of the rights that the user has)"
        ),
    )
}

/// `write helpsync.dead.v1 and 5 more`.
fn told(right: Right, missing: &[MissingRight]) -> Option<String> {
    let mut names = missing.iter().filter(|one| one.right == right).map(|one| one.name.as_str());
    let first = names.next()?;
    Some(match names.count() {
        0 => format!("{right} {first}"),
        more => format!("{right} {first} and {more} more"),
    })
}

/// A text as a pattern that only it matches; prefixes have few signs that mean something in one.
fn regex_of(text: &str) -> String {
    text.chars()
        .flat_map(|c| [(!c.is_alphanumeric() && !"-_".contains(c)).then_some('\\'), Some(c)])
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_command_that_gives_it() {
        let missing = |right, name: &str| MissingRight { right, name: name.to_owned() };
        let found = finding(
            "amqp://ada%20l:secret@rabbit/%2fv",
            "help.sync",
            &[
                missing(Right::Write, "amq.default"),
                missing(Right::Read, "help.sync.dead"),
                missing(Right::Read, "help.sync.dead.v1"),
            ],
        );
        let text = "the broker refused its user \"ada l\" the right to write amq.default, to read help.sync.dead and 1 more";
        assert_eq!(found.text, text);
        let command = r"rabbitmqctl set_permissions -p /v ada l '^help\.sync\.' '^help\.sync\.|^amq\.default$' '^help\.sync\.'";
        assert!(found.mend.as_ref().unwrap().starts_with(command), "{found:?}");
        let found = finding("amqp://rabbit", "x", &[missing(Right::Configure, "x.jobs")]);
        assert!(found.mend.as_ref().unwrap().contains("-p / guest"), "{found:?}");
        assert!(found.text.contains("\"guest\" the right to configure x.jobs"), "{found:?}");
    }
}
