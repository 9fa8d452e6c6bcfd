//! Release: which due shards go into the outbox, and in what order.
//!
//! Connections take turns, lane by lane (table `release_turn`). A look costs what it releases, however much waits: it
//! visits the connections whose turn is due, reads as many shards of each as its window has room for, and gives each its
//! next turn. Triggers give a connection its turn when a shard of it begins to wait or leaves room in the window.

use std::collections::HashMap;
use std::time::Duration;

use helpsync_model::{Job, Lane, RunId, SCHEMA_VERSION, ShardEvent, ShardId, ShardState};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::{FINALIZE, OUTSTANDING_SHARD, PENDING_SHARD, Step};
use crate::db::{Dialect, QueueStore, StoreError, Write, decode, integer, sql};
use crate::run::outbox::{self, NewMessage, OutboxMessage};

/// What a look at what is due came to.
#[derive(Debug, Default)]
pub struct Released {
    /// Shards that were moved into the outbox.
    pub shards: usize,
    /// Their messages, which the caller is to publish.
    pub claimed: Vec<OutboxMessage>,
    /// When the first turn was before the look, in ms: where nothing was due, that of the next look.
    pub next_due: Option<i64>,
}

/// What one connection has due in one lane.
struct Turn {
    connection: i64,
    /// Shards that are out already.
    outstanding: usize,
    /// A person has paused its customer: nothing of it is due.
    paused: bool,
    /// Due shards in their order, the end of a run first; not more than were asked for.
    due: Vec<i64>,
}

impl QueueStore {
    /// Moves up to `limit` due shards into the outbox: urgent lanes first, then the connections that have the least
    /// out, and never more than `window` of one connection in one lane at once. A connection with a million due shards thus delays
    /// another's first one by no more than its window, and its own people's requests by nothing. Within a connection and
    /// lane the end of a run goes before more work of the next. What a person has paused stays. Answers with their messages,
    /// which the caller is to publish: they are claimed for `lease`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_claimed(
        &self,
        limit: u32,
        window: u32,
        lease: Duration,
    ) -> Result<Released, StoreError> {
        self.release_lanes(limit, window, Some(lease)).await
    }

    /// [`QueueStore::release_claimed`], for whoever claims the outbox next. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`].
    #[cfg(any(test, feature = "testing"))]
    pub async fn release_due(&self, limit: u32, window: u32) -> Result<usize, StoreError> {
        Ok(self.release_lanes(limit, window, None).await?.shards)
    }

    async fn release_lanes(
        &self,
        limit: u32,
        window: u32,
        claim: Option<Duration>,
    ) -> Result<Released, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // A look outside the transaction: an idle system takes no write lock every tick.
        let (turns, now) = (self.first_turns().await?, self.clock.now_ms());
        let mut released = Released {
            shards: 0,
            claimed: Vec::new(),
            next_due: turns.iter().map(|(_, due_at)| *due_at).min(),
        };
        if released.next_due.is_none_or(|due_at| due_at > now) {
            return Ok(released);
        }
        let mut write = self.write().await?;
        for (lane, _) in turns.into_iter().filter(|(_, due_at)| *due_at <= now) {
            if released.shards < limit {
                let messages = release_lane(&mut write, lane, limit - released.shards, window).await?;
                released.shards += messages.len();
                released.claimed.extend(outbox::put(&mut write, messages, claim).await?);
            }
        }
        write.commit().await?;
        Ok(released)
    }

    /// When the first turn of each lane is that nobody has paused, in ms; the most urgent lane first.
    async fn first_turns(&self) -> Result<Vec<(Lane, i64)>, StoreError> {
        let looks = Lane::ALL.map(|lane| {
            let lane = lane.as_str();
            format!(
                "select '{lane}' as lane, min(due_at) as due_at from release_turn
                 where lane = '{lane}' and due_at is not null
                   and not exists (select 1 from paused_lane where lane = '{lane}')"
            )
        });
        let rows = sqlx::query(sql(looks.join(" union all "))).fetch_all(&self.pool).await?;
        let mut turns = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(due_at) = row.try_get::<Option<i64>, _>("due_at")? {
                turns.push((decode::named::<Lane>(row, "release_turn", "lane")?, due_at));
            }
        }
        turns.sort_by_key(|(lane, _)| Lane::ALL.iter().position(|known| known == lane));
        Ok(turns)
    }

    /// When a connection next has its turn, in ms: not later than the next shard that can be released is due.
    ///
    /// # Errors
    /// [`StoreError`].
    #[cfg(any(test, feature = "testing"))]
    pub async fn next_due(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.first_turns().await?.iter().map(|(_, due_at)| *due_at).min())
    }
}

/// Releases up to `limit` shards of a lane. Answers with their messages.
async fn release_lane(
    write: &mut Write,
    lane: Lane,
    limit: usize,
    window: u32,
) -> Result<Vec<NewMessage>, StoreError> {
    let visited = visit(write, lane, limit).await?;
    if visited.is_empty() {
        return Ok(Vec::new());
    }
    let window = usize::try_from(window).unwrap_or(usize::MAX);
    let turns = look(write, lane, &visited, window.min(limit)).await?;
    let due = turns.iter().map(|turn| (turn.outstanding, turn.due.as_slice()));
    let chosen = release_order(due, limit, window);
    let released = release(write, &chosen).await?;
    next_turns(write, lane, &turns, &chosen, window).await?;
    Ok(released)
}

/// The connections whose turn it is, and their turns locked: what another process visits is passed over, so that two of
/// them never wait for each other.
async fn visit(write: &mut Write, lane: Lane, limit: usize) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(sql(visit_sql(write.dialect)))
        .bind(lane.as_str())
        .bind(write.now)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *write.tx)
        .await?)
}

pub(crate) fn visit_sql(dialect: Dialect) -> String {
    format!(
        "select connection_id from release_turn where lane = $1 and due_at <= $2
         order by due_at, connection_id limit $3{}",
        dialect.for_update_skip_locked()
    )
}

/// What each of the connections has out and due; of due shards the first `most`.
async fn look(write: &mut Write, lane: Lane, visited: &[i64], most: usize) -> Result<Vec<Turn>, StoreError> {
    let rows = sqlx::query(sql(look_sql(write.dialect)))
        .bind(json!(visited).to_string())
        .bind(lane.as_str())
        .bind(write.now)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *write.tx)
        .await?;
    let mut turns = rows.iter().map(turn_of).collect::<Result<Vec<_>, _>>()?;
    let places: HashMap<i64, usize> = visited.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    turns.sort_by_key(|turn| places.get(&turn.connection).copied());
    Ok(turns)
}

pub(crate) fn look_sql(dialect: Dialect) -> String {
    let of_turn = "connection_id = turn.value and lane = $2";
    let first = |further: &str| {
        format!(
            "(select {} from (select id from shard where {of_turn} and state = {PENDING_SHARD}{further}
                and due_at <= $3 order by due_at, id limit $4) as due)",
            dialect.json_array("id")
        )
    };
    format!(
        "select turn.value as connection_id,
           (select count(*) from shard where {of_turn} and state in {OUTSTANDING_SHARD}) as outstanding,
           (select count(*) from connection join customer on customer.id = connection.customer_id
            where connection.id = turn.value and customer.paused_at is not null) as paused,
           {} as endings, {} as waiting
         from {} as turn",
        first(&format!(" and kind = {FINALIZE}")),
        first(""),
        dialect.json_integers("$1")
    )
}

fn turn_of(row: &AnyRow) -> Result<Turn, StoreError> {
    let mut due: Vec<i64> = decode::json(row, "shard", "endings")?;
    let waiting: Vec<i64> = decode::json(row, "shard", "waiting")?;
    let endings = due.len();
    due.extend(waiting.into_iter().filter(|id| !due[..endings].contains(id)).collect::<Vec<_>>());
    let outstanding: i64 = row.try_get("outstanding")?;
    let paused = row.try_get::<i64, _>("paused")? > 0;
    if paused {
        due.clear();
    }
    Ok(Turn {
        connection: row.try_get("connection_id")?,
        outstanding: usize::try_from(outstanding).unwrap_or(usize::MAX),
        paused,
        due,
    })
}

/// The shards to release, in order: each connection's first before anybody's second, counted with what is out, and none
/// beyond the window.
///
/// Of each connection, in the order of their turns: how many of its shards are out, and those that are due.
#[must_use]
pub fn release_order<'a>(
    turns: impl Iterator<Item = (usize, &'a [i64])>,
    limit: usize,
    window: usize,
) -> Vec<i64> {
    let mut candidates: Vec<(usize, usize, i64)> = Vec::new();
    for (place, (outstanding, due)) in turns.enumerate() {
        let room = window.saturating_sub(outstanding);
        let counted = due.iter().take(room).enumerate();
        candidates.extend(counted.map(|(number, shard)| (outstanding + number, place, *shard)));
    }
    candidates.sort_unstable();
    candidates.into_iter().take(limit).map(|(_, _, shard)| shard).collect()
}

/// Releases shards. What another process holds, or has taken meanwhile, is passed over. Answers with their messages for
/// the outbox, in this order.
async fn release(write: &mut Write, chosen: &[i64]) -> Result<Vec<NewMessage>, StoreError> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::Released);
    let rows = sqlx::query(sql(format!(
        "update shard set state = {to}, released_at = $2, updated_at = $2 where state in {from} and id in
           (select id from shard where state = {PENDING_SHARD} and id in {} order by id{})
         returning id, run_id, kind, lane, attempt,
           (select upload_id from run where run.id = shard.run_id) as upload_id,
           (select traceparent from run where run.id = shard.run_id) as traceparent",
        write.dialect.json_integers("$1"),
        write.dialect.for_update_skip_locked()
    )))
    .bind(json!(chosen).to_string())
    .bind(write.now)
    .fetch_all(&mut *write.tx)
    .await?;
    let places: HashMap<i64, usize> = chosen.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut messages = Vec::with_capacity(rows.len());
    for row in &rows {
        let shard = ShardId(row.try_get("id")?);
        let job = Job {
            schema: SCHEMA_VERSION,
            shard,
            run: RunId(row.try_get("run_id")?),
            kind: decode::named(row, "shard", "kind")?,
            lane: decode::named(row, "shard", "lane")?,
        };
        let upload: String = row.try_get("upload_id")?;
        let place = places.get(&shard.0).copied().unwrap_or(usize::MAX);
        let parent: Option<String> = row.try_get("traceparent")?;
        messages.push(NewMessage::of(&job, row.try_get("attempt")?, write.now, &upload, parent, place));
    }
    Ok(messages)
}

/// Gives each visited connection its next turn: at the end of the line when more of it is due, none while its window is
/// full (a shard that ends brings the next) or its customer is paused (who resumes it brings the next), else when its next shard is due.
async fn next_turns(
    write: &mut Write,
    lane: Lane,
    turns: &[Turn],
    chosen: &[i64],
    window: usize,
) -> Result<(), StoreError> {
    let next: Vec<_> = turns
        .iter()
        .map(|turn| {
            let out = turn.outstanding + turn.due.iter().filter(|shard| chosen.contains(shard)).count();
            let waits = turn.paused || out >= window;
            json!({ "connection_id": turn.connection, "window_full": i64::from(waits) })
        })
        .collect();
    sqlx::query(sql(next_turns_sql(write.dialect)))
        .bind(json!(next).to_string())
        .bind(lane.as_str())
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

pub(crate) fn next_turns_sql(dialect: Dialect) -> String {
    format!(
        "update release_turn set due_at = case when incoming.window_full = 1 then null else
           (select case when min(due_at) < $3 then $3 else min(due_at) end from shard
            where shard.connection_id = release_turn.connection_id and shard.lane = release_turn.lane
              and state = {PENDING_SHARD}) end
         from {} where release_turn.lane = $2 and release_turn.connection_id = incoming.connection_id",
        dialect.json_rows("$1", &[integer("connection_id"), integer("window_full")])
    )
}
