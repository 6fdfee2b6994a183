//! Delivers the messages of all nodes in one order for each user, and fills gaps from the store: no receiver misses a
//! message, receives one twice, or out of order.
//!
//! The store counts the messages of each user over all conversations in the order of commits, so a message has a position
//! for each of its two participants. A user's devices receive messages by position. The next one is delivered at once. One
//! that is ahead waits a moment for those that precede it, which are most often under way; then they are read from the
//! store. So a device receives the messages of all its conversations in the order of their ids, and the last id that it
//! has says what it has: a replay from there misses nothing, on whatever node.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::api::Subscribe as _;
use super::delegate::{Delegate, StoredMessage};
use super::event::MessageEvent;
use super::hub::Hub;
use super::replay_state::LastSeqs;
use super::user_sequence::{Pending, UserSequence};
use crate::callback::Callback;
use crate::id::Id;
use crate::metrics::BusMetrics;
use crate::store::{Conversation, StoreError, UserPosition};

/// How long a message waits for those that precede it, before the store is read.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long after a failure the store is read again.
const RETRY: Duration = Duration::from_millis(300);
/// How long a replay waits until the messages that it had are delivered to the other sockets here, too.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);
/// How many users are looked up in one read.
const BATCH: usize = 500;

pub(super) struct Sequencer {
    pub(super) hub: Arc<Hub>,
    metrics: Arc<BusMetrics>,
    delegate: OnceLock<Weak<dyn Delegate>>,
    /// While it is locked, no message is delivered to a user.
    pub(super) subscribers: Mutex<HashMap<Id, Subscriber>>,
    /// Itself, for the tasks that it starts.
    pub(super) me: Weak<Self>,
}

/// A user who has a device here, or is about to.
#[derive(Default)]
pub(super) struct Subscriber {
    /// How many devices there are.
    devices: usize,
    /// What the devices have received; `None` until the store has answered.
    pub(super) sequence: Option<UserSequence>,
}

impl Sequencer {
    pub(super) fn new(hub: Arc<Hub>, metrics: Arc<BusMetrics>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            hub,
            metrics,
            delegate: OnceLock::new(),
            subscribers: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Where gaps are filled from; the first call counts.
    pub(super) fn set_delegate(&self, delegate: Weak<dyn Delegate>) {
        drop(self.delegate.set(delegate));
    }

    pub(super) fn delegate(&self) -> Option<Arc<dyn Delegate>> {
        self.delegate.get()?.upgrade()
    }

    /// A device of `user` is about to connect; answers whether the user's sequence is known already.
    pub(super) fn add_device(&self, user: &Id) -> bool {
        let mut subscribers = self.subscribers.lock();
        let subscriber = subscribers.entry(user.clone()).or_default();
        subscriber.devices += 1;
        subscriber.sequence.is_some()
    }

    /// A device of `user` is no longer here.
    pub(super) fn remove_device(&self, user: &Id) {
        if let Some(subscriber) = self.subscribers.lock().get_mut(user) {
            subscriber.devices = subscriber.devices.saturating_sub(1);
        }
    }

    /// The users who have a device here.
    pub(super) fn users(&self) -> Vec<Id> {
        self.subscribers.lock().keys().cloned().collect()
    }

    /// Forgets users without a connected or recoverable socket here. `gone` is called for each before a device of the
    /// user can be added again.
    pub(super) fn sweep(&self, gone: impl FnMut(Id)) {
        let is_gone = |user: &Id, subscriber: &Subscriber| {
            let waits = subscriber.sequence.as_ref().is_some_and(UserSequence::has_waiting);
            subscriber.devices == 0 && !waits && !self.hub.has_socket(user)
        };
        let mut subscribers = self.subscribers.lock();
        subscribers
            .extract_if(|user, subscriber| is_gone(user, subscriber))
            .map(|(user, _)| user)
            .for_each(gone);
    }

    /// From then on the devices of `user` receive what is new. Waits for the store.
    pub(super) async fn start_sequence(&self, user: &Id) {
        loop {
            let Some(delegate) = self.delegate() else { return };
            match position_of(&*delegate, user).await {
                Ok(ends) => {
                    if let Some(subscriber) = self.subscribers.lock().get_mut(user) {
                        subscriber.sequence.get_or_insert_with(|| UserSequence::new(&ends));
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, %user, "reading where a user's conversations end failed");
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// A message has arrived; of this node if somebody waits until it is delivered.
    pub(super) fn receive(&self, message: MessageEvent, delivered: Option<Callback<()>>) {
        let conversation = Arc::clone(&message.conversation);
        let positions = message.positions;
        let pending = Pending::new(message, delivered);
        let mut subscribers = self.subscribers.lock();
        for (user, position) in conversation.participants.iter().zip(positions) {
            if let Some(sequence) = sequence_of(&mut subscribers, user) {
                sequence.receive(position, &pending, |message, is_remote| {
                    self.deliver(user, message, is_remote);
                });
                self.start_catch_up(user, sequence, PATIENCE);
            }
        }
        // If nobody waits for it, its sender is notified now, without the lock.
        drop(subscribers);
        drop(pending);
    }

    /// A conversation may have messages that were never published.
    pub(super) fn recheck(&self, conversation: &Conversation) {
        let mut subscribers = self.subscribers.lock();
        for user in &conversation.participants {
            if let Some(sequence) = sequence_of(&mut subscribers, user) {
                sequence.suspect_gap();
                self.start_catch_up(user, sequence, Duration::ZERO);
            }
        }
    }

    /// Messages of other nodes may be lost: compares all users with the store.
    pub(super) async fn catch_up_all(&self) {
        for users in self.users().chunks(BATCH) {
            let positions = loop {
                let Some(delegate) = self.delegate() else { return };
                match delegate.positions_of(users.to_vec()).await {
                    Ok(positions) => break positions,
                    Err(error) => tracing::warn!(%error, "reading the positions of users failed"),
                }
                tokio::time::sleep(RETRY).await;
            };
            let mut subscribers = self.subscribers.lock();
            for (user, position) in positions {
                if let Some(sequence) = sequence_of(&mut subscribers, &user)
                    && sequence.position() < position
                {
                    sequence.suspect_gap();
                    self.start_catch_up(&user, sequence, Duration::ZERO);
                }
            }
        }
    }

    /// Waits until the devices of `user` have received all up to `position`; `false` if that takes too long.
    pub(super) async fn wait_until_delivered(&self, user: &Id, position: i64) -> bool {
        let deadline = Instant::now() + DELIVERED_WITHIN;
        loop {
            {
                let mut subscribers = self.subscribers.lock();
                let Some(sequence) = sequence_of(&mut subscribers, user) else { return true };
                if sequence.position() >= position {
                    return true;
                }
                // What is missing may be under way.
                if !sequence.is_catching_up() {
                    sequence.suspect_gap();
                    self.start_catch_up(user, sequence, PATIENCE);
                }
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    fn deliver(&self, user: &Id, message: &MessageEvent, is_remote: bool) {
        self.hub.deliver_to_user(user, message);
        if is_remote && let Some(delegate) = self.delegate() {
            delegate.message_delivered(message);
        }
    }

    /// Starts a task that fills the gaps of `sequence` after a moment, if there is one and none is running.
    fn start_catch_up(&self, user: &Id, sequence: &mut UserSequence, patience: Duration) {
        if !sequence.start_catch_up() {
            return;
        }
        let (me, user) = (Weak::clone(&self.me), user.clone());
        tokio::spawn(async move {
            let mut wait = patience;
            loop {
                tokio::time::sleep(wait).await;
                let Some(me) = me.upgrade() else { return };
                wait = match me.catch_up(&user).await {
                    Ok(true) => return,
                    Ok(false) => PATIENCE,
                    Err(error) => {
                        tracing::warn!(%error, %user, "reading a user's missing messages failed");
                        if let Some(sequence) = sequence_of(&mut me.subscribers.lock(), &user) {
                            sequence.suspect_gap();
                        }
                        RETRY
                    }
                };
            }
        });
    }

    /// Reads what is missing and delivers it; answers whether nothing is missing any more.
    async fn catch_up(&self, user: &Id) -> Result<bool, StoreError> {
        let Some(delegate) = self.delegate() else { return Ok(true) };
        let read = sequence_of(&mut self.subscribers.lock(), user).and_then(UserSequence::begin_read);
        let Some(delivered) = read else { return Ok(true) };
        let ends = position_of(&*delegate, user).await?;
        let stored = stored_after(&*delegate, &delivered, &ends).await?;
        let mut subscribers = self.subscribers.lock();
        let Some(sequence) = sequence_of(&mut subscribers, user) else { return Ok(true) };
        let (filled, is_done) = sequence.fill_gap(&ends, stored, |message, is_remote| {
            self.deliver(user, message, is_remote);
        });
        self.metrics.gaps_filled(filled);
        Ok(is_done)
    }
}

fn sequence_of<'a>(subscribers: &'a mut HashMap<Id, Subscriber>, user: &Id) -> Option<&'a mut UserSequence> {
    subscribers.get_mut(user)?.sequence.as_mut()
}

/// What is stored after `delivered` up to `ends`, in the order of commits.
pub(super) async fn stored_after(
    delegate: &dyn Delegate,
    delivered: &LastSeqs,
    ends: &UserPosition,
) -> Result<Vec<StoredMessage>, StoreError> {
    let mut stored = Vec::new();
    for (conversation, last_seq) in &ends.conversations {
        let mut seq = delivered.get(&conversation.key).copied().unwrap_or(0);
        while seq < *last_seq {
            let slice = delegate.messages_after(conversation, seq).await?;
            let Some(last) = slice.last() else { break };
            seq = last.seq;
            stored.extend(slice.into_iter().filter(|message| message.seq <= *last_seq));
        }
    }
    stored.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(stored)
}

/// Where the conversations of one user end.
pub(super) async fn position_of(delegate: &dyn Delegate, user: &Id) -> Result<UserPosition, StoreError> {
    let found = delegate.detailed_positions_of(vec![user.clone()]).await?.pop();
    Ok(found.unwrap_or_else(|| UserPosition { user: user.clone(), position: 0, conversations: Vec::new() }))
}
