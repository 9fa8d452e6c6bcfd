//! What was sent to webhooks about one customer, and sending it again.

use axum::response::Response;
use helpsync_api::answers;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::layout::{self, Part};
use crate::pages::customer::{Named, SentFor, below, find, heading};
use crate::pages::webhooks::{Beside, deliveries};
use crate::problem::Problem;
use crate::text as t;
use crate::visitor::{At, Given, Visitor, part};

/// Deliveries that are shown on the customer's own page, and on the page of all.
const SHOWN: usize = 5;
const ROWS: usize = 100;
const PATH: &str = "/deliveries";

async fn latest(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    after: Option<&str>,
    limit: usize,
) -> Result<answers::CustomerDeliveries, Problem> {
    let after = after.map(|after| format!("&after={}", part(after))).unwrap_or_default();
    let customer = part(&customer.customer_id);
    visitor.get(&format!("/helpsync/v1/customers/{customer}/deliveries?limit={limit}{after}")).await
}

/// The latest on the customer's page, and what leads to all. Nothing where nothing was sent.
pub(crate) async fn card(visitor: &Visitor, customer: &answers::CustomerView) -> Result<Markup, Problem> {
    let found = latest(visitor, customer, None, SHOWN).await?;
    if found.deliveries.is_empty() && found.next.is_none() {
        return Ok(html! {});
    }
    let all = below(visitor, customer, PATH);
    Ok(html! {
        section class="card" {
            h2 { (t::SENT_TO_WEBHOOKS) }
            (deliveries(visitor, &all, &found.deliveries, Beside::Webhook))
            p { a href=(all) { (t::ALL_DELIVERIES) } }
        }
    })
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    after: Option<String>,
    said: Option<String>,
}

pub(crate) async fn page(
    visitor: Visitor,
    At(named): At<Named>,
    Given(asked): Given<Asked>,
) -> Result<Page, Problem> {
    let customer = find(&visitor, named.customer).await?;
    let found = latest(&visitor, &customer, asked.after.as_deref(), ROWS).await?;
    let here = below(&visitor, &customer, PATH);
    let next = found.next.map(|next| format!("{here}?after={}", part(&next)));
    let content = html! {
        (heading(&visitor, &customer, t::SENT_TO_WEBHOOKS))
        (visitor.said(asked.said.as_deref()))
        @if !found.deliveries.is_empty() { (deliveries(&visitor, &here, &found.deliveries, Beside::Webhook)) }
        @else if next.is_some() { p class="card soft" { (t::NOTHING_SENT_YET_LOOKED_AT) } }
        @else { p class="card soft" { (t::NOTHING_SENT) } }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Customers, t::SENT_TO_WEBHOOKS, None, content))
}

pub(crate) async fn redeliver(form: SentFor) -> Result<Response, Problem> {
    let Some(id) = form.sent.fields.one("delivery") else { return Ok(form.back(PATH)) };
    let path = format!("/helpsync/v1/webhook-deliveries/{}/redeliver", part(id));
    form.sent.visitor.post::<Value>(&path, json!({})).await?;
    Ok(form.back_saying(PATH, "redelivered"))
}
