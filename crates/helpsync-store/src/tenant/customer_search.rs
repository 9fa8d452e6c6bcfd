//! Customers by what people look for: a part of a name, how they stand, whose copy is oldest. Pages go on behind the last
//! row that was seen, so that the last of many costs no more than the first.

use helpsync_model::{DataSourceStatus, OrganizationId};

use crate::db::conditions::Conditions;
use crate::db::states::{ACTIVE_CONNECTION, FAILED_SHARD, One, PAUSED_CONNECTION};
use crate::db::{AdminStore, StoreError, sql};
use crate::filter::file_query::holding;
use crate::tenant::customer_state::{CustomerState, select_state, state_of};

/// How customers stand that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerFilter {
    /// A sync is asked for or under way.
    Syncing,
    /// The last sync ended well, and none is under way.
    Ready,
    /// The last sync failed.
    Failed,
    /// Their grant has ended: they wait to be connected again.
    Reconnect,
    /// A person has paused their work.
    Paused,
    /// Removals wait for a person.
    Held,
    /// Work gave up.
    DeadLetters,
    /// No workspace is connected.
    NotConnected,
}

/// The order of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CustomerSort {
    /// Oldest customer first.
    #[default]
    Id,
    /// Whose copy was complete longest ago first, those that never were before them.
    Age,
}

/// Which customers.
#[derive(Debug, Clone)]
pub struct CustomerSearch {
    /// Whose.
    pub organization: OrganizationId,
    /// This one only, by our id.
    pub id: Option<i64>,
    /// Part of the organization's id for it, or of its workspace's name.
    pub text: Option<String>,
    /// How they stand.
    pub filter: Option<CustomerFilter>,
    /// In which order.
    pub sort: CustomerSort,
    /// Behind the customer with this id; 0: from the start. By age: behind it at [`CustomerSearch::after_age`].
    pub after: i64,
    /// When the copy of that customer was complete, in ms; 0: never.
    pub after_age: i64,
    /// At most so many.
    pub limit: u32,
}

/// When a copy was complete; 0: never.
const COMPLETE_AT: &str = "coalesce(connection.source_items_synced_at, 0)";

fn condition(filter: CustomerFilter) -> String {
    let status = |status: DataSourceStatus| {
        format!(
            "customer.id in (select member.customer_id from connection as member
               where member.disconnected_at is null and member.sync_status = {})",
            One(status)
        )
    };
    let family = |rows: &str| {
        format!(
            "connection.id in (select coalesce(member.parent_id, member.id) from connection as member
               where member.id in ({rows}))"
        )
    };
    match filter {
        CustomerFilter::Syncing => {
            format!("({} or {})", status(DataSourceStatus::Syncing), status(DataSourceStatus::Queued))
        }
        CustomerFilter::Ready => format!(
            "connection.state = {ACTIVE_CONNECTION} and connection.sync_status = {}",
            One(DataSourceStatus::Ready)
        ),
        CustomerFilter::Failed => status(DataSourceStatus::Error),
        CustomerFilter::Reconnect => format!("connection.state = {PAUSED_CONNECTION}"),
        CustomerFilter::Paused => "customer.paused_at is not null".to_owned(),
        CustomerFilter::Held => family("select connection_id from file where held_at is not null"),
        CustomerFilter::DeadLetters => {
            family(&format!("select connection_id from shard where state = {FAILED_SHARD}"))
        }
        CustomerFilter::NotConnected => "connection.id is null".to_owned(),
    }
}

impl AdminStore {
    /// How the customers stand that a search finds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn search_customers(&self, search: &CustomerSearch) -> Result<Vec<CustomerState>, StoreError> {
        let mut all = Conditions::new(self.dialect);
        let organization = all.integer(search.organization.0);
        all.and(&format!("customer.organization_id = {organization}"));
        if let Some(id) = search.id {
            let id = all.integer(id);
            all.and(&format!("customer.id = {id}"));
        }
        if let Some(text) = &search.text {
            let pattern = all.text(holding(text));
            all.and(&format!(
                "(lower(customer.external_id) like {pattern} escape '\\' or connection.subdomain like {pattern} escape '\\')"
            ));
        }
        if let Some(filter) = search.filter {
            all.and(&condition(filter));
        }
        let after = all.integer(search.after);
        let order = match search.sort {
            CustomerSort::Id => {
                all.and(&format!("customer.id > {after}"));
                "customer.id".to_owned()
            }
            CustomerSort::Age => {
                let age = all.integer(search.after_age);
                all.and(&format!(
                    "({COMPLETE_AT} > {age} or ({COMPLETE_AT} = {age} and customer.id > {after}))"
                ));
                format!("{COMPLETE_AT}, customer.id")
            }
        };
        // First which, then how each of them stands: that is asked of few.
        let limit = all.integer(i64::from(search.limit));
        let statement = format!(
            "{} where customer.id in (select customer.id from customer left join connection
                 on connection.customer_id = customer.id and connection.parent_id is null
                   and connection.disconnected_at is null
               {} order by {order} limit {limit}) order by {order}",
            select_state(),
            all.sql()
        );
        let rows = all.bind(sqlx::query(sql(statement))).fetch_all(&self.pool).await?;
        rows.iter().map(state_of).collect()
    }
}
