//! Customers: all of them, one, and what is set of one.

use crate::show::number;

pub(crate) const CUSTOMERS_HELD: &str = "Customers with held removals";
pub(crate) const CUSTOMERS_OLDEST: &str = "Customers, oldest copies first";
pub(crate) const CUSTOMERS_FAILED: &str = "Customers whose last sync failed";
pub(crate) const COMPLETE: &str = "Complete";
pub(crate) const NEXT_SYNC: &str = "Next sync";
pub(crate) const SEARCH_CUSTOMERS: &str = "Customer or workspace";
pub(crate) const SORT_ID: &str = "oldest customer first";
pub(crate) const SORT_AGE: &str = "oldest copy first";
pub(crate) const NO_CUSTOMERS: &str = "No customer is like that.";
pub(crate) const NO_RUNS_YET: &str = "There was no run yet.";
pub(crate) const NO_OLDER_RUNS: &str = "There is no older run.";
pub(crate) const NEWEST_RUNS: &str = "The newest runs";
pub(crate) const SYNC_NOW: &str = "Sync now";
pub(crate) const FULL_SYNC: &str = "Full sync";
pub(crate) const CANCEL: &str = "Stop the sync";
pub(crate) const VERIFY: &str = "Verify";
pub(crate) const PAUSE: &str = "Pause";
pub(crate) const RESUME: &str = "Resume";
pub(crate) const DISCONNECT: &str = "Disconnect";
pub(crate) const DISCONNECT_NOT_ALLOWED: &str = "Disconnecting takes a key of the scope admin.";
pub(crate) const SELECTION: &str = "Selection";
pub(crate) const SCHEDULE: &str = "Schedule";
pub(crate) const EVERY: &str = "Every";
pub(crate) const GRANT: &str = "Grant";
pub(crate) const GRANTED_BY: &str = "Granted by";
pub(crate) const SCOPES: &str = "Scopes";
pub(crate) const RECONNECT_BECAUSE: &str = "To reconnect because";
pub(crate) const EVENTS: &str = "Zendesk's events";
pub(crate) const NOT_CONNECTED_LONG: &str =
    "No workspace is connected. The customer connects one by the address that the API hands out.";
pub(crate) const HELD_LONG: &str = "These files are gone from Zendesk, and a run held their removal back because it was large, or because a role shrank. Approve to let the next run remove what is still gone; refuse to keep them until a run finds them gone again.";
pub(crate) const NOTHING_HELD: &str = "Nothing is held.";
pub(crate) const REFUSE: &str = "Refuse and keep the files";
pub(crate) const SELECTION_LONG: &str = "What of the help center is kept. An empty field is no condition; every condition must hold. What is left out goes at once, and a run brings the rest.";
pub(crate) const NOTHING_SAVED: &str = "Nothing was saved: what you typed stands below.";
pub(crate) const SAVE_AND_REMOVE: &str = "Save and remove them";
pub(crate) const BRANDS: &str = "Brands";
pub(crate) const BRANDS_HINT: &str = "None chosen: the workspace's own help center is kept.";
pub(crate) const BRAND_KEPT: &str = "kept";
pub(crate) const BRAND_LEFT_OUT: &str = "left out";
pub(crate) const PLACES: &str = "Categories and sections";
pub(crate) const PLACES_HINT: &str =
    "Articles of every category and section that is chosen, and of all below them. None chosen: all of them.";
pub(crate) const PLACES_UNKNOWN: &str = "They can be chosen once the first sync has read them.";
pub(crate) const PLACES_MANY: &str =
    "The help center has more of them than are shown here. The API can choose among all.";
pub(crate) const LOCALES: &str = "Locales (such as en-us, one a line)";
pub(crate) const LABELS: &str = "Labels (one a line)";
pub(crate) const PUBLIC_ONLY: &str = "Only articles that everybody may read";
pub(crate) const ATTACHMENTS_TOO: &str = "Attachments too";
pub(crate) const DISCONNECT_LONG: &str =
    "The grant ends and its token is revoked at Zendesk. Syncs stop. The files stay until they are deleted.";
pub(crate) const DISCONNECT_SURE: &str = "Yes, disconnect it";
pub(crate) const BUDGET: &str = "Budget of the Zendesk account";
pub(crate) const MINUTE_LIMIT: &str = "Requests a minute";
pub(crate) const LEFT_NOW: &str = "Left of this minute";
pub(crate) const OUT_NOW: &str = "Out now";
pub(crate) const BLOCKED_UNTIL: &str = "Zendesk asks to wait until";
pub(crate) const BUDGET_REQUESTS: &str = "Requests a minute";
pub(crate) const BUDGET_LEFT: &str = "Least left of a minute";
pub(crate) const BUDGET_WAITED: &str = "Seconds waited in half an hour";
pub(crate) const BUDGET_THROTTLED: &str = "429 in half an hour";
pub(crate) const BUDGET_UNUSED: &str = "Nothing was asked of it in the last day, as far as it is noted yet.";

pub(crate) fn selection_removes(files: i64) -> String {
    if files == 1 {
        "Save removes 1 file".to_owned()
    } else {
        format!("Save removes {} files", number(files))
    }
}

pub(crate) fn selection_removes_long(files: i64, all: i64) -> String {
    format!(
        "This selection leaves out {} of {} files. They go at once; another selection brings them back with a later run.",
        number(files),
        number(all)
    )
}

pub(crate) fn hours(hours: i64) -> String {
    if hours < 0 { "as the organization's".to_owned() } else { format!("{hours} hours") }
}

pub(crate) fn disconnect_asked(workspace: &str, customer: &str) -> String {
    format!("Disconnect the workspace {workspace} of {customer}?")
}

/// The button that lets all held removals go.
pub(crate) fn approve(held: i64) -> String {
    if held == 1 {
        "Approve the removal".to_owned()
    } else {
        format!("Approve the {} removals", number(held))
    }
}
