//! What this process writes to the outbox; each engine asks it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crc::{CRC_64_XZ, Crc};
use tokio::sync::Notify;

use super::clock::milliseconds;
use super::types::{EventKind, EventKinds, Outbox, SubscriberId};
use crate::id::Id;

/// The plan, once there is one. Without one a write looks at this and goes on.
pub(super) type SharedPlan = Arc<OnceLock<OutboxPlan>>;

/// Which events are written, for whom.
pub(super) struct OutboxPlan {
    subscribers: Vec<i16>,
    kinds: EventKinds,
    unseen_after: Duration,
    added: Arc<Notify>,
    has_added: AtomicBool,
    /// The last number that was given, where this process gives them.
    last_number: AtomicI64,
}

impl OutboxPlan {
    pub(super) fn new(
        subscribers: Vec<i16>,
        kinds: EventKinds,
        unseen_after: Duration,
        last_number: i64,
    ) -> Self {
        Self {
            subscribers,
            kinds,
            unseen_after,
            added: Arc::default(),
            has_added: AtomicBool::new(false),
            last_number: AtomicI64::new(last_number),
        }
    }

    /// What the sender of events needs of it.
    pub(super) fn outbox(&self) -> Outbox {
        let subscribers = self.subscribers.iter().copied().map(SubscriberId).collect();
        Outbox { subscribers, added: Arc::clone(&self.added) }
    }

    /// Who wants events of this kind.
    pub(super) fn subscribers(&self, kind: EventKind) -> &[i16] {
        if self.kinds.contains(kind) { &self.subscribers } else { &[] }
    }

    /// After how many milliseconds without a device `message.unseen` is due for a recipient; `None` if nobody subscribes to it.
    pub(super) fn unseen_after(&self) -> Option<i64> {
        self.kinds.contains(EventKind::MessageUnseen).then(|| milliseconds(self.unseen_after))
    }

    /// The next number. One that is given in a transaction that fails is not given again.
    pub(super) fn next_number(&self) -> i64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that the transaction adds events.
    pub(super) fn note_added(&self) {
        self.has_added.store(true, Ordering::Relaxed);
    }

    /// Notifies the sender if a transaction that was just committed has added events.
    pub(super) fn after_commit(&self) {
        if self.has_added.swap(false, Ordering::Relaxed) {
            self.added.notify_one();
        }
    }
}

/// The lane of what happens between two users, in whatever order they are given: a negative number, as the keys of
/// conversations are positive. Two pairs that share one wait for each other, and nothing worse.
pub(super) fn lane_of_pair(one: &Id, other: &Id) -> i64 {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    let digest = Crc::<u64>::new(&CRC_64_XZ).checksum(format!("{first} {second}").as_bytes());
    -1 - i64::try_from(digest >> 1).unwrap_or(0)
}
