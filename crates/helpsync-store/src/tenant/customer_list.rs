//! Customers by filter, and what each of them holds.

use helpsync_model::{CustomerId, OrganizationId};
use sqlx::Row;

use crate::db::conditions::Conditions;
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
    /// Whether to count those that match: all of them are looked at for it.
    pub counted: bool,
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
    /// A page of customers, and how many match before paging, if that is asked for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customers_matching(
        &self,
        query: &CustomerQuery,
    ) -> Result<(Vec<Customer>, Option<i64>), StoreError> {
        let mut matching = Conditions::new(self.dialect);
        let organization = matching.integer(query.organization.0);
        matching.and(&format!("organization_id = {organization}"));
        if query.starting_id > 0 {
            let above = matching.integer(query.starting_id);
            matching.and(&format!("id > {above}"));
        }
        if let Some(external_ids) = &query.external_ids {
            let external_ids = matching.texts(external_ids);
            matching.and(&format!("external_id in {external_ids}"));
        }
        if let Some(ids) = &query.ids {
            let ids = matching.integers(ids);
            matching.and(&format!("id in {ids}"));
        }
        let order = if query.by_updated_at { "updated_at" } else { "created_at" };
        let direction = if query.descending { "desc" } else { "asc" };
        let mut paged = matching.clone();
        let (limit, offset) = (paged.integer(query.limit), paged.integer(query.offset));
        let listing = sql(format!(
            "select {CUSTOMER} from customer where id in (select id from customer {}
               order by {order} {direction}, id {direction} limit {limit} offset {offset})
             order by {order} {direction}, id {direction}",
            matching.sql()
        ));
        let found = paged.bind(sqlx::query(listing)).fetch_all(&self.pool).await?;
        let count = if query.counted {
            let counting = sql(format!("select count(*) as matches from customer {}", matching.sql()));
            Some(matching.bind(sqlx::query(counting)).fetch_one(&self.pool).await?.try_get("matches")?)
        } else {
            None
        };
        Ok((found.iter().map(customer_of).collect::<Result<_, _>>()?, count))
    }

    /// What a customer's shown files add up to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customer_totals(&self, customer: CustomerId) -> Result<CustomerTotals, StoreError> {
        self.totals("customer_id = $1", customer.0).await
    }

    /// What the shown files of an owner add up to, as triggers keep it. `owner` is the condition on whose it is, the id of
    /// which is `$1`.
    pub(crate) async fn totals(&self, owner: &'static str, id: i64) -> Result<CustomerTotals, StoreError> {
        let sum = |column: &str| format!("cast(coalesce(sum({column}), 0) as bigint) as {column}");
        let columns = ["files", "characters", "html_bytes", "tokens", "embedded"].map(sum).join(", ");
        let row = sqlx::query(sql(format!("select {columns} from kept_total where {owner}")))
            .bind(id)
            .fetch_one(&self.pool)
            .await?;
        Ok(CustomerTotals {
            files: row.try_get("files")?,
            characters: row.try_get("characters")?,
            html_bytes: row.try_get("html_bytes")?,
            tokens: row.try_get("tokens")?,
            embeddings: row.try_get("embedded")?,
        })
    }
}
