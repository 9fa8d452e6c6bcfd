//! The pool as single statements use it: one that a migration made useless is prepared anew on a fresh connection, once.

use std::ops::Deref;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use helpsync_model::OrganizationId;
use helpsync_telemetry::metrics as telemetry;
use sqlx::any::{Any, AnyArguments, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::error::BoxDynError;
use sqlx::{AnyPool, Either, Error, Execute, Executor, SqlStr};
use tokio::time::Instant;

use crate::db::outdated::{is_outdated, note_outdated};
use crate::db::{Database, StoreError, sql};

/// The pool, for statements outside of a transaction.
#[derive(Debug, Clone)]
pub struct Reads {
    pub(crate) pool: AnyPool,
    /// Which database it is, by the name that OpenTelemetry has for it.
    pub(crate) system: &'static str,
}

impl Reads {
    fn told(&self, since: Instant) {
        telemetry::database(self.system, "read", since.elapsed());
    }
}

impl Deref for Reads {
    type Target = AnyPool;

    fn deref(&self) -> &AnyPool {
        &self.pool
    }
}

impl Database {
    /// One page of an organization's list: `statement` has the organization as `$1`, the id that rows come behind as `$2`
    /// and how many at most as `$3`.
    pub(crate) async fn page<T>(
        &self,
        statement: String,
        organization: OrganizationId,
        after: i64,
        limit: u32,
        of: impl Fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let query = sqlx::query(sql(statement)).bind(organization.0).bind(after).bind(i64::from(limit));
        query.fetch_all(&self.pool).await?.iter().map(of).collect()
    }
}

/// A statement with what is bound to it, to be run more than once.
struct Statement {
    text: SqlStr,
    bound: Option<AnyArguments>,
    persistent: bool,
}

impl Clone for Statement {
    fn clone(&self) -> Self {
        let bound = self.bound.as_ref().map(|bound| {
            let mut copied = AnyArguments::default();
            copied.values.0.clone_from(&bound.values.0);
            copied
        });
        Self { text: self.text.clone(), bound, persistent: self.persistent }
    }
}

impl Statement {
    fn of<'q>(mut query: impl Execute<'q, Any>) -> Result<Self, Error> {
        let bound = query.take_arguments().map_err(Error::Encode)?;
        let persistent = query.persistent();
        Ok(Self { text: query.sql(), bound, persistent })
    }
}

impl Execute<'_, Any> for Statement {
    fn sql(self) -> SqlStr {
        self.text
    }

    fn statement(&self) -> Option<&AnyStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<AnyArguments>, BoxDynError> {
        Ok(self.bound.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

type Step = Either<AnyQueryResult, AnyRow>;

/// The answer's stream, its first step taken to see whether the statement is outdated.
async fn begin(
    pool: AnyPool,
    statement: Statement,
) -> Result<BoxStream<'static, Result<Step, Error>>, Error> {
    let mut steps = pool.fetch_many(statement.clone());
    match steps.try_next().await {
        Ok(Some(first)) => Ok(stream::once(async { Ok(first) }).chain(steps).boxed()),
        Ok(None) => Ok(stream::empty().boxed()),
        Err(error) if is_outdated(&error) => {
            note_outdated();
            // Its connection goes back first, or a pool of one would wait for itself.
            drop(steps);
            Ok(pool.fetch_many(statement))
        }
        Err(error) => Err(error),
    }
}

impl<'p> Executor<'p> for &'_ Reads {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let pool = self.pool.clone();
        let (statement, reads) = (Statement::of(query), self.clone());
        let begun = async move {
            let since = Instant::now();
            let steps = begin(pool, statement?).await;
            reads.told(since);
            steps
        };
        stream::once(begun).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let pool = self.pool.clone();
        let (statement, reads) = (Statement::of(query), self.clone());
        Box::pin(async move {
            let statement = statement?;
            let since = Instant::now();
            let answer = match pool.fetch_optional(statement.clone()).await {
                Err(error) if is_outdated(&error) => {
                    note_outdated();
                    pool.fetch_optional(statement).await
                }
                answer => answer,
            };
            reads.told(since);
            answer
        })
    }

    fn prepare_with<'e>(
        self,
        text: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.pool.clone();
        Box::pin(async move { pool.prepare_with(text, parameters).await })
    }
}
