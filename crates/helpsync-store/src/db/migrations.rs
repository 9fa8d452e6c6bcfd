//! The migrations, embedded in the binary: one file a database for each.
//!
//! They are listed here by hand because `sqlx::migrate!` would bring sqlx's macros, and these compile both database
//! drivers and SQLite itself a second time, for the compiler's side.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One migration: its name (`NNNN_what_it_does`) and its SQL on each database.
struct Embedded {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(Embedded {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

/// In the order of their numbers.
const MIGRATIONS: &[Embedded] = embedded![
    "0001_first",
    "0003_keys",
    "0004_audit",
    "0005_pages",
    "0006_dashboard_sessions",
    "0007_history",
    "0008_growth",
    "0009_compression",
    "0013_pages",
    "0014_waiting_kind",
    "0015_paused_customers",
    "0016_grant_keys",
    "0017_grants_of_a_customer",
    "0018_oldest_copies",
    "0019_older_webhook_keys",
    "0020_deletions",
    "0021_names_in_order",
    "0022_failed_in_order",
    "0023_costs_of_large_copies",
];

/// Those of SQLite.
pub(crate) fn sqlite() -> Migrator {
    migrator(|migration| migration.sqlite)
}

/// Those of Postgres.
pub(crate) fn postgres() -> Migrator {
    migrator(|migration| migration.postgres)
}

fn migrator(sql: impl Fn(&Embedded) -> &'static str) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|migration| {
        let (number, what) = migration.name.split_once('_').unwrap_or((migration.name, ""));
        // A test shows that every name starts with a number.
        let version = number.parse().unwrap_or_default();
        Migration::new(
            version,
            what.replace('_', " ").into(),
            MigrationType::Simple,
            sql(migration).into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // A process of this version that starts again while a later one has migrated already: it keeps working on that
    // schema (docs/upgrade.md), and must not refuse to start. Whether it can work says readiness.
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_a_migration_with_a_number_of_its_own() {
        for (migrator, folder) in [(sqlite(), "sqlite"), (postgres(), "postgres")] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files: BTreeSet<String> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            let listed: BTreeSet<String> =
                MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
            assert_eq!(files, listed, "{folder}");
            let versions: BTreeSet<i64> = migrator.iter().map(|migration| migration.version).collect();
            assert_eq!(versions.len(), MIGRATIONS.len());
            assert!(versions.iter().all(|version| *version > 0), "{versions:?}");
        }
    }
}
