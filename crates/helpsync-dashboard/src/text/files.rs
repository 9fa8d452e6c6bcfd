//! Files, and comparing them with Zendesk.

pub(crate) const NO_FILES: &str = "No file is like that.";
pub(crate) const UNTITLED: &str = "(no title)";
pub(crate) const SIZE: &str = "Size";
pub(crate) const CHANGED_THERE: &str = "Changed at Zendesk";
pub(crate) const CHANGED_BY_COPY: &str = "Changed, says the copy";
pub(crate) const CHANGED_BY_ZENDESK: &str = "Changed, says Zendesk";
pub(crate) const COMPARED: &str = "Compared";
pub(crate) const FORM: &str = "Form of the text";
pub(crate) const NO_TEXT: &str = "No text of this file is kept.";
pub(crate) const NO_IMAGES: &str = "Images of other servers are not loaded here.";
pub(crate) const ABOUT_FILE: &str = "About this file";
pub(crate) const PLACE: &str = "Place";
pub(crate) const AUTHOR: &str = "Author";
pub(crate) const LABELS_SHORT: &str = "Labels";
pub(crate) const ATTACHMENTS: &str = "Attachments";
pub(crate) const CHUNK: &str = "Chunk";
pub(crate) const DIFFERENCES: &str = "Differences";
pub(crate) const MENDABLE: &str = "Of these a sync mends";
pub(crate) const NO_DIFFERENCES: &str = "The copy is as its help center.";
pub(crate) const VERIFY_TOO_LONG: &str = "The comparison did not come to its end in time. What it had found until then stands below, if anything. The command `helpsync verify` has no such bound.";
/// Forms of a file's text.
pub(crate) const FORMS: [(&str, &str); 4] =
    [("html", "HTML"), ("markdown", "Markdown"), ("plain", "Text"), ("chunks", "Chunks")];

/// What became of a file.
pub(crate) fn change(what: &str) -> &str {
    match what {
        "created" => "stored here for the first time",
        "text" => "its title or text changed",
        "details" => "its details changed: labels, place, readers or how it is read",
        "held" => "gone from Zendesk, and its removal is held",
        other => other,
    }
}

pub(crate) fn chunks_of(shown: usize, all: i64) -> String {
    format!("{shown} of {all} {}", if all == 1 { "chunk" } else { "chunks" })
}

pub(crate) fn tokens(locale: &str, tokens: i64) -> String {
    format!("{locale} · {tokens} tokens")
}

pub(crate) fn verify_broke_off(why: &str) -> String {
    format!("The comparison broke off: {why}")
}

pub(crate) fn more_differences(more: usize) -> String {
    format!("And {more} more at least. This command lists all:")
}
