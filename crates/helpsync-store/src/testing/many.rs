//! Very many customers, made by the database itself, for pages that must not slow down with them.

use sqlx::{AnyConnection, Connection as _};

use super::searchable::series;
use crate::Dialect;
use crate::db::sql;

/// Files that stand in one section.
const FILES_OF_SECTION: i64 = 1_000;

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub struct Many {
    /// Customers, each with a connected workspace and a finished run.
    pub customers: i64,
    /// Files of each.
    pub files: i64,
}

/// Fills the database at `url` that a process uses: `many` customers of its first organization, called `many-1` and so on.
/// A hundredth of them has a shard that gave up, and another one a held file.
///
/// # Panics
/// When the database refuses it.
pub async fn fill(url: &str, many: Many) {
    sqlx::any::install_default_drivers();
    let dialect = if url.starts_with("sqlite") { Dialect::Sqlite } else { Dialect::Postgres };
    let alias = if dialect == Dialect::Postgres { " (i)" } else { "" };
    let (customers, files) = (series(dialect, 1, many.customers), series(dialect, 1, many.files));
    let sections = series(dialect, 1, 1 + many.files / FILES_OF_SECTION);
    let mut connection = AnyConnection::connect(url).await.expect("a connection");
    let statements = [
        format!(
            "insert into customer (organization_id, external_id, created_at, updated_at)
             select 1, 'many-' || n.i, 0, 0 from {customers} as n{alias}"
        ),
        "insert into connection (organization_id, customer_id, subdomain, account_label, state, sync_status,
           last_sync_action, last_synced_at, source_items_synced_at, next_sync_at, created_at, updated_at)
         select 1, id, 'w' || id, 'ann', 'active', 'READY', 'UPDATE', 0, 1000000 + id, 4000000000000, 0, 0 from customer
         where external_id like 'many-%'"
            .to_owned(),
        "insert into run (organization_id, customer_id, connection_id, kind, trigger_name, lane, epoch, state, stage,
           params, request_id, upload_id, created_at, progress_at, started_at, finished_at)
         select 1, customer_id, id, 'full', 'connect', 'backfill', 1, 'done', 'finalize', '{\"work\":\"sync\",\"audit\":false}',
           'r', 'u', 0, 0, 0, 1000000 from connection where subdomain like 'w%'"
            .to_owned(),
        "insert into shard (run_id, connection_id, key, kind, lane, state, error, due_at, created_at, updated_at)
         select id, connection_id, 'walk', 'walk_export', 'backfill', case when id % 100 = 0 then 'failed' else 'done' end,
           'zendesk rejects the request with 400: no', 0, 0, 0 from run where request_id = 'r'"
            .to_owned(),
        format!(
            "insert into item (connection_id, kind, external_id, name, parent_kind, parent_id, synced_at, created_at, updated_at)
             select connection.id, 'SECTION', n.i, 'Section ' || n.i, null, null, 0, 0, 0
             from connection cross join {sections} as n{alias} where connection.subdomain like 'w%'"
        ),
        format!(
            "insert into file (organization_id, customer_id, connection_id, article_id, section_id, status, name,
               source_locale, source_created_at, source_updated_at, request_id, upload_id, held_at, created_at, updated_at)
             select 1, connection.customer_id, connection.id, n.i, 1 + n.i / {FILES_OF_SECTION}, 'READY', 'Article ' || n.i,
               'en-us', 0, 0, 'r', 'u', case when connection.id % 100 = 1 and n.i = 1 then 1 end, 0, 0
             from connection cross join {files} as n{alias} where connection.subdomain like 'w%'"
        ),
        // A server does so by itself; nobody does it for a file.
        if dialect == Dialect::Postgres { "vacuum analyze" } else { "analyze" }.to_owned(),
    ];
    for statement in statements {
        let told = statement.clone();
        if let Err(error) = sqlx::query(sql(statement)).execute(&mut connection).await {
            panic!("{told}: {error}");
        }
    }
}
