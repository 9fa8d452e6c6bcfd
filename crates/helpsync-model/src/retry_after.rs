//! `Retry-After`, as whoever is asked too often or is out of order sends it. Source: RFC 9110, sections 10.2.3 and 5.6.7.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// How long a `Retry-After` asks to wait: seconds, or until a date in any of HTTP's three forms. A date is measured from
/// the answer's own `Date` where there is one, so that neither clock has to be right; else from `now`. One that is over
/// gives zero, nonsense nothing. Of several, as a proxy joins them by commas, the longest counts. Not bounded: the
/// caller knows what is too long.
#[must_use]
pub fn retry_after(text: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let told = |text: &str| one(text, date, now);
    told(text).or_else(|| {
        let parts: Vec<&str> = text.split(',').collect();
        // Most dates have a comma of their own.
        let dates = parts.windows(2).filter_map(|two| told(&two.join(",")));
        parts.iter().copied().filter_map(told).chain(dates).max()
    })
}

fn one(text: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        // Digits beyond what a number holds are a long time, the word for infinity is none.
        let is_time = seconds >= 0.0 && text.starts_with(|c: char| c.is_ascii_digit() || ".+-".contains(c));
        return is_time.then(|| Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let since = sent.unwrap_or_else(|| moment(now));
    Some(until.duration_since(since).unwrap_or(Duration::ZERO))
}

/// A date in HTTP's forms, in epoch seconds.
#[must_use]
pub fn http_date(text: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn moment(at: Timestamp) -> SystemTime {
    let since = u64::try_from(at.as_millisecond()).map_or(Duration::ZERO, Duration::from_millis);
    UNIX_EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_all_three_forms_of_dates_are_read() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        for (text, seconds) in [
            ("93", Some(93)),
            (" 1.2 ", Some(2)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("1994-11-06T08:49:37Z", None),
            ("soon", None),
            ("-5", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("3, 7", Some(7)),
            ("7, -3, soon", Some(7)),
            ("soon, later", None),
            ("5, Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT, Sun, 06 Nov 1994 08:49:09 GMT", Some(37)),
            ("-0", Some(0)),
        ] {
            assert_eq!(retry_after(text, None, now), seconds.map(Duration::from_secs), "{text}");
        }
        let digits = "9".repeat(400);
        assert_eq!(retry_after(&digits, None, now), Some(Duration::MAX));
        assert_eq!(retry_after(&format!("-{digits}"), None, now), None);
        assert_eq!(retry_after("1e300", None, now), Some(Duration::MAX));
    }

    #[test]
    fn a_date_counts_from_the_answers_own_date() {
        let until = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (date, seconds) in [
            ("Sun, 06 Nov 1994 08:49:30 GMT", 7),
            ("Sunday, 06-Nov-94 08:49:30 GMT", 7),
            ("Mon, 07 Nov 1994 08:49:30 GMT", 0),
        ] {
            let wait = retry_after(until, Some(date), Timestamp::MAX);
            assert_eq!(wait, Some(Duration::from_secs(seconds)), "{date}");
        }
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        assert_eq!(retry_after(until, Some("yesterday"), now), Some(Duration::from_secs(37)));
    }
}
