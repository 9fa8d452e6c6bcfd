//! A model of the job protocol, to be checked over every interleaving instead of a sample: release, outbox, publish,
//! deliver, lease, fence, end of a shard, stages, finalize, cancel.
//!
//! What moves a run, a shard or a connection, who may start and write, and when a lease is over are the product's own
//! functions (`helpsync_model`); the model adds the processes, the queue and what goes wrong with them. docs/protocol.md
//! says what is checked, to which bounds, and which function of the product each action stands for.

mod action;
mod bounds;
mod graph;
mod people;
mod perform;
mod processes;
mod properties;
mod protocol;
mod rows;
mod story;
mod time;

pub use action::{Action, End};
pub use bounds::{Bounds, Break};
pub use graph::{Graph, walk_graph};
pub use processes::{Dispatcher, Faults, Seen, State, Worker};
pub use properties::{
    ENDS, LEASE_KEPT, MESSAGE_KEPT, MET_CANCELLED, MET_DONE, MET_FAILED, MET_REFUSED, MET_REMOVAL,
    MET_SECOND, NO_SHARD_LOST, NO_STALE_WRITE, NO_UNCLEAN_REMOVAL, ONE_END,
};
pub use protocol::Protocol;
pub use rows::{Message, Rows, Run, Shard, ShardAt};
pub use story::story;
