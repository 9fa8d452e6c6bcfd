//! The envelopes of lists, and what they prove about the list's end.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::bounded_body::TOO_LONG;
use crate::fields::{Fields, whole_number};
use crate::{Endpoint, Failure, Rejected};

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The answer proves that this was the last page.
    End,
    /// The next offset page.
    Offset(u32),
    /// The next cursor (`page[after]`).
    Cursor(String),
    /// The answer proves neither an end nor a next page. Such a listing must not remove anything.
    Unproven,
}

/// A JSON object whose members are not yet read, so that one broken record cannot spoil the rest.
pub(crate) struct Envelope<'a>(HashMap<String, &'a RawValue>);

/// Hexadecimal digits that tell records without a readable id apart.
const RECORD_DIGITS: usize = 12;

/// The reason why a record cannot be read. One without a readable id is told from others by what stays the same however
/// often, and from wherever, it is read.
fn named(fields: &Fields, reason: String) -> String {
    if fields.id("id").is_some() {
        return reason;
    }
    let mut digest = Sha256::new();
    for member in ["created_at", "section_id", "author_id", "html_url", "title"] {
        digest.update(fields.raw(member));
        digest.update([0]);
    }
    let digits: String = hex::encode(digest.finalize()).chars().take(RECORD_DIGITS).collect();
    format!("{reason} (record {digits})")
}

/// A body as text; invalid UTF-8 is replaced, not refused.
pub(crate) fn text(body: &[u8]) -> Cow<'_, str> {
    // Asked as a whole first: that is several times as fast, and almost always enough.
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(body: &'a str) -> Result<Self, Failure> {
        serde_json::from_str(body).map(Self).map_err(|error| {
            let what = if body.trim_start().starts_with('<') {
                "html where json was due".to_owned()
            } else if error.is_eof() {
                format!("it breaks off after {} bytes", body.len())
            } else {
                format!("no json object of {} bytes", body.len())
            };
            Failure::malformed(what)
        })
    }

    /// Reads a list that the answer owes us.
    pub(crate) fn records<T>(
        &self,
        key: &str,
        read: impl Fn(&mut Fields) -> Result<T, String>,
    ) -> Result<(Vec<T>, Vec<Rejected>), Failure> {
        let missing = || Failure::malformed(format!("{key} is missing"));
        let raw = self.0.get(key).ok_or_else(missing)?;
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_not_a_list| missing())?;
        let (mut good, mut rejected) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match Fields::parse(item.get()) {
                Ok(mut fields) => match read(&mut fields) {
                    Ok(record) => good.push(record),
                    Err(reason) => rejected.push(Rejected {
                        id: fields.id("id"),
                        is_too_long: reason == TOO_LONG,
                        reason: named(&fields, reason),
                        created_at: fields.time("created_at"),
                        section_id: fields.id("section_id"),
                    }),
                },
                Err(reason) => rejected.push(Rejected {
                    id: None,
                    reason,
                    is_too_long: false,
                    created_at: None,
                    section_id: None,
                }),
            }
        }
        Ok((good, rejected))
    }

    /// A list that the answer owes us, its records as they are, and what is wrong with those that are none.
    pub(crate) fn fields(&self, key: &str) -> Result<(Vec<Fields>, Vec<String>), Failure> {
        let missing = || Failure::malformed(format!("{key} is missing"));
        let raw = self.0.get(key).ok_or_else(missing)?;
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_not_a_list| missing())?;
        let (mut good, mut broken) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match Fields::parse(item.get()) {
                Ok(fields) => good.push(fields),
                Err(reason) => broken.push(reason),
            }
        }
        Ok((good, broken))
    }

    /// Reads a sideload: what is missing or broken in it is left out.
    pub(crate) fn sideload<T>(&self, key: &str, read: impl Fn(&Fields) -> Result<T, String>) -> Vec<T> {
        self.records(key, |fields| read(fields)).map(|(good, _rejected)| good).unwrap_or_default()
    }

    /// Reads an object that the answer owes us.
    pub(crate) fn object(&self, key: &str) -> Result<Fields, Failure> {
        let raw = self.0.get(key).ok_or_else(|| Failure::malformed(format!("{key} is missing")))?;
        Fields::parse(raw.get()).map_err(|reason| Failure::malformed(format!("{key}: {reason}")))
    }

    /// A whole number at the top, also as a text or with a fraction of zero.
    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        whole_number(&self.value(key)?)
    }

    /// How many there are of something; `None` where that is not told, or cannot be.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        self.number(key)?.try_into().ok()
    }

    /// A member as it stands, for small ones.
    pub(crate) fn value<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.0.get(key)?.get()).ok()
    }

    /// `next_page`: `Ok(None)` when it is null, malformed when it is missing: only a null proves an end.
    pub(crate) fn next_page(&self, endpoint: &Endpoint) -> Result<Option<Url>, Failure> {
        match self.value::<Option<String>>("next_page") {
            None => Err(Failure::malformed("next_page is missing")),
            Some(None) => Ok(None),
            Some(Some(text)) => own_url(endpoint, &text).map(Some),
        }
    }

    /// Whether a list is whole of which so many were read: it has as many as it counts, shows its end, or comes without any
    /// word of pages, as short lists may.
    pub(crate) fn is_whole(&self, read: usize, shows_end: bool) -> bool {
        if let Some(count) = self.count("count") {
            return u64::try_from(read).is_ok_and(|read| read >= count);
        }
        let has_no_more = self.object("meta").is_ok_and(|meta| meta.flag("has_more") == Some(false));
        let has_pages =
            ["next_page", "page_count", "meta", "links"].iter().any(|name| self.0.contains_key(*name));
        shows_end || has_no_more || !has_pages
    }

    /// What an offset page says about the next one.
    pub(crate) fn next_offset(&self, endpoint: &Endpoint, page: u32) -> Result<Next, Failure> {
        let is_last = self.number("page_count").map(|pages| i64::from(page) >= pages);
        match self.next_page(endpoint) {
            Err(Failure::Malformed(_)) if is_last == Some(true) => Ok(Next::End),
            Err(Failure::Malformed(_)) => Ok(Next::Unproven),
            Err(failure) => Err(failure),
            Ok(None) if is_last == Some(false) => Ok(Next::Unproven),
            Ok(None) => Ok(Next::End),
            Ok(Some(url)) => {
                let next = query(&url, "page").and_then(|text| text.parse::<u32>().ok());
                Ok(match next.filter(|next| *next > page) {
                    Some(next) => Next::Offset(next),
                    // `next_page` may repeat the page just read: following it would never end.
                    None if is_last == Some(true) => Next::End,
                    None => Next::Unproven,
                })
            }
        }
    }

    /// What a cursor page says about the next one. `after` is the cursor that this page was asked with.
    pub(crate) fn next_cursor(&self, endpoint: &Endpoint, after: Option<&str>) -> Result<Next, Failure> {
        let meta = self.object("meta").ok();
        let links_next = self.object("links").ok().and_then(|links| links.some_text("next"));
        let linked = links_next.map(|text| own_url(endpoint, &text)).transpose()?;
        let Some((meta, has_more)) = meta.and_then(|meta| meta.flag("has_more").map(|more| (meta, more)))
        else {
            return Ok(Next::Unproven);
        };
        if !has_more {
            // `after_cursor` and `links.next` may still be set on the last page; they mean nothing.
            return Ok(Next::End);
        }
        let cursor =
            meta.some_text("after_cursor").or_else(|| linked.and_then(|url| query(&url, "page[after]")));
        Ok(match cursor.filter(|cursor| Some(cursor.as_str()) != after) {
            Some(cursor) => Next::Cursor(cursor),
            None => Next::Unproven,
        })
    }
}

/// A link out of an answer, when it stays on the workspace's own address.
fn own_url(endpoint: &Endpoint, text: &str) -> Result<Url, Failure> {
    match endpoint.base().join(text) {
        Ok(url) if endpoint.owns(&url) => Ok(url),
        Ok(url) => Err(Failure::off_host(url.host_str())),
        Err(_not_a_url) => Err(Failure::off_host(None)),
    }
}

/// One query parameter of a link.
pub(crate) fn query(url: &Url, key: &str) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use helpsync_model::Subdomain;

    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint::new(crate::DEFAULT_TEMPLATE, &Subdomain::parse("acme").unwrap()).unwrap()
    }

    fn cursor(json: &str) -> Result<Next, Failure> {
        Envelope::read(json).unwrap().next_cursor(&endpoint(), Some("c1"))
    }

    fn offset(json: &str) -> Result<Next, Failure> {
        Envelope::read(json).unwrap().next_offset(&endpoint(), 2)
    }

    #[test]
    fn only_has_more_false_ends_a_cursor_walk() {
        for (json, next) in [
            (
                r#"{"meta":{"has_more":false,"after_cursor":"c2"},"links":{"next":"https://acme.zendesk.com/x"}}"#,
                Next::End,
            ),
            (r#"{"meta":{"has_more":true,"after_cursor":"c2"}}"#, Next::Cursor("c2".into())),
            (
                r#"{"meta":{"has_more":true},"links":{"next":"https://acme.zendesk.com/x?page%5Bafter%5D=c3"}}"#,
                Next::Cursor("c3".into()),
            ),
            (r#"{"meta":{"has_more":true,"after_cursor":"c1"}}"#, Next::Unproven),
            (r#"{"meta":{"has_more":true}}"#, Next::Unproven),
            (r#"{"meta":{}}"#, Next::Unproven),
            (r#"{"meta":null}"#, Next::Unproven),
            (r#"{}"#, Next::Unproven),
        ] {
            assert_eq!(cursor(json), Ok(next), "{json}");
        }
    }

    #[test]
    fn an_offset_walk_ends_at_null_and_never_repeats_a_page() {
        for (json, next) in [
            (r#"{"next_page":null,"page_count":2}"#, Next::End),
            (r#"{"next_page":null}"#, Next::End),
            (r#"{"next_page":null,"page_count":3}"#, Next::Unproven),
            (r#"{"next_page":"https://acme.zendesk.com/x?page=3","page_count":3}"#, Next::Offset(3)),
            (r#"{"next_page":"https://acme.zendesk.com/x?page=2","page_count":2}"#, Next::End),
            (r#"{"next_page":"https://acme.zendesk.com/x?page=2","page_count":3}"#, Next::Unproven),
            (r#"{"page_count":2}"#, Next::End),
            (r#"{}"#, Next::Unproven),
        ] {
            assert_eq!(offset(json), Ok(next), "{json}");
        }
    }

    #[test]
    fn links_to_another_host_are_refused_in_both_forms() {
        for json in [
            r#"{"next_page":"https://evil.example/x?page=3"}"#,
            r#"{"next_page":"http://acme.zendesk.com/x?page=3"}"#,
            r#"{"next_page":"//evil.example/x?page=3"}"#,
        ] {
            assert!(matches!(offset(json), Err(Failure::OffHost { .. })), "{json}");
        }
        let json =
            r#"{"meta":{"has_more":true,"after_cursor":"c2"},"links":{"next":"https://evil.example/"}}"#;
        assert_eq!(cursor(json), Err(Failure::OffHost { host: "evil.example".into() }));
    }

    #[test]
    fn counts_are_read_in_every_form_that_says_how_many() {
        for (json, count) in [
            ("7", Some(7)),
            (r#""7""#, Some(7)),
            (r#"" 7 ""#, Some(7)),
            ("7.0", Some(7)),
            ("7.5", None),
            ("-7", None),
            ("null", None),
            (r#""many""#, None),
            ("[7]", None),
            ("1e300", None),
        ] {
            let body = format!(r#"{{"count":{json}}}"#);
            assert_eq!(Envelope::read(&body).unwrap().count("count"), count, "{json}");
        }
        assert_eq!(Envelope::read("{}").unwrap().count("count"), None);
    }

    #[test]
    fn a_broken_record_is_listed_and_the_rest_is_kept() {
        let json = r#"{"sections":[{"id":1,"name":"a"},{"name":"no id"},7,{"id":"3"}]}"#;
        let (good, rejected) =
            Envelope::read(json).unwrap().records("sections", |fields| crate::Section::read(fields)).unwrap();
        assert_eq!(good.iter().map(|section| section.id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(rejected.len(), 2);
    }
}
