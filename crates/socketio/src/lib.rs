//! A Socket.IO 5 / Engine.IO 4 server on tokio and hyper.

/// Tells one connected socket from all others of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u64);

/// A namespace: its sockets and their rooms.
#[derive(Debug, Clone)]
pub struct Namespace {}

impl Namespace {
    /// Emits `event` with one argument, given as JSON, to every socket in `room` except `except`.
    pub fn emit(&self, _room: &str, _except: Option<SocketId>, _event: &str, _argument: &str) {}
}
