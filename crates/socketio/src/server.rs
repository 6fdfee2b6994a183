//! The server: its sessions, its namespaces, and how it is put together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::driver::connection::Connection;
use crate::driver::handle::SessionHandle;
use crate::driver::handler::{EngineSocket, MessageHandler};
use crate::driver::sessions::{Sessions, Statistics};
use crate::engine::close::{CloseCounts, CloseReason};
use crate::engine::opening::Opening;
use crate::protocol::client::{Client, Namespaces};
use crate::protocol::core::Namespace;
use crate::protocol::handler::{NamespaceHandler, Served};
use crate::websocket::WebSocket;

/// A Socket.IO server. Clones share everything; it is a tower service to be mounted at `/socket.io/`.
#[derive(Clone)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
}

/// What speaks over the sessions.
enum Protocol {
    SocketIo(Arc<Namespaces>),
    /// A protocol of one's own on bare Engine.IO.
    Engine(Box<dyn Fn(EngineSocket) -> Box<dyn MessageHandler> + Send + Sync>),
}

/// What all clones of a server share.
pub(crate) struct Shared {
    pub(crate) sessions: Arc<Sessions>,
    protocol: Protocol,
    is_draining: AtomicBool,
}

/// Puts a [`Server`] together.
pub struct Builder {
    config: Config,
    namespaces: Namespaces,
}

impl Builder {
    /// Serves the namespace `name` (`/`, or a name that begins with a slash).
    #[must_use]
    pub fn namespace(self, name: &str, handler: impl NamespaceHandler) -> Self {
        let namespace = Namespace::new(name, &self.config);
        self.with(&namespace, handler)
    }

    /// Serves a namespace that was made before, so that its handler may hold it.
    #[must_use]
    pub fn with(mut self, namespace: &Namespace, handler: impl NamespaceHandler) -> Self {
        let served = Served { namespace: namespace.clone(), handler: Box::new(handler) };
        self.namespaces.insert(namespace.name().into(), served);
        self
    }

    /// The server.
    pub fn build(self) -> Server {
        Server::new(self.config, Protocol::SocketIo(Arc::new(self.namespaces)))
    }
}

impl Server {
    /// Begins a Socket.IO server.
    pub fn builder(config: Config) -> Builder {
        Builder { config, namespaces: Namespaces::new() }
    }

    /// A bare Engine.IO server: `accept` makes what takes the messages of a new session.
    pub fn engine(
        config: Config,
        accept: impl Fn(EngineSocket) -> Box<dyn MessageHandler> + Send + Sync + 'static,
    ) -> Self {
        Self::new(config, Protocol::Engine(Box::new(accept)))
    }

    fn new(config: Config, protocol: Protocol) -> Self {
        let sessions = Arc::new(Sessions::new(config));
        Self { shared: Arc::new(Shared { sessions, protocol, is_draining: AtomicBool::new(false) }) }
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.shared.sessions.shared.open_sessions()
    }

    /// How many sessions were opened since the start.
    pub fn opened_sessions(&self) -> u64 {
        self.shared.sessions.opened()
    }

    /// How many sessions ended, by reason.
    pub fn closed_sessions(&self) -> &CloseCounts {
        self.shared.sessions.closed()
    }

    /// Looks at all sessions: nothing is counted on their way, so this takes about a millisecond for 10 000.
    pub fn statistics(&self) -> Statistics {
        self.shared.sessions.statistics()
    }

    /// Opens no further session: handshakes are answered with 503.
    pub fn stop_accepting(&self) {
        self.shared.is_draining.store(true, Ordering::Release);
    }

    /// Closes all sessions in a way that clients connect again, each after its events in work were
    /// acknowledged and sent: evenly over the time `over`, so that not all clients come back elsewhere at once.
    /// Waits for their end, at most `time` from when the last was closed.
    pub async fn close_sessions(&self, over: Duration, time: Duration) {
        self.stop_accepting();
        self.shared.sessions.close_all(over, time).await;
    }
}

impl Shared {
    pub(crate) fn config(&self) -> &Config {
        &self.sessions.shared.config
    }

    /// Opens a session and starts its task; over polling if there is no `websocket`. `None` if the address has as many as
    /// it may.
    pub(crate) fn open(&self, opening: Opening, websocket: Option<WebSocket>) -> Option<Arc<SessionHandle>> {
        let session = self.sessions.open(opening, websocket.is_none())?;
        let handler: Box<dyn MessageHandler> = match &self.protocol {
            Protocol::SocketIo(namespaces) => {
                Box::new(Client::new(Arc::clone(&session), Arc::clone(namespaces)))
            }
            Protocol::Engine(accept) => accept(EngineSocket(Arc::clone(&session))),
        };
        let (handle, sessions) = (Arc::clone(&session), Arc::clone(&self.sessions));
        tokio::spawn(Connection::new(handle, sessions, handler, websocket.map(Box::new)).run());
        // Its handshake may have come before the end was decided.
        if self.is_draining() {
            session.close(CloseReason::Shutdown);
        }
        Some(session)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }
}
