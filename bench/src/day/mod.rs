//! A day of very many customers, simulated: jobs, requests, what databases and broker carry, how fresh copies are, how many
//! workers that takes. docs/scale.md says what follows from it.
//!
//! `cargo run --release -p helpsync-bench -- day --customers 1000000`. Everything is drawn from a seed, so the same numbers
//! come out everywhere.

mod draw;
mod population;
mod tally;
mod task;
mod told;
mod world;

#[cfg(test)]
mod tests;

use std::time::Duration;

use helpsync_config::Settings;

use self::population::{Guesses, Population};
use self::tally::{Cost, Lateness, Tally};
use self::world::World;
use crate::Options;
use crate::report::Report;

/// When the day begins, ms since 1970: a Thursday.
const MIDNIGHT: i64 = 1_767_225_600_000;
/// What a person's request may wait for a worker, 99 of 100, in ms.
const PERSON_STARTS_MS: i64 = 1_000;
/// The same of a schedule: nobody waits for it.
const SCHEDULE_STARTS_MS: i64 = 60_000;
/// Workers are added in steps of this part until the times above hold.
const MORE_WORKERS: usize = 10;
const TRIES_MAX: usize = 12;

/// What things cost, measured ([`told::SOURCE`]).
#[derive(Debug, Clone)]
struct Costs {
    /// A run that finds nothing, all its shards together, without its requests.
    run: Cost,
    /// A message of a shard: released, published, started.
    message: Cost,
    /// A request: its permit, its answer read.
    request: Cost,
    /// A page of articles stored or compared.
    page: Cost,
    /// An article that is new or changed: converted, stored, chunked, indexed.
    stored: Cost,
    /// An article that is as it was.
    compared: Cost,
}

const fn cost(worker_us: f64, postgres_us: f64, transactions: f64, statements: f64) -> Cost {
    Cost { worker_us, postgres_us, transactions, statements }
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            run: cost(9_000.0, 9_000.0, 6.0, 70.0),
            message: cost(500.0, 1_000.0, 2.0, 10.0),
            request: cost(400.0, 0.0, 0.0, 0.0),
            page: cost(200.0, 1_000.0, 1.0, 15.0),
            stored: cost(900.0, 1_500.0, 0.0, 0.1),
            compared: cost(100.0, 80.0, 0.0, 0.0),
        }
    }
}

/// The installation: what an operator has set.
#[derive(Debug, Clone)]
struct Installed {
    workers: usize,
    slots: usize,
    on_demand_slots: usize,
    interval_ms: i64,
    audit_every: Duration,
    tick_ms: i64,
    window: usize,
    batch: usize,
    requests_per_minute: u64,
    requests_at_once: u64,
    reserve_percent: u64,
    patience_ms: i64,
    costs: Costs,
}

impl Installed {
    /// As the settings are by default, with so many workers.
    fn by_default(workers: usize) -> anyhow::Result<Self> {
        let settings = Settings::load(None, [])?;
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            workers,
            slots: settings.worker.concurrency,
            on_demand_slots: settings.worker.concurrency.div_ceil(4),
            interval_ms: ms(settings.sync.interval),
            audit_every: settings.sync.audit_every,
            tick_ms: ms(settings.dispatcher.tick),
            window: settings.dispatcher.release_window,
            batch: settings.dispatcher.outbox_batch,
            requests_per_minute: u64::from(settings.zendesk.requests_per_minute),
            requests_at_once: u64::from(settings.zendesk.concurrency),
            reserve_percent: u64::from(settings.zendesk.reserve_percent),
            patience_ms: ms(helpsync_coordinator::DEFAULT_PATIENCE),
            costs: Costs::default(),
        })
    }

    fn audit_ms(&self) -> i64 {
        i64::try_from(self.audit_every.as_millis()).unwrap_or(i64::MAX)
    }
}

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let day = |workers| -> anyhow::Result<Tally> {
        let installed = Installed::by_default(workers)?;
        let population = Population::new(Guesses::default(), options.seed)?;
        Ok(World::new(&installed, population, options.customers).pass())
    };
    let workers = match options.workers {
        Some(workers) => workers,
        None => workers_needed(&day)?,
    };
    let tally = day(workers)?;
    let population = Population::new(Guesses::default(), options.seed)?;
    report.section(told::told(options, workers, &tally, &population));
    Ok(())
}

/// The fewest workers, in steps, with which nobody waits longer than is said above.
fn workers_needed(day: &impl Fn(usize) -> anyhow::Result<Tally>) -> anyhow::Result<usize> {
    let slots = Installed::by_default(1)?.slots;
    let unbounded = day(usize::from(u16::MAX))?;
    let busy = unbounded.peak(|minute| minute.busy_ms) / population::MINUTE_MS as f64;
    let mut workers = (busy / slots as f64).ceil().max(1.0) as usize;
    for _ in 0..TRIES_MAX {
        let tally = day(workers)?;
        let starts = |whose: Lateness| tally.started_after[whose as usize].within(99);
        // A schedule waits for the dispatcher's tick in any case.
        if starts(Lateness::Person) <= PERSON_STARTS_MS && starts(Lateness::Schedule) <= SCHEDULE_STARTS_MS {
            break;
        }
        eprintln!("  {workers} workers are too few");
        workers += workers.div_ceil(MORE_WORKERS);
    }
    Ok(workers)
}
