//! Webhooks, what was sent to them, and sending it again.

use axum::response::Response;
use helpsync_api::answers;
use helpsync_model::KeyScope;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::form::Sent;
use crate::layout::{self, Part, post};
use crate::pages::overview::named;
use crate::problem::{Problem, see_other};
use crate::show::{badge, number, table, when};
use crate::text as t;
use crate::visitor::{At, Given, Visitor, part};

/// States that deliveries are filtered by; the empty one is all.
const DELIVERY_STATES: [&str; 4] = ["", "pending", "delivered", "dead"];
/// Deliveries of a page.
const ROWS: usize = 100;
/// Dead deliveries that the API sends again at once; fewer are the last.
const BATCH: u64 = 1_000;
/// So many times it is asked for one press of the button.
const BATCHES_MAX: usize = 100;

pub(crate) async fn page(visitor: Visitor) -> Result<Page, Problem> {
    let found: answers::WebhookQueryResponse =
        visitor.post("/webhooks", json!({ "pagination": { "limit": 250 } })).await?;
    let now = visitor.dashboard.now_ms();
    let content = html! {
        h1 { (t::WEBHOOKS) }
        @if found.results.is_empty() { p class="card soft" { (t::NO_WEBHOOKS) } } @else {
            (table(t::WEBHOOKS, &[t::ADDRESS, t::STATE, t::REASON, t::MADE], &html! {
                @for webhook in &found.results {
                    tr {
                        td { a href=(visitor.at(&format!("/webhooks/{}", webhook.id))) { (webhook.url) } }
                        td { (badge(&webhook.status)) }
                        td { (webhook.status_reason.as_deref().unwrap_or(t::NONE)) }
                        td { (when(&webhook.created_at, now)) }
                    }
                }
            }))
        }
    };
    Ok(layout::page(&visitor, Part::Webhooks, t::WEBHOOKS, None, content))
}

#[derive(Deserialize)]
pub(crate) struct Named {
    webhook: i64,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    state: String,
    after: Option<i64>,
    said: Option<String>,
}

impl Asked {
    /// What the list is narrowed to, as a part of an address.
    fn narrowed(&self) -> String {
        if self.state.is_empty() { String::new() } else { format!("&state={}", part(&self.state)) }
    }
}

async fn find(visitor: &Visitor, id: i64) -> Result<answers::WebhookNoKey, Problem> {
    let found: answers::WebhookQueryResponse =
        visitor.post("/webhooks", json!({ "filters": { "ids": [id] } })).await?;
    found.results.into_iter().next().ok_or_else(|| Problem::missing(&visitor.dashboard))
}

pub(crate) async fn one(
    visitor: Visitor,
    At(at): At<Named>,
    Given(asked): Given<Asked>,
) -> Result<Page, Problem> {
    let webhook = find(&visitor, at.webhook).await?;
    let state = asked.narrowed();
    let path = format!(
        "/helpsync/v1/webhooks/{}/deliveries?limit={ROWS}&after={}{state}",
        at.webhook,
        asked.after.unwrap_or(0)
    );
    let found: answers::Deliveries = visitor.get(&path).await?;
    let dead = format!("/helpsync/v1/webhooks/{}/deliveries?limit=1&state=dead", at.webhook);
    let has_dead = !visitor.get::<answers::Deliveries>(&dead).await?.deliveries.is_empty();
    let here = visitor.at(&format!("/webhooks/{}", at.webhook));
    // What is sent again leads back to the list as it was narrowed.
    let again = format!("{here}?{}", state.trim_start_matches('&'));
    let next = found.next.map(|next| format!("{here}?after={next}{state}"));
    let content = html! {
        nav class="crumbs" aria-label=(t::CRUMBS) { a href=(visitor.at("/webhooks")) { (t::WEBHOOKS) } }
        h1 class="long" { (webhook.url) }
        (visitor.said(asked.said.as_deref()))
        p {
            (badge(&webhook.status)) " "
            @if let Some(why) = &webhook.status_reason { span class="soft" { (why) } }
        }
        @if has_dead && visitor.may(KeyScope::Sync) {
            (post(&visitor, &again, &html! {
                button type="submit" name="dead" value="1" { (t::REDELIVER_DEAD) }
            }))
        }
        nav class="tabs" aria-label=(t::STATE) {
            @for name in DELIVERY_STATES {
                a href=(format!("{here}?state={name}")) aria-current=[(name == asked.state).then_some("true")] {
                    @if name.is_empty() { (t::ALL) } @else { (t::state(name)) }
                }
            }
        }
        @if found.deliveries.is_empty() { p class="card soft" { (t::NO_DELIVERIES) } } @else {
            (deliveries(&visitor, &again, &found.deliveries, Beside::Customer))
        }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Webhooks, t::WEBHOOKS, None, content))
}

/// What a list of deliveries does not say by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Customer,
    Webhook,
}

/// Deliveries with what leads to their objects. What is sent again is posted to `again`.
pub(crate) fn deliveries(
    visitor: &Visitor,
    again: &str,
    deliveries: &[answers::DeliveryView],
    beside: Beside,
) -> Markup {
    let now = visitor.dashboard.now_ms();
    let named_beside = if beside == Beside::Customer { t::CUSTOMER } else { t::WEBHOOK };
    let columns = [t::EVENT, t::OBJECT, named_beside, t::STATE, t::TRIES, t::ANSWER, t::WHEN, t::ACTIONS];
    table(
        t::DELIVERIES,
        &columns,
        &html! {
            @for one in deliveries {
                tr {
                    td { (one.kind) }
                    td class="long" { (object(visitor, one)) }
                    td { @match (beside, &one.customer_id) {
                        (Beside::Webhook, _) => { a href=(visitor.at(&format!("/webhooks/{}", one.webhook_id))) { (one.webhook_id) } },
                        (Beside::Customer, Some(customer)) => { a href=(named(visitor, customer)) { (customer) } },
                        (Beside::Customer, None) => (t::NONE),
                    } }
                    td { (badge(&one.state)) }
                    td class="number" { (number(one.attempts)) }
                    td {
                        (one.http_status.map_or_else(|| t::NONE.to_owned(), |status| status.to_string()))
                        @if let Some(error) = &one.error { " " span class="soft" { (error) } }
                    }
                    td { (when(&one.created_at, now)) }
                    td {
                        @if visitor.may(KeyScope::Sync) {
                            (post(visitor, again, &html! {
                                button type="submit" name="delivery" value=(one.id) { (t::REDELIVER) }
                            }))
                        }
                    }
                }
            }
        },
    )
}

/// What an event is about: a file leads to its page, of a list so many ids are shown.
fn object(visitor: &Visitor, one: &answers::DeliveryView) -> Markup {
    let ids: Vec<i64> = serde_json::from_str(&one.object_id).unwrap_or_default();
    html! {
        @if one.object_type == "FILE" {
            a href=(visitor.at(&format!("/files/{}", one.object_id))) { (t::object(&one.object_type)) " " (one.object_id) }
        } @else if ids.is_empty() {
            (t::object(&one.object_type)) " " (one.object_id)
        } @else {
            (t::files(ids.len()))
        }
    }
}

pub(crate) async fn redeliver(
    At(at): At<Named>,
    Given(asked): Given<Asked>,
    Sent { visitor, fields }: Sent,
) -> Result<Response, Problem> {
    let (word, count) = match fields.one("delivery") {
        Some(id) => {
            let path = format!("/helpsync/v1/webhook-deliveries/{}/redeliver", part(id));
            visitor.post::<Value>(&path, json!({})).await?;
            ("redelivered", None)
        }
        None => redeliver_dead(&visitor, at.webhook).await?,
    };
    let narrowed = asked.narrowed();
    let back = visitor.at(&format!("/webhooks/{}?{}", at.webhook, narrowed.trim_start_matches('&')));
    Ok(see_other(&visitor.saying(back.trim_end_matches('?'), word, count)))
}

/// Sends every dead delivery again, [`BATCHES_MAX`] batches of the API at most; what is said of it.
async fn redeliver_dead(visitor: &Visitor, webhook: i64) -> Result<(&'static str, Option<u64>), Problem> {
    let path = format!("/helpsync/v1/webhooks/{webhook}/redeliver");
    let mut count = 0_u64;
    for _batch in 0..BATCHES_MAX {
        let answer: answers::Redelivered = visitor.post(&path, json!({})).await?;
        count = count.saturating_add(answer.redelivered);
        if answer.redelivered < BATCH {
            return Ok(match count {
                0 => ("nothing_dead", None),
                count => ("redelivered", Some(count)),
            });
        }
    }
    Ok(("redelivered_some", Some(count)))
}
