//! The limiter of [`helpsync_zendesk::Client`], kept by the coordinator.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helpsync_coordinator::{Coordinator, NoPermit, PermitId, PermitRequest, Report, Waited, wait_for_permit};
use helpsync_model::{Entropy, RunId, Subdomain, chain};
use helpsync_store::AccountUse;
use helpsync_telemetry::metrics as telemetry;
use helpsync_zendesk::{Family, Permit, RateLimiter, RateReport, Throttled};

use crate::account_use::AccountUses;
use crate::{AccountOptions, Accounts, working};

/// A permit whose request never came back counts as in flight this long.
const GRANT_TTL: Duration = Duration::from_secs(90);
/// How long to stay away when the coordinator does not answer: slow down, never run free.
const COORDINATOR_DOWN_WAIT: Duration = Duration::from_secs(2);
/// A shorter wait for budget is not told to whoever watches the run.
const TOLD_AFTER: Duration = Duration::from_secs(1);
/// Zendesk's answer to whoever asks too often.
const TOO_MANY_REQUESTS: u16 = 429;

pub(crate) struct BudgetedLimiter {
    coordinator: Arc<dyn Coordinator>,
    entropy: Arc<dyn Entropy>,
    account: String,
    options: AccountOptions,
    waited: Arc<Waited>,
    uses: Arc<AccountUses>,
    /// Whose requests they are, if a run's.
    run: Option<RunId>,
}

impl BudgetedLimiter {
    /// The budget belongs to the Zendesk account, whoever of our customers connected it.
    pub(crate) fn new(
        accounts: &Accounts,
        subdomain: &Subdomain,
        waited: Arc<Waited>,
        run: Option<RunId>,
    ) -> Self {
        Self {
            coordinator: Arc::clone(&accounts.inner.coordinator),
            entropy: Arc::clone(&accounts.inner.entropy),
            account: subdomain.as_str().to_owned(),
            options: accounts.inner.options.clone(),
            waited,
            uses: Arc::clone(&accounts.inner.uses),
            run,
        }
    }

    /// A permit. Whoever watches the run is told of a wait for it that they can see.
    async fn permit(&self, key: &str, ask: &PermitRequest) -> Result<PermitId, NoPermit> {
        let permit = wait_for_permit(&*self.coordinator, key, ask, ask.patience, &self.waited);
        let Some(run) = self.run else { return permit.await };
        let mut permit = std::pin::pin!(permit);
        tokio::select! {
            biased;
            answer = &mut permit => return answer,
            () = tokio::time::sleep(TOLD_AFTER) => {}
        }
        let waits = format!("waiting for the budget of {}", self.account);
        working::put(&*self.coordinator, run, &waits).await;
        let answer = permit.await;
        working::put(&*self.coordinator, run, "asking Zendesk").await;
        answer
    }

    /// Zendesk counts each family of an account for itself, and so does the budget: a hundred calls a minute for
    /// webhooks must neither slow the articles down nor stop them.
    fn key(&self, family: Family) -> String {
        match family {
            Family::HelpCenter => self.account.clone(),
            Family::Support => format!("{}/support", self.account),
            Family::Webhooks => format!("{}/webhooks", self.account),
        }
    }
}

#[async_trait]
impl RateLimiter for BudgetedLimiter {
    async fn enter(&self, family: Family) -> Result<Permit, Throttled> {
        let ask = PermitRequest {
            request_id: self.entropy.uuid().to_string(),
            ceiling_per_minute: self.options.ceiling_per_minute,
            concurrency_max: self.options.concurrency_max,
            reserve_percent: self.options.reserve_percent,
            permit_ttl: GRANT_TTL,
            patience: self.options.patience,
        };
        let since = tokio::time::Instant::now();
        let answer = self.permit(&self.key(family), &ask).await;
        let waited = since.elapsed();
        telemetry::budget_waited(&self.account, waited, answer.is_err());
        let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        if waited_ms > 0 {
            self.uses.add(&self.account, &AccountUse { waited_ms, ..AccountUse::default() });
        }
        match answer {
            Ok(permit) => Ok(Permit { id: permit.0, family }),
            Err(NoPermit::Throttled { delay: wait, reason }) => {
                let reason = format!("budget of {} ({reason})", self.account);
                Err(Throttled { wait, reason, is_account: true })
            }
            Err(NoPermit::Coordinator(error)) => {
                tracing::warn!(
                    account = self.account,
                    error = chain(&error),
                    "the coordinator does not answer"
                );
                let reason = "the coordinator".to_owned();
                Err(Throttled { wait: COORDINATOR_DOWN_WAIT, reason, is_account: false })
            }
        }
    }

    async fn leave(&self, permit: Permit, report: RateReport) {
        let RateReport { status, limit, remaining, .. } = report;
        telemetry::budget_used(&self.account);
        telemetry::budget_told(&self.account, permit.family.as_str(), status, limit, remaining);
        // Zendesk's minute of the help center is what people ask about; the other families have limits of their own.
        let of_pages = permit.family == Family::HelpCenter;
        let used = AccountUse {
            requests: 1,
            throttled: i64::from(status == Some(TOO_MANY_REQUESTS)),
            waited_ms: 0,
            limit: limit.filter(|_| of_pages).map(i64::from),
            least_left: remaining.filter(|_| of_pages).map(i64::from),
        };
        self.uses.add(&self.account, &used);
        let report = Report {
            status: report.status,
            limit: report.limit,
            remaining: report.remaining,
            reset_after: report.reset_after,
            retry_after: report.retry_after,
        };
        if let Err(error) =
            self.coordinator.report(&self.key(permit.family), &PermitId(permit.id), &report).await
        {
            // The permit expires by itself; the next answer's headers bring the budget back in step.
            tracing::warn!(account = self.account, error = chain(&error), "a budget report was lost");
        }
    }
}
