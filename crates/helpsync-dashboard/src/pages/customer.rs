//! One customer: how it stands, what can be done, its runs, what is held.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use helpsync_api::answers;
use helpsync_model::KeyScope;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dashboard::Dashboard;
use crate::form::Sent;
use crate::layout::{self, Part, button, post};
use crate::live::{self, Regions, Topic};
use crate::pages::budget;
use crate::pages::customers::standing;
use crate::pages::deliveries;
use crate::pages::overview::progress;
use crate::problem::{Problem, see_other};
use crate::show::{badge, fact, number, table, waits_for, when, when_if_any};
use crate::text as t;
use crate::visitor::{At, Given, Visitor, part};

/// Runs that are shown.
const RUNS_SHOWN: u32 = 20;
/// Runs whose skipped articles are shown, the latest that have any, and so many of each.
const SKIPPED_RUNS: usize = 3;
const SKIPPED_ROWS: usize = 20;
/// Held files of a page.
const HELD_ROWS: u32 = 100;

/// What addresses below a customer name.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) customer: i64,
    #[serde(default)]
    action: String,
}

#[derive(Deserialize)]
pub(crate) struct Said {
    said: Option<String>,
    after: Option<i64>,
    /// Runs before this one are shown.
    before: Option<i64>,
}

/// A form of whoever is logged in, about one customer.
pub(crate) struct SentFor {
    pub(crate) sent: Sent,
    pub(crate) customer: answers::CustomerView,
    action: String,
}

impl FromRequest<Dashboard> for SentFor {
    type Rejection = Problem;

    async fn from_request(request: Request, dashboard: &Dashboard) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let At(named) = At::<Named>::from_request_parts(&mut parts, dashboard).await?;
        let sent = Sent::from_request(Request::from_parts(parts, body), dashboard).await?;
        let customer = find(&sent.visitor, named.customer).await?;
        Ok(Self { sent, customer, action: named.action })
    }
}

impl SentFor {
    /// Back to a page of the customer.
    pub(crate) fn back(&self, path: &str) -> Response {
        see_other(&below(&self.sent.visitor, &self.customer, path))
    }

    /// The same, to a page that says what `word` stands for.
    pub(crate) fn back_saying(&self, path: &str, word: &str) -> Response {
        let visitor = &self.sent.visitor;
        see_other(&visitor.saying(&below(visitor, &self.customer, path), word, None))
    }

    /// Sends what the form asks for, on the customer's behalf.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> Result<(), Problem> {
        let customer = &self.customer.customer_id;
        self.sent.visitor.for_customer::<Value>(customer, method, path, Some(body)).await.map(drop)
    }
}

/// The customer of this number.
pub(crate) async fn find(visitor: &Visitor, id: i64) -> Result<answers::CustomerView, Problem> {
    let path = format!("/helpsync/v1/customers?organization_user_id={id}");
    let found: answers::Customers = visitor.get(&path).await?;
    found.customers.into_iter().next().ok_or_else(|| Problem::missing(&visitor.dashboard))
}

/// The address of `path` below a customer.
pub(crate) fn below(visitor: &Visitor, customer: &answers::CustomerView, path: &str) -> String {
    visitor.at(&format!("/customers/{}{path}", customer.organization_user_id))
}

/// What leads to a page of a customer, and its name.
pub(crate) fn heading(visitor: &Visitor, customer: &answers::CustomerView, title: &str) -> Markup {
    html! {
        nav class="crumbs" aria-label=(t::CRUMBS) {
            a href=(visitor.at("/customers")) { (t::CUSTOMERS) }
            " / "
            a href=(below(visitor, customer, "")) { (customer.customer_id) }
        }
        h1 { (title) }
    }
}

pub(crate) async fn page(
    visitor: Visitor,
    At(named): At<Named>,
    Given(said): Given<Said>,
) -> Result<Page, Problem> {
    let customer = find(&visitor, named.customer).await?;
    let runs = runs_of(&visitor, &customer, said.before).await?;
    let (account, used) = match &customer.workspace {
        Some(workspace) => (
            account(&visitor, &customer, workspace).await?,
            budget::card(&visitor, workspace.data_source_id).await?,
        ),
        None => (html! { @if let Some(log) = log_of(&visitor, &customer) { p { (log) } } }, html! {}),
    };
    let now = visitor.dashboard.now_ms();
    let content = html! {
        nav class="crumbs" aria-label=(t::CRUMBS) { a href=(visitor.at("/customers")) { (t::CUSTOMERS) } }
        h1 { (customer.customer_id) }
        (visitor.said(said.said.as_deref()))
        (actions(&visitor, &customer))
        (layout::region("state", &state(&visitor, &customer, now)))
        (crate::pages::settings::schedule_form(&visitor, &customer))
        // Older runs change no more.
        @if said.before.is_some() { (runs_shown(&visitor, &customer, &runs, true)) }
        @else { (layout::region("runs", &runs_shown(&visitor, &customer, &runs, false))) }
        (skipped_of(&visitor, &runs.runs).await?)
        (deliveries::card(&visitor, &customer).await?)
        (account)
        (used)
    };
    let live = below(&visitor, &customer, "/live");
    Ok(layout::page(&visitor, Part::Customers, &customer.customer_id, Some(live), content))
}

pub(crate) async fn live(
    visitor: Visitor,
    At(named): At<Named>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    find(&visitor, named.customer).await?;
    let topic = Topic::Customer { organization: visitor.key.organization, customer: named.customer };
    let look = Arc::new(move |visitor: Visitor| -> futures::future::BoxFuture<'static, _> {
        Box::pin(look(visitor, named.customer))
    });
    live::stream(visitor, &headers, topic, look)
}

async fn look(visitor: Visitor, id: i64) -> Result<Regions, Problem> {
    let customer = find(&visitor, id).await?;
    let runs = runs_of(&visitor, &customer, None).await?;
    let now = visitor.dashboard.now_ms();
    let runs = runs_shown(&visitor, &customer, &runs, false);
    Ok(vec![("state", state(&visitor, &customer, now)), ("runs", runs)])
}

async fn runs_of(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    before: Option<i64>,
) -> Result<answers::Runs, Problem> {
    // By the customer: its runs stay when its workspace is disconnected.
    let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
    let customer = part(&customer.customer_id);
    visitor.get(&format!("/helpsync/v1/runs?customer_id={customer}&limit={RUNS_SHOWN}{before}")).await
}

/// How a customer may stand, as the region of its state says it to the page's script (`data-now`), and actions are shown by
/// (`data-while`). The actions are no part of what is kept current, because they are forms.
fn stands(customer: &answers::CustomerView) -> Vec<&'static str> {
    let workspace = customer.workspace.as_ref();
    let all = [
        ("connected", workspace.is_some()),
        ("running", workspace.is_some_and(|it| it.run_id.is_some())),
        ("paused", customer.paused_at.is_some()),
        ("unpaused", customer.paused_at.is_none()),
    ];
    all.into_iter().filter_map(|(name, holds)| holds.then_some(name)).collect()
}

fn actions(visitor: &Visitor, customer: &answers::CustomerView) -> Markup {
    let stands = stands(customer);
    let only = |name: &str, content: Markup| {
        html! { div data-while=(name) hidden[!stands.contains(&name)] { (content) } }
    };
    let act = |action: &str, text: &str, class: &str| {
        button(visitor, &below(visitor, customer, &format!("/act/{action}")), text, class)
    };
    let link = |path: &str, text: &str, class: &str| {
        html! { a class={ "button " (class) } href=(below(visitor, customer, path)) { (text) } }
    };
    html! {
        div class="actions" {
            (link("/files", t::FILES, ""))
            (only("connected", link("/selection", t::SELECTION, "")))
            (only("connected", link("/held", t::HELD, "")))
            @if visitor.may(KeyScope::Sync) {
                (only("connected", act("sync", t::SYNC_NOW, "main")))
                (only("connected", act("full", t::FULL_SYNC, "")))
                (only("running", act("cancel", t::CANCEL, "")))
            }
            @if visitor.may(KeyScope::Admin) {
                (only("connected", button(visitor, &below(visitor, customer, "/verify"), t::VERIFY, "")))
                (only("paused", act("resume", t::RESUME, "main")))
                (only("unpaused", act("pause", t::PAUSE, "")))
                (only("connected", link("/disconnect", t::DISCONNECT, "danger")))
            }
        }
    }
}

fn state(visitor: &Visitor, customer: &answers::CustomerView, now: i64) -> Markup {
    let stands = stands(customer).join(" ");
    let Some(workspace) = &customer.workspace else {
        return html! {
            section class="card" data-now=(stands) { (standing(customer)) p { (t::NOT_CONNECTED_LONG) } }
        };
    };
    let text = |text: &str| html! { (text) };
    let counted = |count: i64, path: &str| {
        html! { @if count > 0 { a href=(path) { (number(count)) } } @else { "0" } }
    };
    let dead = visitor.at(&format!("/dead-letters?customer={}", part(&customer.customer_id)));
    html! {
        section class="card" data-now=(stands) {
            h2 class="sr" { (t::STATE) }
            dl class="facts" {
                (fact(t::STATE, &standing(customer)))
                (fact(t::WORKSPACE, &text(&workspace.subdomain)))
                (fact(t::FILES, &text(&number(customer.files))))
                (fact(t::COMPLETE, &when_if_any(workspace.complete_at.as_deref(), now)))
                (fact(t::NEXT_SYNC, &when_if_any(workspace.next_sync_at.as_deref(), now)))
                (fact(t::HELD, &counted(workspace.held, &below(visitor, customer, "/held"))))
                (fact(t::DEAD_LETTERS, &counted(workspace.dead_letters, &dead)))
                @if let Some(run) = workspace.run_id {
                    (fact(t::UNDER_WAY, &html! { a href=(visitor.at(&format!("/runs/{run}"))) { (t::run_number(run)) } }))
                }
                @if let Some(reason) = &workspace.waiting_for {
                    (fact(t::WAITS_FOR, &html! {
                        (waits_for(workspace.waiting_kind.as_deref(), reason))
                        @if let Some(until) = &workspace.waiting_until { " (" (when(until, now)) ")" }
                    }))
                }
                @if let Some(reason) = &workspace.pause_reason { (fact(t::RECONNECT_BECAUSE, &text(reason))) }
                @if let Some(error) = &workspace.events_error { (fact(t::EVENTS, &text(error))) }
            }
        }
    }
}

/// What leads to the changes of a customer, for whoever may see them.
fn log_of(visitor: &Visitor, customer: &answers::CustomerView) -> Option<Markup> {
    let log = visitor.at(&format!("/audit?customer={}", part(&customer.customer_id)));
    visitor.may(KeyScope::Admin).then(|| html! { a href=(log) { (t::CHANGES_OF_CUSTOMER) } })
}

/// The grant, and what it shows of the account.
async fn account(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    workspace: &answers::WorkspaceView,
) -> Result<Markup, Problem> {
    let path = "/helpsync/v1/selection";
    let kept: answers::SelectionView =
        visitor.for_customer(&customer.customer_id, Method::GET, path, None).await?;
    Ok(html! {
        section class="card" {
            h2 { (t::GRANT) }
            dl class="facts" {
                // Where Zendesk did not say who granted it, the workspace's name stands there.
                @let by = Some(&workspace.granted_by).filter(|by| **by != workspace.subdomain);
                (fact(t::GRANTED_BY, &html! { (by.map_or(t::NONE, String::as_str)) }))
                (fact(t::SCOPES, &html! {
                    @for scope in workspace.scopes.split_whitespace() { code { (scope) } " " }
                    @if workspace.scopes.trim().is_empty() { (t::NONE) }
                }))
                (budget::brands(&kept.brands))
                @if let Some(log) = log_of(visitor, customer) { (fact(t::AUDIT_LOG, &log)) }
            }
        }
    })
}

fn runs_shown(
    visitor: &Visitor,
    customer: &answers::CustomerView,
    found: &answers::Runs,
    is_older: bool,
) -> Markup {
    let (runs, now) = (&found.runs, visitor.dashboard.now_ms());
    let older = found.next_before.map(|before| below(visitor, customer, &format!("?before={before}")));
    let columns =
        [t::RUN, t::STATE, t::TRIGGER, t::PROGRESS, t::STORED, t::REMOVED, t::SKIPPED, t::BEGUN, t::ENDED];
    html! {
        section class="card" {
            h2 { (t::RUNS) }
            @if is_older { p { a href=(below(visitor, customer, "")) { (t::NEWEST_RUNS) } } }
            @if runs.is_empty() { p class="soft" { (if is_older { t::NO_OLDER_RUNS } else { t::NO_RUNS_YET }) } } @else {
                (table(t::RUNS, &columns, &html! {
                    @for run in runs {
                        tr {
                            td {
                                a href=(visitor.at(&format!("/runs/{}", run.id))) { (t::run(run.id, &run.kind)) }
                                @if let Some(brand) = &run.brand { " " span class="soft" { (brand) } }
                            }
                            td { (badge(&run.state)) }
                            td { (t::state(&run.trigger)) }
                            td { (progress(run)) }
                            td class="number" { (number(run.counters.created + run.counters.updated)) }
                            td class="number" { (number(run.counters.removed)) }
                            td class="number" { (number(run.counters.skipped)) }
                            td { (when(&run.created_at, now)) }
                            td { (when_if_any(run.finished_at.as_deref(), now)) }
                        }
                    }
                }))
            }
            (layout::next_page(older))
        }
    }
}

/// Articles that the latest runs could not store, and why: they are missing from the copy until that is mended.
async fn skipped_of(visitor: &Visitor, runs: &[answers::RunView]) -> Result<Markup, Problem> {
    let now = visitor.dashboard.now_ms();
    let mut rows = Vec::new();
    for run in runs.iter().filter(|run| run.counters.skipped > 0).take(SKIPPED_RUNS) {
        let path = format!("/helpsync/v1/runs/{}/skipped?limit={SKIPPED_ROWS}", run.id);
        let found: answers::SkippedArticles = visitor.get(&path).await?;
        rows.extend(found.skipped.into_iter().map(|one| (run, one)));
    }
    if rows.is_empty() {
        return Ok(html! {});
    }
    Ok(html! {
        section class="card" {
            h2 { (t::SKIPPED_LATELY) }
            (table(t::SKIPPED_LATELY, &[t::ARTICLE, t::REASON, t::RUN, t::WHEN], &html! {
                @for (run, one) in &rows {
                    tr {
                        td { (one.article_id.map_or_else(|| t::NONE.to_owned(), |id| id.to_string())) }
                        td class="long" { (one.reason) }
                        td { a href=(visitor.at(&format!("/runs/{}", run.id))) { (t::run(run.id, &run.kind)) } }
                        td { (when(&one.created_at, now)) }
                    }
                }
            }))
        }
    })
}

/// What a button of a customer's page does: each is one request to the API.
pub(crate) async fn act(form: SentFor) -> Result<Response, Problem> {
    let (visitor, customer) = (&form.sent.visitor, &form.customer);
    let name = &customer.customer_id;
    let of_customer = |what: &str| format!("/helpsync/v1/customers/{}/{what}", part(name));
    let sync = |full: bool| ("/helpsync/v1/sync".to_owned(), json!({ "customer_id": name, "full": full }));
    let source = customer.workspace.as_ref().map_or(0, |it| it.data_source_id);
    // It may have ended while its page was open. Whether the key may stop one the API says all the same.
    let has_run = customer.workspace.as_ref().is_some_and(|it| it.run_id.is_some());
    if form.action == "cancel" && !has_run && visitor.may(KeyScope::Sync) {
        return Ok(form.back_saying("", "nothing_to_cancel"));
    }
    let (path, body) = match form.action.as_str() {
        "pause" | "resume" => (of_customer(&form.action), json!({})),
        "approve" => (of_customer("approve_removals"), json!({})),
        "refuse" => (of_customer("refuse_removals"), json!({})),
        "sync" => sync(false),
        "full" => sync(true),
        "cancel" => (format!("/helpsync/v1/data_sources/{source}/cancel"), json!({})),
        _ => return Err(Problem::missing(&visitor.dashboard)),
    };
    visitor.post::<Value>(&path, body).await?;
    Ok(form.back_saying("", &form.action))
}

/// What is held: what would go, and who decides.
pub(crate) async fn held(
    visitor: Visitor,
    At(named): At<Named>,
    Given(said): Given<Said>,
) -> Result<Page, Problem> {
    let customer = find(&visitor, named.customer).await?;
    let after = said.after.unwrap_or(0);
    let path = format!(
        "/helpsync/v1/customers/{}/held?limit={HELD_ROWS}&after={after}",
        part(&customer.customer_id)
    );
    let found: answers::HeldFiles = visitor.get(&path).await?;
    let now = visitor.dashboard.now_ms();
    let act = |action: &str| below(&visitor, &customer, &format!("/act/{action}"));
    let next = found.next.map(|next| below(&visitor, &customer, &format!("/held?after={next}")));
    let content = html! {
        (heading(&visitor, &customer, t::HELD))
        @let held = customer.workspace.as_ref().map_or(0, |workspace| workspace.held);
        @if held > 0 { p { strong { (t::held_of(held, &customer.customer_id)) } } }
        p { (t::HELD_LONG) }
        @if found.held.is_empty() { p class="card soft" { (t::NOTHING_HELD) } } @else {
            @if visitor.may(KeyScope::Admin) {
                div class="actions" {
                    (post(&visitor, &act("approve"), &html! { button class="danger" type="submit" { (t::approve(held)) } }))
                    (post(&visitor, &act("refuse"), &html! { button type="submit" { (t::REFUSE) } }))
                }
            }
            (table(t::HELD, &[t::TITLE, t::ARTICLE, t::HELD_SINCE], &html! {
                @for file in &found.held {
                    tr {
                        td { a href=(visitor.at(&format!("/files/{}", file.id))) { (if file.name.is_empty() { t::UNTITLED } else { &file.name }) } @if let Some(url) = &file.external_url { br; span class="soft" { (url) } } }
                        td { (file.article_id) }
                        td { (when(&file.held_at, now)) }
                    }
                }
            }))
        }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Customers, t::HELD, None, content))
}
