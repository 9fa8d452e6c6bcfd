//! Searches by words, on both databases, beside the statement that answered them before.

use anyhow::ensure;
use helpsync_store::testing::searchable::{QUERY, filled, with_index, without_index};
use helpsync_store::testing::{TestStore, name_of, stores};
use helpsync_store::{Customer, FileFilters, Store};

use crate::meter::{self, Times};
use crate::report::{Goal, Report, Row};
use crate::{Options, old_search};

/// Files of the one customer, of two chunks each.
const FILES: i64 = 5_000;
const SEARCHES: usize = 300;
const OLD_SEARCHES: usize = 3;
/// Articles of a small customer.
const SMALL: i64 = 200;
/// Of the rest, each has so many.
const LARGE: i64 = 20_000;
/// Milliseconds within which 99 of 100 searches are to end, on a machine that does nothing else.
const GOAL_MILLISECONDS: f64 = 30.0;
const ANSWERS: usize = 10;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for store in stores().await {
        let name = name_of(&store);
        let customer = filled(&store, "ada", FILES, 2).await;
        let one = std::slice::from_ref(&customer);
        old_search::fill(&store, &customer).await;
        let mut before = Searches::of(&store);
        for _ in 0..OLD_SEARCHES {
            let old = before.times.of(old_search::search(&store, &customer)).await?;
            ensure!(old > 0, "the old way finds nothing");
        }
        let old = before.ended(&store);

        let of = format!("{name}, 10,000 chunks, alone");
        report.add(old.row(format!("{of}, first"), first(&store, &customer).await?));
        searched(&store, one, SEARCHES).await?.tell(report, &of, &old);

        let small = others(&store, options.others).await;
        let of = format!("{name}, 10,000 chunks beside {} of others", options.others);
        report.add(old.row(format!("{of}, first"), first(&store, &customer).await?));
        searched(&store, one, SEARCHES).await?.tell(report, &of, &old);
        let of = format!("{name}, {} customers of {SMALL} articles in turn", small.len());
        let cold = searched(&store, &small, 1).await?;
        report.add(old.row(format!("{of}, first, p50"), cold.times.within(50)));
        searched(&store, &small, 1).await?.tell(report, &of, &old);
    }
    Ok(())
}

/// Searches that were measured.
struct Searches {
    times: Times,
    /// When they began, in processor time; then what all of them took.
    processor: f64,
}

impl Searches {
    fn of(store: &TestStore) -> Self {
        Self { times: Times::default(), processor: meter::with_database(store.url()) }
    }

    fn ended(self, store: &TestStore) -> Self {
        Self { processor: meter::with_database(store.url()) - self.processor, ..self }
    }

    /// A row beside these, which are the old ones.
    fn row(&self, what: String, ours: f64) -> Row {
        let bare = "the old statement, p50, alone".to_owned();
        Row { what, unit: "ms", ours, bare, theirs: self.times.within(50), goal: None }
    }

    fn tell(&self, report: &mut Report, of: &str, old: &Self) {
        report.add(old.row(format!("{of}, p50"), self.times.within(50)));
        let goal = Some(Goal::Itself(GOAL_MILLISECONDS));
        report.add(Row { goal, ..old.row(format!("{of}, p99"), self.times.within(99)) });
        report.add(Row {
            what: format!("{of}, a search (CPU)"),
            unit: "ms",
            ours: self.processor / self.times.count(),
            bare: "the old statement (CPU), alone".to_owned(),
            theirs: old.processor / old.times.count(),
            goal: None,
        });
    }
}

/// As many chunks of others; answers the small customers among them, at most a thousand.
async fn others(store: &TestStore, chunks: i64) -> Vec<Customer> {
    let count = (chunks / SMALL).min(1_000);
    without_index(store).await;
    let mut small = Vec::new();
    for number in 0..count {
        small.push(filled(store, &format!("small {number}"), SMALL, 1).await);
    }
    for number in 0..(chunks - count * SMALL) / LARGE {
        filled(store, &format!("large {number}"), 20, LARGE / 20).await;
    }
    with_index(store).await;
    small
}

/// The first search of a process, in milliseconds: its connections are new, the machine's memory is not.
async fn first(store: &TestStore, customer: &Customer) -> anyhow::Result<f64> {
    let fresh = store.reopen().await;
    let mut times = Times::default();
    times.of(search(&fresh, customer, 0)).await?;
    fresh.close().await;
    Ok(times.within(50))
}

/// `rounds` searches of each of the customers in turn.
async fn searched(store: &TestStore, customers: &[Customer], rounds: usize) -> anyhow::Result<Searches> {
    let mut searches = Searches::of(store);
    for round in 0..rounds {
        for customer in customers {
            searches.times.of(search(store, customer, round)).await?;
        }
    }
    Ok(searches.ended(store))
}

/// Other words each time, of the same frequency.
async fn search(store: &Store, customer: &Customer, round: usize) -> anyhow::Result<()> {
    let query =
        QUERY.replace("w3x", &format!("w{}x", 3 + round % 5)).replace("w500x", &format!("w{}x", 500 + round));
    let files = FileFilters::default();
    let found = store.search().chunks_with_words(customer.id, &files, &query, ANSWERS).await?;
    ensure!(!found.is_empty(), "a search finds nothing");
    Ok(())
}
