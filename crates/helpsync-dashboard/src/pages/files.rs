//! Files: a customer's list, and one with its text in every form.

use axum::http::Method;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{IntoResponse, Response};
use helpsync_api::answers;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::layout::{self, Choice, Part, Search};
use crate::pages::customer::{Named, below, find, heading};
use crate::pages::overview::named;
use crate::problem::Problem;
use crate::show::{badge, bytes, fact, number, table, when, when_if_any};
use crate::text as t;
use crate::visitor::{At, Given, Visitor, part};

/// States that files are filtered by.
const FILE_STATES: [&str; 5] = ["READY", "SYNC_ERROR", "QUEUED_FOR_SYNC", "SYNCING", "READY_TO_SYNC"];
/// Files of a page.
const ROWS: usize = 50;
/// Chunks of a file that are shown.
const CHUNKS_SHOWN: usize = 50;
/// A customer's HTML acts in nobody's name and loads nothing from anywhere.
const HTML_POLICY: &str =
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    search: String,
    #[serde(default)]
    status: String,
    after: Option<i64>,
}

pub(crate) async fn list(
    visitor: Visitor,
    At(at): At<Named>,
    Given(asked): Given<Asked>,
) -> Result<Page, Problem> {
    let customer = find(&visitor, at.customer).await?;
    let mut filters = json!({});
    if !asked.search.trim().is_empty() {
        filters["name"] = json!(asked.search.trim());
    }
    if !asked.status.is_empty() {
        filters["sync_statuses"] = json!([asked.status]);
    }
    let body = json!({
        "pagination": { "limit": ROWS, "starting_id": asked.after.unwrap_or(0) },
        "order_by": "id",
        "order_dir": "asc",
        "filters": filters,
    });
    let found: answers::UserFilesV2 =
        visitor.for_customer(&customer.customer_id, Method::POST, "/user_files_v2", Some(body)).await?;
    let query = format!("search={}&status={}", part(&asked.search), part(&asked.status));
    let last = found.results.last().filter(|_| found.results.len() == ROWS);
    let next = last.map(|last| below(&visitor, &customer, &format!("/files?{query}&after={}", last.id)));
    let content = html! {
        (heading(&visitor, &customer, t::FILES))
        (filter(&below(&visitor, &customer, "/files"), &asked))
        @if found.results.is_empty() { p class="card soft" { (t::NO_FILES) } } @else {
            (rows(&visitor, &found.results))
        }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Customers, t::FILES, None, content))
}

fn filter(address: &str, asked: &Asked) -> Markup {
    let search = Search { name: "search", label: t::TITLE, value: &asked.search, placeholder: None };
    let status = Choice::of_states("status", t::STATE, &asked.status, &FILE_STATES);
    layout::filter(address, &search, &[status])
}

fn rows(visitor: &Visitor, files: &[answers::UserFile]) -> Markup {
    let now = visitor.dashboard.now_ms();
    table(
        t::FILES,
        &[t::TITLE, t::STATE, t::ARTICLE, t::SIZE, t::CHANGED, t::COMPARED],
        &html! {
            @for file in files {
                tr {
                    td {
                        a href=(visitor.at(&format!("/files/{}", file.id))) {
                            (file.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(t::UNTITLED))
                        }
                        @if let Some(error) = &file.sync_error_message { br; span class="soft" { (error) } }
                    }
                    td { (badge(&file.sync_status)) }
                    td { (file.external_file_id) }
                    td class="number" { (bytes(file_size(file))) }
                    td { (when(&file.updated_at, now)) }
                    td { (when_if_any(file.last_sync.as_deref(), now)) }
                }
            }
        },
    )
}

fn file_size(file: &answers::UserFile) -> i64 {
    file.file_statistics.as_ref().and_then(|all| all.file_size).unwrap_or_default()
}

#[derive(Deserialize)]
pub(crate) struct FileNamed {
    file: i64,
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    form: String,
    #[serde(default)]
    locale: String,
}

async fn detail(visitor: &Visitor, id: i64) -> Result<answers::FileDetail, Problem> {
    visitor.get(&format!("/helpsync/v1/files/{id}")).await
}

/// The translation of a locale, or the first.
fn translation<'a>(file: &'a answers::FileDetail, locale: &str) -> Option<&'a answers::TranslationView> {
    let all = &file.translations;
    all.iter().find(|one| one.locale == locale).or_else(|| all.first())
}

pub(crate) async fn one(
    visitor: Visitor,
    At(at): At<FileNamed>,
    Given(chosen): Given<Chosen>,
) -> Result<Page, Problem> {
    let found = detail(&visitor, at.file).await?;
    let past: answers::FileHistory = visitor.get(&format!("/helpsync/v1/files/{}/history", at.file)).await?;
    let title = found.file.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(t::UNTITLED);
    let shown = translation(&found, &chosen.locale);
    let form =
        if t::FORMS.iter().any(|(name, _)| *name == chosen.form) { chosen.form.as_str() } else { "html" };
    let here = visitor.at(&format!("/files/{}", at.file));
    let locale = shown.map_or("", |one| one.locale.as_str());
    let customer = &found.file.organization_supplied_user_id;
    let text = match (form, shown) {
        ("chunks", _) => chunks(&visitor, customer, at.file).await?,
        (_, None) => html! { p class="card soft" { (t::NO_TEXT) } },
        ("markdown", Some(one)) => html! { pre class="card text" tabindex="0" { (one.markdown) } },
        ("plain", Some(one)) => html! { pre class="card text" tabindex="0" { (one.plain) } },
        (_, Some(one)) => html! {
            iframe class="article" sandbox="" title=(one.title)
                src=(format!("{here}/html?locale={}", part(&one.locale))) {}
            p class="soft" { (t::NO_IMAGES) }
        },
    };
    let content = html! {
        nav class="crumbs" aria-label=(t::CRUMBS) {
            a href=(visitor.at("/customers")) { (t::CUSTOMERS) } " / "
            a href=(named(&visitor, customer)) { (customer) }
        }
        h1 { (title) }
        (facts(&visitor, &found))
        nav class="tabs" aria-label=(t::FORM) {
            @for (name, label) in t::FORMS {
                a href=(format!("{here}?form={name}&locale={}", part(locale)))
                    aria-current=[(name == form).then_some("true")] { (label) }
            }
        }
        @if found.translations.len() > 1 && form != "chunks" {
            nav class="tabs" aria-label=(t::LOCALES) {
                @for one in &found.translations {
                    a href=(format!("{here}?form={form}&locale={}", part(&one.locale)))
                        aria-current=[(one.locale == locale).then_some("true")] { (one.locale) }
                }
            }
        }
        (text)
        (history(&past, visitor.dashboard.now_ms()))
    };
    Ok(layout::page(&visitor, Part::Customers, title, None, content))
}

fn facts(visitor: &Visitor, found: &answers::FileDetail) -> Markup {
    let now = visitor.dashboard.now_ms();
    let text = |text: &str| html! { (text) };
    let file = &found.file;
    let labels: Vec<&str> = found.labels.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        section class="card" {
            h2 class="sr" { (t::ABOUT_FILE) }
            dl class="facts" {
                (fact(t::STATE, &badge(&file.sync_status)))
                (fact(t::ARTICLE, &text(&file.external_file_id)))
                @if !found.path.is_empty() { (fact(t::PLACE, &text(&found.path.join(" / ")))) }
                (fact(t::LOCALE, &text(&found.source_locale)))
                (fact(t::CHANGED_THERE, &when(&found.source_updated_at, now)))
                (fact(t::CHANGED, &when(&file.updated_at, now)))
                @if let Some(author) = &found.author_name { (fact(t::AUTHOR, &text(author))) }
                @if !labels.is_empty() { (fact(t::LABELS_SHORT, &text(&labels.join(", ")))) }
                @if let Some(url) = &file.external_url { (fact(t::ADDRESS, &text(url))) }
                @if let Some(error) = &file.sync_error_message { (fact(t::ERROR, &text(error))) }
            }
            @if !found.attachments.is_empty() {
                h2 { (t::ATTACHMENTS) }
                ul class="plain" {
                    @for one in &found.attachments {
                        li {
                            (one.file_name) " " span class="soft" {
                                (one.content_type) " "
                                @if let Some(size) = one.bytes { (bytes(size)) }
                                (one.skipped_reason.as_deref().unwrap_or_default())
                            }
                        }
                    }
                }
            }
        }
    }
}

fn history(past: &answers::FileHistory, now: i64) -> Markup {
    html! {
        section class="card" {
            h2 { (t::HISTORY) }
            ul class="plain" {
                @for change in &past.changes { li { (when(&change.at, now)) ": " (t::change(&change.what)) } }
            }
        }
    }
}

async fn chunks(visitor: &Visitor, customer: &str, file: i64) -> Result<Markup, Problem> {
    let body = json!({
        "filters": { "user_file_id": file },
        "order_by": "chunk_index",
        "order_dir": "asc",
        "pagination": { "limit": CHUNKS_SHOWN },
    });
    let found: answers::EmbeddingsAndChunksResponse =
        visitor.for_customer(customer, Method::POST, "/text_chunks", Some(body)).await?;
    Ok(html! {
        p class="soft" { (t::chunks_of(found.results.len(), found.count)) }
        @for chunk in &found.results {
            section class="card" {
                h2 { (t::CHUNK) " " (number(chunk.chunk_index.unwrap_or_default().saturating_add(1))) }
                p class="soft" { (chunk.content_metadata.as_ref().map(about_chunk).unwrap_or_default()) }
                pre class="text" tabindex="0" { (chunk.source_content) }
            }
        }
    })
}

fn about_chunk(metadata: &Value) -> String {
    let tokens = metadata["num_tokens"].as_i64().unwrap_or_default();
    t::tokens(metadata["locale"].as_str().unwrap_or_default(), tokens)
}

/// The article's HTML by itself, for the frame.
pub(crate) async fn html(
    visitor: Visitor,
    At(at): At<FileNamed>,
    Given(chosen): Given<Chosen>,
) -> Result<Response, Problem> {
    let found = detail(&visitor, at.file).await?;
    let html = translation(&found, &chosen.locale).map(|one| one.html.clone()).unwrap_or_default();
    Ok(([(CONTENT_SECURITY_POLICY, HTML_POLICY)], axum::response::Html(html)).into_response())
}
