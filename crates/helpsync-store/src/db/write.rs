//! A write transaction, and what every statement in it needs to know.

use helpsync_model::OrganizationId;
use helpsync_telemetry::metrics as telemetry;
use sqlx::{Any, AssertSqlSafe, Transaction};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::db::{Dialect, Entity, StoreError, audit};

/// A write transaction; rolled back unless committed.
pub(crate) struct Write {
    pub(crate) tx: Transaction<'static, Any>,
    /// Which database it is in.
    pub(crate) dialect: Dialect,
    /// When it began, in ms: the one time of all that it writes.
    pub(crate) now: i64,
    /// SQLite's one writer; given back when the transaction ends.
    _turn: Option<OwnedSemaphorePermit>,
    begun: Instant,
    /// In the trace of the work that it is for; ends with it.
    _span: Span,
    /// It is no change that anybody asked for: the audit log does not tell of it.
    pub(crate) is_quiet: bool,
    /// What is done once it is committed.
    after: Vec<Box<dyn FnOnce() + Send>>,
}

impl Write {
    pub(crate) fn new(
        tx: Transaction<'static, Any>,
        dialect: Dialect,
        now: i64,
        turn: Option<OwnedSemaphorePermit>,
        span: Span,
    ) -> Self {
        Self {
            tx,
            dialect,
            now,
            _turn: turn,
            begun: Instant::now(),
            _span: span,
            is_quiet: false,
            after: Vec::new(),
        }
    }

    /// Locks an organization's row until the transaction ends: whoever else changes what is the organization's waits.
    pub(crate) async fn lock_organization(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        let locked = self.dialect.for_update();
        sqlx::query(sql(format!("select id from organization where id = $1{locked}")))
            .bind(id.0)
            .fetch_optional(&mut *self.tx)
            .await?
            .ok_or(StoreError::NotFound(Entity::Organization))?;
        Ok(())
    }

    /// Has something done once the transaction is committed, and not at all when it is not. It must not wait.
    pub(crate) fn once_committed(&mut self, what: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(what));
    }

    /// Has so many articles counted as `outcome` once it is committed.
    pub(crate) fn count_articles(&mut self, outcome: &'static str, number: i64) {
        if let Some(number) = u64::try_from(number).ok().filter(|number| *number > 0) {
            self.once_committed(move || telemetry::articles(outcome, number));
        }
    }

    /// Commits where something `changed`. Else what was written says only what was there before: it is taken back, and the
    /// audit log says of nobody to have changed anything.
    pub(crate) async fn commit_if(self, changed: bool) -> Result<(), StoreError> {
        if changed { self.commit().await } else { Ok(()) }
    }

    /// Commits, and does what was to be done then. Whoever waits for it may be stopped meanwhile, and both happen all the
    /// same: else what is counted would not be what is written.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let noted = self.note_request().await?;
        let committed = async move {
            self.tx.commit().await?;
            if let Some(request) = noted {
                audit::written(&request);
            }
            telemetry::database(self.dialect.system(), "transaction", self.begun.elapsed());
            self.after.into_iter().for_each(|what| what());
            Ok(())
        };
        match tokio::spawn(committed.in_current_span()).await {
            Ok(committed) => committed,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and the connection with it.
                Err(_stopped) => Err(StoreError::from(sqlx::Error::WorkerCrashed)),
            },
        }
    }
}

/// The next `N` placeholders, from `$first` on.
pub(crate) fn placeholders<const N: usize>(first: usize) -> [String; N] {
    std::array::from_fn(|at| format!("${}", first + at))
}

/// SQL put together from our own constants and numbered placeholders; values are always bound.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
