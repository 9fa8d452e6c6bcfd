//! Faults on order: which requests they meet, how often, and what goes wrong.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When a fault strikes. A request matches when every given condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Part of the path below the account's prefix; `*` stands for anything in between.
    #[serde(default)]
    pub path: Option<String>,
    /// Part of the query as sent.
    #[serde(default)]
    pub query: Option<String>,
    /// Method, upper case.
    #[serde(default)]
    pub method: Option<String>,
    /// Matching requests to let pass first.
    #[serde(default)]
    pub after: u32,
    /// How many times to strike; `None` = from then on, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// The fault on every request, for ever.
    pub fn always(fault: Fault) -> Self {
        Self { path: None, query: None, method: None, after: 0, times: None, fault }
    }

    /// The fault on the next matching request only.
    pub fn once(fault: Fault) -> Self {
        Self { times: Some(1), ..Self::always(fault) }
    }

    /// Only where the path holds this.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only after so many matching requests.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// Body of an ordered error status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBody {
    /// A page as a proxy sends it.
    Html,
    /// `{"error":"Fault","description":...}`
    Json,
    /// Plain words.
    Text,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// This status in place of the answer.
    Status {
        /// The status.
        code: u16,
        /// `Retry-After` as it is to be sent, also when it is no number.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body's form.
        body: FaultBody,
    },
    /// The connection is reset before any answer.
    Reset,
    /// The real answer, whose connection breaks after so many body bytes.
    TruncatedBody {
        /// Body bytes that still arrive.
        after_bytes: usize,
    },
    /// 200, complete by its length, but the JSON stops in the middle.
    TruncatedJson,
    /// The real answer, dripping.
    SlowBody {
        /// Bytes per drop; at least 1.
        chunk_bytes: usize,
        /// Wait before each drop, in milliseconds.
        delay_ms: u64,
    },
    /// 200 with a page: a proxy's sign-in, say.
    HtmlOk,
    /// `next_page` and `links.next` name this host.
    ForeignNextPage {
        /// Scheme, host and port: `https://evil.example`.
        origin: String,
    },
    /// 302 to this address.
    Redirect {
        /// Value of `Location`.
        location: String,
    },
    /// This status with this address.
    Moved {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Value of `Location`.
        location: String,
    },
    /// Every list item comes twice.
    DuplicateItems,
    /// These articles are left out of the list, whose count and paging stay as they are.
    OmitArticles {
        /// Article ids.
        ids: Vec<i64>,
    },
    /// The first articles of each page of the list but the first are those of the first page, while its count and paging
    /// stay as they are.
    RepeatArticles {
        /// So many of each page.
        count: usize,
    },
    /// In the list, one article comes without a readable id, and others do not come at all; its count and paging stay as
    /// they are.
    NamelessArticle {
        /// Id of the one.
        id: i64,
        /// Ids of the others.
        omitted: Vec<i64>,
    },
    /// The list is empty, while its count and paging stay as they are.
    EmptyList,
    /// The list is empty, and each page names one more that was not named before: it has no end.
    EndlessList,
    /// By cursor, the second page of the list leads to the first again, for ever.
    CircularList,
    /// The export never says that it has ended: behind its last page it names the present second.
    NeverNull,
    /// Articles come without this member, such as `translations`, though it was asked for.
    NoSideload {
        /// The member.
        member: String,
    },
    /// A member of the answer's JSON is this, also where there was none.
    Member {
        /// Where: `/articles/*/translations`; `*` stands for every item of a list. Several are separated by commas.
        at: String,
        /// Of the items that the first `*` stands for, only one in so many, from the first on; at least 1.
        every: usize,
        /// What it is.
        value: Value,
    },
    /// A member of the answer's JSON is not there.
    NoMember {
        /// As in [`Fault::Member`].
        at: String,
        /// As in [`Fault::Member`].
        every: usize,
    },
    /// 200, with this in place of the answer.
    Instead {
        /// Of this media type.
        content_type: String,
        /// As text.
        body: String,
    },
    /// The answer comes with these `Retry-After`, a header each, whatever they say.
    RetryAfter {
        /// With this status in place of the answer; `None`: the right answer.
        code: Option<u16>,
        /// As they are to be sent.
        values: Vec<String>,
    },
    /// The translations of this locale do not say whether they are drafts.
    BrokenTranslation {
        /// Locale.
        locale: String,
    },
    /// Translations spell their locales otherwise: `EN-US`.
    SpeltLocales,
    /// The body holds bytes that are not UTF-8, inside a string.
    InvalidUtf8,
    /// Every text and every key of the answer has a NUL in its middle.
    Nuls,
    /// Every title, name, body, label and content tag ends in half of a surrogate pair.
    LoneSurrogates,
    /// 200, of the right type, without a byte.
    EmptyBody,
    /// 302 within the help center, into a locale, as for readers of a page.
    RedirectToLocale,
    /// The answer has so many cookies, each a header.
    ManyHeaders {
        /// How many.
        count: usize,
    },
    /// The answer is right, but late.
    Delay {
        /// Wait in milliseconds.
        ms: u64,
    },
    /// 404, as from a disabled help center.
    HelpCenterDisabled,
    /// 423 with a page, as from a suspended account.
    Suspended,
    /// The token's user becomes an end user from here on.
    DemoteUser,
    /// The token is revoked from here on.
    RevokeToken,
}

impl Fault {
    /// Its name on the wire of the control API, for the record.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Reset => "reset",
            Self::TruncatedBody { .. } => "cut_body",
            Self::TruncatedJson => "truncated_json",
            Self::SlowBody { .. } => "slow_body",
            Self::HtmlOk => "html_ok",
            Self::ForeignNextPage { .. } => "foreign_next_page",
            Self::Redirect { .. } => "redirect",
            Self::Moved { .. } => "moved",
            Self::DuplicateItems => "duplicate_items",
            Self::OmitArticles { .. } => "omit_articles",
            Self::RepeatArticles { .. } => "repeat_articles",
            Self::NamelessArticle { .. } => "nameless_article",
            Self::EmptyList => "empty_list",
            Self::EndlessList => "endless_list",
            Self::CircularList => "circular_list",
            Self::NeverNull => "never_null",
            Self::NoSideload { .. } => "no_sideload",
            Self::Member { .. } => "member",
            Self::NoMember { .. } => "no_member",
            Self::Instead { .. } => "instead",
            Self::RetryAfter { .. } => "retry_after",
            Self::BrokenTranslation { .. } => "broken_translation",
            Self::SpeltLocales => "spelt_locales",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Nuls => "nuls",
            Self::LoneSurrogates => "lone_surrogates",
            Self::EmptyBody => "empty_body",
            Self::RedirectToLocale => "redirect_to_locale",
            Self::ManyHeaders { .. } => "many_headers",
            Self::Delay { .. } => "delay",
            Self::HelpCenterDisabled => "help_center_disabled",
            Self::Suspended => "suspended",
            Self::DemoteUser => "demote_user",
            Self::RevokeToken => "revoke_token",
        }
    }
}

/// The rules in force, in the order they were given. The first that strikes wins.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Armed>);

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    seen: u32,
    struck: u32,
}

impl Faults {
    pub(crate) fn inject(&mut self, rule: FaultRule) {
        self.0.push(Armed { rule, seen: 0, struck: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that meets this request, if any. Counts the request with every rule it matches up to that one.
    pub(crate) fn strike(&mut self, method: &str, path: &str, query: &str) -> Option<Fault> {
        for armed in &mut self.0 {
            let rule = &armed.rule;
            let matches = rule.path.as_deref().is_none_or(|pattern| contains(path, pattern))
                && rule.query.as_deref().is_none_or(|part| query.contains(part))
                && rule.method.as_deref().is_none_or(|wanted| wanted == method);
            if !matches || rule.times.is_some_and(|times| armed.struck >= times) {
                continue;
            }
            armed.seen += 1;
            if armed.seen > rule.after {
                armed.struck += 1;
                return Some(rule.fault.clone());
            }
        }
        None
    }
}

/// Whether the pieces between `*` occur in the text in this order.
fn contains(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    for piece in pattern.split('*') {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_some_pass_strikes_so_often_and_is_spent() {
        let mut faults = Faults::default();
        faults.inject(FaultRule::always(Fault::Reset).on("/articles").after(2).times(2));
        let struck: Vec<bool> = (0..6).map(|_| faults.strike("GET", "/api/articles", "").is_some()).collect();
        assert_eq!(struck, [false, false, true, true, false, false]);
    }

    #[test]
    fn conditions_all_have_to_hold() {
        let mut faults = Faults::default();
        let mut rule = FaultRule::always(Fault::HtmlOk).on("/help_center*articles");
        rule.query = Some("page=2".to_owned());
        rule.method = Some("GET".to_owned());
        faults.inject(rule);
        assert!(faults.strike("GET", "/api/v2/help_center/en-us/articles", "page=2").is_some());
        assert!(faults.strike("GET", "/api/v2/help_center/en-us/articles", "page=1").is_none());
        assert!(faults.strike("POST", "/api/v2/help_center/en-us/articles", "page=2").is_none());
        assert!(faults.strike("GET", "/api/v2/articles/help_center", "page=2").is_none());
    }

    #[test]
    fn a_rule_reads_as_json() {
        let rule: FaultRule = serde_json::from_str(
            r#"{"path": "/incremental", "times": 1, "fault": {"kind": "status", "code": 503, "body": "html"}}"#,
        )
        .unwrap();
        assert_eq!(rule.fault.name(), "status");
        assert_eq!(rule.times, Some(1));
    }
}
