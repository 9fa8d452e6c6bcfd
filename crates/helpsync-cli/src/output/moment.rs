//! Moments for people: how long ago, or in how long.

use std::time::Duration;

use helpsync_model::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;

use super::{cell, span};

/// A time of an answer as people say it now: `3 min ago`, `in 5 h`. JSON has it to the millisecond.
pub(crate) fn moment(at: &Value) -> String {
    moment_of(at, SystemClock.now_ms())
}

/// As [`moment`], at `now_ms`.
pub(crate) fn moment_of(at: &Value, now_ms: i64) -> String {
    let Some(at_ms) =
        at.as_str().and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_millisecond)
    else {
        return cell(at);
    };
    let apart = span(Duration::from_millis(at_ms.abs_diff(now_ms)));
    match at_ms.abs_diff(now_ms) {
        0..1_000 => "now".to_owned(),
        _ if at_ms < now_ms => format!("{apart} ago"),
        _ => format!("in {apart}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_is_said_from_now() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        for (at, text) in [
            (json!("2026-11-28T11:57:00.5Z"), "2 min 59 s ago"),
            (json!("2026-11-28T12:00:00.4Z"), "now"),
            (json!("2026-11-29T11:00:00Z"), "in 23 h"),
            (json!("2026-11-25T12:00:00Z"), "3 d ago"),
            (json!(null), "-"),
            (json!("soon"), "soon"),
        ] {
            assert_eq!(moment_of(&at, now.as_millisecond()), text);
        }
    }
}
