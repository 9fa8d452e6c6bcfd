//! The scripts and their calls. Each is one round trip and safe to repeat.

use std::collections::BTreeMap;
use std::time::Duration;

use helpsync_coordinator::{Budget, Report, Step, Terms, WaitReason, Waits};
use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Script};

/// Durations beyond an hour mean an hour, as in the budget's own rules.
const MAX_US: u64 = 3_600_000_000;

/// All scripts, hashed once.
#[derive(Debug)]
pub(crate) struct Scripts {
    acquire: Script,
    report: Script,
    state: Script,
    lease: Script,
}

/// The keys of an account, in one cluster slot.
#[derive(Debug, Clone)]
pub(crate) struct BudgetKeys {
    hash: String,
    flights: String,
    line: String,
}

impl BudgetKeys {
    pub(crate) fn new(prefix: &str, account: &str) -> Self {
        Self {
            hash: format!("{prefix}:{{{account}}}:budget"),
            flights: format!("{prefix}:{{{account}}}:flights"),
            line: format!("{prefix}:{{{account}}}:line"),
        }
    }
}

/// A budget as it is on the server.
#[derive(Debug, Default)]
pub(crate) struct ServerState {
    pub(crate) now: u64,
    pub(crate) budget: Budget,
    pub(crate) granted: u64,
    pub(crate) waits: Waits,
}

/// How a lease script ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LeaseAnswer {
    Done,
    NotTheHolder,
    Taken { by: String, left: Duration },
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let prelude = include_str!("prelude.lua");
        let with_prelude = |body: &str| Script::new(&format!("{prelude}{body}"));
        Self {
            acquire: with_prelude(include_str!("acquire.lua")),
            report: with_prelude(include_str!("report.lua")),
            state: with_prelude(include_str!("state.lua")),
            lease: Script::new(include_str!("lease.lua")),
        }
    }

    /// [`Budget::acquire`] on the server. `now`: microseconds, for tests; `None` is the server's clock.
    pub(crate) async fn acquire(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &BudgetKeys,
        id: &str,
        terms: &Terms,
        now: Option<u64>,
    ) -> RedisResult<Step> {
        let (code, wait): (u8, u64) = self
            .acquire
            .key(&keys.hash)
            .key(&keys.flights)
            .key(&keys.line)
            .arg(id)
            .arg(terms.ceiling)
            .arg(terms.concurrency)
            .arg(terms.reserve_percent)
            .arg(terms.ttl_us)
            .arg(terms.patience_us)
            .arg(terms.window_us)
            .arg(text(now))
            .invoke_async(connection)
            .await?;
        match code {
            0 => Ok(Step::Granted),
            1 => Ok(Step::Repeated),
            2 => Ok(Step::Throttled(wait, WaitReason::Pace)),
            3 => Ok(Step::Throttled(wait, WaitReason::Window)),
            4 => Ok(Step::Throttled(wait, WaitReason::InFlight)),
            5 => Ok(Step::Throttled(wait, WaitReason::Blocked)),
            other => Err(unexpected(format!("code {other} from acquire"))),
        }
    }

    /// [`Budget::report`] on the server.
    pub(crate) async fn report(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &BudgetKeys,
        id: &str,
        report: &Report,
        window: Duration,
        now: Option<u64>,
    ) -> RedisResult<()> {
        let us = |time: Option<Duration>| time.map(|time| i64::try_from(micros(time)).unwrap_or(i64::MAX));
        let _one: u8 = self
            .report
            .key(&keys.hash)
            .key(&keys.flights)
            .key(&keys.line)
            .arg(id)
            .arg(report.status.map_or(-1, i64::from))
            .arg(report.limit.map_or(-1, i64::from))
            .arg(report.remaining.map_or(-1, i64::from))
            .arg(us(report.reset_after).unwrap_or(-1))
            .arg(us(report.retry_after).unwrap_or(-1))
            .arg(micros(window))
            .arg(text(now))
            .invoke_async(connection)
            .await?;
        Ok(())
    }

    /// Reads a budget; an empty one when there is none.
    pub(crate) async fn state(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &BudgetKeys,
    ) -> RedisResult<ServerState> {
        let (numbers, in_flight, waiting): (Vec<u64>, Times, Times) = self
            .state
            .key(&keys.hash)
            .key(&keys.flights)
            .key(&keys.line)
            .arg("")
            .invoke_async(connection)
            .await?;
        let [
            now,
            limit,
            tat,
            window_end,
            remaining,
            opened,
            told,
            first,
            own,
            others,
            rounds_down,
            blocked_until,
            granted,
            pace,
            window,
            flying,
            blocked,
        ] = numbers[..]
        else {
            return Err(unexpected(format!("{} numbers from state", numbers.len())));
        };
        let (in_flight, waiting) = (whole(in_flight), whole(waiting));
        Ok(ServerState {
            now,
            budget: Budget {
                limit,
                tat,
                window_end,
                remaining,
                opened,
                told,
                first,
                own,
                others,
                rounds_down,
                blocked_until,
                in_flight,
                waiting,
            },
            granted,
            waits: Waits { pace, window, in_flight: flying, blocked },
        })
    }

    /// `verb` is `take`, `renew` or `release`.
    pub(crate) async fn lease(
        &self,
        connection: &mut impl ConnectionLike,
        key: &str,
        verb: &str,
        holder: &str,
        ttl: Duration,
    ) -> RedisResult<LeaseAnswer> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4);
        let mut answer: Vec<redis::Value> =
            self.lease.key(key).arg(verb).arg(holder).arg(ttl_ms).invoke_async(connection).await?;
        let mut part = || if answer.is_empty() { redis::Value::Nil } else { answer.remove(0) };
        match redis::from_redis_value::<u8>(part())? {
            1 => Ok(LeaseAnswer::Done),
            0 => Ok(LeaseAnswer::NotTheHolder),
            _ => Ok(LeaseAnswer::Taken {
                by: redis::from_redis_value(part())?,
                left: Duration::from_millis(redis::from_redis_value::<i64>(part())?.max(0).unsigned_abs()),
            }),
        }
    }
}

/// Members of a sorted set with their scores.
type Times = Vec<(String, f64)>;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole microseconds below 2^53, written by the scripts"
)]
fn whole(times: Times) -> BTreeMap<String, u64> {
    times.into_iter().map(|(id, time)| (id, time as u64)).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(MAX_US)
}

fn text(now: Option<u64>) -> String {
    now.map(|now| now.to_string()).unwrap_or_default()
}

fn unexpected(what: String) -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "unexpected answer of a script", what))
}

#[cfg(test)]
mod tests;
