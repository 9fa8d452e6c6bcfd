//! One run: its receipt, what it did when, what it could not store.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use helpsync_api::answers;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde::Deserialize;

use crate::draw::timeline;
use crate::layout::{self, Part};
use crate::live::{self, Regions, Topic};
use crate::pages::overview::{named, progress};
use crate::problem::Problem;
use crate::show::{badge, bytes, fact, number, seconds, table, waits_for, when, when_if_any};
use crate::text as t;
use crate::visitor::{At, Given, Visitor};

/// Skipped articles of a page.
const SKIPPED_ROWS: usize = 50;

#[derive(Deserialize)]
pub(crate) struct RunNamed {
    run: i64,
}

#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<i64>,
}

pub(crate) async fn page(
    visitor: Visitor,
    At(at): At<RunNamed>,
    Given(after): Given<After>,
) -> Result<Page, Problem> {
    let run: answers::RunView = visitor.get(&format!("/helpsync/v1/runs/{}", at.run)).await?;
    let regions = look(visitor.clone(), at.run).await?;
    let path = format!(
        "/helpsync/v1/runs/{}/skipped?limit={SKIPPED_ROWS}&after={}",
        at.run,
        after.after.unwrap_or(0)
    );
    let skipped: answers::SkippedArticles = visitor.get(&path).await?;
    let title = t::run(run.id, &run.kind);
    let content = html! {
        nav class="crumbs" aria-label=(t::CRUMBS) {
            a href=(visitor.at("/customers")) { (t::CUSTOMERS) } " / "
            a href=(named(&visitor, &run.customer_id)) { (run.customer_id) }
        }
        h1 { (title) }
        @for (name, markup) in &regions { (layout::region(name, markup)) }
        (skipped_shown(&visitor, at.run, &skipped))
    };
    let live = visitor.at(&format!("/runs/{}/live", at.run));
    // What has ended changes no more.
    let live = run.finished_at.is_none().then_some(live);
    Ok(layout::page(&visitor, Part::Customers, &title, live, content))
}

pub(crate) async fn live(
    visitor: Visitor,
    At(at): At<RunNamed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _: answers::RunView = visitor.get(&format!("/helpsync/v1/runs/{}", at.run)).await?;
    let topic = Topic::Run { organization: visitor.key.organization, run: at.run };
    let look = Arc::new(move |visitor: Visitor| -> futures::future::BoxFuture<'static, _> {
        Box::pin(look(visitor, at.run))
    });
    live::stream(visitor, &headers, topic, look)
}

async fn look(visitor: Visitor, id: i64) -> Result<Regions, Problem> {
    let run: answers::RunView = visitor.get(&format!("/helpsync/v1/runs/{id}")).await?;
    let shards: answers::Timeline = visitor.get(&format!("/helpsync/v1/runs/{id}/shards")).await?;
    let now = visitor.dashboard.now_ms();
    Ok(vec![("state", state(&run, now)), ("timeline", timeline_shown(&run, &shards, now))])
}

fn state(run: &answers::RunView, now: i64) -> Markup {
    let text = |text: &str| html! { (text) };
    html! {
        section class="card" {
            h2 class="sr" { (t::STATE) }
            p { (badge(&run.state)) " " (progress(run)) }
            dl class="facts" {
                (fact(t::WORKSPACE, &text(run.brand.as_deref().unwrap_or(&run.workspace))))
                (fact(t::TRIGGER, &text(&t::state(&run.trigger))))
                (fact(t::LANE, &text(&t::state(&run.lane))))
                (fact(t::STAGE, &text(&t::stage(&run.stage))))
                @if let Some(plan) = &run.plan {
                    @let plan = t::plan(plan);
                    (fact(t::PLAN, &html! {
                        @match &run.plan_reason {
                            // It says both.
                            Some(why) if why.starts_with(&plan) => (why),
                            Some(why) => { (plan) br; span class="soft" { (why) } },
                            None => (plan),
                        }
                    }))
                }
                @if let Some(why) = &run.audit_reason { (fact(t::AUDIT_BECAUSE, &text(why))) }
                @if let Some(why) = &run.waiting_for {
                    (fact(t::WAITS_FOR, &waits_for(run.waiting_kind.as_deref(), why)))
                }
                @if let Some(missing) = &run.missing_articles {
                    @let [asked, total] = [missing.asked, missing.total].map(|count| number(i64::try_from(count).unwrap_or(i64::MAX)));
                    (fact(t::MISSING_ASKED, &text(&t::of_all(&asked, &total))))
                }
                @if let Some(what) = &run.working_on { (fact(t::WORKS_ON, &text(what))) }
                @if let Some(error) = &run.error { (fact(t::ERROR, &text(error))) }
                (fact(t::BEGUN, &when_if_any(run.started_at.as_deref(), now)))
                (fact(t::ENDED, &when_if_any(run.finished_at.as_deref(), now)))
            }
            (receipt(run))
        }
    }
}

fn receipt(run: &answers::RunView) -> Markup {
    let counters = &run.counters;
    let rows = [
        (t::LISTED, counters.listed),
        (t::CREATED, counters.created),
        (t::UPDATED, counters.updated),
        (t::UNCHANGED, counters.unchanged),
        (t::DRAFTS, counters.drafts),
        (t::UNSELECTED, counters.unselected),
        (t::SKIPPED, counters.skipped),
        (t::REMOVED, counters.removed),
        (t::HELD, counters.held),
        (t::REQUESTS, counters.requests),
    ];
    html! {
        details open {
            summary { (t::RECEIPT) }
            dl class="facts" {
                @for (name, value) in rows { (fact(name, &html! { (number(value)) })) }
                (fact(t::BYTES, &html! { (bytes(counters.bytes)) }))
                @if let Some(files) = run.files { (fact(t::FILES_AT_END, &html! { (number(files)) })) }
                @if let Some(digest) = &run.digest { (fact(t::DIGEST, &html! { code { (digest) } })) }
            }
        }
    }
}

fn timeline_shown(run: &answers::RunView, shards: &answers::Timeline, now: i64) -> Markup {
    let counters = &run.counters;
    let waits = [
        (t::WAIT_PACE, counters.wait_pace_ms),
        (t::WAIT_WINDOW, counters.wait_window_ms),
        (t::WAIT_IN_FLIGHT, counters.wait_in_flight_ms),
        (t::WAIT_BLOCKED, counters.wait_blocked_ms),
        (t::WAIT_PUT_OFF, counters.wait_put_off_ms),
    ];
    html! {
        section class="card" {
            h2 { (t::TIMELINE) }
            (timeline(run, &shards.shards, now))
            @if counters.budget_wait_ms > 0 {
                h3 { (t::WAITED) }
                dl class="facts" {
                    @for (name, ms) in waits.into_iter().filter(|(_, ms)| *ms > 0) {
                        (fact(name, &html! { (seconds(ms)) }))
                    }
                }
            }
        }
    }
}

fn skipped_shown(visitor: &Visitor, run: i64, found: &answers::SkippedArticles) -> Markup {
    if found.skipped.is_empty() {
        return html! {};
    }
    let now = visitor.dashboard.now_ms();
    let more = found.skipped.len() == SKIPPED_ROWS;
    html! {
        section class="card" {
            h2 { (t::SKIPPED) }
            (table(t::SKIPPED, &[t::ARTICLE, t::REASON, t::WHEN], &html! {
                @for one in &found.skipped {
                    tr {
                        td { (one.article_id.map_or_else(|| t::NONE.to_owned(), |id| id.to_string())) }
                        td { (one.reason) }
                        td { (when(&one.created_at, now)) }
                    }
                }
            }))
            (layout::next_page(more.then(|| visitor.at(&format!("/runs/{run}?after={}", found.next)))))
        }
    }
}
