//! The log line of a run's end.

use helpsync_model::RunState;
use helpsync_telemetry::metrics as telemetry;

use crate::db::{StoreError, Write, sql};
use crate::run::runs::{RUN, Run, run_of};

/// Has one line written for each of these runs, which have ended in this transaction, once it is committed.
pub(crate) async fn tell_ended(write: &mut Write, runs: &[i64]) -> Result<(), StoreError> {
    for run in runs {
        let row = sqlx::query(sql(format!("select {RUN} from run where id = $1")))
            .bind(run)
            .fetch_one(&mut *write.tx)
            .await?;
        tell_run_ended(write, run_of(&row)?);
    }
    Ok(())
}

/// [`tell_ended`] for a run as it stands in its row.
pub(crate) fn tell_run_ended(write: &mut Write, run: Run) {
    write.once_committed(move || Ended { run }.tell());
}

/// A run that has ended.
struct Ended {
    run: Run,
}

impl Ended {
    fn tell(&self) {
        let Run { id, kind, trigger, state, counters, .. } = &self.run;
        let lane = self.run.lane.as_str();
        telemetry::run_ended(kind.as_str(), trigger.as_str(), lane, state.as_str());
        let (customer, workspace) = (self.run.customer_external_id.as_str(), self.run.subdomain.as_str());
        let (brand, error) = (self.run.brand.as_deref(), self.run.error.as_deref());
        tracing::info!(
            customer, workspace, brand, run = %id, %kind, %trigger, %state,
            created = counters.created, updated = counters.updated, unchanged = counters.unchanged,
            skipped = counters.skipped, removed = counters.removed, held = counters.held,
            requests = counters.requests, seconds = self.seconds(), error,
            "{}", said(*state)
        );
    }

    /// From the start of its work to its end; 0 for a run that never began.
    fn seconds(&self) -> f64 {
        let ends = self.run.started_at.zip(self.run.finished_at);
        let ms = ends.map_or(0, |(start, end)| end.saturating_sub(start).max(0));
        f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0
    }
}

const fn said(state: RunState) -> &'static str {
    match state {
        RunState::Failed => "a run failed",
        RunState::Incomplete => "a run is incomplete",
        RunState::Cancelled => "a run was cancelled",
        _ => "a run is done",
    }
}
