//! The store's facets: each part of the product gets the methods that are its own, and no others.
//!
//! A worker that holds a [`QueueStore`] and a [`SyncStore`] cannot delete a customer: there is no such method on them.

use std::ops::Deref;

use crate::db::pool::Database;

macro_rules! facets {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        /// The database, open and migrated. Cheap to clone. What can be done with it is on its facets.
        #[derive(Debug, Clone)]
        pub struct Store {
            database: Database,
            $($method: $name,)*
        }

        impl Store {
            pub(crate) fn of(database: Database) -> Self {
                Self { $($method: $name(database.clone()),)* database }
            }

            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $method(&self) -> &$name {
                    &self.$method
                }
            )*
        }

        impl Deref for Store {
            type Target = Database;

            fn deref(&self) -> &Database {
                &self.database
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $name(pub(crate) Database);

            impl Deref for $name {
                type Target = Database;

                fn deref(&self) -> &Database {
                    &self.0
                }
            }
        )*
    };
}

facets! {
    /// For dispatchers and workers: due shards, the outbox, leases, schedules, sweeps.
    QueueStore queue
    /// For the engine: what a run reads and writes under its fence.
    SyncStore sync
    /// For chunking, embedding and searches.
    SearchStore search
    /// For outgoing webhooks: events, deliveries, and the list of webhooks.
    WebhookStore webhooks
    /// For whoever talks to Zendesk: tokens, OAuth clients, event subscriptions that are due.
    TokenStore tokens
    /// For the API: organizations, customers, connections, files, and requests for runs.
    AdminStore admin
}
