//! Which processes live: each says so now and then. What they do is in the shards that they hold.

use helpsync_model::RunId;
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::RUNNING_SHARD;
use crate::db::{QueueStore, StoreError, Write, decode, sql};

/// A process that has not said anything for so long is forgotten, in ms.
const FORGOTTEN_AFTER_MS: i64 = 24 * 3_600_000;
/// Processes shown at most.
const SHOWN_MAX: i64 = 1_000;
/// Shards shown at most.
const HELD_SHOWN_MAX: i64 = 10_000;

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSign {
    /// The name that it leases shards by.
    pub holder: String,
    /// `all`, `dispatcher` or `worker`.
    pub role: &'static str,
    /// Where it runs.
    pub host: String,
    /// Of the program.
    pub version: &'static str,
    /// Shards that it runs at once.
    pub concurrency: i64,
    /// The sealing keys that it holds, the one that seals first.
    pub keys: Vec<String>,
}

/// A process, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSeen {
    /// The name that it leases shards by.
    pub holder: String,
    /// `all`, `dispatcher` or `worker`.
    pub role: String,
    /// Where it runs.
    pub host: String,
    /// Of the program.
    pub version: String,
    /// Shards that it runs at once.
    pub concurrency: i64,
    /// The sealing keys that it holds, the one that seals first; `None`: it is of a version that does not say.
    pub keys: Option<Vec<String>>,
    /// ms.
    pub started_at: i64,
    /// When it last said that it lives, in ms.
    pub seen_at: i64,
    /// What it does.
    pub shards: Vec<HeldShard>,
}

/// A shard that a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldShard {
    /// Its id.
    pub id: i64,
    /// Its run.
    pub run: RunId,
    /// What it does.
    pub kind: String,
    /// What the organization calls the customer.
    pub customer_id: String,
    /// The workspace.
    pub subdomain: String,
    /// Until when, in ms, unless it is renewed.
    pub lease_until: i64,
}

pub(crate) fn keys_of(process: &AnyRow) -> Result<Option<Vec<String>>, StoreError> {
    let keys: Option<String> = process.try_get("keys")?;
    keys.map(|_| decode::json(process, "process", "keys")).transpose()
}

impl QueueStore {
    /// Notes that a process lives, and forgets those that have been silent for a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_process(&self, sign: &ProcessSign) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        sqlx::query(
            "insert into process (holder, role, host, version, concurrency, started_at, seen_at, keys)
             values ($1, $2, $3, $4, $5, $6, $6, $7)
             on conflict (holder) do update set seen_at = excluded.seen_at, keys = excluded.keys",
        )
        .bind(&sign.holder)
        .bind(sign.role)
        .bind(&sign.host)
        .bind(sign.version)
        .bind(sign.concurrency)
        .bind(now)
        .bind(json!(sign.keys).to_string())
        .execute(&mut *write.tx)
        .await?;
        if let Some(id) = sign.keys.first() {
            note_signing(&mut write, id).await?;
        }
        sqlx::query("delete from process where seen_at < $1")
            .bind(now - FORGOTTEN_AFTER_MS)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// Forgets a process that has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_process(&self, holder: &str) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query("delete from process where holder = $1").bind(holder).execute(&mut *write.tx).await?;
        write.commit().await
    }

    /// The processes of the last day with what they do, the latest started first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn processes(&self) -> Result<Vec<ProcessSeen>, StoreError> {
        let held = sqlx::query(sql(format!(
            "select shard.id, shard.run_id, shard.kind, shard.holder, shard.lease_until, customer.external_id,
               connection.subdomain
             from shard join connection on connection.id = shard.connection_id
               join customer on customer.id = connection.customer_id
             where shard.state = {RUNNING_SHARD} order by shard.id limit $1"
        )))
        .bind(HELD_SHOWN_MAX)
        .fetch_all(&self.pool)
        .await?;
        let rows = sqlx::query(
            "select holder, role, host, version, concurrency, started_at, seen_at, keys from process
             order by started_at desc, holder limit $1",
        )
        .bind(SHOWN_MAX)
        .fetch_all(&self.pool)
        .await?;
        let mut processes = Vec::with_capacity(rows.len());
        for row in rows {
            let holder: String = row.try_get("holder")?;
            let mut shards = Vec::new();
            for shard in &held {
                if shard.try_get::<Option<String>, _>("holder")?.as_ref() == Some(&holder) {
                    shards.push(HeldShard {
                        id: shard.try_get("id")?,
                        run: RunId(shard.try_get("run_id")?),
                        kind: shard.try_get("kind")?,
                        customer_id: shard.try_get("external_id")?,
                        subdomain: shard.try_get("subdomain")?,
                        lease_until: shard.try_get("lease_until")?,
                    });
                }
            }
            processes.push(ProcessSeen {
                role: row.try_get("role")?,
                host: row.try_get("host")?,
                version: row.try_get("version")?,
                concurrency: row.try_get("concurrency")?,
                keys: keys_of(&row)?,
                started_at: row.try_get("started_at")?,
                seen_at: row.try_get("seen_at")?,
                holder,
                shards,
            });
        }
        Ok(processes)
    }
}

/// Notes that a process signs with a key that others have turned away from: until now, at least.
async fn note_signing(write: &mut Write, id: &str) -> Result<(), StoreError> {
    sqlx::query("update sealing_key set superseded_at = $2 where id = $1 and superseded_at between 1 and $2")
        .bind(id)
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}
