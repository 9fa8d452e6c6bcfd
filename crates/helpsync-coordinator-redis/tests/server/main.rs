//! The coordinator on a real Redis: the suite of the port, and what happens when the server goes or forgets.
//!
//! `HELPSYNC_TEST_REDIS_URL` names the shared server (by default the one on this machine); every test has keys of its
//! own there. Tests that stop or flush a server start one for themselves; without `redis-server` they say that they skip.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod cost;
mod examine;
mod failover;
mod outage;
mod own_server;
mod suite;
