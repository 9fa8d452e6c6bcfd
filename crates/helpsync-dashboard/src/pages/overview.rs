//! The organization at a glance, and for an operator the installation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use helpsync_api::answers;
use helpsync_model::KeyScope;
use helpsync_pages::Page;
use helpsync_store::RunCounters;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::dashboard::Dashboard;
use crate::draw::{bars, spark};
use crate::layout::{self, Part};
use crate::live::{self, Regions, Topic};
use crate::problem::Problem;
use crate::show::{badge, duration, figure, number, table, when, when_if_any};
use crate::text as t;
use crate::visitor::{Given, Visitor, part};

/// Groups of dead letters that are shown.
const GROUPS_SHOWN: usize = 5;
/// Shards of a process that are shown.
const SHARDS_SHOWN: usize = 4;
/// Customers with held removals that are shown.
const HELD_SHOWN: u32 = 5;

/// The address of a customer that is known by name only.
pub(crate) fn named(visitor: &Visitor, customer: &str) -> String {
    visitor.at(&format!("/customers/named?name={}", part(customer)))
}

pub(crate) async fn page(visitor: Visitor) -> Result<Page, Problem> {
    let regions = look(visitor.clone()).await?;
    let content = html! {
        h1 { (t::OVERVIEW) }
        @for (name, markup) in &regions { (layout::region(name, markup)) }
    };
    let live = visitor.at("/live");
    Ok(layout::page(&visitor, Part::Overview, t::OVERVIEW, Some(live), content))
}

pub(crate) async fn live(visitor: Visitor, headers: HeaderMap) -> Result<Response, Problem> {
    let operator = visitor.may(KeyScope::Operator);
    let topic = Topic::Overview { organization: visitor.key.organization, operator };
    let look =
        Arc::new(|visitor: Visitor| -> futures::future::BoxFuture<'static, _> { Box::pin(look(visitor)) });
    live::stream(visitor, &headers, topic, look)
}

async fn look(visitor: Visitor) -> Result<Regions, Problem> {
    let now = visitor.dashboard.now_ms();
    let status: answers::Overview = visitor.get("/helpsync/v1/overview").await?;
    let dead: answers::DeadLetters = visitor.get("/helpsync/v1/dead-letters?limit=1").await?;
    let held_path = format!("/helpsync/v1/customers?state=held&limit={HELD_SHOWN}");
    let held: answers::Customers = visitor.get(&held_path).await?;
    let webhooks: answers::WebhookQueryResponse =
        visitor.post("/webhooks", json!({ "pagination": { "limit": 250 } })).await?;
    let mut regions = vec![
        ("figures", figures(&status, &dead, &webhooks)),
        ("freshness", freshness(&visitor, &status, now)),
        ("trouble", trouble(&visitor, &dead, &held, &webhooks)),
        ("runs", runs_under_way(&visitor, &status, now)),
    ];
    if visitor.may(KeyScope::Operator) {
        let processes: answers::Processes = visitor.get("/helpsync/v1/workers").await?;
        let lanes: answers::Lanes = visitor.get("/helpsync/v1/lanes").await?;
        let history: answers::History = visitor.get("/helpsync/v1/history").await?;
        regions.push(("day", day(&history)));
        regions.push(("lanes", lanes_now(&lanes, &history)));
        regions.push(("processes", processes_now(&visitor, &processes, now)));
    }
    Ok(regions)
}

fn figures(
    status: &answers::Overview,
    dead: &answers::DeadLetters,
    webhooks: &answers::WebhookQueryResponse,
) -> Markup {
    let dead: i64 =
        dead.groups.iter().flatten().map(|group| i64::try_from(group.count).unwrap_or(i64::MAX)).sum();
    let failing = webhooks.results.iter().filter(|webhook| webhook.status != "ACTIVE").count();
    let tone = |is_bad: bool, tone: &'static str| if is_bad { tone } else { "" };
    html! {
        div class="figures" {
            (figure(t::CONNECTED, &number(status.active), ""))
            (figure(t::TO_RECONNECT, &number(status.paused), tone(status.paused > 0, "warn")))
            (figure(t::SYNCING, &number(status.syncing), ""))
            (figure(t::HELD, &number(status.held), tone(status.held > 0, "warn")))
            (figure(t::DEAD_LETTERS, &number(dead), tone(dead > 0, "bad")))
            (figure(t::WEBHOOKS_FAILING, &failing.to_string(), tone(failing > 0, "bad")))
        }
        p class="soft" { (t::PRODUCT) " " (status.version) }
    }
}

fn freshness(visitor: &Visitor, status: &answers::Overview, now: i64) -> Markup {
    let ages: Vec<(String, i64)> =
        status.by_age.iter().map(|age| (t::age_up_to(age.up_to_seconds.map(duration)), age.copies)).collect();
    html! {
        section class="columns" {
            div class="card" {
                h2 { (t::FRESHNESS) }
                (bars(t::FRESHNESS_CHART, &ages))
            }
            div class="card" {
                h2 { (t::OLDEST) }
                @if status.oldest.is_empty() { p class="soft" { (t::NO_COPIES) } } @else {
                    (table(t::OLDEST, &[t::CUSTOMER, t::WORKSPACE, t::COMPLETE, t::NEXT_SYNC], &html! {
                        @for copy in &status.oldest {
                            tr {
                                td { a href=(named(visitor, &copy.customer_id)) { (copy.customer_id) } }
                                td { (copy.workspace) }
                                td { @match copy.age_seconds {
                                    Some(age) => (t::ago(&duration(age / 60 * 60))),
                                    None => (t::NEVER),
                                } }
                                td { (when_if_any(copy.next_sync_at.as_deref(), now)) }
                            }
                        }
                    }))
                }
            }
        }
    }
}

fn trouble(
    visitor: &Visitor,
    dead: &answers::DeadLetters,
    held: &answers::Customers,
    webhooks: &answers::WebhookQueryResponse,
) -> Markup {
    let groups = dead.groups.as_deref().unwrap_or_default();
    let failing: Vec<&answers::WebhookNoKey> =
        webhooks.results.iter().filter(|webhook| webhook.status != "ACTIVE").collect();
    if groups.is_empty() && held.customers.is_empty() && failing.is_empty() {
        return html! { section class="card" { h2 { (t::TO_LOOK_AT) } p class="soft" { (t::NOTHING_TO_LOOK_AT) } } };
    }
    html! {
        section class="card" {
            h2 { (t::TO_LOOK_AT) }
            ul class="plain" {
                @for group in groups.iter().take(GROUPS_SHOWN) {
                    li {
                        (badge("failed")) " "
                        a href=(visitor.at("/dead-letters")) { (t::dead_of(group.count, group.customers)) }
                        " " span class="soft" { (group.cause) }
                    }
                }
                @for customer in &held.customers {
                    li {
                        (badge("held")) " "
                        a href=(visitor.at(&format!("/customers/{}/held", customer.organization_user_id))) {
                            (t::held_of(customer.workspace.as_ref().map_or(0, |it| it.held), &customer.customer_id))
                        }
                    }
                }
                @for webhook in failing {
                    li {
                        (badge("FLAGGED")) " "
                        a href=(visitor.at(&format!("/webhooks/{}", webhook.id))) { (webhook.url) }
                        " " span class="soft" { (webhook.status_reason.as_deref().unwrap_or_default()) }
                    }
                }
            }
        }
    }
}

/// Articles that a run is done with, of those that Zendesk counts. What it lists again, to find what is gone, is counted
/// once. A run that reads changes alone has no such end.
fn position(kind: &str, counters: &RunCounters) -> (i64, Option<i64>) {
    let done = counters.created
        + counters.updated
        + counters.unchanged
        + counters.drafts
        + counters.unselected
        + counters.skipped;
    let all = counters.remote_count.filter(|all| *all > 0 && kind == "full");
    (all.map_or(done, |all| done.min(all)), all)
}

/// How far a run is.
pub(crate) fn progress(run: &answers::RunView) -> Markup {
    let (done, all) = position(&run.kind, &run.counters);
    html! {
        @match all {
            Some(all) => {
                progress max=(all) value=(done) aria-label=(t::PROGRESS) { (done) }
                " " (t::of_all(&number(done), &number(all)))
            },
            None => (t::read(&number(done))),
        }
    }
}

fn runs_under_way(visitor: &Visitor, status: &answers::Overview, now: i64) -> Markup {
    html! {
        section class="card" {
            h2 { (t::UNDER_WAY) }
            @if status.runs.is_empty() { p class="soft" { (t::NO_RUNS) } } @else {
                (table(t::UNDER_WAY, &[t::CUSTOMER, t::RUN, t::STATE, t::PROGRESS, t::WAITS_FOR, t::BEGUN], &html! {
                    @for run in &status.runs {
                        tr {
                            td { a href=(named(visitor, &run.customer_id)) { (run.customer_id) } }
                            td { a href=(visitor.at(&format!("/runs/{}", run.id))) { (t::run(run.id, &run.kind)) } }
                            td { (badge(&run.state)) }
                            td { (progress(run)) }
                            td {
                                @let kind = t::waits_for(run.waiting_kind.as_deref());
                                (kind.or(run.waiting_for.as_deref()).unwrap_or(t::NONE))
                            }
                            td { (when(&run.created_at, now)) }
                        }
                    }
                }))
            }
        }
    }
}

fn day(history: &answers::History) -> Markup {
    let per_minute = history.slot_seconds / 60;
    html! {
        section class="card" {
            h2 { (t::LAST_DAY) }
            div class="sparks" {
                @for (name, label, is_rate) in t::SERIES {
                    @if let Some(values) = history.series.get(name) {
                        (spark(label, values, if is_rate { per_minute } else { 1 }))
                    }
                }
            }
            @if history.series.is_empty() { p class="soft" { (t::NO_HISTORY) } }
        }
    }
}

/// How much ended a minute in a lane, within the last hour, as processes have noted it.
fn ended_a_minute(history: &answers::History, lane: &str) -> Option<f64> {
    let values = history.series.get(&format!("ended.{lane}"))?;
    let hour = usize::try_from(3_600 / history.slot_seconds.max(1)).unwrap_or_default().max(1);
    let ended: i64 = values.iter().rev().take(hour).flatten().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    Some(ended as f64 / 60.0)
}

fn lanes_now(lanes: &answers::Lanes, history: &answers::History) -> Markup {
    html! {
        section class="card" {
            h2 { (t::LANES) }
            (table(t::LANES, &[t::LANE, t::WAITING, t::OUT, t::ENDED_A_MINUTE, t::STATE], &html! {
                @for lane in &lanes.lanes {
                    tr {
                        td { (t::state(&lane.lane)) }
                        td class="number" { (number(lane.pending)) }
                        td class="number" { (number(lane.out)) }
                        td class="number" {
                            @match ended_a_minute(history, &lane.lane) {
                                Some(rate) => (format!("{rate:.1}")),
                                None => (t::NONE),
                            }
                        }
                        td { (badge(if lane.paused_at.is_some() { "paused" } else { "active" })) }
                    }
                }
            }))
        }
    }
}

fn processes_now(visitor: &Visitor, processes: &answers::Processes, now: i64) -> Markup {
    html! {
        section class="card" {
            h2 { (t::PROCESSES) }
            (table(t::PROCESSES, &[t::PROCESS, t::STATE, t::SEEN, t::WORK], &html! {
                @for process in &processes.processes {
                    tr {
                        td { (process.role) " · " (process.host) " · " (process.version) }
                        td { (badge(if process.alive { "alive" } else { "silent" })) }
                        td { (when(&process.seen_at, now / 60_000 * 60_000 + 60_000)) }
                        td {
                            (t::works_on(process.shards.len(), process.concurrency))
                            @for shard in process.shards.iter().take(SHARDS_SHOWN) {
                                br;
                                a href=(visitor.at(&format!("/runs/{}", shard.run_id))) { (t::work(&shard.kind)) }
                                " " span class="soft" { (shard.customer_id) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<i64>,
}

/// Every organization, for an operator.
pub(crate) async fn organizations(
    State(dashboard): State<Dashboard>,
    visitor: Visitor,
    Given(query): Given<After>,
) -> Result<Page, Problem> {
    let path = format!("/helpsync/v1/organizations?limit=100&after={}", query.after.unwrap_or(0));
    let found: answers::Organizations = visitor.get(&path).await?;
    let next = found.next_after.map(|after| dashboard.at(&format!("/organizations?after={after}")));
    let content = html! {
        h1 { (t::ORGANIZATIONS) }
        (table(t::ORGANIZATIONS, &[t::ORGANIZATION, t::CUSTOMERS, t::KEYS], &html! {
            @for organization in &found.organizations {
                tr {
                    td { a href=(dashboard.at(&format!("/o/{}", organization.id))) { (organization.name) } }
                    td class="number" { (number(organization.customers)) }
                    td class="number" { (number(organization.keys)) }
                }
            }
        }))
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::Organizations, t::ORGANIZATIONS, None, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_that_is_listed_twice_is_done_once_and_no_more_is_done_than_there_is() {
        let counters = RunCounters {
            listed: 3_001,
            unchanged: 1_000,
            remote_count: Some(1_500),
            ..RunCounters::default()
        };
        assert_eq!(position("full", &counters), (1_000, Some(1_500)));
        assert_eq!(position("full", &RunCounters { created: 501, ..counters.clone() }), (1_500, Some(1_500)));
        assert_eq!(position("delta", &counters), (1_000, None));
    }

    #[test]
    fn the_rate_of_a_lane_is_that_of_the_last_hour() {
        let mut values = vec![Some(1_000); 288];
        values.splice(276.., [Some(60), None, Some(30)].into_iter().chain(std::iter::repeat_n(Some(1), 9)));
        let series = [("ended.backfill".to_owned(), values)].into();
        let history = answers::History { since: String::new(), slot_seconds: 300, series };
        assert_eq!(ended_a_minute(&history, "backfill"), Some(99.0 / 60.0));
        assert_eq!(ended_a_minute(&history, "scheduled"), None);
    }
}
