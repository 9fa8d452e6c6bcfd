//! Gauges: what this process finds when it looks at its dependencies, and, if it dispatches, at the store and the queue.

use std::path::Path;
use std::time::Duration;

use helpsync_api::Readiness;
use helpsync_model::chain;
use helpsync_store::Gauges;
use helpsync_telemetry::{metrics, names};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::history::History;
use crate::{Parts, Role, home, telemetry};

/// A look that takes longer is given up: the next one is due.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// Looks every `telemetry.collect_seconds` until `stop`.
pub(crate) async fn run(parts: Parts, role: Role, stop: CancellationToken) {
    let name = match role {
        Role::All => "all",
        Role::Dispatcher => "dispatcher",
        Role::Worker => "worker",
    };
    metrics::set_of_both(names::BUILD, [("role", name), ("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let mut ticks = interval(parts.settings().telemetry.collect);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut history = History::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let look = look(&parts, role, &mut history);
        tokio::select! {
            () = stop.cancelled() => return,
            looked = tokio::time::timeout(LOOK_PATIENCE, look) => if looked.is_err() {
                tracing::debug!("a look at the gauges took too long");
            },
        }
        telemetry::upkeep();
    }
}

async fn look(parts: &Parts, role: Role, history: &mut History) {
    parts.store.tell_connections();
    let told = Readiness::of(&parts.store, &*parts.queue, &parts.accounts).await;
    for (name, up) in [
        ("store", told.store_is_up()),
        ("queue", told.queue_is_up()),
        ("coordinator", told.coordinator_is_up()),
    ] {
        metrics::set_of(names::DEPENDENCY_UP, "dependency", name, f64::from(u8::from(up)));
    }
    let now = parts.runtime.clock.now_ms();
    if role == Role::Worker {
        history.note(parts, now, None).await;
        return;
    }
    if let Ok(stats) = parts.queue.stats().await {
        for (lane, stats) in &stats.lanes {
            metrics::set_of(names::QUEUE, "lane", lane.as_str(), number(stats.ready));
        }
        metrics::set(names::DEAD_MESSAGES, number(stats.dead));
    }
    let database = home::database(parts.settings.store.url.expose()).map(Path::new);
    if let Some(free) = database.and_then(home::free_bytes) {
        metrics::set(names::STORE_FREE_BYTES, number(free));
    }
    match parts.store.queue().gauges(&names::COPY_AGES).await {
        Ok(gauges) => {
            tell(&gauges);
            history.note(parts, now, Some(&gauges)).await;
        }
        // The dependency's gauge says so, and whoever needs the store logs it.
        Err(error) => tracing::debug!(error = chain(&error), "the store's gauges cannot be read"),
    }
}

fn tell(gauges: &Gauges) {
    for lane in helpsync_model::Lane::ALL {
        let of_lane = |state: &str| {
            gauges.shards.iter().find(|shards| shards.lane == lane.as_str() && shards.state == state)
        };
        for state in ["pending", "released", "running", "failed"] {
            let shards = of_lane(state).map_or(0, |shards| shards.number);
            metrics::set_of_both(names::SHARDS, [("lane", lane.as_str()), ("state", state)], size(shards));
        }
        let due = of_lane("pending").and_then(|shards| shards.due_since);
        metrics::set_of(names::SHARDS_OLDEST, "lane", lane.as_str(), age(due, gauges.now));
    }
    metrics::set(names::OUTBOX, size(gauges.outbox.0));
    metrics::set(names::OUTBOX_OLDEST, age(gauges.outbox.1, gauges.now));
    for state in ["active", "paused"] {
        let found = gauges.connections.iter().find(|(name, _)| name == state);
        metrics::set_of(names::CONNECTIONS, "state", state, size(found.map_or(0, |(_, number)| *number)));
        if state == "active" {
            metrics::set_of(names::COPIES, "le", "+Inf", size(found.map_or(0, |(_, number)| *number)));
        }
    }
    for (bound, copies) in names::COPY_AGES.iter().zip(&gauges.copies) {
        metrics::set_of(names::COPIES, "le", &bound.to_string(), size(*copies));
    }
    metrics::set(names::COPY_OLDEST, age(gauges.oldest_copy, gauges.now));
    metrics::set(names::SYNC_OVERDUE, age(gauges.next_sync, gauges.now));
    metrics::set(names::HELD, size(gauges.held));
    metrics::set(names::WEBHOOKS_PENDING, size(gauges.deliveries.0));
    metrics::set(names::WEBHOOKS_OLDEST, age(gauges.deliveries.1, gauges.now));
    metrics::set(names::STORE_BYTES, size(gauges.bytes));
}

/// Seconds since `then` (both in ms); 0 where there is nothing.
fn age(then: Option<i64>, now: i64) -> f64 {
    let ms = then.map_or(0, |then| now.saturating_sub(then).max(0));
    Duration::from_millis(ms.unsigned_abs()).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "no gauge of ours comes near to what a float cannot hold")]
fn size(number: i64) -> f64 {
    number as f64
}

fn number(number: u64) -> f64 {
    size(i64::try_from(number).unwrap_or(i64::MAX))
}
