//! What namespaces and sockets are: each knows the other. `namespace`, `socket` and `lifecycle` say what is done with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::config::Config;
use crate::driver::handle::SessionHandle;
use crate::log_id::LogId;
use crate::protocol::recovery::log::Log;
use crate::protocol::recovery::table::Recovery;
use crate::protocol::reply::Waiting;
use crate::protocol::rooms::{Rooms, SocketId};

/// A namespace: its rooms, and what is emitted to them. Clones are the same namespace.
#[derive(Clone)]
pub struct Namespace(pub(crate) Arc<NamespaceState>);

pub(crate) struct NamespaceState {
    name: Box<str>,
    pub(crate) rooms: Rooms<Socket>,
    pub(crate) max_rooms: usize,
    pub(crate) recovery: Option<Arc<Recovery<Socket>>>,
    next_socket: AtomicU64,
    pub(crate) next_offset: AtomicU64,
}

/// A client's socket in one namespace. Clones are the same socket.
#[derive(Clone)]
pub struct Socket(pub(crate) Arc<SocketState>);

pub(crate) struct SocketState {
    key: SocketId,
    sid: Box<str>,
    namespace: Namespace,
    pub(crate) rooms: Mutex<JoinedRooms>,
    pub(crate) link: Mutex<Link>,
    pub(crate) waiting: Mutex<Option<Box<Waiting>>>,
}

#[derive(Default)]
pub(crate) struct JoinedRooms {
    pub(crate) names: Vec<Arc<str>>,
    /// The socket has ended: it joins nothing any more.
    pub(crate) is_closed: bool,
}

/// What connects a socket to a session. Locked while an event is sent, so that a take-over neither loses
/// nor doubles one.
pub(crate) struct Link {
    /// `None` while the connection is lost, and after the end.
    pub(crate) session: Option<Arc<SessionHandle>>,
    /// Present if the socket may be recovered.
    pub(crate) log: Option<Box<Log>>,
}

impl Namespace {
    /// A namespace; [`Builder::with`](crate::Builder::with) says who lets clients in.
    pub fn new(name: &str, config: &Config) -> Self {
        Self(Arc::new(NamespaceState {
            name: name.into(),
            rooms: Rooms::new(),
            max_rooms: config.max_rooms,
            next_socket: AtomicU64::new(0),
            next_offset: AtomicU64::new(config.recovery.as_ref().map_or(1, |recovery| recovery.first_offset)),
            recovery: config.recovery.clone().map(|config| Arc::new(Recovery::new(config))),
        }))
    }

    /// The name, `/` or one that begins with a slash.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn recovery(&self) -> Option<&Arc<Recovery<Socket>>> {
        self.0.recovery.as_ref()
    }

    pub(crate) fn next_socket_id(&self) -> SocketId {
        SocketId(self.0.next_socket.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Namespace").field(&self.name()).finish()
    }
}

impl Socket {
    pub(crate) fn new(
        key: SocketId,
        sid: Box<str>,
        namespace: Namespace,
        session: Option<Arc<SessionHandle>>,
        log: Option<Box<Log>>,
    ) -> Self {
        Self(Arc::new(SocketState {
            key,
            sid,
            namespace,
            rooms: Mutex::default(),
            link: Mutex::new(Link { session, log }),
            waiting: Mutex::default(),
        }))
    }

    /// The id that the client knows as `socket.id`.
    pub fn id(&self) -> &str {
        &self.0.sid
    }

    /// Names the socket in the log.
    pub fn log_id(&self) -> LogId {
        LogId::of(&self.0.sid)
    }

    /// The id within this process.
    pub fn key(&self) -> SocketId {
        self.0.key
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Socket").field("id", &self.id()).finish_non_exhaustive()
    }
}
