//! Work that gave up, and that a later run of the same connection has done after all: it leaves the dead letters.
//!
//! | what gave up | is made good by |
//! | --- | --- |
//! | a shard of a full run | a full run; a comparison of what is there, by an audit too |
//! | a stretch of the first sync's export | a delta too: it reads on from where that stretch stood |
//! | a shard of a delta | a delta or a full run; an audit by an audit |
//! | articles that an event named | a delta or a full run, or a resync of all of them |
//! | articles that somebody named | a full run, or a resync of all of them |
//! | attachments | a run over attachments |
//!
//! Whatever else is on the list stays until a person decides.

use std::collections::BTreeSet;

use helpsync_model::{RunKind, RunParams, ShardEvent, ShardKind, ShardParams, ShardState};
use serde_json::json;
use sqlx::Row;

use crate::db::states::{BY_WEBHOOK, DONE_RUN, FAILED_SHARD, RESYNC, SYNC, Step};
use crate::db::{StoreError, Write, decode, sql};
use crate::run::shards::StartedShard;

/// Failed shards over named articles that one run looks at; of more, the rest is left to the next.
const NAMED_MAX: i64 = 1_000;

/// Takes off the list what this run, which ended well, has made good.
pub(crate) async fn resolve(write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
    let run = &started.run;
    let (audit, attachments) = (literal(&RunParams::audit())?, literal(&RunParams::Attachments)?);
    let good = match run.kind {
        RunKind::Full => format!("earlier.params <> {attachments}"),
        RunKind::Delta => {
            // One that was due is an audit as well, and says so on the connection.
            let audited: i64 =
                sqlx::query_scalar("select count(*) from connection where id = $1 and last_audit_at > $2")
                    .bind(run.connection.0)
                    .bind(run.started_at.unwrap_or(i64::MAX))
                    .fetch_one(&mut *write.tx)
                    .await?;
            let is_audit = run.params.is_audit() || run.audit_reason.is_some() || audited > 0;
            by_delta(is_audit, &audit, &attachments)
        }
        RunKind::Resync if run.params == RunParams::Attachments => format!("earlier.params = {attachments}"),
        RunKind::Resync => return resolve_named(write, started).await,
    };
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::SetAside);
    let resolved = sqlx::query(sql(format!(
        "update shard set state = {to}, updated_at = $3 where connection_id = $1 and state in {from}
           and exists (select 1 from run as earlier where earlier.id = shard.run_id and earlier.id < $2
             and earlier.finished_at is not null and {good})"
    )))
    .bind(run.connection.0)
    .bind(run.id.0)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    tell(write, started, resolved.rows_affected());
    Ok(())
}

/// What a delta makes good.
fn by_delta(is_audit: bool, audit: &str, attachments: &str) -> String {
    let full = RunKind::Full.as_str();
    let names = |kinds: [ShardKind; 2]| kinds.map(|kind| format!("'{}'", kind.as_str())).join(", ");
    let (audits, compared) = if is_audit {
        let compares = names([ShardKind::FindRemoved, ShardKind::ConfirmRemoved]);
        (String::new(), format!(" or (earlier.kind = '{full}' and shard.kind in ({compares}))"))
    } else {
        (format!(" and earlier.params <> {audit}"), String::new())
    };
    // The mark goes no further than the hindmost stretch that was not read to its end.
    let export = ShardKind::WalkExport.as_str();
    let first = format!(
        "earlier.kind = '{full}' and shard.kind = '{export}' and shard.position > 0
           and not exists (select 1 from run as before where before.connection_id = earlier.connection_id
             and before.id < earlier.id and before.kind in {SYNC} and before.state = {DONE_RUN})"
    );
    format!(
        "((earlier.kind in {SYNC} and earlier.kind <> '{full}'{audits}){compared} or ({first})
          or (earlier.kind = {RESYNC} and earlier.trigger_name = {BY_WEBHOOK} and earlier.params <> {attachments}))"
    )
}

/// Of shards over named articles: those whose articles were all fetched by this run.
async fn resolve_named(write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
    let rows = sqlx::query(sql(format!(
        "select shard.id, shard.kind, shard.params, shard.state, shard.run_id from shard
           join run on run.id = shard.run_id
         where shard.connection_id = $1 and run.kind = {RESYNC} and shard.kind = $3
           and (shard.run_id = $2 or (shard.run_id < $2 and shard.state = {FAILED_SHARD} and run.finished_at is not null))
         order by shard.run_id desc, shard.id limit $4"
    )))
    .bind(started.run.connection.0)
    .bind(started.run.id.0)
    .bind(ShardKind::FetchArticles.as_str())
    .bind(NAMED_MAX)
    .fetch_all(&mut *write.tx)
    .await?;
    let (mut fetched, mut made_good) = (BTreeSet::new(), Vec::new());
    for row in rows {
        let params: String = row.try_get("params")?;
        let kind = decode::named(&row, "shard", "kind")?;
        let Ok(ShardParams::FetchArticles(asked)) = ShardParams::read(kind, &params) else { continue };
        if row.try_get::<i64, _>("run_id")? == started.run.id.0 {
            fetched.extend(asked.articles);
        } else if asked.articles.iter().all(|article| fetched.contains(article)) {
            made_good.push(row.try_get::<i64, _>("id")?);
        }
    }
    if made_good.is_empty() {
        return Ok(());
    }
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::SetAside);
    let resolved = sqlx::query(sql(format!(
        "update shard set state = {to}, updated_at = $2 where id in {} and state in {from}",
        write.dialect.json_integers("$1")
    )))
    .bind(json!(made_good).to_string())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    tell(write, started, resolved.rows_affected());
    Ok(())
}

/// As the column holds them. They hold no quote: these are words of ours.
fn literal(params: &RunParams) -> Result<String, StoreError> {
    Ok(format!("'{}'", serde_json::to_string(params).map_err(StoreError::unwritable)?))
}

fn tell(write: &mut Write, started: &StartedShard, resolved: u64) {
    if resolved > 0 {
        let run = started.run.id;
        write.once_committed(move || tracing::info!(%run, resolved, "dead letters are made good"));
    }
}
