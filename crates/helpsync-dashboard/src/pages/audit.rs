//! The audit log: who changed what and when, the latest first.

use helpsync_api::answers;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::layout::{self, Choice, Part, Search};
use crate::pages::overview::named;
use crate::problem::Problem;
use crate::show::{table, when};
use crate::text as t;
use crate::visitor::{Given, Visitor, part};

/// Kinds of actors that the audit log is filtered by.
const ACTORS: [&str; 5] = ["api_key", "customer", "upstream", "browser", "operator"];
/// Changes of a page.
const ROWS: usize = 100;
/// Characters of what was asked for that are shown.
const DETAIL_CHARS_SHOWN: usize = 300;

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    customer: String,
    #[serde(default)]
    actor: String,
    before: Option<i64>,
}

pub(crate) async fn page(visitor: Visitor, Given(asked): Given<Asked>) -> Result<Page, Problem> {
    let query = format!("customer_id={}&actor={}", part(asked.customer.trim()), part(&asked.actor));
    let before = asked.before.map(|before| format!("&before={before}")).unwrap_or_default();
    let found: answers::AuditLog =
        visitor.get(&format!("/helpsync/v1/audit?limit={ROWS}&{query}{before}")).await?;
    let next = found.next_before.map(|before| {
        let (customer, actor) = (part(&asked.customer), part(&asked.actor));
        visitor.at(&format!("/audit?customer={customer}&actor={actor}&before={before}"))
    });
    let content = html! {
        h1 { (t::AUDIT_LOG) }
        p { (t::AUDIT_LOG_LONG) }
        (filter(&visitor, &asked))
        @if found.entries.is_empty() { p class="card soft" { (t::NO_CHANGES) } } @else {
            (rows(&visitor, &found.entries))
        }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Audit, t::AUDIT_LOG, None, content))
}

fn filter(visitor: &Visitor, asked: &Asked) -> Markup {
    let search = Search { name: "customer", label: t::CUSTOMER, value: &asked.customer, placeholder: None };
    let actor = Choice::of_states("actor", t::ACTOR, &asked.actor, &ACTORS);
    layout::filter(&visitor.at("/audit"), &search, &[actor])
}

fn rows(visitor: &Visitor, entries: &[answers::AuditRow]) -> Markup {
    let now = visitor.dashboard.now_ms();
    table(
        t::AUDIT_LOG,
        &[t::WHEN, t::ACTOR, t::CHANGE, t::CUSTOMER, t::ASKED_FOR],
        &html! {
            @for entry in entries {
                tr {
                    td { (when(&entry.at, now)) }
                    td { (entry.actor.name) br; span class="soft" { (t::state(&entry.actor.kind)) } }
                    td class="long" { (entry.action) @if !entry.action.ends_with(&entry.target) { br; span class="soft" { (entry.target) } } }
                    td { @match &entry.customer_id {
                        Some(customer) => { a href=(named(visitor, customer)) { (customer) } },
                        None => (t::NONE),
                    } }
                    td class="long" { (detail(&entry.detail)) }
                }
            }
        },
    )
}

/// What was asked for, as `name: value` pairs.
fn detail(detail: &Value) -> Markup {
    let pairs = detail.as_object().into_iter().flatten().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    });
    let text = pairs.collect::<Vec<_>>().join(", ");
    let shown: String = text.chars().take(DETAIL_CHARS_SHOWN).collect();
    html! { @if shown.is_empty() { (t::NONE) } @else { code { (shown) @if shown.len() < text.len() { "…" } } } }
}
