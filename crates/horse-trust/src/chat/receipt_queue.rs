//! Receipts and unread counts until they are sent: of many in a short time, the last is sent.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::coalescer::Coalescer;
use crate::id::Id;
use crate::store::{Conversation, Unread};

/// A participant of a conversation: the store's key, and the index in `participants`.
pub(super) type Side = (i64, usize);

/// Receipts and unread counts that wait.
pub(super) struct Receipts {
    pub(super) delivered: Coalescer<Side, DeliveredReceipt>,
    pub(super) unread: Coalescer<(Id, i64), UnreadUpdate>,
    /// The last message of each side that has reached a device and is not stored as such.
    pub(super) unstored: Mutex<HashMap<Side, i64>>,
    pub(super) filled: Notify,
}

/// A message has reached a device.
pub(super) struct DeliveredReceipt {
    pub(super) conversation: Arc<Conversation>,
    pub(super) side: usize,
    pub(super) seq: i64,
}

/// A user's unread count has changed.
pub(super) struct UnreadUpdate {
    pub(super) conversation: Id,
    /// `None` if it has to be read from the store, because other nodes change it, too.
    pub(super) unread: Option<Unread>,
}

impl Receipts {
    pub(super) fn new() -> Self {
        Self {
            delivered: Coalescer::new(),
            unread: Coalescer::new(),
            unstored: Mutex::default(),
            filled: Notify::new(),
        }
    }
}
