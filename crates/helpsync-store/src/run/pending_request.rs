//! Requests that come while an equal run is under way: kept with it, the strongest of each kind, for its successor.

use helpsync_model::{ConnectionId, Lane, RunKind, RunParams, Stage, Trigger};
use serde::{Deserialize, Serialize};

use crate::run::runs::{Run, RunRequest};

/// What the run after this one is to do: everything that anybody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRequest {
    /// Every article, not only what changed.
    full: bool,
    /// Every id compared, whatever the counts say.
    audit: bool,
    lane: Lane,
    trigger: Trigger,
    request_id: String,
    upload_id: String,
}

impl PendingRequest {
    pub(crate) fn of(run: &RunRequest) -> Self {
        Self {
            full: run.kind == Some(RunKind::Full),
            audit: run.params.is_audit(),
            lane: run.lane,
            trigger: run.trigger,
            request_id: run.request_id.clone(),
            upload_id: run.upload_id.clone(),
        }
    }

    /// The request kept with a run; one that cannot be read is one for what the run was for.
    pub(crate) fn read(kept: Option<&str>, run: &Run) -> Self {
        kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| Self {
            full: false,
            audit: false,
            lane: run.lane,
            trigger: run.trigger,
            request_id: run.request_id.clone(),
            upload_id: run.upload_id.clone(),
        })
    }

    /// Both requests in one: the stronger of each part, the more urgent lane, and the newer one's ids.
    pub(crate) fn with(self, kept: Option<&str>) -> Self {
        let Some(kept) = kept.and_then(|text| serde_json::from_str::<Self>(text).ok()) else { return self };
        let urgency = |lane: Lane| Lane::ALL.iter().position(|known| *known == lane);
        Self {
            full: self.full || kept.full,
            audit: self.audit || kept.audit,
            lane: if urgency(kept.lane) < urgency(self.lane) { kept.lane } else { self.lane },
            ..self
        }
    }

    /// Whether a run that has not begun to read serves the request.
    pub(crate) fn is_served_by(&self, run: &Run) -> bool {
        run.stage == Stage::Plan
            && (!self.full || run.kind == RunKind::Full)
            && (!self.audit || run.params.is_audit())
    }

    pub(crate) fn run_for(self, connection: ConnectionId) -> RunRequest {
        RunRequest {
            connection,
            kind: self.full.then_some(RunKind::Full),
            trigger: self.trigger,
            lane: self.lane,
            request_id: self.request_id,
            upload_id: self.upload_id,
            params: RunParams::Sync { audit: self.audit },
        }
    }
}
