//! Deleting customers with everything that is kept of them.

use std::collections::BTreeSet;

use helpsync_model::{ConnectionId, CustomerId, OrganizationId, chain};
use secrecy::SecretString;
use serde_json::json;

use crate::db::{AdminStore, SearchStore, StoreError, SyncStore, TokenStore, sql};
use crate::event::events::outlive_customer;

/// What is left to do after a customer was deleted.
#[derive(Debug)]
pub struct DeletedCustomer {
    /// Its id.
    pub id: CustomerId,
    /// Workspaces and the access tokens to revoke there.
    pub tokens: Vec<(String, SecretString)>,
}

/// Deletions that one round makes good; the next one goes on.
const DELETIONS_PER_ROUND: i64 = 1_000;

/// Takes the connections' rows first, as every write of a worker does: none is half way through then.
const FENCE_OFF: &str = "update connection set epoch = epoch + 1 where customer_id = $1";
/// Children before parents.
const EVERYTHING: [&str; 13] = [
    "delete from skipped where run_id in (select id from run where customer_id = $1)",
    "delete from shard where connection_id in (select id from connection where customer_id = $1)",
    "delete from run where customer_id = $1",
    "delete from translation where file_id in (select id from file where customer_id = $1)",
    "delete from file where customer_id = $1",
    "delete from unsynced_article where connection_id in (select id from connection where customer_id = $1)",
    "delete from remote_article where connection_id in (select id from connection where customer_id = $1)",
    "delete from author where connection_id in (select id from connection where customer_id = $1)",
    "delete from content_tag where connection_id in (select id from connection where customer_id = $1)",
    "delete from item where connection_id in (select id from connection where customer_id = $1)",
    "delete from oauth_state where customer_id = $1",
    "delete from connection where customer_id = $1",
    "delete from customer where id = $1",
];

impl AdminStore {
    /// Deletes a customer: files, tokens, runs, everything but the announcements that are still to be delivered, which end with that of its
    /// deletion. Work in flight finds its connection gone and
    /// changes nothing. `None`: there is no such customer.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was deleted then.
    pub async fn delete_customer(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<DeletedCustomer>, StoreError> {
        let Some(customer) = self.find_customer(organization, external_id).await? else { return Ok(None) };
        let connections: Vec<(i64, String)> =
            sqlx::query_as("select id, subdomain from connection where customer_id = $1")
                .bind(customer.id.0)
                .fetch_all(&self.pool)
                .await?;
        let mut tokens = Vec::new();
        for (connection, subdomain) in connections {
            match TokenStore(self.0.clone()).tokens(ConnectionId(connection)).await {
                Ok(Some(pair)) => tokens.push((subdomain, pair.access)),
                Ok(None) => {}
                // A token that cannot be opened cannot be revoked, but it can be forgotten.
                Err(StoreError::Sealed(error)) => {
                    tracing::warn!(
                        connection,
                        error = chain(&error),
                        "a deleted customer's token cannot be revoked"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        self.delete_rows(organization, customer.id, external_id).await?;
        let store = Self(self.0.clone());
        tokio::spawn(async move {
            if let Err(error) = store.forget_deleted().await {
                tracing::warn!(
                    error = chain(&error),
                    "texts of a deleted customer stay in the database for now"
                );
            }
        });
        Ok(Some(DeletedCustomer { id: customer.id, tokens }))
    }

    /// Deletes a customer's rows, and notes that its texts are to leave the database's files.
    pub(crate) async fn delete_rows(
        &self,
        organization: OrganizationId,
        customer: CustomerId,
        external_id: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        // The connections' rows first, as everywhere.
        sqlx::query(FENCE_OFF).bind(customer.0).execute(&mut *write.tx).await?;
        let locked = self.dialect.for_update();
        let still_there: Option<i64> =
            sqlx::query_scalar(sql(format!("select id from customer where id = $1{locked}")))
                .bind(customer.0)
                .fetch_optional(&mut *write.tx)
                .await?;
        if still_there.is_none() {
            // Another request was faster.
            return Ok(());
        }
        outlive_customer(&mut write, organization, customer, external_id).await?;
        for statement in EVERYTHING {
            sqlx::query(statement).bind(customer.0).execute(&mut *write.tx).await?;
        }
        let now = write.now;
        sqlx::query("insert into customer_deletion (organization_id, created_at) values ($1, $2)")
            .bind(organization.0)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// Takes what is left of deleted customers out of the database: bytes of their attachments, and out of SQLite's files the
    /// words in the index and the pages in the write-ahead log. What an error or the end of a process left undone is done
    /// then. `false`: some is left for another round.
    ///
    /// # Errors
    /// [`StoreError`]; the next round does it again.
    pub async fn forget_deleted(&self) -> Result<bool, StoreError> {
        let due: Vec<(i64, i64)> =
            sqlx::query_as("select id, organization_id from customer_deletion order by id limit $1")
                .bind(DELETIONS_PER_ROUND)
                .fetch_all(&self.pool)
                .await?;
        if due.is_empty() {
            return Ok(true);
        }
        let organizations: BTreeSet<i64> = due.iter().map(|(_, organization)| *organization).collect();
        for organization in organizations {
            SyncStore(self.0.clone()).sweep_blobs(OrganizationId(organization)).await?;
        }
        SearchStore(self.0.clone()).forget_words().await?;
        if !self.empty_log().await? {
            tracing::warn!(
                "deleted texts stay in the write-ahead log for now: somebody read or wrote all the while"
            );
            return Ok(false);
        }
        let mut write = self.write_quietly().await?;
        let ids: Vec<i64> = due.iter().map(|(id, _)| *id).collect();
        sqlx::query(sql(format!(
            "delete from customer_deletion where id in {}",
            self.dialect.json_integers("$1")
        )))
        .bind(json!(ids).to_string())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(i64::try_from(due.len()).is_ok_and(|done| done < DELETIONS_PER_ROUND))
    }
}
