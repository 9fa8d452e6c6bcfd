//! Redis behind the coordinator port.
//!
//! * A budget is one hash and one sorted set per account, in one cluster slot; each decision is one script, which
//!   reads the server's clock and runs the very steps of [`helpsync_coordinator::Budget`] (tested with equal inputs).
//! * Every call has its own short deadline and a breaker: a Redis that hangs must not hang the workers. An unanswered call
//!   may have happened; every script is safe to repeat (request ids, holders' tokens).
//! * A server that has become a replica, or a connection that has gone silent, is left for a new connection within seconds.
//! * While Redis is away each process permits from a small local share, never without bound: see [`RedisSettings::workers`].
//! * Nothing here must last. After `FLUSHALL` budgets restart at the caller's ceiling and learn again from the next answer.
//!   Yet the server must not evict keys at will: ask for `maxmemory-policy noeviction`
//!   ([`RedisCoordinator::eviction_policy`]).

mod breaker;
mod coordinator;
mod examine;
mod fallback;
mod link;
mod scripts;
mod settings;

pub use coordinator::RedisCoordinator;
pub use examine::RedisExam;
pub use settings::RedisSettings;
