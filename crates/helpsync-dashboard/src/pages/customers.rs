//! The customers of an organization: searched, filtered, sorted, a page at a time.

use axum::Json;
use axum::response::Response;
use helpsync_api::answers;
use helpsync_model::KeyScope;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::layout::{self, Choice, Part, Search};
use crate::problem::{Problem, see_other};
use crate::show::{badge, duration, number, table, when_if_any};
use crate::text as t;
use crate::visitor::{Given, Visitor, part};

/// States that customers are filtered by, as the API names them.
const CUSTOMER_STATES: [&str; 8] =
    ["syncing", "ready", "failed", "reconnect", "paused", "held", "dead_letters", "not_connected"];
/// Customers of a page.
const ROWS: u32 = 50;
/// Customers that the palette offers.
const OFFERED: u32 = 8;

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    search: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
    after: Option<i64>,
    after_age: Option<i64>,
}

impl Asked {
    fn query(&self) -> String {
        format!("search={}&state={}&sort={}", part(&self.search), part(&self.state), part(&self.sort))
    }
}

fn behind(after: Option<i64>, age: Option<i64>) -> String {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    after + &age.map(|age| format!("&after_age={age}")).unwrap_or_default()
}

pub(crate) async fn page(visitor: Visitor, Given(asked): Given<Asked>) -> Result<Page, Problem> {
    let query = asked.query();
    let path = format!("/helpsync/v1/customers?limit={ROWS}&{query}{}", behind(asked.after, asked.after_age));
    let found: answers::Customers = visitor.get(&path).await?;
    let next = found
        .next
        .map(|next| visitor.at(&format!("/customers?{query}{}", behind(Some(next), found.next_age))));
    let content = html! {
        h1 { (t::CUSTOMERS) }
        (filter(&visitor, &asked))
        @if found.customers.is_empty() { p class="card soft" { (t::NO_CUSTOMERS) } } @else {
            (rows(&visitor, &found.customers))
        }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Customers, t::CUSTOMERS, None, content))
}

fn filter(visitor: &Visitor, asked: &Asked) -> Markup {
    let placeholder = Some(t::SEARCH_CUSTOMERS);
    let search = Search { name: "search", label: t::SEARCH, value: &asked.search, placeholder };
    let state = Choice::of_states("state", t::STATE, &asked.state, &CUSTOMER_STATES);
    let options = vec![("", t::SORT_ID.into()), ("age", t::SORT_AGE.into())];
    let sort = Choice { name: "sort", label: t::SORT, chosen: &asked.sort, options };
    layout::filter(&visitor.at("/customers"), &search, &[state, sort])
}

/// How a customer stands, as one badge.
pub(crate) fn standing(customer: &answers::CustomerView) -> Markup {
    match &customer.workspace {
        _ if customer.paused_at.is_some() => badge("paused"),
        None => badge("not_connected"),
        Some(workspace) if workspace.state == "paused" => badge("reconnect"),
        Some(workspace) => badge(&workspace.sync_status),
    }
}

fn rows(visitor: &Visitor, customers: &[answers::CustomerView]) -> Markup {
    let now = visitor.dashboard.now_ms();
    let columns =
        [t::CUSTOMER, t::WORKSPACE, t::STATE, t::FILES, t::COMPLETE, t::NEXT_SYNC, t::HELD, t::DEAD_LETTERS];
    table(
        t::CUSTOMERS,
        &columns,
        &html! {
            @for customer in customers {
                @let workspace = customer.workspace.as_ref();
                @let count = |of: fn(&answers::WorkspaceView) -> i64| {
                    workspace.map(of).filter(|count| *count > 0).map_or_else(|| t::NONE.to_owned(), number)
                };
                tr {
                    td {
                        a href=(visitor.at(&format!("/customers/{}", customer.organization_user_id))) { (customer.customer_id) }
                    }
                    td { (workspace.map_or(t::NONE, |it| it.subdomain.as_str())) }
                    td { (standing(customer)) }
                    td class="number" { (number(customer.files)) }
                    // Nobody keeps the age of a copy whose workspace is disconnected: it may well have been complete.
                    td { @match workspace.map(|it| it.age_seconds) {
                        Some(Some(age)) => (t::ago(&duration(age))),
                        Some(None) => (t::NEVER),
                        None => (t::NONE),
                    } }
                    td { (when_if_any(workspace.and_then(|it| it.next_sync_at.as_deref()), now)) }
                    td class="number" { (count(|it| it.held)) }
                    td class="number" { (count(|it| it.dead_letters)) }
                }
            }
        },
    )
}

#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

/// To the page of a customer that a list knows by name only.
pub(crate) async fn named(
    visitor: Visitor,
    Given(Named { name }): Given<Named>,
) -> Result<Response, Problem> {
    let customer: answers::CustomerView =
        visitor.get(&format!("/helpsync/v1/customers/{}", part(&name))).await?;
    Ok(see_other(&visitor.at(&format!("/customers/{}", customer.organization_user_id))))
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    search: String,
}

/// What the palette offers for a few letters.
pub(crate) async fn palette(visitor: Visitor, Given(typed): Given<Typed>) -> Result<Json<Value>, Problem> {
    let mut pages = vec![
        (t::OVERVIEW, visitor.at("")),
        (t::CUSTOMERS, visitor.at("/customers")),
        (t::CUSTOMERS_HELD, visitor.at("/customers?state=held")),
        (t::CUSTOMERS_OLDEST, visitor.at("/customers?sort=age")),
        (t::CUSTOMERS_FAILED, visitor.at("/customers?state=failed")),
        (t::DEAD_LETTERS, visitor.at("/dead-letters")),
        (t::WEBHOOKS, visitor.at("/webhooks")),
    ];
    if visitor.may(KeyScope::Admin) {
        pages.push((t::AUDIT_LOG, visitor.at("/audit")));
    }
    if visitor.may(KeyScope::Operator) {
        pages.push((t::ORGANIZATIONS, visitor.dashboard.at("/organizations")));
    }
    let wanted = typed.search.trim().to_lowercase();
    let mut offers: Vec<Value> = pages
        .into_iter()
        .filter(|(name, _)| name.to_lowercase().contains(&wanted))
        .map(|(name, address)| json!({ "text": name, "address": address }))
        .collect();
    if !wanted.is_empty() {
        let path = format!("/helpsync/v1/customers?limit={OFFERED}&search={}", part(&wanted));
        let found: answers::Customers = visitor.get(&path).await?;
        offers.extend(found.customers.iter().map(|customer| {
            let address = visitor.at(&format!("/customers/{}", customer.organization_user_id));
            let workspace = customer.workspace.as_ref().map(|it| it.subdomain.as_str());
            json!({ "text": customer.customer_id, "about": workspace, "address": address })
        }));
    }
    Ok(Json(json!({ "offers": offers })))
}
