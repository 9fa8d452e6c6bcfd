//! Searches by words among many chunks: the plans that keep them fast, and how fast they are.

use std::time::{Duration, Instant};

use helpsync_model::CustomerId;
use sqlx::Row;

use crate::FileFilters;
use crate::db::{Dialect, sql};
use crate::search::keyword::{LIST_MAX, begin_sql, count_sql, lists_sql, shown_sql};
use crate::testing::searchable::{QUERY, filled, run, with_chunks};
use crate::testing::{TestStore, name_of, stores};

/// Of the index of words in Postgres.
const ROWS_PER_PAGE_MIN: i64 = 60;

/// The plan that a search has for a statement, in the database's own words. `values` are the literals of what is bound.
pub(super) async fn plan(store: &TestStore, statement: &str, values: &[&str]) -> String {
    plan_in(store, begin_sql(store.dialect()), statement, values).await
}

/// [`plan`] in a transaction that is begun with `begin`.
pub(super) async fn plan_in(
    store: &TestStore,
    begin: &'static str,
    statement: &str,
    values: &[&str],
) -> String {
    let mut tx = store.store.pool.begin_with(begin).await.unwrap();
    let (explain, column) = match store.dialect() {
        Dialect::Sqlite => {
            // From the last, so that $13 is not taken for $1.
            let bound = values.iter().enumerate().rev().fold(statement.to_owned(), |text, (place, value)| {
                text.replace(&format!("${}", place + 1), value)
            });
            (format!("explain query plan {bound}"), 3)
        }
        Dialect::Postgres => {
            let types: Vec<&str> = values
                .iter()
                .map(|value| if value.parse::<i64>().is_ok() { "bigint" } else { "text" })
                .collect();
            let prepare = format!("prepare probe ({}) as {statement}", types.join(", "));
            sqlx::query(sql(prepare)).execute(&mut *tx).await.unwrap();
            (format!("explain execute probe ({})", values.join(", ")), 0)
        }
    };
    let rows = sqlx::query(sql(explain)).fetch_all(&mut *tx).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(column)).collect();
    if store.dialect() == Dialect::Postgres {
        sqlx::query("deallocate probe").execute(&mut *tx).await.unwrap();
    }
    plan.join("\n")
}

/// A look-up as the database's query language has it, as a literal.
fn literal(dialect: Dialect, lookup: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("'\"{lookup}\"'"),
        Dialect::Postgres => format!("'''{lookup}'''"),
    }
}

#[tokio::test]
async fn searches_by_words_read_their_indexes_and_scan_nothing() {
    for store in stores().await {
        let customer = filled(&store, "ada", 20, 50).await;
        filled(&store, "bob", 1_000, 10).await;
        let filters = FileFilters::default();
        let mut matching = store.admin().matching(customer.id, 0, &filters);
        let shown = shown_sql(&mut matching, &[1, 2, 3]);
        let owner = customer.id.to_string();
        let bound = [owner.as_str(), "'[1, 2, 3]'"];
        let most = LIST_MAX.to_string();
        let lookup = literal(store.dialect(), &format!("{owner}:1:w3x"));
        let list = match store.dialect() {
            Dialect::Sqlite => format!("json_array({lookup})"),
            Dialect::Postgres => format!("cast(json_build_array({lookup}) as text)"),
        };
        // Without statistics, as after a first sync, and with them.
        for analyzed in [false, true] {
            if analyzed {
                run(&store, "analyze".to_owned()).await;
            }
            let lists = plan(&store, lists_sql(store.dialect()), &[&list, &most]).await;
            let count = plan(&store, count_sql(store.dialect()), &[&lookup, &most]).await;
            let shown = plan(&store, &shown, &bound).await;
            match store.dialect() {
                Dialect::Sqlite => {
                    for plan in [&lists, &count] {
                        assert!(plan.contains("chunk_word VIRTUAL TABLE INDEX 0:M"), "{plan}");
                    }
                    for table in ["chunk", "file"] {
                        let search = format!("SEARCH {table} USING INTEGER PRIMARY KEY");
                        assert!(shown.contains(&search), "{shown}");
                    }
                }
                Dialect::Postgres => {
                    for plan in [&lists, &count] {
                        assert!(plan.contains("Bitmap Index Scan on chunk_word_words"), "{plan}");
                        assert!(!plan.contains("chunk_word_pkey"), "{plan}");
                    }
                    for table in ["chunk_word", "chunk", "file"] {
                        for plan in [&lists, &count, &shown] {
                            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
                        }
                    }
                    for key in ["chunk_pkey", "file_pkey"] {
                        assert!(shown.contains(&format!("Index Scan using {key}")), "{shown}");
                    }
                }
            }
        }
        assert!(
            !store.search().chunks_with_words(customer.id, &filters, QUERY, 10).await.unwrap().is_empty()
        );
        if store.dialect() == Dialect::Postgres {
            // Every entry of a list is a look at a row: many stand on a page, for their words stand elsewhere.
            let pages = "select pg_relation_size('chunk_word') / current_setting('block_size')::bigint";
            let pages: i64 = sqlx::query_scalar(pages).fetch_one(&store.store.pool).await.unwrap();
            assert!(pages < 11_000 / ROWS_PER_PAGE_MIN, "{pages} pages");
        }
    }
}

#[tokio::test]
async fn of_a_word_that_too_many_chunks_hold_those_stored_first_are_found() {
    for store in stores().await {
        let customer = with_chunks(&store, "ada", 1, LIST_MAX + 2).await;
        let chunks: Vec<i64> = sqlx::query_scalar("select id from chunk order by id")
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
        let (first, last) = (chunks[0], chunks[chunks.len() - 1]);
        let rare = format!("case when id in ({first}, {last}) then 'C:3:rare' else 'C:3:other' end");
        let statement = match store.dialect() {
            Dialect::Sqlite => {
                format!(
                    "insert into chunk_word (rowid, words) select id, 'C:0 C:3:common ' || {rare} from chunk"
                )
            }
            Dialect::Postgres => format!(
                "insert into chunk_word (chunk_id, words)
                 select id, array_to_tsvector(array['C:0', 'C:3:common', {rare}]) from chunk"
            ),
        };
        run(&store, statement.replace("C:", &format!("{}:", customer.id))).await;
        let search = async |words, k| {
            let files = FileFilters::default();
            store.search().chunks_with_words(customer.id, &files, words, k).await.unwrap()
        };
        let most = usize::try_from(LIST_MAX).unwrap();
        let mut common: Vec<i64> =
            search("common", chunks.len()).await.iter().map(|(chunk, _)| *chunk).collect();
        common.sort_unstable();
        assert!(common == chunks[..most], "{} of {} found", common.len(), chunks.len());
        // Both hold both words. The last stands behind the end of the longer list, so only its other word counts.
        let both = search("common rare", 2).await;
        assert_eq!((both[0].0, both[1].0), (first, last));
        assert!(both[1].1 < both[0].1, "{both:?}");
    }
}

/// The times of searches, sorted.
async fn times(store: &TestStore, customers: &[CustomerId], rounds: usize) -> Vec<Duration> {
    let filters = FileFilters::default();
    let mut times = Vec::new();
    for round in 0..rounds {
        // Other words each time, of the same frequency.
        let query = QUERY
            .replace("w3x", &format!("w{}x", 3 + round % 5))
            .replace("w500x", &format!("w{}x", 500 + round));
        for customer in customers {
            let start = Instant::now();
            let found = store.search().chunks_with_words(*customer, &filters, &query, 10).await.unwrap();
            times.push(start.elapsed());
            assert!(!found.is_empty());
        }
    }
    times.sort();
    times
}

fn told(times: &[Duration]) -> String {
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    format!("p50 {:?}, p99 {:?}", at(50), at(99))
}

/// Run with one command, see docs/benchmarks.md. `HELPSYNC_TEST_OTHERS` = chunks of other customers, a million unless
/// told.
#[tokio::test]
#[ignore = "takes minutes: fills both databases with a million chunks"]
async fn speed_of_searches_by_words() {
    let others =
        std::env::var("HELPSYNC_TEST_OTHERS").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000_000_i64);
    for store in stores().await {
        let name = name_of(&store);
        let customer = filled(&store, "ada", 5_000, 2).await;
        println!("{name}: 10,000 chunks alone: first {}", told(&times(&store, &[customer.id], 1).await));
        println!("{name}: 10,000 chunks alone: warm {}", told(&times(&store, &[customer.id], 100).await));
        // 1,000 customers of 200 articles first, then as many more as are asked for, of 20,000 chunks each.
        let small = (others / 10).min(200_000) / 200;
        let mut customers = Vec::new();
        for number in 0..small {
            customers.push(filled(&store, &format!("small {number}"), 200, 1).await.id);
        }
        for number in 0..(others - small * 200) / 20_000 {
            filled(&store, &format!("large {number}"), 20, 1_000).await;
        }
        println!(
            "{name}: beside {others} of others: first {}",
            told(&times(&store, &[customer.id], 1).await)
        );
        println!(
            "{name}: beside {others} of others: warm {}",
            told(&times(&store, &[customer.id], 200).await)
        );
        println!(
            "{name}: {small} customers of 200 articles: first {}",
            told(&times(&store, &customers, 1).await)
        );
        println!(
            "{name}: {small} customers of 200 articles: warm {}",
            told(&times(&store, &customers, 2).await)
        );
    }
}
