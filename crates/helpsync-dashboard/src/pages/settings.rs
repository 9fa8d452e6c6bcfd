//! What is changed of a customer: its schedule, what is kept of its help center, whether it is connected.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use helpsync_model::KeyScope;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dashboard::Dashboard;
use crate::form::Form;
use crate::layout::{self, Page, Part, post};
use crate::pages::customer::{Named, below, find, heading};
use crate::problem::{Problem, see_other};
use crate::text as t;
use crate::view;
use crate::visitor::{At, Given, Visitor};

const SELECTION: &str = "/helpsync/v1/selection";
/// Hours that a schedule may have, as the API takes them; -1 is the organization's.
const HOURS: [i64; 5] = [-1, 3, 6, 12, 24];

/// When a customer is synced, changed in place.
pub(crate) fn schedule_form(visitor: &Visitor, customer: &view::Customer) -> Markup {
    if customer.workspace.is_none() || !visitor.may(KeyScope::Sync) {
        return html! {};
    }
    let is_on = customer.workspace.as_ref().is_some_and(|it| it.next_sync_at.is_some());
    let hours = customer.interval_hours.unwrap_or(-1);
    html! {
        details class="card" {
            summary { (t::SCHEDULE) }
            (post(visitor, &below(visitor, customer, "/schedule"), &html! {
                div class="filter" {
                    div {
                        label for="switch" { (t::SCHEDULE) }
                        select id="switch" name="switch" {
                            option value="on" selected[is_on] { (t::ON) }
                            option value="off" selected[!is_on] { (t::OFF) }
                        }
                    }
                    div {
                        label for="hours" { (t::EVERY) }
                        select id="hours" name="hours" {
                            @for one in HOURS { option value=(one) selected[one == hours] { (t::hours(one)) } }
                        }
                    }
                    button type="submit" { (t::SAVE) }
                }
            }))
        }
    }
}

pub(crate) async fn schedule(
    State(dashboard): State<Dashboard>,
    At(named): At<Named>,
    request: Request,
) -> Result<Response, Problem> {
    let (visitor, form) = Form::of_visitor(&dashboard, request).await?;
    let customer = find(&visitor, named.customer).await?;
    let sources = if form.one("switch") == Some("on") { json!(["ZENDESK"]) } else { json!([]) };
    let body = json!({
        "customer_ids": [customer.customer_id],
        "auto_sync_enabled_sources": sources,
        "auto_sync_interval": form.one("hours").unwrap_or("-1"),
    });
    visitor.post::<Value>("/update_users", body).await?;
    Ok(see_other(&below(&visitor, &customer, "?said=schedule")))
}

#[derive(Deserialize)]
pub(crate) struct Said {
    said: Option<String>,
}

/// What of the help center is kept.
pub(crate) async fn selection(
    visitor: Visitor,
    At(named): At<Named>,
    Given(said): Given<Said>,
) -> Result<Page, Problem> {
    let customer = find(&visitor, named.customer).await?;
    let kept: view::Selection =
        visitor.for_customer(&customer.customer_id, Method::GET, SELECTION, None).await?;
    let content = html! {
        (heading(&visitor, &customer, t::SELECTION))
        (layout::said(said.said.as_deref()))
        p { (t::SELECTION_LONG) }
        @if visitor.may(KeyScope::Admin) {
            (post(&visitor, &below(&visitor, &customer, "/selection"), &fields(&kept, false)))
        } @else { div { (fields(&kept, true)) } }
    };
    Ok(layout::page(&visitor, Part::Customers, t::SELECTION, None, &content))
}

fn lines<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn fields(kept: &view::Selection, read_only: bool) -> Markup {
    let area = |name: &str, label: &str, value: String| {
        html! {
            div {
                label for=(name) { (label) }
                textarea id=(name) name=(name) rows="3" readonly[read_only] { (value) }
            }
        }
    };
    html! {
        div class="card stack" {
            @if !kept.brands.is_empty() {
                fieldset {
                    legend { (t::BRANDS) }
                    @for brand in &kept.brands {
                        label class="check" {
                            input type="checkbox" name="brand" value=(brand.id) disabled[read_only]
                                checked[brand.selected && !kept.brand_ids.is_empty()];
                            " " (brand.name) " " span class="soft" { (brand.subdomain) }
                        }
                    }
                    p class="soft" { (t::BRANDS_HINT) }
                }
            }
            (area("categories", t::CATEGORIES, lines(&kept.category_ids)))
            (area("sections", t::SECTIONS, lines(&kept.section_ids)))
            (area("locales", t::LOCALES, lines(&kept.locales)))
            (area("labels", t::LABELS, lines(&kept.labels)))
            label class="check" {
                input type="checkbox" name="public" value="1" checked[kept.public_only] disabled[read_only];
                " " (t::PUBLIC_ONLY)
            }
            label class="check" {
                input type="checkbox" name="attachments" value="1" checked[kept.attachments] disabled[read_only];
                " " (t::ATTACHMENTS_TOO)
            }
            @if !read_only { div { button class="main" type="submit" { (t::SAVE) } } }
        }
    }
}

/// The lines of a field that are not empty.
fn texts(form: &Form, name: &str) -> Vec<String> {
    let lines = form.one(name).unwrap_or_default().lines();
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

pub(crate) async fn select(
    State(dashboard): State<Dashboard>,
    At(named): At<Named>,
    request: Request,
) -> Result<Response, Problem> {
    let (visitor, form) = Form::of_visitor(&dashboard, request).await?;
    let customer = find(&visitor, named.customer).await?;
    let brands: Vec<&str> = form.all("brand").collect();
    // Numbers may be texts: the API says which line is none.
    let body = json!({
        "brand_ids": brands,
        "category_ids": texts(&form, "categories"),
        "section_ids": texts(&form, "sections"),
        "locales": texts(&form, "locales"),
        "labels": texts(&form, "labels"),
        "public_only": form.one("public").is_some(),
        "attachments": form.one("attachments").is_some(),
    });
    visitor.for_customer::<Value>(&customer.customer_id, Method::PUT, SELECTION, Some(body)).await?;
    Ok(see_other(&below(&visitor, &customer, "/selection?said=selection")))
}

/// Asks before a customer is disconnected.
pub(crate) async fn disconnect(visitor: Visitor, At(named): At<Named>) -> Result<Page, Problem> {
    let customer = find(&visitor, named.customer).await?;
    let Some(workspace) = &customer.workspace else { return Err(Problem::missing(&visitor.dashboard)) };
    let content = html! {
        (heading(&visitor, &customer, t::DISCONNECT))
        div class="card stack" {
            p { (t::disconnect_asked(&workspace.subdomain, &customer.customer_id)) }
            p { (t::DISCONNECT_LONG) }
            @if visitor.may(KeyScope::Admin) {
                (post(&visitor, &below(&visitor, &customer, "/disconnect"), &html! {
                    label class="check" {
                        input type="checkbox" name="sure" value="1" required;
                        " " (t::DISCONNECT_SURE)
                    }
                    div class="actions" {
                        button class="danger" type="submit" { (t::DISCONNECT) }
                        a class="button" href=(below(&visitor, &customer, "")) { (t::BACK) }
                    }
                }))
            }
        }
    };
    Ok(layout::page(&visitor, Part::Customers, t::DISCONNECT, None, &content))
}

pub(crate) async fn disconnect_now(
    State(dashboard): State<Dashboard>,
    At(named): At<Named>,
    request: Request,
) -> Result<Response, Problem> {
    let (visitor, form) = Form::of_visitor(&dashboard, request).await?;
    let customer = find(&visitor, named.customer).await?;
    let Some(workspace) = &customer.workspace else { return Err(Problem::missing(&dashboard)) };
    if form.one("sure").is_none() {
        return Ok(see_other(&below(&visitor, &customer, "/disconnect")));
    }
    let body = json!({ "data_source_id": workspace.data_source_id });
    visitor
        .for_customer::<Value>(&customer.customer_id, Method::POST, "/revoke_access_token", Some(body))
        .await?;
    Ok(see_other(&below(&visitor, &customer, "?said=disconnect")))
}
