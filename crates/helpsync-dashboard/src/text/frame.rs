//! What surrounds the pages: logging in, going about, what was done and what was not.

use super::webhooks::redelivered;

pub(crate) const TO_CONTENT: &str = "Skip to content";
pub(crate) const CRUMBS: &str = "Where this page is";
pub(crate) const PARTS: &str = "Parts of the dashboard";
pub(crate) const ORGANIZATIONS: &str = "Organizations";
pub(crate) const KEYS: &str = "Keys";
pub(crate) const GO_TO: &str = "Go to";
pub(crate) const PALETTE_KEY: &str = "Ctrl K";
pub(crate) const PALETTE_LABEL: &str = "Page or customer";
pub(crate) const PALETTE_RESULTS: &str = "Where to go";
pub(crate) const PALETTE_HELP: &str = "↑ ↓ choose, Enter opens, Esc closes";
pub(crate) const LOGIN: &str = "Log in";
pub(crate) const LOGIN_HINT: &str = "An API key of your organization. It stays on the server; this browser is logged in for 12 hours at most.";
pub(crate) const API_KEY: &str = "API key";
pub(crate) const KEY_UNKNOWN: &str = "This key is unknown, or it has expired.";
pub(crate) const LOGOUT: &str = "Log out";
pub(crate) const LOGOUT_EVERYWHERE: &str = "Log out everywhere";
pub(crate) const NOT_HERE: &str = "Not here";
pub(crate) const NOT_ALLOWED: &str = "Not allowed";
pub(crate) const NOT_DONE: &str = "That was not done";
pub(crate) const NOT_NOW: &str = "Not now";
pub(crate) const TOO_OFTEN: &str = "Too many requests";
pub(crate) const NOTHING_AT_ADDRESS: &str =
    "There is nothing at this address, or it is not your organization's.";
pub(crate) const NO_SUCH_METHOD: &str = "This address does not take what was sent to it.";
pub(crate) const ADDRESS_UNREADABLE: &str = "A part of this address cannot be read.";
pub(crate) const ANSWER_UNREADABLE: &str = "This page cannot be shown: see the server's log.";
pub(crate) const STORE_AWAY: &str = "The database does not answer just now. Try again in a moment.";
pub(crate) const STREAMS_FULL: &str =
    "Too many pages are open at once. This one stays as it is until you load it again.";
/// Said by the script of a page that is no longer kept current.
pub(crate) const STREAM_AWAY: &str = "This page is not kept current just now: what it shows may be old. The server does not answer, or too many pages are open. It is asked again by itself.";
pub(crate) const SESSION_OVER: &str =
    "You are logged out here, so this page is no longer kept current: what it shows may be old.";
pub(crate) const LOAD_AGAIN: &str = "Load it again";
pub(crate) const LOGIN_AGAIN: &str = "Log in again";
pub(crate) const FORM_TOO_LONG: &str = "The form is too long, or it did not arrive in time.";
pub(crate) const FROM_ELSEWHERE: &str = "This form was not sent from a page of this dashboard, or its page is from before your last login. Load the page again and repeat it.";

/// What an action came to, by the word of the address.
pub(crate) fn said(word: &str) -> Option<&'static str> {
    Some(match word {
        "pause" => "Paused. What is under way ends; nothing new is handed out.",
        "resume" => "Resumed.",
        "sync" => "A sync is asked for.",
        "full" => "A full sync is asked for.",
        "cancel" => "The sync is stopped.",
        "approve" => "The removals are approved, and a run is asked for that carries them out.",
        "refuse" => "The files are kept.",
        "schedule" => "The schedule is saved.",
        "selection" => "The selection is saved. What it leaves out is gone, and a run brings the rest.",
        "disconnect" => "The workspace is disconnected.",
        "disconnected_before" => "It is disconnected already: no workspace is connected.",
        "nothing_to_cancel" => "Nothing is under way, so nothing was stopped.",
        "replayed" => "Replayed: the work is done once more.",
        "discarded" => "Discarded.",
        "replayed_some" => "Replayed. There may be more of this cause: repeat it for them.",
        "discarded_some" => "Discarded. There may be more of this cause: repeat it for them.",
        "none_chosen" => "Nothing was chosen.",
        "redelivered" => "Sent again.",
        "nothing_dead" => "No delivery is dead, so nothing was sent again.",
        _ => return None,
    })
}

/// The same of an action whose text names a number.
pub(crate) fn said_of_many(word: &str, count: u64) -> Option<String> {
    Some(match word {
        "redelivered" => redelivered(count, false),
        "redelivered_some" => redelivered(count, true),
        _ => return None,
    })
}

pub(crate) fn wait(seconds: u64) -> String {
    format!("Try again in {seconds} s.")
}

pub(crate) fn scope_of_key(scope: &str) -> String {
    format!("Scope: {scope}")
}
