//! Puts the messages of one user into the order of their positions. Pure: it reads no store and knows no clock, so that
//! tests can drive it through any order, loss and repetition.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::delegate::StoredMessage;
use super::event::MessageEvent;
use super::replay_state::LastSeqs;
use crate::callback::Callback;
use crate::store::UserPosition;

/// A message until both participants that it concerns here have received it.
pub(super) struct Pending {
    message: MessageEvent,
    /// For a message of this node: called when both have received it.
    delivered: Mutex<Option<Callback<()>>>,
    is_remote: bool,
}

impl Pending {
    /// A message of this node, or one of another node if nobody waits for its delivery.
    pub(super) fn new(message: MessageEvent, delivered: Option<Callback<()>>) -> Arc<Self> {
        let is_remote = delivered.is_none();
        Arc::new(Self { message, delivered: Mutex::new(delivered), is_remote })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(delivered) = self.delivered.get_mut().take() {
            delivered(());
        }
    }
}

/// Where the devices of one user are in the sequence of the user's messages.
pub(super) struct UserSequence {
    /// The position of the last delivered message.
    position: i64,
    /// The last delivered message of each conversation, by the store's key. Their sum is `position`.
    seqs: LastSeqs,
    /// Messages that arrived before those that precede them, by position.
    waiting: BTreeMap<i64, Arc<Pending>>,
    /// Whether a task catches up with the store.
    is_catching_up: bool,
    /// Whether the store has to be read although no message waits.
    must_query_store: bool,
}

impl UserSequence {
    /// A sequence that goes on where the store is now.
    pub(super) fn new(ends: &UserPosition) -> Self {
        Self {
            position: ends.position,
            seqs: ends.conversations.iter().map(|(conversation, seq)| (conversation.key, *seq)).collect(),
            waiting: BTreeMap::new(),
            is_catching_up: false,
            must_query_store: false,
        }
    }

    /// The position of the last delivered message.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// The last delivered message of each conversation, by the store's key.
    pub(super) fn seqs(&self) -> &LastSeqs {
        &self.seqs
    }

    /// Whether messages wait for those that precede them.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a task catches up with the store.
    pub(super) fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// A message has arrived, from whatever node. Calls `deliver` for all that are next, with whether another node sent
    /// them; a repetition is ignored.
    pub(super) fn receive(
        &mut self,
        position: i64,
        message: &Arc<Pending>,
        deliver: impl FnMut(&MessageEvent, bool),
    ) {
        if position > self.position {
            self.waiting.insert(position, Arc::clone(message));
            self.advance(deliver);
        }
    }

    /// The store may have messages that never arrive.
    pub(super) fn suspect_gap(&mut self) {
        self.must_query_store = true;
    }

    /// Whether a task has to be started that catches up with the store; from then on it counts as started.
    pub(super) fn start_catch_up(&mut self) -> bool {
        let must_start = !self.is_catching_up && (self.must_query_store || self.has_waiting());
        self.is_catching_up |= must_start;
        must_start
    }

    /// The catching-up task is about to read the store: answers after which messages, or `None` if the gap has closed by
    /// itself and the task ends.
    pub(super) fn begin_read(&mut self) -> Option<LastSeqs> {
        if !std::mem::take(&mut self.must_query_store) && !self.has_waiting() {
            self.is_catching_up = false;
            return None;
        }
        Some(self.seqs.clone())
    }

    /// The catching-up task has read what the store has after [`UserSequence::begin_read`] up to `ends`, in the order of
    /// commits. Calls `deliver` for what did not arrive meanwhile. Answers how many messages filled a gap, and whether
    /// the task is done.
    pub(super) fn fill_gap(
        &mut self,
        ends: &UserPosition,
        stored: Vec<StoredMessage>,
        mut deliver: impl FnMut(&MessageEvent, bool),
    ) -> (usize, bool) {
        let mut filled = 0;
        for StoredMessage { conversation, seq, event, .. } in stored {
            if self.seqs.get(&conversation).is_some_and(|delivered| *delivered >= seq) {
                continue;
            }
            self.seqs.insert(conversation, seq);
            if let Some(event) = event {
                deliver(&event, true);
                filled += 1;
            }
        }
        self.position = self.position.max(ends.position);
        // Dropping what was just delivered notifies its sender.
        self.waiting = self.waiting.split_off(&(self.position + 1));
        self.advance(deliver);
        self.is_catching_up = self.must_query_store || self.has_waiting();
        (filled, !self.is_catching_up)
    }

    fn advance(&mut self, mut deliver: impl FnMut(&MessageEvent, bool)) {
        while let Some(pending) = self.waiting.remove(&(self.position + 1)) {
            self.position += 1;
            self.seqs.insert(pending.message.conversation.key, pending.message.seq);
            deliver(&pending.message, pending.is_remote);
        }
    }
}
