//! How the budget of a customer's Zendesk account was used in the last day, and what its grant shows of the account.

use helpsync_api::answers;
use maud::{Markup, html};

use crate::draw::spark;
use crate::problem::Problem;
use crate::show::{fact, number, when};
use crate::text as t;
use crate::visitor::Visitor;

/// What is drawn of the account; nothing where it cannot be told.
pub(crate) async fn card(visitor: &Visitor, source: i64) -> Result<Markup, Problem> {
    let day: answers::BudgetDay = visitor.get(&format!("/helpsync/v1/data_sources/{source}/budget")).await?;
    let now = visitor.dashboard.now_ms();
    let per_minute = day.slot_seconds / 60;
    let told =
        |value: Option<u32>| value.map_or_else(|| t::NONE.to_owned(), |value| number(i64::from(value)));
    let is_used = day.requests.iter().any(Option::is_some);
    Ok(html! {
        section class="card" {
            h2 { (t::BUDGET) }
            dl class="facts" {
                (fact(t::MINUTE_LIMIT, &html! { (told(day.now.limit)) }))
                (fact(t::LEFT_NOW, &html! { (told(day.now.remaining)) }))
                (fact(t::OUT_NOW, &html! { (number(i64::from(day.now.in_flight))) }))
                @if let Some(until) = &day.now.blocked_until { (fact(t::BLOCKED_UNTIL, &when(until, now))) }
                @if let Some(error) = &day.now.error { (fact(t::ERROR, &html! { (error) })) }
            }
            @if is_used {
                div class="sparks" {
                    (spark(t::BUDGET_REQUESTS, &day.requests, per_minute))
                    (spark(t::BUDGET_LEFT, &day.least_left, 1))
                    (spark(t::BUDGET_WAITED, &day.waited_seconds, 1))
                    (spark(t::BUDGET_THROTTLED, &day.throttled, 1))
                }
            } @else { p class="soft" { (t::BUDGET_UNUSED) } }
        }
    })
}

/// The account's brands, where the grant shows them.
pub(crate) fn brands(brands: &[answers::BrandView]) -> Markup {
    html! {
        @if !brands.is_empty() {
            (fact(t::BRANDS, &html! {
                ul class="plain" {
                    @for brand in brands {
                        li {
                            (brand.name) " " span class="soft" { (brand.subdomain) }
                            " " span class="soft" { @if brand.selected { (t::BRAND_KEPT) } @else { (t::BRAND_LEFT_OUT) } }
                        }
                    }
                }
            }))
        }
    }
}
