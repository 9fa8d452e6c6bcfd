//! The queue on a real broker: the suite of the port, and what only a network can do to it.
//!
//! `HELPSYNC_TEST_AMQP_URL` names the broker (by default the one on this machine); without one the tests say that
//! they skip. Every test has its own names on the broker and deletes them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod dead;
mod examine;
mod fixture;
mod suite;
mod trouble;
