//! The organization as the dashboard shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::native::RunView;
use super::verify::FreshnessView;

/// Copies that were complete within so many seconds, and not within the bound before.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgeCount {
    /// Null: longer ago than every bound, or never.
    pub up_to_seconds: Option<i64>,
    pub copies: i64,
}

/// The organization at a glance, without what takes a look at every file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    pub version: String,
    pub now: String,
    /// Connections that are synced.
    pub active: i64,
    /// Connections whose grant has ended: they wait to be connected again.
    pub paused: i64,
    /// Files whose removal is held back until a person allows it.
    pub held: i64,
    /// The youngest first.
    pub by_age: Vec<AgeCount>,
    /// The copies that were complete longest ago, at most ten.
    pub oldest: Vec<FreshnessView>,
    /// Syncs under way.
    pub syncing: i64,
    /// The newest of them, at most fifty.
    pub runs: Vec<RunView>,
}
