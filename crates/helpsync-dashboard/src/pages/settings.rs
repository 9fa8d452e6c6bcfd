//! What is changed of a customer: its schedule, what is kept of its help center, whether it is connected.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_api::answers;
use helpsync_model::KeyScope;
use helpsync_pages::{CATEGORY, Fields, Folder, Page, SECTION, folders};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::form::TOKEN;
use crate::layout::{self, Part, post};
use crate::pages::customer::{Named, SentFor, below, find, heading};
use crate::problem::{Problem, see_other};
use crate::text as t;
use crate::visitor::{At, Given, Visitor};

const SELECTION: &str = "/helpsync/v1/selection";
const PREVIEW: &str = "/helpsync/v1/selection/preview";
/// The field by which a person goes back to what was typed.
const BACK: &str = "back";
/// Categories and sections that are shown; what is selected beyond them stays selected.
const FOLDERS_SHOWN: usize = 500;
/// Where whoever wants to disconnect is led when somebody has done it before.
const NOT_CONNECTED: &str = "disconnected_before";
/// Hours that a schedule may have, as the API takes them; -1 is the organization's.
const HOURS: [i64; 5] = [-1, 3, 6, 12, 24];

/// When a customer is synced, changed in place.
pub(crate) fn schedule_form(visitor: &Visitor, customer: &answers::CustomerView) -> Markup {
    if customer.workspace.is_none() || !visitor.may(KeyScope::Sync) {
        return html! {};
    }
    let is_on = customer.scheduled;
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

pub(crate) async fn schedule(form: SentFor) -> Result<Response, Problem> {
    let fields = &form.sent.fields;
    let sources = if fields.one("switch") == Some("on") { json!(["ZENDESK"]) } else { json!([]) };
    let body = json!({
        "customer_ids": [form.customer.customer_id],
        "auto_sync_enabled_sources": sources,
        "auto_sync_interval": fields.one("hours").unwrap_or("-1"),
    });
    form.sent.visitor.post::<Value>("/update_users", body).await?;
    Ok(form.back_saying("", "schedule"))
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
    let kept = kept(&visitor, &customer).await?;
    selection_page(&visitor, &customer, &kept, &visitor.said(said.said.as_deref())).await
}

async fn kept(
    visitor: &Visitor,
    customer: &answers::CustomerView,
) -> Result<answers::SelectionView, Problem> {
    visitor.for_customer(&customer.customer_id, Method::GET, SELECTION, None).await
}

/// The form, filled in with `shown`; `told` stands above it.
async fn selection_page(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    shown: &answers::SelectionView,
    told: &Markup,
) -> Result<Page, Problem> {
    let (all, has_more) = folders_of(visitor, customer, shown).await?;
    let content = html! {
        (heading(visitor, customer, t::SELECTION))
        (told)
        p { (t::SELECTION_LONG) }
        @if visitor.may(KeyScope::Admin) {
            (post(visitor, &below(visitor, customer, "/selection"), &fields(shown, &all, has_more, false)))
        } @else { div { (fields(shown, &all, has_more, true)) } }
    };
    Ok(layout::page(visitor, Part::Customers, t::SELECTION, None, content))
}

/// The categories and sections that are known, by name, and whether there are more.
async fn folders_of(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    kept: &answers::SelectionView,
) -> Result<(Vec<Folder>, bool), Problem> {
    let body = json!({
        "data_source_id": kept.data_source_id,
        "filters": { "item_types": ["CATEGORY", "SECTION"] },
        "order_by": "name",
        "pagination": { "limit": FOLDERS_SHOWN },
    });
    let path = "/integrations/items/list";
    let found: answers::ListDataSourceItemsResponse =
        visitor.for_customer(&customer.customer_id, Method::POST, path, Some(body)).await?;
    let has_more = usize::try_from(found.count).is_ok_and(|count| count > found.items.len());
    let folder = |item: answers::ExternalSourceItem| Folder {
        id: item.id,
        parent: item.parent_external_id.and_then(|id| id.parse().ok()),
        name: item.name,
        is_category: item.item_type.as_deref() == Some("CATEGORY"),
    };
    Ok((found.items.into_iter().map(folder).collect(), has_more))
}

fn fields(kept: &answers::SelectionView, all: &[Folder], has_more: bool, read_only: bool) -> Markup {
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
            fieldset {
                legend { (t::PLACES) }
                p class="soft" { @if all.is_empty() { (t::PLACES_UNKNOWN) } @else { (t::PLACES_HINT) } }
                (folders(all, &kept.category_ids, &kept.section_ids, read_only))
                @if has_more { p class="soft" { (t::PLACES_MANY) } }
            }
            (area("locales", t::LOCALES, kept.locales.join("\n")))
            (area("labels", t::LABELS, kept.labels.join("\n")))
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
fn texts(fields: &Fields, name: &str) -> Vec<String> {
    let lines = fields.one(name).unwrap_or_default().lines();
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// `kept` with what a form says in its place.
fn typed(fields: &Fields, mut kept: answers::SelectionView) -> answers::SelectionView {
    let ids = |name| fields.all(name).filter_map(|id| id.parse().ok()).collect::<Vec<i64>>();
    kept.brand_ids = ids("brand");
    kept.category_ids = ids(CATEGORY);
    kept.section_ids = ids(SECTION);
    kept.locales = texts(fields, "locales");
    kept.labels = texts(fields, "labels");
    kept.public_only = fields.has("public");
    kept.attachments = fields.has("attachments");
    for brand in &mut kept.brands {
        brand.selected = kept.brand_ids.contains(&brand.id);
    }
    kept
}

pub(crate) async fn select(form: SentFor) -> Result<Response, Problem> {
    let fields = &form.sent.fields;
    let brands: Vec<&str> = fields.all("brand").collect();
    // Numbers may be texts: the API says which line is none.
    let body = json!({
        "brand_ids": brands,
        "category_ids": fields.all(CATEGORY).collect::<Vec<_>>(),
        "section_ids": fields.all(SECTION).collect::<Vec<_>>(),
        "locales": texts(fields, "locales"),
        "labels": texts(fields, "labels"),
        "public_only": fields.has("public"),
        "attachments": fields.has("attachments"),
    });
    if fields.has(BACK) {
        let told = html! { p class="note" role="status" { (t::NOTHING_SAVED) } };
        return typed_again(&form, &told).await;
    }
    let saved = async {
        if !fields.has(layout::SURE) {
            let (visitor, name) = (&form.sent.visitor, &form.customer.customer_id);
            let asked = visitor.for_customer(name, Method::POST, PREVIEW, Some(body.clone()));
            let preview: answers::SelectionPreview = asked.await?;
            if preview.would_remove > 0 {
                return Ok(Some(preview.would_remove));
            }
        }
        form.ask(Method::PUT, SELECTION, body).await.map(|()| None)
    };
    match saved.await {
        Ok(None) => Ok(form.back_saying("/selection", "selection")),
        Ok(Some(files)) => Ok(ask_to_remove(&form, files).into_response()),
        // What was typed is not lost: it is shown again, below what is wrong with it.
        Err(Problem::Page { status: status @ StatusCode::UNPROCESSABLE_ENTITY, text, .. }) => {
            let told = html! { p class="note failed" role="alert" { (text) } };
            let mut answer = typed_again(&form, &told).await?;
            *answer.status_mut() = status;
            Ok(answer)
        }
        Err(problem) => Err(problem),
    }
}

/// The selection's page with what was typed, and `told` above it.
async fn typed_again(form: &SentFor, told: &Markup) -> Result<Response, Problem> {
    let (visitor, customer) = (&form.sent.visitor, &form.customer);
    let typed = typed(&form.sent.fields, kept(visitor, customer).await?);
    Ok(selection_page(visitor, customer, &typed, told).await?.into_response())
}

/// Asks whether so many files may go. The form holds what was typed: it works without a script, and nothing is kept of it.
fn ask_to_remove(form: &SentFor, files: i64) -> Page {
    let (visitor, customer) = (&form.sent.visitor, &form.customer);
    let typed = form.sent.fields.iter().filter(|(name, _)| ![TOKEN, layout::SURE, BACK].contains(name));
    let content = html! {
        (heading(visitor, customer, &t::selection_removes(files)))
        div class="card stack" {
            p { (t::selection_removes_long(files, customer.files)) }
            (post(visitor, &below(visitor, customer, "/selection"), &html! {
                @for (name, value) in typed { input type="hidden" name=(name) value=(value); }
                div class="actions" {
                    button class="danger" type="submit" name=(layout::SURE) value="1" { (t::SAVE_AND_REMOVE) }
                    button type="submit" name=(BACK) value="1" { (t::BACK) }
                }
            }))
        }
    };
    layout::page(visitor, Part::Customers, t::SELECTION, None, content)
}

/// Asks before a customer is disconnected.
pub(crate) async fn disconnect(visitor: Visitor, At(named): At<Named>) -> Result<Response, Problem> {
    let customer = find(&visitor, named.customer).await?;
    if !visitor.may(KeyScope::Admin) {
        return Err(Problem::new(&visitor.dashboard, StatusCode::FORBIDDEN, t::DISCONNECT_NOT_ALLOWED));
    }
    let Some(workspace) = &customer.workspace else {
        return Ok(see_other(&visitor.saying(&below(&visitor, &customer, ""), NOT_CONNECTED, None)));
    };
    let content = html! {
        (heading(&visitor, &customer, t::DISCONNECT))
        div class="card stack" {
            p { (t::disconnect_asked(&workspace.subdomain, &customer.customer_id)) }
            p { (t::DISCONNECT_LONG) }
            (layout::sure(
                &visitor,
                &below(&visitor, &customer, "/disconnect"),
                &html! {},
                [t::DISCONNECT_SURE, t::DISCONNECT],
                &below(&visitor, &customer, ""),
            ))
        }
    };
    Ok(layout::page(&visitor, Part::Customers, t::DISCONNECT, None, content).into_response())
}

pub(crate) async fn disconnect_now(form: SentFor) -> Result<Response, Problem> {
    let Some(workspace) = &form.customer.workspace else { return Ok(form.back_saying("", NOT_CONNECTED)) };
    if !form.sent.fields.has(layout::SURE) {
        return Ok(form.back("/disconnect"));
    }
    let body = json!({ "data_source_id": workspace.data_source_id });
    form.ask(Method::POST, "/revoke_access_token", body).await?;
    Ok(form.back_saying("", "disconnect"))
}
