//! A Socket.IO 5 / Engine.IO 4 server on tokio and hyper: ordered, bounded against every client, and small
//! per connection.
//!
//! One task a connection. Events of a socket are handed over one at a time, in the order in which they came.
//! A broadcast is encoded once, as a finished WebSocket frame that all receivers share. What waits for a
//! client is bounded in bytes; a client that can't keep up is closed, never skipped.
//!
//! Where to look, from the wire inwards:
//! - `listener`: the accept loop; `head_time`: how long a request's head may take; `forwarded`: the client's address behind proxies; `service`: the tower service that
//!   answers requests
//! - `handshake`: a request's query; `opening`: what is kept of it; `upgrade`: from polling to WebSocket
//! - `websocket`: frames in and out; `polling`: GET and POST bodies; `compression`: of the first
//! - `session`: one Engine.IO session as all see it; `connection`: the task that runs it
//! - `binary_text`: binary packets in text form
//! - `packet`: packets as clients send them; `frame`: packets as the server sends them
//! - `client`: the Socket.IO side of a session; `socket`, `namespace`, `rooms`: what an application uses
//! - `recovery`: connection state recovery; `hand_over`: from one server to another
//! - `budget`: what all sessions may hold together
//! - `server`: sessions, namespaces, counts; `config`: the bounds; `close`: why sessions end

mod binary_text;
mod budget;
mod client;
mod close;
mod compression;
mod config;
mod connection;
mod forwarded;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hand_over;
mod handshake;
mod head_time;
mod listener;
mod log_id;
mod namespace;
mod opening;
mod packet;
mod polling;
mod recovery;
mod rooms;
mod server;
mod service;
mod session;
mod socket;
mod token;
mod upgrade;
mod websocket;

pub use close::{CloseCounts, CloseReason};
pub use config::{Config, RecoveryConfig};
pub use connection::{EngineSocket, Message, MessageHandler};
pub use forwarded::client_address;
pub use hand_over::HandedOver;
pub use listener::{ClientAddress, ListenerConfig, network, raise_descriptor_limit, serve};
pub use log_id::LogId;
pub use namespace::{
    Accept, ConnectRequest, Connecting, Event, EventFuture, LostSocket, Namespace, NamespaceHandler, Refuse,
    SocketHandler,
};
pub use opening::Handshake;
pub use server::{Builder, Server, Statistics};
pub use service::ServiceResponse;
pub use socket::{Acknowledged, Reply, Responder, Socket, SocketError, SocketId};
