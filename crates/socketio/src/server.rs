//! The server: its sessions, its namespaces, its counts.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::Config;
use crate::driver::budget::Budget;
use crate::driver::connection::{Connection, EngineSocket, MessageHandler};
use crate::driver::session::Session;
use crate::engine::close::{CloseCounts, CloseReason};
use crate::engine::frame::Frame;
use crate::http::handshake;
use crate::http::listener::network;
use crate::http::opening::Opening;
use crate::protocol::client::Client;
use crate::protocol::namespace::{Namespace, NamespaceHandler};
use crate::token::token_after;
use crate::websocket::WebSocket;

/// How many parts the table of sessions has, each with a lock of its own.
const SHARDS: usize = 16;
/// How often a portion of the sessions is closed, when they are closed one after another.
const CLOSE_INTERVAL: Duration = Duration::from_millis(20);

/// A Socket.IO server. Clones share everything; it is a tower service to be mounted at `/socket.io/`.
#[derive(Clone)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
}

/// What speaks over the sessions.
enum Protocol {
    SocketIo(HashMap<Box<str>, Namespace>),
    /// A protocol of one's own on bare Engine.IO.
    Engine(Box<dyn Fn(EngineSocket) -> Box<dyn MessageHandler> + Send + Sync>),
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    protocol: Protocol,
    sessions: [Mutex<HashMap<Box<str>, Arc<Session>>>; SHARDS],
    hasher: RandomState,
    /// Sessions of each address; empty if they are not limited.
    by_address: Mutex<HashMap<IpAddr, usize>>,
    open: AtomicUsize,
    opened: AtomicU64,
    closed: CloseCounts,
    draining: AtomicBool,
    /// What waits to be sent to all clients.
    pub(crate) waiting: Arc<Budget>,
    /// Messages that have begun and not ended.
    pub(crate) unfinished: Arc<Budget>,
    /// Told when the last session has ended.
    empty: Notify,
    /// The ping packet, made once.
    pub(crate) ping: Frame,
}

/// What the sessions are at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Sessions over WebSocket.
    pub websocket: usize,
    /// Sessions over HTTP long-polling, those included that will upgrade.
    pub polling: usize,
    /// Bytes that wait to be sent to clients.
    pub waiting_bytes: usize,
    /// Bytes that wait for the client for which most do.
    pub most_waiting_bytes: usize,
}

/// Puts a [`Server`] together.
pub struct Builder {
    config: Config,
    namespaces: HashMap<Box<str>, Namespace>,
}

impl Builder {
    /// Serves the namespace `name` (`/`, or a name that begins with a slash).
    #[must_use]
    pub fn namespace(mut self, name: &str, handler: impl NamespaceHandler) -> Self {
        let namespace = Namespace::new(name, &self.config);
        namespace.serve(Box::new(handler));
        self.namespaces.insert(name.into(), namespace);
        self
    }

    /// Serves a namespace that was made before, so that its handler may hold it.
    #[must_use]
    pub fn with(mut self, namespace: &Namespace) -> Self {
        self.namespaces.insert(namespace.name().into(), namespace.clone());
        self
    }

    /// The server.
    pub fn build(self) -> Server {
        Server::new(self.config, Protocol::SocketIo(self.namespaces))
    }
}

impl Server {
    /// Begins a Socket.IO server.
    pub fn builder(config: Config) -> Builder {
        Builder { config, namespaces: HashMap::new() }
    }

    /// A bare Engine.IO server: `accept` makes what takes the messages of a new session.
    pub fn engine(
        config: Config,
        accept: impl Fn(EngineSocket) -> Box<dyn MessageHandler> + Send + Sync + 'static,
    ) -> Self {
        Self::new(config, Protocol::Engine(Box::new(accept)))
    }

    fn new(config: Config, protocol: Protocol) -> Self {
        Self {
            shared: Arc::new(Shared {
                waiting: Budget::new(config.max_waiting_bytes),
                unfinished: Budget::new(config.max_unfinished_bytes),
                config,
                protocol,
                sessions: std::array::from_fn(|_| Mutex::default()),
                hasher: RandomState::new(),
                by_address: Mutex::default(),
                open: AtomicUsize::new(0),
                opened: AtomicU64::new(0),
                closed: CloseCounts::default(),
                draining: AtomicBool::new(false),
                empty: Notify::new(),
                ping: Frame::text("2"),
            }),
        }
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.shared.open_sessions()
    }

    /// How many sessions were opened since the start.
    pub fn opened_sessions(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// How many sessions ended, by reason.
    pub fn closed_sessions(&self) -> &CloseCounts {
        &self.shared.closed
    }

    /// Looks at all sessions: nothing is counted on their way, so this takes about a millisecond for 10 000.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        for shard in &self.shared.sessions {
            for session in shard.lock().values() {
                let (is_polling, bytes) = session.statistics();
                *(if is_polling { &mut statistics.polling } else { &mut statistics.websocket }) += 1;
                statistics.waiting_bytes += bytes;
                statistics.most_waiting_bytes = statistics.most_waiting_bytes.max(bytes);
            }
        }
        statistics
    }

    /// Opens no further session: handshakes are answered with 503.
    pub fn stop_accepting(&self) {
        self.shared.draining.store(true, Ordering::Release);
    }

    /// Closes all sessions in a way that clients connect again, each after its events in work were
    /// acknowledged and sent: evenly over the time `over`, so that not all clients come back elsewhere at once.
    /// Waits for their end, at most `time` from when the last was closed.
    pub async fn close_sessions(&self, over: Duration, time: Duration) {
        self.stop_accepting();
        self.shared.close_portions(over).await;
        let all_ended = async {
            loop {
                let notified = self.shared.empty.notified();
                if self.open_sessions() == 0 {
                    break;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(time, all_ended).await.is_err() {
            tracing::warn!(
                open = self.open_sessions(),
                "sessions were still open when the time to close was over"
            );
        }
    }
}

impl Shared {
    /// Closes the sessions in portions over the time `over`.
    async fn close_portions(&self, over: Duration) {
        let mut sessions: Vec<Arc<Session>> = Vec::new();
        for shard in &self.sessions {
            sessions.extend(shard.lock().values().cloned());
        }
        let portions = usize::try_from(over.as_millis() / CLOSE_INTERVAL.as_millis()).unwrap_or(usize::MAX);
        let portion = sessions.len().div_ceil(portions.max(1)).max(1);
        let mut interval = tokio::time::interval(CLOSE_INTERVAL);
        while !sessions.is_empty() {
            interval.tick().await;
            let rest = sessions.len().saturating_sub(portion);
            for session in sessions.drain(rest..) {
                session.close(CloseReason::Shutdown);
            }
        }
    }

    /// Opens a session and starts its task; over polling if there is no `websocket`. Its handshake packet is
    /// the first in its outbox. `None` if the address has as many as it may.
    pub(crate) fn open(
        self: &Arc<Self>,
        opening: Opening,
        websocket: Option<WebSocket>,
    ) -> Option<Arc<Session>> {
        let address = network(opening.address);
        if let Some(most) = self.config.max_sessions_per_address {
            let mut by_address = self.by_address.lock();
            let count = by_address.entry(address).or_default();
            if *count >= most {
                tracing::debug!(%address, "a session over the limit was refused");
                return None;
            }
            *count += 1;
        }
        let sid = token_after(&self.config.session_prefix);
        let is_polling = websocket.is_none();
        let session = Session::new(sid.clone(), opening, Arc::clone(self), is_polling);
        self.shard(&sid).lock().insert(sid, Arc::clone(&session));
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
        session.push(&[handshake::open_packet(&session.sid, is_polling, &self.config)]);
        let handler: Box<dyn MessageHandler> = match &self.protocol {
            Protocol::SocketIo(_) => Box::new(Client::new(Arc::clone(&session))),
            Protocol::Engine(accept) => accept(EngineSocket(Arc::clone(&session))),
        };
        tokio::spawn(Connection::new(Arc::clone(&session), handler, websocket.map(Box::new)).run());
        // Its handshake may have come before the end was decided.
        if self.is_draining() {
            session.close(CloseReason::Shutdown);
        }
        Some(session)
    }

    pub(crate) fn session(&self, sid: &str) -> Option<Arc<Session>> {
        self.shard(sid).lock().get(sid).cloned()
    }

    pub(crate) fn forget(&self, session: &Session, reason: CloseReason) {
        if self.shard(&session.sid).lock().remove(&session.sid).is_some() {
            self.closed.count(reason);
            if self.config.max_sessions_per_address.is_some() {
                let mut by_address = self.by_address.lock();
                if let Some(count) = by_address.get_mut(&network(session.opening.address)) {
                    *count -= 1;
                    if *count == 0 {
                        by_address.remove(&network(session.opening.address));
                    }
                }
            }
            tracing::debug!(sid = %session.log_id(), %reason, "session closed");
            if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.empty.notify_waiters();
            }
        }
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        match &self.protocol {
            Protocol::SocketIo(namespaces) => namespaces.get(name),
            Protocol::Engine(_) => None,
        }
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    fn shard(&self, sid: &str) -> &Mutex<HashMap<Box<str>, Arc<Session>>> {
        let hash = self.hasher.hash_one(sid);
        &self.sessions[usize::try_from(hash % SHARDS as u64).expect("a small number")]
    }
}
