//! The last day in numbers, which the dashboard draws: every process notes what it did, and who dispatches what it sees.

use helpsync_model::{Lane, chain};
use helpsync_store::Gauges;
use helpsync_telemetry::{TOTALS, Total, names};

use crate::Parts;

/// Between two notes, in ms. A slot of the history is five of these.
const NOTE_EVERY_MS: i64 = 60_000;
/// Copies that were complete within it are fresh, in seconds.
const FRESH_SECONDS: i64 = 90_000;

/// What this process has noted of what it did.
#[derive(Debug, Default)]
pub(crate) struct History {
    noted: [i64; TOTALS.len()],
    noted_at: i64,
}

impl History {
    /// Notes what came to it since the last note, once a minute. What cannot be noted is noted by the next one.
    pub(crate) async fn note(&mut self, parts: &Parts, now_ms: i64, gauges: Option<&Gauges>) {
        if now_ms.saturating_sub(self.noted_at) < NOTE_EVERY_MS {
            return;
        }
        let totals = TOTALS.map(Total::get);
        let counted: Vec<(&str, i64)> = TOTALS
            .iter()
            .zip(totals.iter().zip(self.noted))
            .map(|(total, (now, noted))| (total.name, now - noted))
            .collect();
        let seen = gauges.map(seen).unwrap_or_default();
        let used = parts.accounts.take_use();
        if let Err(error) = parts.store.queue().note_account_use(&used).await {
            parts.accounts.give_back_use(&used);
            tracing::debug!(error = chain(&error), "how budgets were used cannot be noted");
        }
        match parts.store.queue().note_history(&seen, &counted).await {
            Ok(()) => {
                self.noted = totals;
                self.noted_at = now_ms;
            }
            // The dependency's gauge says so, and whoever needs the store logs it.
            Err(error) => tracing::debug!(error = chain(&error), "the history cannot be noted"),
        }
    }
}

fn seen(gauges: &Gauges) -> Vec<(&'static str, i64)> {
    let shards = |state: &str| {
        let known = Lane::ALL.map(Lane::as_str);
        let all = gauges.shards.iter().filter(|shards| shards.state == state);
        all.filter(|shards| known.contains(&shards.lane.as_str())).map(|shards| shards.number).sum()
    };
    let active =
        gauges.connections.iter().find(|(state, _)| state == "active").map_or(0, |(_, number)| *number);
    let fresh = names::COPY_AGES.iter().position(|age| *age == FRESH_SECONDS);
    let fresh = fresh.and_then(|at| gauges.copies.get(at)).copied().unwrap_or(active);
    vec![
        ("pending", shards("pending")),
        ("dead_letters", shards("failed")),
        ("outbox", gauges.outbox.0),
        ("held", gauges.held),
        ("stale", (active - fresh).max(0)),
    ]
}
