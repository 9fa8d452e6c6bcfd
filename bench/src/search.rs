//! Searches by words, on both databases, beside the statement that answered them before.

use anyhow::ensure;
use helpsync_store::testing::searchable::{QUERY, filled, with_index, without_index};
use helpsync_store::testing::{TestStore, name_of, stores};
use helpsync_store::{Customer, FileFilters, Store};

use crate::meter::Times;
use crate::report::{Report, Row};
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
        old_search::fill(&store, &customer).await;
        let mut old = Times::default();
        for _ in 0..OLD_SEARCHES {
            ensure!(old.of(old_search::search(&store, &customer)).await? > 0, "the old way finds nothing");
        }
        let mut add = |what: String, ours: f64, goal: Option<f64>| {
            report.add(Row {
                what,
                unit: "ms",
                ours,
                bare: "the old statement, p50, alone".to_owned(),
                theirs: old.within(50),
                goal: goal.map(|goal| goal / old.within(50)),
            });
        };
        let of = format!("{name}, 10,000 chunks");
        add(format!("{of}, alone, first"), first(&store, &customer).await?, None);
        let warm = searched(&store, std::slice::from_ref(&customer), SEARCHES).await?;
        add(format!("{of}, alone, p50"), warm.within(50), None);
        add(format!("{of}, alone, p99"), warm.within(99), Some(GOAL_MILLISECONDS));

        let small = others(&store, options.others).await;
        let of = format!("{of} beside {} of others", options.others);
        add(format!("{of}, first"), first(&store, &customer).await?, None);
        let warm = searched(&store, &[customer], SEARCHES).await?;
        add(format!("{of}, p50"), warm.within(50), None);
        add(format!("{of}, p99"), warm.within(99), Some(GOAL_MILLISECONDS));
        let cold = searched(&store, &small, 1).await?;
        let of = format!("{name}, {} customers of {SMALL} articles in turn", small.len());
        add(format!("{of}, first, p50"), cold.within(50), None);
        let warm = searched(&store, &small, 1).await?;
        add(format!("{of}, p50"), warm.within(50), None);
        add(format!("{of}, p99"), warm.within(99), None);
    }
    Ok(())
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
async fn searched(store: &Store, customers: &[Customer], rounds: usize) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for round in 0..rounds {
        for customer in customers {
            times.of(search(store, customer, round)).await?;
        }
    }
    Ok(times)
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
