//! Puts the parts together. A process is [`Parts`] (the backends that the settings name) and one or more roles:
//!
//! | role | what it runs | who runs it |
//! | --- | --- | --- |
//! | dispatcher | HTTP API, OAuth callback, schedules, release, relay, sweep, requests of upstream services | `helpsync up`, `helpsync-dispatcher` |
//! | worker | consumers of the three lanes | `helpsync up`, `helpsync-worker` |
//!
//! `helpsync up` runs both over one store; the backends decide how far they may be apart. There is no second code
//! path for the embedded mode: it is the same roles on a SQLite file, an in-process queue and coordinator.

mod alive;
mod asked_anew;
mod audit;
mod broker_policies;
mod broker_rights;
mod collect;
mod connections;
mod doctor;
mod embeddings;
mod error;
mod forgotten;
mod front;
mod heads;
mod health;
mod history;
mod home;
mod json_lines;
mod keys;
mod logging;
mod parts;
mod process;
mod requests;
mod server;
mod signals;
mod telemetry;
#[cfg(test)]
mod testing;
mod text_fields;
mod traces;
mod webhooks;

pub use doctor::{Finding, Severity, clock_finding, examine_backends};
pub use error::AppError;
pub use home::{api_key_file, database_file, key_ring_file};
pub use keys::{KeySource, reseal_all};
pub use logging::{logs_json, start_logging};
pub use parts::{Parts, Runtime};
pub use process::{Process, Role};
pub use requests::{REQUEST_SCHEMA, Request, RequestAction, RequestError};
pub use signals::stop_signal;
