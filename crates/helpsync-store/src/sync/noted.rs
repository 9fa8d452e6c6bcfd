//! What of a page is noted before anything is decided: sections and categories, names of authors, and that the articles
//! exist.

use std::collections::HashSet;

use serde_json::json;

use crate::db::{Dialect, StoreError, Write, decode, sql};
use crate::run::shards::StartedShard;
use crate::sync::author_and_tag_names::{author_rows, authors_sql};
use crate::sync::filtered::Seen;
use crate::sync::page_counts::{counted_before, counted_sql, ids_of};
use crate::sync::page_rows::{ledger_rows, ledger_sql, touch_ledger};
use crate::sync::pages::PageWrite;
use crate::sync::tree::{NewItem, item_rows, items_sql};

/// What noting a page showed.
pub(crate) struct NotedPage {
    /// Articles whose reading is the newest known.
    pub(crate) noted: HashSet<i64>,
    /// Articles that the run was shown before, so that it has counted them.
    pub(crate) counted: HashSet<i64>,
}

/// Notes a page: `latest` of its articles are `seen`, and `items` came with it.
pub(crate) async fn note_page(
    write: &mut Write,
    started: &StartedShard,
    page: &PageWrite,
    items: &[NewItem],
    seen: &[Seen<'_>],
    latest: &[&Seen<'_>],
) -> Result<NotedPage, StoreError> {
    let (connection, run) = (started.fence.connection.0, started.fence.run.0);
    let (items, authors, ledger) = (item_rows(items), author_rows(&page.authors, seen), ledger_rows(latest));
    let (noted, counted): (HashSet<i64>, _) = match write.dialect {
        Dialect::Postgres => {
            let row = sqlx::query(sql(at_once()))
                .bind(connection)
                .bind(write.now)
                .bind(items.unwrap_or_else(empty))
                .bind(authors.unwrap_or_else(empty))
                .bind(run)
                .bind(ledger)
                .bind(json!(ids_of(page)).to_string())
                .fetch_one(&mut *write.tx)
                .await?;
            (decode::json(&row, "remote_article", "noted")?, decode::json(&row, "remote_article", "counted")?)
        }
        Dialect::Sqlite => {
            if let Some(rows) = items {
                let query = sqlx::query(sql(items_sql(write.dialect, ["$1", "$2", "$3"])));
                query.bind(connection).bind(write.now).bind(rows).execute(&mut *write.tx).await?;
            }
            if let Some(rows) = authors {
                let query = sqlx::query(sql(authors_sql(write.dialect, ["$1", "$2"])));
                query.bind(connection).bind(rows).execute(&mut *write.tx).await?;
            }
            let counted = counted_before(write, started, page).await?;
            let query = sqlx::query_scalar(sql(ledger_sql(write.dialect, ["$1", "$2", "$3"])));
            let noted: Vec<i64> =
                query.bind(connection).bind(run).bind(ledger).fetch_all(&mut *write.tx).await?;
            (noted.into_iter().collect(), counted)
        }
    };
    if noted.len() < latest.len() {
        // Old as the other readings are, they show that their articles exist.
        let all: Vec<i64> = latest.iter().map(|seen| seen.article.article_id).collect();
        touch_ledger(write, started, &all).await?;
    }
    Ok(NotedPage { noted, counted })
}

fn empty() -> String {
    "[]".to_owned()
}

/// All of it as one statement of Postgres. Its parts run in the order in which the answer names them, everywhere the same,
/// so that two pages never wait for each other both ways. What was counted before is read as it was before.
fn at_once() -> String {
    let dialect = Dialect::Postgres;
    format!(
        "with items as ({} returning 1), authors as ({} returning 1), noted as ({}),
           counted as ({})
         select (select count(*) from items) + (select count(*) from authors) as others,
           (select {array} from noted) as noted, (select {array} from counted) as counted",
        items_sql(dialect, ["$1", "$2", "$3"]),
        authors_sql(dialect, ["$1", "$4"]),
        ledger_sql(dialect, ["$1", "$5", "$6"]),
        counted_sql(dialect, ["$1", "$5", "$7"]),
        array = dialect.json_array("article_id")
    )
}
