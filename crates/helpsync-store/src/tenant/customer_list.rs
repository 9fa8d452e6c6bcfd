//! Customers by filter, and what each of them holds.

use helpsync_model::{CustomerId, OrganizationId};
use serde_json::json;
use sqlx::Row;

use crate::db::{AdminStore, StoreError, sql};
use crate::tenant::customers::{CUSTOMER, Customer, customer_of};

/// Which customers to list.
#[derive(Debug, Clone)]
pub struct CustomerQuery {
    /// Whose.
    pub organization: OrganizationId,
    /// These only, by the organization's ids.
    pub external_ids: Option<Vec<String>>,
    /// These only, by our ids.
    pub ids: Option<Vec<i64>>,
    /// Only ids above this.
    pub starting_id: i64,
    /// By the last change instead of by age.
    pub by_updated_at: bool,
    /// Newest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// What a customer's shown files add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CustomerTotals {
    /// Files.
    pub files: i64,
    /// Characters of plain text.
    pub characters: i64,
    /// Bytes of HTML.
    pub html_bytes: i64,
    /// Tokens of their chunks.
    pub tokens: i64,
    /// Chunks that have a vector.
    pub embeddings: i64,
}

impl AdminStore {
    /// A page of customers, and how many match before paging.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customers_matching(
        &self,
        query: &CustomerQuery,
    ) -> Result<(Vec<Customer>, i64), StoreError> {
        let matching = format!(
            "where organization_id = $1 and id > $2 and ($3 is null or external_id in {})
               and ($4 is null or id in {})",
            self.dialect.json_texts("coalesce($3, '[]')"),
            self.dialect.json_integers("coalesce($4, '[]')"),
        );
        let order = if query.by_updated_at { "updated_at" } else { "created_at" };
        let direction = if query.descending { "desc" } else { "asc" };
        let external_ids = query.external_ids.as_ref().map(|ids| json!(ids).to_string());
        let ids = query.ids.as_ref().map(|ids| json!(ids).to_string());
        let found = sqlx::query(sql(format!(
            "select {CUSTOMER} from customer {matching} order by {order} {direction}, id {direction} limit $5 offset $6"
        )))
        .bind(query.organization.0)
        .bind(query.starting_id)
        .bind(external_ids.clone())
        .bind(ids.clone())
        .bind(query.limit)
        .bind(query.offset)
        .fetch_all(&self.pool)
        .await?;
        let count = sqlx::query_scalar(sql(format!("select count(*) from customer {matching}")))
            .bind(query.organization.0)
            .bind(query.starting_id)
            .bind(external_ids)
            .bind(ids)
            .fetch_one(&self.pool)
            .await?;
        Ok((found.iter().map(customer_of).collect::<Result<_, _>>()?, count))
    }

    /// What a customer's shown files add up to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customer_totals(&self, customer: CustomerId) -> Result<CustomerTotals, StoreError> {
        self.totals("customer_id", customer.0).await
    }

    /// What the shown files of an owner add up to.
    pub(crate) async fn totals(
        &self,
        column: &'static str,
        owner: i64,
    ) -> Result<CustomerTotals, StoreError> {
        let row = sqlx::query(sql(format!(
            "select count(*) as files, cast(coalesce(sum(characters), 0) as bigint) as characters,
               cast(coalesce(sum(html_bytes), 0) as bigint) as html_bytes,
               cast(coalesce(sum(chunking.tokens), 0) as bigint) as tokens,
               cast(coalesce(sum(chunking.embedded), 0) as bigint) as embeddings
             from file left join chunking on chunking.file_id = file.id where {column} = $1 and hidden_at is null"
        )))
        .bind(owner)
        .fetch_one(&self.pool)
        .await?;
        Ok(CustomerTotals {
            files: row.try_get("files")?,
            characters: row.try_get("characters")?,
            html_bytes: row.try_get("html_bytes")?,
            tokens: row.try_get("tokens")?,
            embeddings: row.try_get("embeddings")?,
        })
    }
}
