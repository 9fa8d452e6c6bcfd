//! The message that travels through the queue.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Name, RunId, RunKind, ShardId, ShardKind, UnknownName};

/// The version of [`Job`]'s JSON form. A reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;

/// A hint that a shard is due. It holds ids only: what is true of the shard is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Always [`SCHEMA_VERSION`].
    pub schema: u32,
    /// The shard to work on.
    pub shard: ShardId,
    /// Its run.
    pub run: RunId,
    /// What the shard does; for logs and metrics, the store decides.
    pub kind: ShardKind,
    /// The lane it travels in.
    pub lane: Lane,
}

/// A run that falls into more shards at once than these is no little one, whatever was asked for: they go as a backfill.
const ON_DEMAND_SHARDS_MAX: usize = 4;

/// How urgent a job is. Workers serve the lanes in this order without starving the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// A person waits for little: single articles, deltas that somebody asked for, events.
    OnDemand,
    /// Scheduled deltas.
    Scheduled,
    /// First and full syncs, whoever asked for them.
    Backfill,
}

impl Lane {
    /// Most urgent first.
    pub const ALL: [Self; 3] = [Self::OnDemand, Self::Scheduled, Self::Backfill];

    /// The lane of a run of this kind that was asked for in this one: reading everything never stands before a person who
    /// waits for little.
    #[must_use]
    pub const fn of_run(self, kind: RunKind) -> Self {
        match kind {
            RunKind::Full => Self::Backfill,
            _ => self,
        }
    }

    /// The lane of so many shards that a shard in this one leads to.
    #[must_use]
    pub const fn of_shards(self, count: usize) -> Self {
        if count > ON_DEMAND_SHARDS_MAX { Self::Backfill } else { self }
    }

    /// The one spelling, as stored and in queue names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on_demand",
            Self::Scheduled => "scheduled",
            Self::Backfill => "backfill",
        }
    }
}

impl Name for Lane {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Lane {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|lane| lane.as_str() == text)
            .ok_or_else(|| UnknownName { what: "Lane", text: text.to_owned() })
    }
}

/// Why bytes from a queue are not a job.
#[derive(Debug, Error)]
pub enum JobError {
    /// Not JSON, or not of the form.
    #[error("not a job message")]
    Malformed(#[source] serde_json::Error),
    /// From another version of this program.
    #[error("job schema {0} is not {SCHEMA_VERSION}")]
    Schema(u32),
}

impl Job {
    /// The JSON form.
    ///
    /// # Panics
    /// Never: a struct of numbers and names always serialises.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and names serialises")
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`JobError`]: both are permanent; such a message belongs into the dead-letter list.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, JobError> {
        let job: Self = serde_json::from_slice(bytes).map_err(JobError::Malformed)?;
        if job.schema == SCHEMA_VERSION { Ok(job) } else { Err(JobError::Schema(job.schema)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_another_schema_is_refused() {
        let job = Job {
            schema: SCHEMA_VERSION,
            shard: ShardId(7),
            run: RunId(3),
            kind: ShardKind::WalkExport,
            lane: Lane::Backfill,
        };
        assert_eq!(Job::from_bytes(&job.to_bytes()).unwrap(), job);
        let other = Job { schema: 2, ..job };
        assert!(matches!(Job::from_bytes(&other.to_bytes()), Err(JobError::Schema(2))));
    }
}
