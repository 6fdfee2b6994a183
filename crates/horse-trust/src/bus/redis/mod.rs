//! The bus of several nodes over the publish/subscribe of Redis (or Valkey).
//!
//! A node subscribes to the channels of the users who have a socket on it, and to one for all nodes. An event of a
//! conversation is published to the channels of its two participants, so a node that has neither does no work for it. The
//! sockets of the own node are notified first and never wait for Redis. Publish/subscribe may lose events. Messages must
//! not be lost: the sequencer orders them, and fills gaps from the store after a reconnect and after the death of a node.
//!
//! Imports run downwards: `bus` -> `publish`, `listen`, `presence`, `rates`, `recovery` -> `node` -> `link` -> `cluster`
//! -> `connect` -> `names`, `limits`.

mod bus;
mod cluster;
mod connect;
mod error;
mod limits;
mod link;
mod listen;
mod moved;
mod names;
mod node;
mod node_name;
mod presence;
mod publish;
mod queue;
mod rates;
mod recent_events;
mod recovery;

pub use self::error::RedisError;
pub use self::link::check;
pub use self::node::RedisBus;
pub use self::node_name::NodeName;
