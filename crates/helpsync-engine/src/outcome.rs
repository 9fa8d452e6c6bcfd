//! How a failure ends a shard: waiting, trying again, or giving up.

use std::time::Duration;

use helpsync_model::{Backoff, Entropy, NO_HELP_CENTER, Timestamp, WaitKind, chain};
use helpsync_store::{ShardEnd, StartedShard, StoreError};
use helpsync_zendesk::{Class, Failure, TokenError};
use thiserror::Error;

use crate::Engine;

/// A random part of 2 s, 4 s, 8 s … up to 10 min.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(10));
/// While Zendesk is away: 1 to 2 s, 2 to 4 s, 4 to 8 s … up to a day.
const OUTAGE: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_hours(24));
/// Until an export that has answered is asked again after a refusal. A help center that restarts, or a proxy that does,
/// refuses for some seconds.
const REFUSED_WAIT: Duration = Duration::from_secs(10);

/// Why a handler did not finish.
#[derive(Debug, Error)]
pub enum HandlerError {
    /// Zendesk's answer, or its absence.
    #[error(transparent)]
    Zendesk(#[from] Failure),
    /// 403 or 404 for what every help center answers.
    #[error("{NO_HELP_CENTER}")]
    NoHelpCenter(#[source] Failure),
    /// 403 or 404 for the export, which has answered this grant before: it may be the export alone, or everything.
    #[error("{NO_HELP_CENTER}")]
    ExportRefused(#[source] Failure),
    /// The store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Trying again changes nothing.
    #[error("{0}")]
    Permanent(String),
    /// It may pass.
    #[error("{0}")]
    Passing(String),
}

impl HandlerError {
    /// How long the account's budget puts the work off.
    pub(crate) fn budget_wait(&self) -> Duration {
        match self {
            Self::Zendesk(failure) | Self::NoHelpCenter(failure) => match failure {
                Failure::Throttled { wait, .. } => *wait,
                Failure::RateLimited { after, .. } => after.unwrap_or(helpsync_account::DEFAULT_BLOCK),
                _ => Duration::ZERO,
            },
            _ => Duration::ZERO,
        }
    }

    /// What work is put off for that failed like this.
    pub(crate) fn waits_for(&self) -> WaitKind {
        let failure = match self {
            Self::NoHelpCenter(_) | Self::ExportRefused(_) => return WaitKind::HelpCenter,
            Self::Store(_) => return WaitKind::Service,
            Self::Permanent(_) | Self::Passing(_) => return WaitKind::Other,
            Self::Zendesk(failure) => failure,
        };
        match failure {
            Failure::Suspended { .. } => WaitKind::Suspended,
            Failure::RateLimited { .. } | Failure::Throttled { is_account: true, .. } => WaitKind::Budget,
            Failure::Throttled { is_account: false, .. }
            | Failure::Token(TokenError::StoreAway(_) | TokenError::Sealed(_)) => WaitKind::Service,
            Failure::Token(TokenError::Unavailable { .. }) => WaitKind::Token,
            _ => WaitKind::Zendesk,
        }
    }

    /// Of something that every help center answers, such as a page of the whole list: 403 or 404 for that is no
    /// missing thing but a help center in trouble. Every other failure names its own cause.
    pub(crate) fn of_list(failure: Failure) -> Self {
        match failure {
            Failure::NotFound(_) | Failure::Forbidden(_) => Self::NoHelpCenter(failure),
            failure => Self::Zendesk(failure),
        }
    }
}

impl Engine {
    pub(crate) async fn end_after(&self, error: &HandlerError, started: &StartedShard) -> ShardEnd {
        let kind = error.waits_for();
        let snooze = |wait, reason: &str| ShardEnd::Snooze { wait, kind, reason: reason.to_owned() };
        let failure = match error {
            HandlerError::Permanent(reason) => return ShardEnd::Failed(reason.clone()),
            // Our own store's absence is no fault of the shard's, and must never use up its tries.
            HandlerError::Store(error) if error.is_transient() => {
                self.store_waits.failed(error);
                return snooze(self.store_waits.next(started), "the store");
            }
            HandlerError::Store(_) | HandlerError::Passing(_) => return self.retry(error, None, started),
            // It may be enabled again, and which of the two statuses a disabled one answers with is no difference.
            HandlerError::NoHelpCenter(_) => return self.retry(error, None, started),
            HandlerError::ExportRefused(_) => return self.retry(error, Some(REFUSED_WAIT), started),
            HandlerError::Zendesk(failure) => failure,
        };
        if let Failure::RateLimited { .. } = failure {
            return snooze(error.budget_wait(), "Zendesk's rate limit");
        }
        if let Failure::Throttled { wait, reason, .. } = failure {
            return snooze(*wait, reason);
        }
        // As when the store is away in any other statement.
        if let Failure::Token(TokenError::StoreAway(_)) = failure {
            return snooze(self.store_waits.next(started), "the store");
        }
        // Nor is a key that is missing the shard's, and it goes on soon after the key is back.
        if let (Failure::Token(TokenError::Sealed(_)), Class::Throttled { wait }) = (failure, failure.class())
        {
            return snooze(wait, &chain(failure));
        }
        // Its owner has to do something about it, in Zendesk and not here: it is waited for like an outage.
        if let Failure::Suspended { .. } = failure {
            return self.wait_out(error, None, started);
        }
        match failure.class() {
            Class::Throttled { wait } => snooze(wait, "budget"),
            Class::Transient { after } => match self.retry(error, after, started) {
                ShardEnd::Failed(_) if self.is_away(started).await => self.wait_out(error, after, started),
                end => end,
            },
            // Everything answering 404 is an account in trouble: it may come back.
            Class::Gone => self.retry(error, None, started),
            Class::Unauthorized | Class::Permanent => ShardEnd::Failed(chain(error)),
        }
    }

    fn retry(&self, error: &HandlerError, after: Option<Duration>, started: &StartedShard) -> ShardEnd {
        let tries = tries(started);
        if tries >= self.options.attempts_max {
            return ShardEnd::Failed(format!("gave up after {tries} tries: {}", chain(error)));
        }
        let wait = after.unwrap_or_else(|| BACKOFF.wait(tries, &*self.entropy));
        ShardEnd::Retry { wait, kind: error.waits_for(), error: chain(error) }
    }

    /// Puts a shard off that only Zendesk's return can help. It never gives up: the pauses grow to a day.
    fn wait_out(&self, error: &HandlerError, after: Option<Duration>, started: &StartedShard) -> ShardEnd {
        let wait = after.unwrap_or_default().max(outage_pause(tries(started), &*self.entropy));
        let again = self.clock.now().as_second().saturating_add(i64::try_from(wait.as_secs()).unwrap_or(0));
        let again = Timestamp::from_second(again).unwrap_or(Timestamp::MAX);
        let text = format!("{}; Zendesk is asked again at {again}", chain(error));
        ShardEnd::Retry { wait, kind: error.waits_for(), error: text }
    }

    /// Whether it is Zendesk that is away, and not this one request that always fails: then nothing else answers either,
    /// not even the smallest thing, which every user may ask for. Source:
    /// <https://developer.zendesk.com/api-reference/help_center/help-center-api/help_center_locales/>.
    async fn is_away(&self, started: &StartedShard) -> bool {
        let Ok(account) = self.account(started) else { return false };
        match account.client.locales().await {
            Ok(_) => false,
            Err(Failure::Suspended { .. }) => true,
            Err(failure) => matches!(failure.class(), Class::Transient { .. } | Class::Throttled { .. }),
        }
    }
}

fn tries(started: &StartedShard) -> u32 {
    u32::try_from(started.shard.failures).unwrap_or(u32::MAX)
}

/// Half of it is certain, so that pauses do grow; half is random, so that not all come back at once.
fn outage_pause(tries: u32, entropy: &dyn Entropy) -> Duration {
    OUTAGE.ceiling(tries) / 2 + OUTAGE.wait(tries, entropy) / 2
}

#[cfg(test)]
mod tests {
    use helpsync_model::SeededEntropy;
    use helpsync_zendesk::Detail;

    use super::*;

    #[test]
    fn every_failure_that_is_waited_for_has_a_kind() {
        let detail = || Detail { excerpt: "html".to_owned(), request_id: None };
        let wait = Duration::ZERO;
        let throttled = |is_account| Failure::Throttled { wait, reason: String::new(), is_account };
        let unavailable = || Failure::Unavailable { after: None, detail: detail() };
        let token = TokenError::Unavailable { reason: String::new(), after: None };
        for (failure, kind) in [
            (Failure::Suspended { status: 423, detail: detail() }, WaitKind::Suspended),
            (Failure::RateLimited { after: None, detail: detail() }, WaitKind::Budget),
            (throttled(true), WaitKind::Budget),
            (throttled(false), WaitKind::Service),
            (Failure::Token(TokenError::StoreAway(String::new())), WaitKind::Service),
            (Failure::Token(TokenError::Sealed(String::new())), WaitKind::Service),
            (Failure::Token(token), WaitKind::Token),
            (unavailable(), WaitKind::Zendesk),
            (Failure::NotFound(detail()), WaitKind::Zendesk),
        ] {
            assert_eq!(HandlerError::Zendesk(failure.clone()).waits_for(), kind, "{failure}");
        }
        assert_eq!(HandlerError::NoHelpCenter(unavailable()).waits_for(), WaitKind::HelpCenter);
        assert_eq!(HandlerError::Passing(String::new()).waits_for(), WaitKind::Other);
    }

    /// A help center that is away for hours is asked ever less often.
    #[test]
    fn pauses_in_an_outage_grow_with_every_try_up_to_a_day() {
        let entropy = SeededEntropy::new(7);
        let pauses: Vec<Duration> = (1..=30).map(|tries| outage_pause(tries, &entropy)).collect();
        let growing = pauses.iter().take(16);
        assert!(growing.clone().zip(growing.skip(1)).all(|(before, after)| before < after), "{pauses:?}");
        let day = Duration::from_hours(24);
        assert!(pauses.iter().all(|pause| *pause <= day), "{pauses:?}");
        assert!(*pauses.last().unwrap() >= day / 2, "{pauses:?}");
    }
}
