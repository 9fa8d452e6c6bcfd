//! Runs and their shards: request, release, lease, fence, stages, schedule, sweep.

pub(crate) mod counters;
pub(crate) mod ended;
pub(crate) mod failed_shards;
pub(crate) mod fence;
pub(crate) mod file_options;
pub(crate) mod going_on;
pub(crate) mod held_back;
pub(crate) mod home;
pub(crate) mod made_good;
pub(crate) mod new_run;
pub(crate) mod note;
pub(crate) mod outbox;
pub(crate) mod pending_request;
pub(crate) mod ping;
pub(crate) mod processes;
pub(crate) mod release;
pub(crate) mod retention;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod shards;
pub(crate) mod stages;
pub(crate) mod start;
pub(crate) mod sweep;
pub(crate) mod synced_files;
pub(crate) mod timeline;
pub(crate) mod wake;
