//! Socket.IO over a session. `server` imports from here, and `lib` for applications.
//!
//! - `packet`, `encode`: packets as clients send them; as the server sends them
//! - `client`: a session's sockets, and its events in their order; `handler`: what an application implements
//! - `core`: what namespaces and sockets are; `namespace`, `socket`, `acknowledgement`: what an application does with them;
//!   `lifecycle`: how a socket loses its connection and gets another
//! - `rooms`, `outgoing`, `reply`: parts of them; `recovery`, `snapshot`: connection state recovery, here and elsewhere

pub(crate) mod acknowledgement;
pub(crate) mod client;
pub(crate) mod core;
pub(crate) mod encode;
pub(crate) mod handler;
mod lifecycle;
mod namespace;
mod outgoing;
pub(crate) mod packet;
mod recovery;
pub(crate) mod reply;
pub(crate) mod rooms;
pub(crate) mod snapshot;
mod socket;
