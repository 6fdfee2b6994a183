//! The engine from outside, over real sockets: what the official protocol suites ask, what hostile peers
//! try, and connection state recovery.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod client;
mod engine_io;
mod hostile;
mod limits;
mod other_clients;
mod recovery;
mod server;
mod snapshot;
mod socket_io;
