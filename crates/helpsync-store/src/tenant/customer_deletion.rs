//! Deleting customers with everything that is kept of them.

use helpsync_model::{ConnectionId, CustomerId, OrganizationId, chain};
use secrecy::SecretString;

use crate::db::{AdminStore, Dialect, SearchStore, StoreError, SyncStore, TokenStore};
use crate::event::events::outlive_customer;

/// What is left to do after a customer was deleted.
#[derive(Debug)]
pub struct DeletedCustomer {
    /// Its id.
    pub id: CustomerId,
    /// Workspaces and the access tokens to revoke there.
    pub tokens: Vec<(String, SecretString)>,
}

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
        let mut write = self.write().await?;
        outlive_customer(&mut write, organization, customer.id, external_id).await?;
        for statement in [FENCE_OFF].into_iter().chain(EVERYTHING) {
            sqlx::query(statement).bind(customer.id.0).execute(&mut *write.tx).await?;
        }
        write.commit().await?;
        SyncStore(self.0.clone()).sweep_blobs(organization).await?;
        if self.dialect == Dialect::Sqlite {
            let words = SearchStore(self.0.clone());
            tokio::spawn(async move {
                if let Err(error) = words.forget_words().await {
                    tracing::warn!(error = chain(&error), "words of deleted texts stay in the index for now");
                }
                match words.empty_log().await {
                    Ok(true) => {}
                    Ok(false) => tracing::warn!(
                        "deleted texts stay in the write-ahead log for now: somebody read or wrote all the while"
                    ),
                    Err(error) => tracing::warn!(
                        error = chain(&error),
                        "deleted texts stay in the write-ahead log for now"
                    ),
                }
            });
        }
        Ok(Some(DeletedCustomer { id: customer.id, tokens }))
    }
}
