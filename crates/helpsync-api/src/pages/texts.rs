//! Everything that pages say, in English. Plain words, and a next step for every failure.

use axum::http::StatusCode;
use helpsync_model::{Timestamp, WaitKind};
use helpsync_pages::Page;
use maud::html;

/// Whom a page speaks for when nobody gave it a name.
pub(super) const SOMEBODY: &str = "Your application";

pub(super) const NOTHING_CHANGED: &str = "Nothing was changed.";
pub(super) const START_AGAIN: &str = "Please connect Zendesk again from your application.";
pub(super) const START_AGAIN_LATER: &str =
    "Please connect Zendesk again from your application in a few minutes.";
pub(super) const TELL_MAKERS: &str = "Please tell the makers of your application.";

pub(super) const NOT_OURS: &str = "This link does not work";
pub(super) const NOT_OURS_WHY: &str = "It is not one of ours, or parts of it are missing.";
pub(super) const NOT_OURS_NEXT: &str =
    "Please go back to your application and connect Zendesk again from there.";
pub(super) const USED_UP_NEXT: &str =
    "If your application does not show the workspace as connected, connect Zendesk again from there.";
pub(super) const EXPIRED: &str = "This link has expired";
pub(super) const EXPIRED_WHY: &str = "It took too long to grant access, so nothing was changed.";
pub(super) const USED: &str = "This link was used before";
pub(super) const USED_WHY: &str = "Every link works once, so nothing was changed this time.";
pub(super) const OUR_FAULT: &str = "Something went wrong on our side";
pub(super) const OUR_FAULT_NEXT: &str =
    "Please start again from your application; if it happens again, tell its makers.";
pub(super) const NO_ADDRESS: &str =
    "The workspace's address cannot be made. Please tell the makers of your application.";

pub(super) const OTHER_BROWSER: &str = "This was not begun in this browser";
pub(super) const OTHER_BROWSER_WHY: &str = "Access can only be granted in the browser in which you pressed Continue to Zendesk. Nothing was changed.";
pub(super) const OTHER_BROWSER_NEXT: &str = "If you began elsewhere, go on there. If you did not begin at all, close this page: somebody else sent you here.";

pub(super) const NOT_FROM_PAGE: &str = "Please try again from the page itself";
pub(super) const NOT_FROM_PAGE_WHY: &str = "The form was not sent from our page in this browser, was open for too long, or cookies are switched off.";
pub(super) const OPEN_PAGE_AGAIN: &str = "Open the page again";

pub(super) const MISSING: &str = "There is no such page";
pub(super) const MISSING_NEXT: &str = "Please check the address, or go back to your application.";

/// For whoever has an address that cannot be read.
pub(crate) fn unreadable() -> Page {
    Page::failed(StatusCode::BAD_REQUEST, NOT_OURS).line(NOT_OURS_WHY).line(MISSING_NEXT)
}

/// For whoever looks for a page that is not there.
pub(crate) fn missing() -> Page {
    Page::failed(StatusCode::NOT_FOUND, MISSING).line(MISSING_NEXT)
}

pub(super) fn help(name: &str, contact: &str) -> String {
    format!("Questions? Turn to {name}: {contact}")
}

pub(super) fn back_to(name: &str) -> String {
    format!("Back to {name}")
}

pub(super) fn connect_title(name: &str) -> String {
    format!("Connect Zendesk to {name}")
}

pub(super) fn connect_lead(name: &str) -> String {
    format!("{name} asks for a copy of your help center's published articles, and to keep it up to date.")
}

pub(super) const WORKSPACE: &str = "Your Zendesk workspace";
pub(super) const WORKSPACE_HINT: &str = "The first part of the address at which you use Zendesk.";
pub(super) const CUSTOMER: &str = "Connected for";
pub(super) const READ: &str = "What is read";
pub(super) const READ_LIST: [&str; 3] = [
    "Published help center articles, with translations, labels and attachments",
    "The categories and sections that they stand in, and who may read them",
    "Authors' names and the names of tags, where Zendesk shows them",
];
pub(super) const READS_MORE: &str =
    "Zendesk will name a wider permission, because its finer ones do not show everything listed above.";
/// Then their names, as Zendesk has them.
pub(super) const SCOPES: &str = "Zendesk is asked for:";
pub(super) const ADDS_WEBHOOK: &str = "One webhook is added to your account, so that changes arrive within seconds. Disconnecting takes it away.";
pub(super) const NOT_READ: &str = "What is not";
pub(super) const NOT_READ_LIST: [&str; 3] = [
    "Drafts, and articles that are archived or not published",
    "Tickets, messages, customers and their data",
    "Your password: you sign in at Zendesk",
];
pub(super) const WRITES_NOTHING: &str = "Nothing in Zendesk is changed.";
pub(super) const SIGN_IN_AS: &str = "Sign in to Zendesk as an administrator or an agent. An end user's permission brings only what that user may read: \
     articles for agents or certain groups would be missing, and changes would arrive later.";
pub(super) const CONTINUE: &str = "Continue to Zendesk";
pub(super) const CONTINUE_HINT: &str =
    "Zendesk asks you to confirm. If you did not ask for this, close the page: nothing has happened yet.";

pub(super) fn renews(subdomain: &str) -> String {
    format!("{subdomain} is connected already. Its permission is renewed, and its articles are kept.")
}

pub(super) const WORKSPACE_MISSING: &str = "Enter the name of your workspace, for example acme.";
pub(super) const WORKSPACE_WRONG: &str =
    "This is no workspace's name. It has 3 to 63 letters, digits and hyphens: the part before .zendesk.com.";

pub(super) const NOT_ALLOWED: &str = "This workspace cannot be connected here";

pub(super) fn not_allowed(name: &str, subdomain: &str) -> String {
    format!("{name} does not connect the workspace {subdomain}. Enter another, or ask {name} to allow it.")
}

pub(super) fn no_such_workspace(subdomain: &str) -> String {
    format!(
        "Zendesk has no workspace {subdomain}. Look at the address of your Zendesk: the name is the part before .zendesk.com."
    )
}

pub(super) fn already_connected(subdomain: &str) -> String {
    format!("Already connected to {subdomain}")
}

pub(super) fn already_connected_why(customer: &str, subdomain: &str) -> String {
    format!("{customer} is connected to the Zendesk workspace {subdomain}, and a customer has one workspace.")
}

pub(super) fn connected_by(by: &str) -> String {
    format!("It was connected by {by}.")
}

pub(super) fn disconnect_first(name: &str, subdomain: &str, wanted: &str) -> String {
    format!("Ask {name} to disconnect {subdomain} first. Then connect {wanted} from there.")
}

pub(super) const NOT_GRANTED: &str = "Access was not granted";

pub(super) fn not_granted_why(subdomain: &str) -> String {
    format!("Nothing was changed, and {subdomain} was not connected.")
}

pub(super) const NOT_GRANTED_NEXT: &str =
    "If that was a mistake, connect Zendesk again from your application and choose Allow.";
pub(super) const REQUEST_REFUSED: &str = "Zendesk did not accept the request";
pub(super) const REQUEST_REFUSED_WHY: &str =
    "Nothing was changed. The OAuth client, its redirect URL or the requested scopes do not fit.";
pub(super) const CLIENT_REFUSED_WHY: &str =
    "The OAuth client's identifier, secret or redirect URL does not fit.";
pub(super) const SET_UP_ANEW: &str = "Please start again";
pub(super) const SET_UP_ANEW_WHY: &str =
    "The connection to Zendesk was set up anew while you were granting access.";
pub(super) const TOKEN_REFUSED: &str = "Zendesk did not accept its own token";
pub(super) const LINK_REFUSED: &str = "Zendesk does not accept this link any more";
pub(super) const ZENDESK_AWAY: &str = "Zendesk does not answer at the moment";
pub(super) const SUSPENDED: &str = "Zendesk lets nobody into this account";
pub(super) const SUSPENDED_NEXT: &str =
    "The account is suspended. Once its owner has had that ended, please connect Zendesk again.";
pub(super) const UNEXPECTED: &str = "Zendesk answered something unexpected";
pub(super) const NOT_NOW: &str = "Not at the moment";
pub(super) const NOT_NOW_NEXT: &str = "Please try again in a minute.";
pub(super) const GONE: &str = "This is not there any more";
pub(super) const GONE_NEXT: &str = "The workspace was disconnected, or its permission has ended. Please connect Zendesk again from your application.";

pub(super) fn is_connected(subdomain: &str) -> String {
    format!("{subdomain} is connected")
}

pub(super) const FETCHING: &str =
    "Its published help center articles are being fetched now. Large help centers take some minutes.";
pub(super) const FETCHED_WHEN_ASKED: &str =
    "Its published help center articles will be fetched when your application asks for them.";
pub(super) const KEPT: &str = "The articles that were fetched before are kept and brought up to date.";
pub(super) const CLOSE: &str = "You can close this page and go back to your application.";
pub(super) const CAN_BE_SYNCED: &str = "Its published help center articles can be brought up to date now.";
pub(super) const SYNC_NOW: &str = "Sync now";

// How a sync goes.
pub(super) const IN_PROGRESS: &str = "Articles fetched";
pub(super) const WAITS: &str = "The articles will be fetched in a moment.";
pub(super) const ENDS: &str = "Nearly everything is here: the last checks are made.";
pub(super) const ALL_HERE: &str = "Everything is here";
pub(super) const KEEPS_UP: &str = "Changes in the help center are taken over from now on.";
pub(super) const KEEPS_UP_WHEN_ASKED: &str =
    "Changes in the help center are taken over when your application asks for them.";
pub(super) const KEEPS_UP_RESUMED: &str =
    "It is paused: changes in the help center are taken over once that is over.";
pub(super) const GOES_ON: &str = "You can close this page at any time: it goes on without you.";
pub(super) const STOPPED: &str = "It stopped before everything was here";
pub(super) const STOPPED_NEXT: &str = "What was fetched is kept, and the next sync goes on from there. If this stays, tell the makers of your application.";
pub(super) const ENDED_EARLY: &str = "The sync was stopped";
pub(super) const ENDED_EARLY_NEXT: &str = "It can be started again from your application.";
pub(super) const PERMISSION_ENDED: &str = "Zendesk has ended the permission";
pub(super) const PERMISSION_ENDED_NEXT: &str =
    "What was fetched is kept. To go on, connect Zendesk again from your application.";
pub(super) const DISCONNECTED: &str = "The workspace is disconnected";
pub(super) const RELOAD: &str = "Look again";

pub(super) fn fetched(done: i64, total: Option<i64>) -> String {
    match total {
        Some(total) => format!("{} of {} articles are looked at.", thousands(done), thousands(total)),
        None if done == 1 => "One article is looked at so far.".to_owned(),
        None => format!("{} articles are looked at so far.", thousands(done)),
    }
}

pub(super) fn all_here(files: i64) -> String {
    match files {
        0 => "The help center shows no published articles to whoever granted access.".to_owned(),
        1 => "One article is here.".to_owned(),
        files => format!("{} articles are here.", thousands(files)),
    }
}

/// What a sync waits for, and what comes next. The log and the dashboard have the technical reason.
pub(super) const fn waits_for(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Suspended => {
            "The Zendesk account is suspended. Once its owner has had that ended, the sync goes on by itself."
        }
        WaitKind::HelpCenter => {
            "Zendesk does not show the help center. An administrator can activate it (in Zendesk: Guide), or connect again with \
             a user who may read it. It is asked again for a while."
        }
        WaitKind::Budget => {
            "Zendesk answers only so many requests a minute. The sync goes on as soon as it answers more."
        }
        WaitKind::Service => "A part of our service does not answer just now. The sync goes on once it does.",
        WaitKind::Token => "The permission is being renewed at Zendesk. The sync goes on after that.",
        WaitKind::Turn => "Other syncs are under way too: it waits for its turn.",
        WaitKind::Zendesk => "Zendesk does not answer as it should just now. It is asked again by itself.",
        WaitKind::Person => {
            "It is paused by whoever runs the syncs of your application. It goes on once that is over."
        }
        WaitKind::Moment | WaitKind::Other => "It goes on by itself in a while.",
    }
}

pub(super) fn skipped(count: i64) -> String {
    match count {
        1 => "One article could not be taken over; your application can see why.".to_owned(),
        count => {
            format!("{} articles could not be taken over; your application can see why.", thousands(count))
        }
    }
}

pub(super) const HELP_CENTER_OFF: &str = "Zendesk shows no help center in this account: it is switched off, or whoever granted access may not read it. \
     An administrator can activate it (in Zendesk: Guide), or connect again with a user who may read it.";
pub(super) const ACCOUNT_SUSPENDED: &str = "The Zendesk account is suspended. Its owner can have that ended.";
pub(super) const ARRIVE_BY_THEMSELVES: &str = "After that the articles arrive by themselves.";
pub(super) const ASK_TO_SYNC: &str = "After that, ask the makers of your application to sync again.";
pub(super) const END_USER: &str = "Access was granted by an end user. Only articles that this user may read are copied: those for agents or certain \
     groups are missing. An administrator or agent can connect again to bring them.";
pub(super) const NO_EXPORT: &str = "Zendesk gives whoever granted access no list of all changes, which agents and administrators get. Articles that this \
     user may not read are missing, and changes arrive more slowly. An administrator can connect again to mend that.";

// The page on which things are changed.
pub(super) const MANAGE: &str = "Your Zendesk help center";
pub(super) const NOT_CONNECTED: &str = "No Zendesk workspace is connected.";
pub(super) const NOT_CONNECTED_NEXT: &str = "It can be connected from your application.";
pub(super) const LINK_WRONG: &str = "This link is not valid";
pub(super) const LINK_EXPIRED: &str = "This link has expired";
pub(super) const LINK_EXPIRED_NEXT: &str = "Please open the page again from your application.";
pub(super) const FACT_WORKSPACE: &str = "Workspace";
pub(super) const FACT_BY: &str = "Connected by";
pub(super) const FACT_ARTICLES: &str = "Articles here";
pub(super) const FACT_STATE: &str = "State";
pub(super) const FACT_COMPLETE: &str = "Last complete";
pub(super) const FACT_NEXT: &str = "Next sync";
pub(super) const NEVER: &str = "not yet";
pub(super) const NOT_SCHEDULED: &str = "when your application asks";
pub(super) const STATE_READY: &str = "up to date";
pub(super) const STATE_WORKING: &str = "being synced";
pub(super) const STATE_ERROR: &str = "the last sync stopped before its end";
pub(super) const STATE_PAUSED: &str = "the permission has ended: connect Zendesk again from your application";
pub(super) const STATE_HELD_BACK: &str = "paused: nothing new is synced until that is over";
pub(super) const HELD: &str = "Zendesk shows far fewer articles than before. What seems to be gone is kept until your application has looked at it.";
pub(super) const WATCH: &str = "Watch the sync";
pub(super) const WHAT_IS_SYNCED: &str = "What is synced";
pub(super) const WHAT_IS_SYNCED_HINT: &str =
    "Without a choice everything is synced. What you leave out is removed from your application at once.";
pub(super) const PLACES: &str = "Categories and sections";
pub(super) const PLACES_HINT: &str =
    "Articles of every category and section that you choose, and of all below them.";
pub(super) const PLACES_UNKNOWN: &str = "They can be chosen once the first sync has read them.";
pub(super) const PLACES_MANY: &str = "The help center has more categories and sections than this page shows. Your application can choose among all.";
pub(super) const LOCALES: &str = "Languages";
pub(super) const LOCALES_HINT: &str = "One a line, for example en-us. Empty: all of them.";
pub(super) const LABELS: &str = "Labels";
pub(super) const LABELS_HINT: &str = "One a line. Articles with at least one of them are synced; capital letters matter. Empty: whatever the labels.";
pub(super) const PUBLIC_ONLY: &str = "Only articles that everybody may read";
pub(super) const ATTACHMENTS: &str = "Attachments too";
pub(super) const SAVE: &str = "Save";
pub(super) const SAVE_ANYWAY: &str = "Save and remove them";
pub(super) const BACK: &str = "Back to the selection";
pub(super) const NOTHING_SAVED: &str = "Nothing was saved: what you chose stands below.";

pub(super) fn removes_title(files: i64) -> String {
    match files {
        1 => "Save removes one article".to_owned(),
        files => format!("Save removes {} articles", thousands(files)),
    }
}

pub(super) fn removes(files: i64, all: i64) -> String {
    format!(
        "This choice leaves out {} of the {} articles that are here. They are removed from your application at once. \
         Another choice brings them back with a later sync.",
        thousands(files),
        thousands(all)
    )
}

pub(super) const DISCONNECT: &str = "Disconnect";
pub(super) const DISCONNECT_HINT: &str = "Ends the permission at Zendesk and all syncs. Articles that are here stay until your application deletes them.";

pub(super) fn disconnect_title(subdomain: &str) -> String {
    format!("Disconnect {subdomain}?")
}

pub(super) const KEEP: &str = "Keep it connected";
pub(super) const DONE_SYNC: &str = "A sync was started.";
pub(super) const DONE_SYNC_PAUSED: &str = "A sync is asked for. It is paused by whoever runs the syncs of your application, and begins once that is over.";
pub(super) const DONE_SELECT: &str = "Saved. A sync brings what is newly chosen.";
pub(super) const DONE_DISCONNECT: &str = "The workspace is disconnected.";

/// Why a selection could not be saved; `member` is what the API calls the part of it that is wrong.
pub(super) fn wrong_list(member: Option<&str>, why: &str) -> String {
    let part = match member {
        Some("labels") => LABELS,
        Some("locales") => LOCALES,
        Some(_) => PLACES,
        None => return format!("That could not be saved: {why}"),
    };
    format!("That could not be saved. {part}: {why}")
}

/// A moment, in UTC: pages do not know where they are read.
pub(super) fn moment(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// A number with a comma between thousands.
pub(super) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A way to look again, for browsers without scripts.
pub(super) fn reload(page: Page, address: &str) -> Page {
    page.part(html! { noscript { p { a href=(address) { (RELOAD) } } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_said_in_plain_words() {
        for (kind, said) in [
            (WaitKind::Suspended, "its owner"),
            (WaitKind::HelpCenter, "in Zendesk: Guide"),
            (WaitKind::Budget, "requests a minute"),
            (WaitKind::Service, "our service"),
            (WaitKind::Token, "permission"),
            (WaitKind::Turn, "its turn"),
            (WaitKind::Zendesk, "asked again by itself"),
            (WaitKind::Person, "It is paused"),
            (WaitKind::Other, "by itself"),
        ] {
            assert!(waits_for(kind).contains(said), "{kind}");
        }
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678"), (-1_000, "-1,000")]
        {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(moment(1_767_225_660_123), "1 January 2026, 00:01 UTC");
    }
}
