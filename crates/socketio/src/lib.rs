//! A Socket.IO 5 / Engine.IO 4 server on tokio and hyper: ordered, bounded against every client, and small
//! per connection.
//!
//! One task a connection. Events of a socket are handed over one at a time, in the order in which they came.
//! A broadcast is encoded once, as a finished WebSocket frame that all receivers share. What waits for a
//! client is bounded in bytes; a client that can't keep up is closed, never skipped.
//!
//! The folders are layers; each imports from those above it in this list, never from those below:
//! - `config`, `address`, `log_id`, `token`: the bounds; what counts as one address; names for the log; ids that nobody can
//!   guess
//! - `engine`: Engine.IO without I/O: packets, frames, a session as a state machine
//! - `websocket`: WebSocket frames in (decoder) and out (stream)
//! - `driver`: sessions on tokio: the task of each, and the HTTP requests that poll, post and upgrade
//! - `protocol`: Socket.IO: packets, namespaces, rooms, sockets, connection state recovery
//! - `server`: how all of it is put together
//! - `http`: the accept loop, the client's address, handshakes, and the tower service that answers requests
//!
//! # Example
//!
//! ```no_run
//! use serde::Serialize;
//! use socketio::{Accept, Config, ConnectRequest, Connecting, Event, EventFuture};
//! use socketio::{ListenerConfig, NamespaceHandler, Server, Socket, SocketHandler};
//!
//! /// Lets everybody in.
//! struct Lobby;
//!
//! impl NamespaceHandler for Lobby {
//!     fn connect(&self, _: ConnectRequest<'_>) -> Connecting {
//!         Connecting::Done(Ok(Accept { handler: Box::new(Guest), recovery: None, snapshot: None }))
//!     }
//! }
//!
//! struct Guest;
//!
//! #[derive(Serialize)]
//! struct Said<'a> {
//!     by: &'a str,
//!     words: usize,
//! }
//!
//! impl SocketHandler for Guest {
//!     fn connected(&mut self, socket: &Socket, _recovered: bool) {
//!         socket.join("lobby").expect("a socket may be in many rooms");
//!     }
//!
//!     fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
//!         let said = Said { by: socket.id(), words: event.arguments.len() };
//!         let sent = socket.namespace().emit("lobby", Some(socket.key()), "said", &said);
//!         sent.and_then(|()| event.responder.send(true)).expect("both are JSON");
//!         None
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let server = Server::builder(Config::default()).namespace("/", Lobby).build();
//!     let router = axum::Router::new().route_service("/socket.io/", server);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     socketio::serve(listener, router, ListenerConfig::default(), std::future::pending()).await
//! }
//! ```

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
pub use protocol::acknowledgement::{Acknowledged, Responder};
pub use protocol::core::{Namespace, Socket};
pub use protocol::encode::EncodeError;
pub use protocol::handler::{
    Accept, ConnectError, ConnectRequest, Connecting, Event, EventFuture, LostSocket, NamespaceHandler,
    SocketHandler,
};
pub use protocol::reply::{Reply, SocketError};
pub use protocol::rooms::SocketId;
pub use protocol::snapshot::SocketSnapshot;
pub use server::{Builder, Server};
