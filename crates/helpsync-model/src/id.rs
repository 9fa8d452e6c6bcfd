//! Ids that cannot be mixed up.

use serde::{Deserialize, Serialize};

macro_rules! id_type {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

id_type! {
    /// An operator's organization; everything else belongs to one.
    OrganizationId;
    /// One end user of an organization (Carbon: `organization_user_id`), known outside by its `customer_id` text.
    CustomerId;
    /// One customer's connection to a Zendesk workspace (Carbon: a data source).
    ConnectionId;
    /// One synced article of one connection (Carbon: a user file).
    FileId;
    /// One run of the sync engine over a connection.
    RunId;
    /// One unit of work of a run.
    ShardId;
    /// One address that an organization's events are sent to.
    WebhookId;
    /// One event on its way to one webhook.
    DeliveryId;
}
