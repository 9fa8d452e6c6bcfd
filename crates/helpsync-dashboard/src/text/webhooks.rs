//! Webhooks and their deliveries.

use crate::show::number;

pub(crate) const NO_WEBHOOKS: &str = "No webhook is set up. The API adds one.";
pub(crate) const MADE: &str = "Made";
pub(crate) const DELIVERIES: &str = "Deliveries";
pub(crate) const NO_DELIVERIES: &str = "No delivery is like that.";
pub(crate) const REDELIVER: &str = "Send again";
pub(crate) const REDELIVER_DEAD: &str = "Send all dead ones again";
/// So many are sent again; `more`: that was the most at once, and more are dead.
pub(crate) fn redelivered(count: u64, more: bool) -> String {
    let what = match count {
        1 => "1 delivery is sent again.".to_owned(),
        count => format!("{} deliveries are sent again.", number(i64::try_from(count).unwrap_or(i64::MAX))),
    };
    if more { format!("{what} More are dead: send these again too.") } else { what }
}

pub(crate) const EVENT: &str = "Event";
pub(crate) const OBJECT: &str = "Object";
pub(crate) const ANSWER: &str = "Answer";
