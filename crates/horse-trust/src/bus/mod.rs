//! What carries an emit to the sockets of a room, wherever they are.

use socketio::{Namespace, SocketId};

/// Delivers events to rooms. Emits of one caller to one room arrive in the order in which they were made.
pub trait Bus: Send + Sync + 'static {
    /// Emits `event` with one argument, given as JSON, to every socket in `room` except `except`.
    fn emit(&self, room: &str, except: Option<SocketId>, event: &str, argument: &str);
}

/// The bus of a single node: the namespace's own rooms.
#[derive(Debug)]
pub struct LocalBus {
    namespace: Namespace,
}

impl LocalBus {
    /// A bus over the rooms of `namespace`.
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }
}

impl Bus for LocalBus {
    fn emit(&self, room: &str, except: Option<SocketId>, event: &str, argument: &str) {
        self.namespace.emit(room, except, event, argument);
    }
}
