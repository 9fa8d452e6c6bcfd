//! What reading costs when much is stored: a page of files is read by an index of its order, whatever the filter, and totals
//! are kept. The plans are looked at with each test run; `speed_of_growth` has the times.

use std::time::{Duration, Instant};

use helpsync_model::CustomerId;

use super::search_scale::plan_in;
use crate::db::Dialect;
use crate::file::files::page_of;
use crate::testing::searchable::{run, series};
use crate::testing::{FIRST, TestStore, name_of, stores};
use crate::{FileFilters, FileOrder, FileQuery, ItemOrder, ItemQuery};

const ORDERS: [FileOrder; 6] = [
    FileOrder::CreatedAt,
    FileOrder::UpdatedAt,
    FileOrder::Name,
    FileOrder::LastSync,
    FileOrder::FileSize,
    FileOrder::Id,
];

/// A customer with so many files of 50 sections, of which one in a thousand shows an error and one in a hundred waits.
async fn customer_with(store: &TestStore, name: &str, files: i64) -> CustomerId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, name).await.unwrap();
    let connection = store.connect(&customer, "acme").await.0;
    let numbers = series(store.dialect(), 1, files);
    let named = if store.dialect() == Dialect::Postgres { " as n (i)" } else { " as n" };
    run(
        store,
        format!(
            "insert into file (organization_id, customer_id, connection_id, article_id, status, error, name, source_locale,
               section_id, source_created_at, source_updated_at, request_id, upload_id, content_hash, html_bytes, characters,
               last_sync, created_at, updated_at)
             select {organization}, {}, {connection}, n.i,
               case when n.i % 100 = 0 then 'QUEUED_FOR_SYNC' when n.i % 1000 = 1 then 'SYNC_ERROR' else 'READY' end,
               case when n.i % 1000 = 1 then 'it is too long' end, 'Article ' || ((n.i * 7919) % {files}), 'en-us',
               n.i % 50, n.i, n.i, 'r', 'u', 'h', (n.i * 31) % 9973, 100, n.i, n.i, (n.i * 104729) % {files}
             from {numbers}{named}",
            customer.id.0
        ),
    )
    .await;
    run(
        store,
        format!(
            "insert into item (connection_id, kind, external_id, name, synced_at, created_at, updated_at)
             select {connection}, 'SECTION', n.i, 'Section ' || n.i, 0, 0, 0 from {}{named}",
            series(store.dialect(), 0, 50)
        ),
    )
    .await;
    customer.id
}

fn query(customer: CustomerId, order: FileOrder, filters: FileFilters, offset: i64) -> FileQuery {
    FileQuery { customer, filters, starting_id: 0, order, descending: offset > 0, limit: 20, offset }
}

/// Filters, and what they are called.
fn filters() -> Vec<(&'static str, FileFilters)> {
    let status = |status: &str| Some(vec![status.to_owned()]);
    vec![
        ("none", FileFilters::default()),
        ("ids", FileFilters { ids: Some(vec![5, 17, 900]), ..FileFilters::default() }),
        (
            "article ids",
            FileFilters { external_file_ids: Some(vec!["17".to_owned()]), ..FileFilters::default() },
        ),
        ("status ready", FileFilters { statuses: status("READY"), ..FileFilters::default() }),
        ("status queued", FileFilters { statuses: status("QUEUED_FOR_SYNC"), ..FileFilters::default() }),
        ("status error", FileFilters { statuses: status("SYNC_ERROR"), ..FileFilters::default() }),
        ("error text", FileFilters { error: Some("too LONG".to_owned()), ..FileFilters::default() }),
        ("no error", FileFilters { error: Some(String::new()), ..FileFilters::default() }),
    ]
}

#[tokio::test]
async fn no_page_of_files_reads_all_of_them_whatever_is_asked() {
    for store in stores().await {
        customer_with(&store, "other", 3_000).await;
        let customer = customer_with(&store, "large", 6_000).await;
        // Nobody analyzes a file of the embedded shape; a server does so by itself.
        if store.dialect() == Dialect::Postgres {
            run(&store, "analyze".to_owned()).await;
        }
        for order in ORDERS {
            for (what, filters) in filters() {
                // On a server the statistics of so few rows decide; the order that was asked for most is looked at.
                let looked_at = what == "none" && order == FileOrder::CreatedAt;
                if store.dialect() == Dialect::Postgres && !looked_at {
                    continue;
                }
                let query = query(customer, order, filters, 0);
                let matching = store.admin().matching(query.customer, 0, &query.filters);
                let (listing, paged) = page_of(&query, &matching);
                let literals = paged.literals();
                let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
                let read = plan_in(&store, "begin", &listing, &literals).await;
                let whole = read.contains("Seq Scan on file")
                    || read.contains("SCAN file\n")
                    || read.contains("SCAN chosen\n")
                    || read.contains("SCAN chunking\n");
                assert!(!whole, "{} {order:?} {what}:\n{read}", name_of(&store));
                if what == "none" {
                    assert!(read.contains("file_by_"), "{} {order:?}:\n{read}", name_of(&store));
                }
            }
        }
        for (what, filters) in filters() {
            let (found, count) =
                store.admin().files(&query(customer, FileOrder::UpdatedAt, filters, 0)).await.unwrap();
            let expected = match what {
                "none" => 6_000,
                "ids" => 0, // of the other customer
                "article ids" => 1,
                "status ready" => 6_000 - 60 - 6,
                "status queued" => 60,
                "status error" | "error text" => 6,
                _ => 6_000 - 6,
            };
            assert_eq!(count, expected, "{} {what}", name_of(&store));
            assert_eq!(i64::try_from(found.len()).unwrap(), expected.min(20), "{what}");
        }
    }
}

/// Run with one command, see docs/benchmarks.md.
#[tokio::test]
#[ignore = "takes minutes: a million files in both databases"]
async fn speed_of_growth() {
    let files = std::env::var("HELPSYNC_TEST_FILES").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000_000);
    for store in stores().await {
        let began = Instant::now();
        let small = customer_with(&store, "small", 1_000).await;
        let customer = customer_with(&store, "large", files).await;
        run(
            &store,
            if store.dialect() == Dialect::Postgres {
                "vacuum analyze".to_owned()
            } else {
                "analyze".to_owned()
            },
        )
        .await;
        while store.queue().add_up_totals().await.unwrap() {}
        println!("{}: {files} files made in {:?}", name_of(&store), began.elapsed());
        for (what, filters) in filters() {
            for order in ORDERS {
                measure(&format!("{what}, by {order:?}"), async || {
                    store.admin().files(&query(customer, order, filters.clone(), 0)).await.unwrap();
                })
                .await;
            }
        }
        for order in ORDERS {
            measure(&format!("deep page, by {order:?}"), async || {
                let deep = query(customer, order, FileFilters::default(), files * 9 / 10);
                store.admin().files(&deep).await.unwrap();
            })
            .await;
        }
        measure("totals of a customer", async || {
            assert!(store.admin().customer_totals(customer).await.unwrap().files > 0);
        })
        .await;
        measure("status", async || assert!(store.admin().status(FIRST).await.unwrap().files > 0)).await;
        let connection = sqlx::query_scalar("select id from connection where customer_id = $1")
            .bind(small.0)
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        measure("items of a customer with 1,000 files", async || {
            let items = ItemQuery {
                organization: FIRST,
                connection: helpsync_model::ConnectionId(connection),
                parent: None,
                roots_only: false,
                ids: None,
                name: None,
                kinds: None,
                starting_id: 0,
                order: ItemOrder::Name,
                descending: false,
                limit: 20,
                offset: 0,
                viewer: None,
            };
            assert_eq!(store.admin().items(&items).await.unwrap().1, 1_050);
        })
        .await;
    }
}

async fn measure(what: &str, once: impl AsyncFn()) {
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        once().await;
        took.push(start.elapsed());
    }
    took.sort();
    println!("  {what}: {:.1} ms ({:.1} to {:.1})", ms(took[2]), ms(took[0]), ms(took[4]));
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
