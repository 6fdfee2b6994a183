//! A Socket.IO 5 / Engine.IO 4 server on tokio and hyper: ordered, bounded against every client, and small
//! per connection.
//!
//! One task a connection. Events of a socket are handed over one at a time, in the order in which they came.
//! A broadcast is encoded once, as a finished WebSocket frame that all receivers share. What waits for a
//! client is bounded in bytes; a client that can't keep up is closed, never skipped.
//!
//! The folders are layers; each imports from those above it in this list, never from those below:
//! - `config`, `log_id`, `token`: the bounds; names for the log; ids that nobody can guess
//! - `engine`: Engine.IO without I/O: packets, frames, why sessions end
//! - `websocket`: WebSocket frames in (decoder) and out (stream)
//! - `driver`: the tokio task of a session, and the HTTP requests that poll, post and upgrade
//! - `protocol`: Socket.IO: packets, namespaces, rooms, sockets, connection state recovery
//! - `http`: the accept loop, the client's address, handshakes, and the tower service that answers requests
//! - `server`: sessions, namespaces, counts

mod address;
mod config;
mod driver;
mod engine;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod log_id;
mod protocol;
mod server;
mod token;
mod websocket;

pub use self::http::forwarded::client_address;
pub use self::http::listener::{ListenerConfig, raise_descriptor_limit, serve};
pub use self::http::service::ServiceResponse;
pub use address::{ClientAddress, network};
pub use config::{Config, RecoveryConfig};
pub use driver::handler::{EngineSocket, Message, MessageHandler};
pub use driver::sessions::Statistics;
pub use engine::close::{CloseCounts, CloseReason};
pub use engine::opening::Handshake;
pub use log_id::LogId;
pub use protocol::hand_over::HandedOver;
pub use protocol::namespace::{
    Accept, ConnectRequest, Connecting, Event, EventFuture, LostSocket, Namespace, NamespaceHandler, Refuse,
    SocketHandler,
};
pub use protocol::socket::{Acknowledged, Reply, Responder, Socket, SocketError, SocketId};
pub use server::{Builder, Server};
