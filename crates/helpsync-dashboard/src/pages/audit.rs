//! The audit log: who changed what and when, the latest first.

use helpsync_api::answers;
use helpsync_pages::Page;
use helpsync_store::audit::ACTOR_KINDS;
use maud::{Markup, html};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::layout::{self, Choice, Part, Search};
use crate::pages::overview::named;
use crate::problem::Problem;
use crate::show::{table, when};
use crate::text as t;
use crate::visitor::{Given, Visitor, part};

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
    let actor = Choice::of_states("actor", t::ACTOR, &asked.actor, &ACTOR_KINDS);
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
                    td class="long" title=(entry.action) { (t::sentence(&entry.summary).trim_end_matches('.')) @if let Some(target) = target_of(entry) { br; span class="soft" { (target) } } }
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

/// What was changed, where the words for the operation, the customer and what was asked for do not say it: the name of a thing,
/// or what stands in the path that was asked for in place of a name in braces.
fn target_of(entry: &answers::AuditRow) -> Option<String> {
    let Some((_, path)) = entry.action.split_once(" /") else {
        return Some(entry.target.clone()).filter(|target| !target.is_empty());
    };
    let asked = entry.target.trim_start_matches('/').split('/');
    let named =
        path.split('/').zip(asked).filter(|(name, _)| name.starts_with('{') && *name != "{customer_id}");
    let named: Vec<_> = named.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy()).collect();
    (!named.is_empty()).then(|| named.join(", "))
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

#[cfg(test)]
mod tests {
    use helpsync_api::answers::{AuditActor, AuditRow};

    use super::*;

    fn target(action: &str, target: &str) -> Option<String> {
        let actor = AuditActor { kind: String::new(), id: String::new(), name: String::new() };
        let (action, target) = (action.to_owned(), target.to_owned());
        let (at, summary, request_id) = (String::new(), String::new(), String::new());
        target_of(&AuditRow {
            id: 1,
            at,
            actor,
            action,
            summary,
            target,
            customer_id: None,
            detail: Value::Null,
            request_id,
        })
    }

    #[test]
    fn of_a_path_what_it_names_is_shown_and_not_the_path() {
        assert_eq!(target("POST /add_webhook", "/add_webhook"), None);
        assert_eq!(
            target("POST /helpsync/v1/customers/{customer_id}/pause", "/helpsync/v1/customers/ada/pause"),
            None
        );
        let replayed = "POST /helpsync/v1/dead-letters/{id}/replay";
        let replayed = target(replayed, "/helpsync/v1/dead-letters/shard%2D7/replay");
        assert_eq!(replayed.as_deref(), Some("shard-7"));
        assert_eq!(target("make a key", "k2").as_deref(), Some("k2"));
        assert_eq!(target("upstream request", ""), None);
    }
}
