//! All sessions of a server: found by their id, counted, and closed together.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::address::network;
use crate::config::Config;
use crate::driver::handle::SessionHandle;
use crate::driver::shared::Shared;
use crate::engine::close::{CloseCounts, CloseReason};
use crate::engine::opening::Opening;
use crate::engine::packet::open_packet;
use crate::token::token_after;

/// How many parts the table of sessions has, each with a lock of its own.
const SHARDS: usize = 16;
/// How often a portion of the sessions is closed, when they are closed one after another.
const CLOSE_INTERVAL: Duration = Duration::from_millis(20);

type Shard = Mutex<HashMap<Box<str>, Arc<SessionHandle>>>;

/// The sessions of a server.
pub(crate) struct Sessions {
    pub(crate) shared: Arc<Shared>,
    shards: [Shard; SHARDS],
    hasher: RandomState,
    /// Sessions of each address; empty if they are not limited.
    by_address: Mutex<HashMap<IpAddr, usize>>,
    opened: AtomicU64,
    closed: CloseCounts,
    /// Notified when the last session has ended.
    empty: Notify,
}

/// What the sessions are at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
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

impl Sessions {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            shared: Arc::new(Shared::new(config)),
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            by_address: Mutex::default(),
            opened: AtomicU64::new(0),
            closed: CloseCounts::default(),
            empty: Notify::new(),
        }
    }

    /// Opens a session. Its handshake packet is the first in its outbox. `None` if the address has as many as it may.
    pub(crate) fn open(&self, opening: Opening, is_polling: bool) -> Option<Arc<SessionHandle>> {
        let config = &self.shared.config;
        let address = network(opening.address);
        if let Some(most) = config.max_sessions_per_address {
            let mut by_address = self.by_address.lock();
            let count = by_address.entry(address).or_default();
            if *count >= most {
                tracing::debug!(%address, "a session over the limit was refused");
                return None;
            }
            *count += 1;
        }
        let sid = token_after(&config.session_prefix);
        let session = SessionHandle::new(sid.clone(), opening, Arc::clone(&self.shared), is_polling);
        self.shard(&sid).lock().insert(sid, Arc::clone(&session));
        self.shared.session_opened();
        self.opened.fetch_add(1, Ordering::Relaxed);
        session.push(&[open_packet(&session.sid, is_polling, config)]);
        Some(session)
    }

    /// The session with this id.
    pub(crate) fn find(&self, sid: &str) -> Option<Arc<SessionHandle>> {
        self.shard(sid).lock().get(sid).cloned()
    }

    /// Forgets a session that has ended.
    pub(crate) fn forget(&self, session: &SessionHandle, reason: CloseReason) {
        if self.shard(&session.sid).lock().remove(&session.sid).is_none() {
            return;
        }
        self.closed.count(reason);
        if self.shared.config.max_sessions_per_address.is_some() {
            let address = network(session.opening.address);
            let mut by_address = self.by_address.lock();
            if let Some(count) = by_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&address);
                }
            }
        }
        tracing::debug!(sid = %session.log_id(), %reason, "session closed");
        if self.shared.session_ended() {
            self.empty.notify_waiters();
        }
    }

    /// How many sessions were opened since the start.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many sessions ended, by reason.
    pub(crate) fn closed(&self) -> &CloseCounts {
        &self.closed
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        for shard in &self.shards {
            for session in shard.lock().values() {
                let (is_polling, bytes) = session.statistics();
                *(if is_polling { &mut statistics.polling } else { &mut statistics.websocket }) += 1;
                statistics.waiting_bytes += bytes;
                statistics.most_waiting_bytes = statistics.most_waiting_bytes.max(bytes);
            }
        }
        statistics
    }

    /// Closes all sessions in portions over the time `over`, and waits for their end, at most `time` from when the last
    /// was closed.
    pub(crate) async fn close_all(&self, over: Duration, time: Duration) {
        self.close_portions(over).await;
        let all_ended = async {
            loop {
                let notified = self.empty.notified();
                if self.shared.open_sessions() == 0 {
                    break;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(time, all_ended).await.is_err() {
            let open = self.shared.open_sessions();
            tracing::warn!(open, "sessions were still open when the time to close was over");
        }
    }

    async fn close_portions(&self, over: Duration) {
        let mut sessions: Vec<Arc<SessionHandle>> = Vec::new();
        for shard in &self.shards {
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

    fn shard(&self, sid: &str) -> &Shard {
        let hash = self.hasher.hash_one(sid);
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("a small number")]
    }
}
