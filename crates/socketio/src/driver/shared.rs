//! What all sessions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Config;
use crate::driver::budget::Budget;

/// The bounds of each session, and of all together.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// What waits to be sent to all clients.
    pub(crate) waiting: Arc<Budget>,
    /// Messages that have begun and not ended.
    pub(crate) unfinished: Arc<Budget>,
    open: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            waiting: Budget::new(config.max_waiting_bytes),
            unfinished: Budget::new(config.max_unfinished_bytes),
            config: Arc::new(config),
            open: AtomicUsize::new(0),
        }
    }

    /// How many sessions are open.
    pub(crate) fn open_sessions(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn session_opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers whether it was the last one.
    pub(crate) fn session_ended(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
