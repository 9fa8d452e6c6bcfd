//! Every word that a page says, in English. Another language is another file like this one.

use crate::show::number;

pub(crate) const PRODUCT: &str = "Helpsync";
pub(crate) const NONE: &str = "–";
pub(crate) const NEVER: &str = "never";
pub(crate) const ANY: &str = "any";
pub(crate) const ALL: &str = "all";
pub(crate) const ON: &str = "on";
pub(crate) const OFF: &str = "off";
pub(crate) const SHOW: &str = "Show";
pub(crate) const SAVE: &str = "Save";
pub(crate) const BACK: &str = "Back";
pub(crate) const TO_START: &str = "To the start";
pub(crate) const TO_CONTENT: &str = "Skip to content";
pub(crate) const NEXT_PAGE: &str = "Next page";
pub(crate) const CRUMBS: &str = "Where this page is";
pub(crate) const PARTS: &str = "Parts of the dashboard";
pub(crate) const OVERVIEW: &str = "Overview";
pub(crate) const CUSTOMERS: &str = "Customers";
pub(crate) const CUSTOMERS_HELD: &str = "Customers with held removals";
pub(crate) const CUSTOMERS_OLDEST: &str = "Customers, oldest copies first";
pub(crate) const CUSTOMERS_FAILED: &str = "Customers whose last sync failed";
pub(crate) const DEAD_LETTERS: &str = "Dead letters";
pub(crate) const WEBHOOKS: &str = "Webhooks";
pub(crate) const ORGANIZATIONS: &str = "Organizations";
pub(crate) const ORGANIZATION: &str = "Organization";
pub(crate) const KEY: &str = "Key";
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
pub(crate) const FORM_TOO_LONG: &str = "The form is too long, or it did not arrive in time.";
pub(crate) const FROM_ELSEWHERE: &str = "This form was not sent from a page of this dashboard, or its page is from before your last login. Load the page again and repeat it.";
pub(crate) const CONNECTED: &str = "Connected";
pub(crate) const TO_RECONNECT: &str = "To reconnect";
pub(crate) const SYNCING: &str = "Syncing";
pub(crate) const HELD: &str = "Held removals";
pub(crate) const WEBHOOKS_FAILING: &str = "Webhooks failing";
pub(crate) const FRESHNESS: &str = "How fresh copies are";
pub(crate) const FRESHNESS_CHART: &str = "Copies by the time since they were complete";
pub(crate) const OLDEST: &str = "Oldest copies";
pub(crate) const NO_COPIES: &str = "No workspace is connected yet.";
pub(crate) const TO_LOOK_AT: &str = "For you to look at";
pub(crate) const NOTHING_TO_LOOK_AT: &str = "Nothing waits for a person.";
pub(crate) const UNDER_WAY: &str = "Under way";
pub(crate) const NO_RUNS: &str = "No sync is under way.";
pub(crate) const LAST_DAY: &str = "The last day";
pub(crate) const NO_HISTORY: &str = "Nothing is noted yet: the first numbers come within five minutes.";
pub(crate) const LANES: &str = "Lanes";
pub(crate) const LANE: &str = "Lane";
pub(crate) const WAITING: &str = "Waiting";
pub(crate) const OUT: &str = "Handed out";
pub(crate) const PROCESSES: &str = "Processes";
pub(crate) const PROCESS: &str = "Process";
pub(crate) const SEEN: &str = "Seen";
pub(crate) const WORK: &str = "Work";
pub(crate) const CUSTOMER: &str = "Customer";
pub(crate) const WORKSPACE: &str = "Workspace";
pub(crate) const STATE: &str = "State";
pub(crate) const FILES: &str = "Files";
pub(crate) const COMPLETE: &str = "Complete";
pub(crate) const NEXT_SYNC: &str = "Next sync";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const SEARCH_CUSTOMERS: &str = "Customer or workspace";
pub(crate) const SORT: &str = "Order";
pub(crate) const SORT_ID: &str = "oldest customer first";
pub(crate) const SORT_AGE: &str = "oldest copy first";
pub(crate) const NO_CUSTOMERS: &str = "No customer is like that.";
pub(crate) const RUN: &str = "Run";
pub(crate) const RUNS: &str = "Runs";
pub(crate) const PROGRESS: &str = "Progress";
pub(crate) const WAITS_FOR: &str = "Waits for";
pub(crate) const WORKS_ON: &str = "Works on";
pub(crate) const BEGUN: &str = "Begun";
pub(crate) const ENDED: &str = "Ended";
pub(crate) const TRIGGER: &str = "Asked for by";
pub(crate) const STORED: &str = "Stored";
pub(crate) const REMOVED: &str = "Removed";
pub(crate) const SKIPPED: &str = "Skipped";
pub(crate) const NO_RUNS_YET: &str = "There was no run yet.";
pub(crate) const SYNC_NOW: &str = "Sync now";
pub(crate) const FULL_SYNC: &str = "Full sync";
pub(crate) const CANCEL: &str = "Stop the sync";
pub(crate) const VERIFY: &str = "Verify";
pub(crate) const PAUSE: &str = "Pause";
pub(crate) const RESUME: &str = "Resume";
pub(crate) const DISCONNECT: &str = "Disconnect";
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
pub(crate) const APPROVE: &str = "Approve the removals";
pub(crate) const REFUSE: &str = "Refuse and keep the files";
pub(crate) const HELD_SINCE: &str = "Held since";
pub(crate) const TITLE: &str = "Title";
pub(crate) const ARTICLE: &str = "Article";
pub(crate) const SELECTION_LONG: &str = "What of the help center is kept. An empty field is no condition; every condition must hold. What is left out goes at once, and a run brings the rest.";
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
pub(crate) const NO_FILES: &str = "No file is like that.";
pub(crate) const UNTITLED: &str = "(no title)";
pub(crate) const SIZE: &str = "Size";
pub(crate) const CHANGED: &str = "Changed here";
pub(crate) const CHANGED_THERE: &str = "Changed at Zendesk";
pub(crate) const COMPARED: &str = "Compared";
pub(crate) const FORM: &str = "Form of the text";
pub(crate) const NO_TEXT: &str = "No text of this file is kept.";
pub(crate) const NO_IMAGES: &str = "Images of other servers are not loaded here.";
pub(crate) const ABOUT_FILE: &str = "About this file";
pub(crate) const PLACE: &str = "Place";
pub(crate) const LOCALE: &str = "Locale";
pub(crate) const AUTHOR: &str = "Author";
pub(crate) const LABELS_SHORT: &str = "Labels";
pub(crate) const ADDRESS: &str = "Address";
pub(crate) const ERROR: &str = "Error";
pub(crate) const ATTACHMENTS: &str = "Attachments";
pub(crate) const CHUNK: &str = "Chunk";
pub(crate) const STAGE: &str = "Stage";
pub(crate) const PLAN: &str = "Plan";
pub(crate) const AUDIT_BECAUSE: &str = "Lists every article because";
pub(crate) const RECEIPT: &str = "Receipt";
pub(crate) const LISTED: &str = "Read";
pub(crate) const CREATED: &str = "Created";
pub(crate) const UPDATED: &str = "Updated";
pub(crate) const UNCHANGED: &str = "Unchanged";
pub(crate) const DRAFTS: &str = "Drafts";
pub(crate) const UNSELECTED: &str = "Left out by the selection";
pub(crate) const REQUESTS: &str = "Requests";
pub(crate) const BYTES: &str = "Bytes";
pub(crate) const FILES_AT_END: &str = "Files at its end";
pub(crate) const DIGEST: &str = "Digest";
pub(crate) const TIMELINE: &str = "Over time";
pub(crate) const WAITED: &str = "Waited for the account's budget";
pub(crate) const WAIT_PACE: &str = "Even pace";
pub(crate) const WAIT_WINDOW: &str = "The next minute";
pub(crate) const WAIT_IN_FLIGHT: &str = "Requests under way";
pub(crate) const WAIT_BLOCKED: &str = "A pause that Zendesk asked for";
pub(crate) const WAIT_PUT_OFF: &str = "Put off";
pub(crate) const WAITS_IN_WORDS: &str = "What was waited for, in words";
pub(crate) const LEGEND_WAITED: &str = "waits";
pub(crate) const LEGEND_WORKED: &str = "works";
pub(crate) const LEGEND_PUT_OFF: &str = "put off";
pub(crate) const LEGEND_FAILED: &str = "failed";
pub(crate) const REASON: &str = "Reason";
pub(crate) const WHEN: &str = "When";
pub(crate) const DIFFERENCES: &str = "Differences";
pub(crate) const MENDABLE: &str = "Of these a sync mends";
pub(crate) const NO_DIFFERENCES: &str = "The copy is as its help center.";
pub(crate) const VERIFY_TOO_LONG: &str = "The comparison did not come to its end in time. What it had found until then stands below, if anything. The command `helpsync verify` has no such bound.";
pub(crate) const DEAD_LETTERS_LONG: &str = "Work that gave up. Replay does it once more; discard takes it off the list, and a later run makes it good.";
pub(crate) const NO_DEAD_LETTERS: &str = "Nothing gave up.";
pub(crate) const NOT_ALL_LOOKED_AT: &str =
    "Not all dead letters were looked at yet: there are very many. The next page looks on.";
pub(crate) const MORE_OF_CAUSE: &str = "There may be more of this cause. They stay: repeat it for them.";
pub(crate) const BY_CAUSE: &str = "By cause";
pub(crate) const CAUSE: &str = "Cause";
pub(crate) const COUNT: &str = "Count";
pub(crate) const LAST: &str = "Last";
pub(crate) const ACTIONS: &str = "Actions";
pub(crate) const REPLAY: &str = "Replay";
pub(crate) const DISCARD: &str = "Discard";
pub(crate) const DISCARD_SURE: &str = "Yes, discard";
pub(crate) const ALL_OF_CAUSE: &str = "all of this cause";
pub(crate) const THE_CHOSEN: &str = "the chosen";
pub(crate) const CHOSEN: &str = "Chosen";
pub(crate) const CHOOSE_ALL: &str = "Choose all of this page";
pub(crate) const FAILED_AT: &str = "Gave up";
pub(crate) const AUDIT_LOG: &str = "Audit log";
pub(crate) const AUDIT_LOG_LONG: &str =
    "Who changed what, the latest first: by the API, by a page, and by commands.";
pub(crate) const CHANGES_OF_CUSTOMER: &str = "What was changed of this customer";
pub(crate) const NO_CHANGES: &str = "No change is like that.";
pub(crate) const ACTOR: &str = "By whom";
pub(crate) const CHANGE: &str = "Change";
pub(crate) const ASKED_FOR: &str = "Asked for";
pub(crate) const HISTORY: &str = "History";
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
pub(crate) const NO_WEBHOOKS: &str = "No webhook is set up. The API adds one.";
pub(crate) const MADE: &str = "Made";
pub(crate) const DELIVERIES: &str = "Deliveries";
pub(crate) const NO_DELIVERIES: &str = "No delivery is like that.";
pub(crate) const REDELIVER: &str = "Send again";
pub(crate) const REDELIVER_DEAD: &str = "Send all dead ones again";
pub(crate) const EVENT: &str = "Event";
pub(crate) const OBJECT: &str = "Object";
pub(crate) const TRIES: &str = "Tries";
pub(crate) const ANSWER: &str = "Answer";

/// Forms of a file's text.
pub(crate) const FORMS: [(&str, &str); 4] =
    [("html", "HTML"), ("markdown", "Markdown"), ("plain", "Text"), ("chunks", "Chunks")];
/// Numbers of the last day: name, label, whether they are counted (shown a minute) or seen.
pub(crate) const SERIES: [(&str, &str, bool); 10] = [
    ("requests", "Requests to Zendesk a minute", true),
    ("throttled", "429 a minute", true),
    ("articles", "Articles stored a minute", true),
    ("shards_ended", "Shards ended a minute", true),
    ("published", "Messages published a minute", true),
    ("pending", "Shards waiting", false),
    ("outbox", "Messages in the outbox", false),
    ("dead_letters", "Dead letters", false),
    ("held", "Held removals", false),
    ("stale", "Copies older than 25 hours", false),
];

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
        _ => return None,
    })
}

/// The word of a state, a kind or a cause, as people say it.
pub(crate) fn state(name: &str) -> String {
    let known = match name {
        "QUEUED_FOR_SYNCING" | "QUEUED_FOR_SYNC" | "queued" => "queued",
        "SYNCING" | "syncing" => "syncing",
        "READY" | "ready" => "up to date",
        "SYNC_ERROR" => "failed",
        "READY_TO_SYNC" => "text not kept",
        "reconnect" => "to reconnect",
        "held" => "removals held",
        "ACTIVE" => "active",
        "FLAGGED" => "failing",
        "webhook" => "Zendesk's event",
        "connect" => "connecting",
        "request" => "a request",
        "schedule" => "the schedule",
        "upstream" => "another service",
        "api_key" => "API key",
        _ => return name.replace('_', " "),
    };
    known.to_owned()
}

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

/// A text of the API as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

pub(crate) fn ago(duration: &str) -> String {
    format!("{duration} ago")
}

pub(crate) fn ahead(duration: &str) -> String {
    format!("in {duration}")
}

pub(crate) fn wait(seconds: u64) -> String {
    format!("Try again in {seconds} s.")
}

pub(crate) fn scope_of_key(scope: &str) -> String {
    format!("Scope: {scope}")
}

/// `None`: older than every bound.
pub(crate) fn age_up_to(duration: Option<String>) -> String {
    duration.map_or_else(|| "older, or never".to_owned(), |duration| format!("up to {duration}"))
}

pub(crate) fn dead_of(count: usize, customers: usize) -> String {
    format!("{count} of {customers} {}", if customers == 1 { "customer" } else { "customers" })
}

pub(crate) fn held_of(count: i64, customer: &str) -> String {
    format!("{} of {customer}", number(count))
}

pub(crate) fn of_all(done: &str, all: &str) -> String {
    format!("{done} of {all}")
}

pub(crate) fn read(done: &str) -> String {
    format!("{done} read")
}

pub(crate) fn run(id: i64, kind: &str) -> String {
    format!("{} {id}", sentence(kind).trim_end_matches('.'))
}

pub(crate) fn run_number(id: i64) -> String {
    format!("Run {id}")
}

pub(crate) fn works_on(shards: usize, of: i64) -> String {
    format!("{shards} of {of}")
}

pub(crate) fn hours(hours: i64) -> String {
    if hours < 0 { "as the organization's".to_owned() } else { format!("{hours} hours") }
}

pub(crate) fn disconnect_asked(workspace: &str, customer: &str) -> String {
    format!("Disconnect the workspace {workspace} of {customer}?")
}

pub(crate) fn chunks_of(shown: usize, all: i64) -> String {
    format!("{shown} of {all} chunks")
}

pub(crate) fn tokens(locale: &str, tokens: i64) -> String {
    format!("{locale} · {tokens} tokens")
}

/// More than nothing, and less than one.
pub(crate) const UNDER_ONE: &str = "under 1";

pub(crate) fn verify_broke_off(why: &str) -> String {
    format!("The comparison broke off: {why}")
}

pub(crate) fn more_differences(more: usize) -> String {
    format!("And {more} more at least. This command lists all:")
}

pub(crate) fn at_most(most: &str) -> String {
    format!("at most {most}")
}

pub(crate) fn spark(label: &str, now: &str, most: &str) -> String {
    format!("{label} over the last day: now {now}, at most {most}")
}

pub(crate) fn timeline(shards: usize, lasted: &str) -> String {
    format!("{shards} shards over {lasted}")
}

pub(crate) fn more_shards(more: usize) -> String {
    format!("{more} more shards are not drawn.")
}

pub(crate) fn shard(kind: &str, key: &str, state: &str) -> String {
    format!("{kind} {key}: {state}")
}

pub(crate) fn of_customer(customer: &str) -> String {
    format!("Of {customer} only.")
}

pub(crate) fn messages_away(why: &str) -> String {
    format!("Messages are missing here: the queue cannot be asked ({why}).")
}

pub(crate) fn choose(id: &str) -> String {
    format!("Choose {id}")
}

pub(crate) fn tries(count: &str) -> String {
    format!("{count} tries")
}

pub(crate) fn discard_asked(letters: usize) -> String {
    let what =
        if letters == 1 { "1 dead letter goes".to_owned() } else { format!("{letters} dead letters go") };
    format!(
        "{what} for good, with the work in it. What it was to bring comes with a later sync, if Zendesk still has it."
    )
}

pub(crate) fn partly(done: usize, left: usize, why: &str) -> String {
    format!("{done} done, {left} not: {why}")
}
