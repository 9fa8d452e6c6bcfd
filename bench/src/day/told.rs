//! A day as tables.

use super::population::{MINUTE_MS, Population};
use super::tally::{Lateness, Minute, Tally, Times};
use crate::Options;

/// Where the costs are from.
pub(super) const SOURCE: &str = "docs/scale.md#what-a-run-costs";
const MINUTE_S: f64 = 60.0;
const DAY_S: f64 = 86_400.0;

/// Something that is counted, and how it is shown: by the second, or of processors.
type Counted = (&'static str, fn(&Minute) -> f64);

const BY_THE_SECOND: [Counted; 8] = [
    ("runs", |minute| minute.runs),
    ("shards", |minute| minute.shards),
    ("messages of RabbitMQ", |minute| minute.messages),
    ("requests to Zendesk", |minute| minute.requests),
    ("calls of Redis", |minute| minute.redis),
    ("transactions of Postgres", |minute| minute.cost.transactions),
    ("statements of Postgres", |minute| minute.cost.statements),
    ("articles stored", |minute| minute.stored),
];
/// Microseconds of processors.
const PROCESSORS: [Counted; 2] = [
    ("cores of Postgres", |minute| minute.cost.postgres_us),
    ("cores of workers", |minute| minute.cost.worker_us),
];

pub(super) fn told(options: &Options, workers: usize, tally: &Tally, population: &Population) -> String {
    let whole = tally.whole();
    let mut text = format!(
        "{} customers with {} articles, seed {}, {workers} workers.\n\n\
         | what | a day | a second | a second of the busiest minute |\n| --- | --- | --- | --- |\n",
        options.customers, tally.articles, options.seed
    );
    let mut line = |line: String| text.extend([line.as_str(), "\n"]);
    for (what, of) in BY_THE_SECOND {
        let day = of(&whole);
        line(format!("| {what} | {day:.0} | {:.1} | {:.1} |", day / DAY_S, tally.peak(of) / MINUTE_S));
    }
    for (what, of) in PROCESSORS {
        let cores = |us: f64, seconds: f64| us / 1e6 / seconds;
        let (mean, peak) = (cores(of(&whole), DAY_S), cores(tally.peak(of), MINUTE_S));
        line(format!("| {what} | | {mean:.2} | {peak:.2} |"));
    }
    let slots = |minute: &Minute| minute.busy_ms / MINUTE_MS as f64;
    line(format!(
        "| slots of workers in use | | {:.1} | {:.1} |",
        whole.busy_ms / DAY_S / 1e3,
        tally.peak(slots)
    ));
    let bytes = (whole.stored + whole.compared) * population.body_bytes();
    line(format!("| HTML read, GB | {:.1} | {:.4} | |\n", bytes / 1e9, bytes / 1e9 / DAY_S));
    line("| wanted by | how many | began after, p50 | p99 | done after, p50 | p99 |".to_owned());
    line("| --- | --- | --- | --- | --- | --- |".to_owned());
    for whose in Lateness::ALL {
        let (began, done) = (&tally.started_after[whose as usize], &tally.done_after[whose as usize]);
        line(format!("| {} | {} | {} | {} |", whose.name(), began.count(), shares(began), shares(done)));
    }
    line("\n| a change is stored after | changes | p50 | p99 |\n| --- | --- | --- | --- |".to_owned());
    for (who, times) in ["by the schedule", "with an event subscription"].into_iter().zip(&tally.stored_after)
    {
        line(format!("| {who} | {} | {} |", times.count(), shares(times)));
    }
    line(format!(
        "\nRequests that a sync under way served: {}. Waits for a permit: {}; shards put off for one: {}. Costs: {SOURCE}.",
        tally.merged, tally.throttled, tally.snoozed
    ));
    text
}

fn shares(times: &Times) -> String {
    format!("{} | {}", time(times.within(50)), time(times.within(99)))
}

/// A time (ms) for people.
fn time(ms: i64) -> String {
    let seconds = ms as f64 / 1e3;
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{seconds:.1} s"),
        120_000..7_200_000 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}
