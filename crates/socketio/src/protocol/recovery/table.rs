//! The sockets of a namespace that may be recovered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::RecoveryConfig;
use crate::protocol::recovery::log::{Bytes, Log};
use crate::protocol::recovery::lost::{LostEntry, LostSockets};

/// A socket that ends when nobody came back for it.
pub(crate) trait Expire: Clone + Send + Sync + 'static {
    /// Ends the socket if its connection is lost since `lost_at`.
    fn expire(&self, lost_at: Instant);
}

/// The recovery of a namespace.
pub(crate) struct Recovery<S> {
    pub(crate) config: RecoveryConfig,
    /// Sockets that may be recovered, by their private id: lost ones, and those that are connected, because
    /// a client notices the loss before the server does.
    sockets: Mutex<Table<S>>,
    /// Bytes in all logs.
    bytes: Arc<Bytes>,
}

struct Table<S> {
    by_pid: HashMap<Box<str>, S>,
    lost: LostSockets,
    /// Whether a task waits to forget the first of `lost`.
    is_swept: bool,
}

impl<S: Expire> Recovery<S> {
    pub(crate) fn new(config: RecoveryConfig) -> Self {
        let table = Table { by_pid: HashMap::new(), lost: LostSockets::default(), is_swept: false };
        Self { config, sockets: Mutex::new(table), bytes: Arc::default() }
    }

    pub(crate) fn new_log(&self, pid: Box<str>, owner: &str) -> Log {
        Log::new(pid, owner, &self.bytes)
    }

    pub(crate) fn remember(&self, pid: &str, socket: &S) {
        self.sockets.lock().by_pid.insert(pid.into(), socket.clone());
    }

    pub(crate) fn forget(&self, pid: &str) {
        self.sockets.lock().by_pid.remove(pid);
    }

    pub(crate) fn find(&self, pid: &str) -> Option<S> {
        self.sockets.lock().by_pid.get(pid).cloned()
    }

    /// A socket of `owner` has lost its connection: it is forgotten after the window, and at once if there are too many
    /// and nobody has more than the owner.
    pub(crate) fn lost(self: &Arc<Self>, pid: &str, owner: &str, at: Instant) {
        let mut table = self.sockets.lock();
        table.lost.push(at, pid, owner);
        let mut expired = Vec::new();
        while table.lost.len() > self.config.max_lost_sockets {
            expired.extend(table.lost.pop_of_most());
        }
        if !table.is_swept {
            table.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        drop(table);
        self.expire(expired);
    }

    /// Forgets those sockets that are still lost since then.
    fn expire(&self, lost: Vec<LostEntry>) {
        for LostEntry { at, pid, .. } in lost {
            if let Some(socket) = self.find(&pid) {
                socket.expire(at);
            }
        }
    }

    /// Forgets whose time is over, some of them; answers how long to wait for the next, `None` if none is lost.
    fn expire_due(&self, now: Instant) -> Option<Duration> {
        let mut table = self.sockets.lock();
        let window = self.config.window;
        let until = now.checked_sub(window);
        let pop = || table.lost.pop_before(until?);
        let expired: Vec<_> = std::iter::from_fn(pop).take(EXPIRED_AT_ONCE).collect();
        let next = table.lost.first().map(|at| (at + window).saturating_duration_since(now));
        if next.is_none() {
            table.lost = LostSockets::default();
        }
        table.is_swept = next.is_some();
        drop(table);
        self.expire(expired);
        next
    }
}

/// How many sockets are forgotten at once: many that were lost together are no reason for the others to wait.
const EXPIRED_AT_ONCE: usize = 256;

/// Forgets lost sockets when their time is over; ends when none is left.
async fn sweep<S: Expire>(recovery: std::sync::Weak<Recovery<S>>) {
    loop {
        let next = match recovery.upgrade() {
            Some(recovery) => recovery.expire_due(Instant::now()),
            None => return,
        };
        let Some(wait) = next else { return };
        tokio::time::sleep(wait + Duration::from_millis(1)).await;
    }
}
