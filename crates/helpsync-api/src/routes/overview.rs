//! The organization as the dashboard shows it.

use axum::Json;
use axum::extract::State;

use crate::Api;
use crate::auth::ByKey;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::wire::native::RunView;
use crate::wire::overview::{AgeCount, Overview};
use crate::wire::time;
use crate::wire::verify::FreshnessView;

/// Copies that it names.
const OLDEST_SHOWN: u32 = 10;
/// Bounds of the ages that copies are counted by, in seconds.
const AGES: [i64; 7] = [300, 3_600, 6 * 3_600, 24 * 3_600, 48 * 3_600, 7 * 86_400, 30 * 86_400];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/helpsync/v1/overview",
            Access::Key,
            "The organization at a glance, without what takes a look at every file",
            overview,
        )
        .gives::<Overview>(),
    ]
}

async fn overview(State(api): State<Api>, ByKey(id): ByKey) -> Result<Json<Overview>, ApiError> {
    let found = api.store().admin().overview(id, &AGES).await?;
    let oldest = api.store().admin().freshness(id, None, OLDEST_SHOWN).await?;
    let now = api.now_ms();
    let bounds = AGES.iter().map(|age| Some(*age)).chain([None]);
    let mut before = 0;
    let by_age = bounds.zip(found.by_age).map(|(up_to_seconds, copies)| {
        let here = copies - before;
        before = copies;
        AgeCount { up_to_seconds, copies: here }
    });
    Ok(Json(Overview {
        version: api.options().version.to_owned(),
        now: time(now),
        active: found.active,
        paused: found.paused,
        held: found.held,
        by_age: by_age.collect(),
        oldest: oldest.into_iter().map(|copy| FreshnessView::new(copy, now)).collect(),
        syncing: found.syncing,
        runs: found.runs.into_iter().map(RunView::from).collect(),
    }))
}
