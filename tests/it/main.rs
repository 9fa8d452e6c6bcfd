//! Whole-system tests. One binary, so that one link serves them all.
//!
//! Each test starts a simulator and an installation of its own ([`app::TestApp`]); those that take a [`app::Shape`]
//! run twice: embedded, and as a dispatcher with two workers over Postgres, RabbitMQ and Redis.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod api_keys;
mod app;
mod attachments;
mod bad_input;
mod brands;
mod causes;
mod chaos;
mod complete;
mod contract;
mod contract_reasons;
mod copy;
mod credentials;
mod customer_states;
mod deploy;
mod documents;
mod error_texts;
mod event_subscriptions;
mod failed_statements;
mod flood;
mod grants;
mod hostile;
mod huge;
mod kills;
mod layout;
mod limits;
mod locales;
mod locks;
mod log;
mod migration_kills;
mod names;
mod odd_answers;
mod odd_text;
mod outage;
mod paths;
mod plans;
mod processes;
mod property;
mod rabbit_node;
mod rate;
mod removal;
mod requests;
mod restored;
mod run_ends;
mod schedule;
mod sdk;
mod search;
mod search_faults;
mod search_load;
mod selection;
mod sizes;
mod store_gone;
mod sync;
mod tenants;
mod tokens;
mod translations;
mod upgrade;
mod upstream;
mod viewers;
mod webhooks_out;
mod working;
