//! The organization as the dashboard shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::native::RunView;
use super::verify::FreshnessView;

/// Copies that were complete within so many seconds, and not within the bound before.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgeCount {
    /// Null: longer ago than every bound, or never.
    pub(crate) up_to_seconds: Option<i64>,
    pub(crate) copies: i64,
}

/// The organization at a glance, without what takes a look at every file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    pub(crate) version: &'static str,
    pub(crate) now: String,
    /// Connections that are synced.
    pub(crate) active: i64,
    /// Connections whose grant has ended: they wait to be connected again.
    pub(crate) paused: i64,
    /// Files whose removal is held back until a person allows it.
    pub(crate) held: i64,
    /// The youngest first.
    pub(crate) by_age: Vec<AgeCount>,
    /// The copies that were complete longest ago, at most ten.
    pub(crate) oldest: Vec<FreshnessView>,
    /// Syncs under way.
    pub(crate) syncing: i64,
    /// The newest of them, at most fifty.
    pub(crate) runs: Vec<RunView>,
}
