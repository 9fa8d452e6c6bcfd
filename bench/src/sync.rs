//! A full sync that finds nothing changed beside the first one: what is read, but neither converted, chunked nor written.

use std::time::Instant;

use helpsync_store::testing::searchable::unchunked;
use helpsync_store::testing::{TestStore, name_of, stores};
use serde_json::json;

use crate::installation::Installation;
use crate::report::{Goal, Report, Row};
use crate::simulator::Simulator;
use crate::{Options, meter};

/// An unchanged full sync costs no more than this part of the first one.
const UNCHANGED_GOAL: Goal = Goal::Ratio(0.2);

/// What something took: on the clock, and of processors, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    processor: f64,
}

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let simulator = Simulator::start(options.synced).await?;
    let without_chunks = json!({ "file_sync_config": { "store_file_only": true } });
    for store in stores().await {
        let name = name_of(&store);
        let app = Installation::start(&simulator, store.url()).await?;
        let first = cost(&store, app.connect(&without_chunks)).await?;
        // Twice, and the second counts: the first writes down what the first run could not know yet.
        cost(&store, app.full_sync()).await?;
        let unchanged = cost(&store, app.full_sync()).await?;
        app.stop().await?;
        let mut add = |what: &str, ours: f64, bare: &str, theirs: f64, goal| {
            let what = format!("{name}, {what}, {} articles", options.synced);
            report.add(Row { what, unit: "ms", ours, bare: bare.to_owned(), theirs, goal });
        };
        let goal = Some(UNCHANGED_GOAL);
        add("unchanged full sync (CPU)", unchanged.processor, "first sync, no chunks", first.processor, goal);
        add("unchanged full sync (clock)", unchanged.wall, "first sync, no chunks", first.wall, goal);
    }
    for store in stores().await {
        let name = name_of(&store);
        let app = Installation::start(&simulator, store.url()).await?;
        let both = async {
            app.connect(&json!({})).await?;
            while unchunked(&store).await > 0 {
                tokio::time::sleep(crate::installation::LOOK_EVERY).await;
            }
            Ok(())
        };
        let first = cost(&store, both).await?;
        cost(&store, app.full_sync()).await?;
        let unchanged = cost(&store, app.full_sync()).await?;
        app.stop().await?;
        let goal = Some(UNCHANGED_GOAL);
        for (unit, ours, theirs) in
            [("CPU", unchanged.processor, first.processor), ("clock", unchanged.wall, first.wall)]
        {
            report.add(Row {
                what: format!("{name}, unchanged full sync ({unit}), {} articles", options.synced),
                unit: "ms",
                ours,
                bare: "first sync until everything is chunked".to_owned(),
                theirs,
                goal,
            });
        }
    }
    Ok(())
}

/// What `work` costs this process and the database's.
async fn cost(store: &TestStore, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Cost> {
    let processor = || meter::with_database(store.url());
    let (began, before) = (Instant::now(), processor());
    work.await?;
    Ok(Cost { wall: began.elapsed().as_secs_f64() * 1_000.0, processor: processor() - before })
}
