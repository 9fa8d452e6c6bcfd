//! What the product costs, beside a bare baseline taken in the same run: ratios hold on other machines, figures do not.
//!
//! `cargo run --release -p helpsync-bench` measures everything and prints one table; names of targets measure these only.
//! It needs a Postgres, as the tests do (`HELPSYNC_TEST_POSTGRES_URL`). A new target is a function that takes [`Options`]
//! and fills a [`Report`], and one line in [`TARGETS`].

mod chunk;
mod convert;
mod day;
mod deltas;
mod first;
mod installation;
mod lanes;
mod listings;
mod meter;
mod old_search;
mod pages;
mod report;
mod search;
mod simulator;
mod sync;
mod texts;
mod waits;

use std::path::PathBuf;
use std::pin::Pin;

use clap::Parser;

use crate::report::Report;

/// What is measured.
#[derive(Debug, Clone, Parser)]
#[command(about = "Measures the product beside bare baselines and prints the ratios")]
pub(crate) struct Options {
    /// Targets: convert, chunk, search, sync (all of these unless told), first, deltas, lanes, waits, pages, listings
    /// and day.
    targets: Vec<String>,
    /// Articles to convert and chunk, as Zendesk lists them (`{"articles": [{"body": …}]}`), in place of simulated ones.
    #[arg(long)]
    articles: Option<PathBuf>,
    /// Articles of a sync.
    #[arg(long, default_value_t = 2_000)]
    synced: usize,
    /// Chunks of other customers beside which searches are measured.
    #[arg(long, default_value_t = 200_000)]
    others: i64,
    /// Files of one customer whose lists are measured.
    #[arg(long, default_value_t = 1_000_000)]
    files: i64,
    /// Customers of a simulated day, and of a status.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u32,
    /// Workers of a simulated day; as many as it takes unless told.
    #[arg(long)]
    workers: Option<usize>,
    /// What a simulated day is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The simulated help center that a sync reads, as a process of its own.
    #[arg(long, hide = true)]
    simulate: bool,
}

type Measured<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
/// Its name, whether it runs unless told, and what it does.
type Target = (&'static str, bool, for<'a> fn(&'a Options, &'a mut Report) -> Measured<'a>);

/// Every target, in the order in which they run.
const TARGETS: [Target; 11] = [
    ("convert", true, |options, report| Box::pin(convert::measure(options, report))),
    ("chunk", true, |options, report| Box::pin(chunk::measure(options, report))),
    ("search", true, |options, report| Box::pin(search::measure(options, report))),
    ("sync", true, |options, report| Box::pin(sync::measure(options, report))),
    ("first", false, |options, report| Box::pin(first::measure(options, report))),
    ("deltas", false, |options, report| Box::pin(deltas::measure(options, report))),
    ("lanes", false, |options, report| Box::pin(lanes::measure(options, report))),
    ("waits", false, |options, report| Box::pin(waits::measure(options, report))),
    ("pages", false, |options, report| Box::pin(pages::measure(options, report))),
    ("listings", false, |options, report| Box::pin(listings::measure(options, report))),
    ("day", false, |options, report| Box::pin(day::measure(options, report))),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.simulate {
        return simulator::serve(&options).await;
    }
    let known = |name: &String| TARGETS.iter().any(|(target, ..)| target == name);
    if let Some(unknown) = options.targets.iter().find(|name| !known(name)) {
        anyhow::bail!("no target is called {unknown:?}");
    }
    let mut report = Report::new();
    for (name, unless_told, measure) in TARGETS {
        let all = options.targets.is_empty() && unless_told;
        if all || options.targets.iter().any(|wanted| wanted == name) {
            eprintln!("measuring: {name}");
            measure(&options, &mut report).await?;
        }
    }
    println!("{report}");
    Ok(())
}
