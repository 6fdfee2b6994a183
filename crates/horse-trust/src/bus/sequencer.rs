//! Brings what this node and others tell into one order, and heals what is missing from the store: no receiver misses
//! a message, none comes twice, and none out of turn.
//!
//! The store counts the messages of each user, over all conversations, in the order of commits: a message has a
//! position for each of the two. A user's devices are told by position. A message that is next is told at once. One
//! that is ahead waits a moment for those before it, which are most often on their way; then they are read from the
//! store. So a device sees the messages of all its conversations in the order of their ids, and the last one that it
//! has says what it has: a replay from there misses nothing, on whatever node.

mod hand_over;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Hub, MessageEvent, Source, StoredMessage, Told};
use crate::id::Id;
use crate::metrics::BusMetrics;
use crate::store::{Conversation, Ends, StoreError};

/// How long a message waits for those before it, before the store is asked.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long after a failure the store is asked again.
const RETRY: Duration = Duration::from_millis(300);
/// How long a socket waits for what its replay had to be told here, too.
const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// How many users are looked up in one read.
const BATCH: usize = 500;

pub(super) struct Sequencer {
    hub: Arc<Hub>,
    metrics: Arc<BusMetrics>,
    source: OnceLock<Weak<dyn Source>>,
    subscribers: Mutex<HashMap<Id, Subscriber>>,
    /// Itself, for the tasks that heal.
    me: Weak<Self>,
}

/// A user who has a device here, or is about to.
#[derive(Default)]
struct Subscriber {
    /// How many devices there are.
    claims: usize,
    /// How far the devices are told; `None` until the store was asked.
    progress: Option<Progress>,
}

struct Progress {
    /// The position of the last message.
    position: i64,
    /// The last message of each conversation, by the store's key.
    seqs: HashMap<i64, i64>,
    /// What is ahead, by position.
    waiting: BTreeMap<i64, Arc<Pending>>,
    /// Whether a task heals it.
    is_catching_up: bool,
    /// Whether the store has to be asked, though nothing that is ahead has come.
    must_query_store: bool,
}

/// A message until all are told whom it concerns here.
struct Pending {
    message: MessageEvent,
    /// Of a message of this node: called when all are told.
    told: Mutex<Option<Told>>,
    is_remote: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(told) = self.told.get_mut().take() {
            told();
        }
    }
}

impl Sequencer {
    pub(super) fn new(hub: Arc<Hub>, metrics: Arc<BusMetrics>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            hub,
            metrics,
            source: OnceLock::new(),
            subscribers: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Where what is missing is read; the first call counts.
    pub(super) fn set_source(&self, source: Weak<dyn Source>) {
        drop(self.source.set(source));
    }

    pub(super) fn source(&self) -> Option<Arc<dyn Source>> {
        self.source.get()?.upgrade()
    }

    /// A device of `user` will be here; answers whether the user is followed already.
    pub(super) fn claim(&self, user: &Id) -> bool {
        let mut subscribers = self.subscribers.lock();
        let subscriber = subscribers.entry(user.clone()).or_default();
        subscriber.claims += 1;
        subscriber.progress.is_some()
    }

    /// A device of `user` is no longer here.
    pub(super) fn release(&self, user: &Id) {
        if let Some(subscriber) = self.subscribers.lock().get_mut(user) {
            subscriber.claims = subscriber.claims.saturating_sub(1);
        }
    }

    /// The users who have a device here.
    pub(super) fn users(&self) -> Vec<Id> {
        self.subscribers.lock().keys().cloned().collect()
    }

    /// Forgets users who have no socket here any more, also none that may be recovered. `gone` is called for each before
    /// the user can be claimed again.
    pub(super) fn sweep(&self, gone: impl FnMut(Id)) {
        let is_gone = |user: &Id, subscriber: &Subscriber| {
            let waits = subscriber.progress.as_ref().is_some_and(|progress| !progress.waiting.is_empty());
            subscriber.claims == 0 && !waits && !self.hub.has_socket(user)
        };
        let mut subscribers = self.subscribers.lock();
        subscribers
            .extract_if(|user, subscriber| is_gone(user, subscriber))
            .map(|(user, _)| user)
            .for_each(gone);
    }

    /// From then on `user` is told of what is new. Waits for the store.
    pub(super) async fn follow(&self, user: &Id) {
        loop {
            let Some(source) = self.source() else { return };
            match ends_of(&*source, user).await {
                Ok(ends) => {
                    if let Some(subscriber) = self.subscribers.lock().get_mut(user) {
                        subscriber.progress.get_or_insert_with(|| Progress::new(&ends));
                    }
                    return;
                }
                Err(error) => tracing::warn!(%error, %user, "a user's conversations could not be looked up"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Tells of a message, to each of the two in turn.
    pub(super) fn receive(&self, message: MessageEvent, told: Option<Told>) {
        let is_remote = told.is_none();
        let conversation = Arc::clone(&message.conversation);
        let positions = message.positions;
        let pending = Arc::new(Pending { message, told: Mutex::new(told), is_remote });
        let mut subscribers = self.subscribers.lock();
        for (user, position) in conversation.participants.iter().zip(positions) {
            let Some(progress) =
                subscribers.get_mut(user).and_then(|subscriber| subscriber.progress.as_mut())
            else {
                continue;
            };
            // What was read from the store was told already.
            if position > progress.position {
                progress.waiting.insert(position, Arc::clone(&pending));
                self.advance(user, progress);
                if !progress.waiting.is_empty() {
                    self.start_catch_up(user, progress, PATIENCE);
                }
            }
        }
        // If nobody waits for it, its caller is told now, without the lock.
        drop(subscribers);
        drop(pending);
    }

    /// A conversation may have messages of which this node was not told.
    pub(super) fn recheck(&self, conversation: &Conversation) {
        let mut subscribers = self.subscribers.lock();
        for user in &conversation.participants {
            if let Some(progress) =
                subscribers.get_mut(user).and_then(|subscriber| subscriber.progress.as_mut())
            {
                progress.must_query_store = true;
                self.start_catch_up(user, progress, Duration::ZERO);
            }
        }
    }

    /// Other nodes may have told of messages that were not heard: looks after all users.
    pub(super) async fn catch_up_all(&self) {
        for users in self.users().chunks(BATCH) {
            let positions = loop {
                let Some(source) = self.source() else { return };
                match source.positions_of(users.to_vec()).await {
                    Ok(positions) => break positions,
                    Err(error) => tracing::warn!(%error, "what was missed could not be looked up"),
                }
                tokio::time::sleep(RETRY).await;
            };
            let mut subscribers = self.subscribers.lock();
            for (user, position) in positions {
                if let Some(progress) =
                    subscribers.get_mut(&user).and_then(|subscriber| subscriber.progress.as_mut())
                    && progress.position < position
                {
                    progress.must_query_store = true;
                    self.start_catch_up(&user, progress, Duration::ZERO);
                }
            }
        }
    }

    /// Waits until `user`, who has a device here, was told up to `position`; `false` if that takes too long.
    pub(super) async fn wait_until_delivered(&self, user: &Id, position: i64) -> bool {
        let deadline = Instant::now() + REACHED_WITHIN;
        loop {
            {
                let mut subscribers = self.subscribers.lock();
                let Some(progress) =
                    subscribers.get_mut(user).and_then(|subscriber| subscriber.progress.as_mut())
                else {
                    return true;
                };
                if progress.position >= position {
                    return true;
                }
                // What is missing may be on its way.
                if !progress.is_catching_up {
                    progress.must_query_store = true;
                    self.start_catch_up(user, progress, PATIENCE);
                }
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    /// Tells all that is next.
    fn advance(&self, user: &Id, progress: &mut Progress) {
        while let Some(pending) = progress.waiting.remove(&(progress.position + 1)) {
            progress.position += 1;
            self.deliver(user, progress, &pending.message, pending.is_remote);
        }
    }

    fn deliver(&self, user: &Id, progress: &mut Progress, message: &MessageEvent, is_remote: bool) {
        progress.seqs.insert(message.conversation.key, message.seq);
        self.hub.deliver_to_user(user, message);
        if is_remote && let Some(source) = self.source() {
            source.message_delivered(message);
        }
    }

    /// Starts a task that reads what is missing, after a moment.
    fn start_catch_up(&self, user: &Id, progress: &mut Progress, patience: Duration) {
        if std::mem::replace(&mut progress.is_catching_up, true) {
            return;
        }
        let (me, user) = (Weak::clone(&self.me), user.clone());
        tokio::spawn(async move {
            let mut wait = patience;
            loop {
                tokio::time::sleep(wait).await;
                let Some(me) = me.upgrade() else { return };
                wait = match me.heal(&user).await {
                    Ok(true) => return,
                    Ok(false) => PATIENCE,
                    Err(error) => {
                        tracing::warn!(%error, %user, "what is missing could not be read");
                        if let Some(progress) = me
                            .subscribers
                            .lock()
                            .get_mut(&user)
                            .and_then(|subscriber| subscriber.progress.as_mut())
                        {
                            progress.must_query_store = true;
                        }
                        RETRY
                    }
                };
            }
        });
    }

    /// Reads what is missing and tells it; answers whether nothing is missing any more. Nothing is read if what was
    /// missing has come by itself.
    async fn heal(&self, user: &Id) -> Result<bool, StoreError> {
        let Some(source) = self.source() else { return Ok(true) };
        let told = {
            let mut subscribers = self.subscribers.lock();
            let Some(progress) =
                subscribers.get_mut(user).and_then(|subscriber| subscriber.progress.as_mut())
            else {
                return Ok(true);
            };
            if progress.waiting.is_empty() && !std::mem::take(&mut progress.must_query_store) {
                progress.is_catching_up = false;
                return Ok(true);
            }
            progress.seqs.clone()
        };
        let ends = ends_of(&*source, user).await?;
        let missing = missing(&*source, &told, &ends).await?;
        let mut subscribers = self.subscribers.lock();
        let Some(progress) = subscribers.get_mut(user).and_then(|subscriber| subscriber.progress.as_mut())
        else {
            return Ok(true);
        };
        for StoredMessage { conversation, seq, event, .. } in missing {
            // It may have come by itself meanwhile.
            if progress.seqs.get(&conversation).is_some_and(|told| *told >= seq) {
                continue;
            }
            match event {
                Some(event) => {
                    self.metrics.gap_filled();
                    self.deliver(user, progress, &event, true);
                }
                None => _ = progress.seqs.insert(conversation, seq),
            }
        }
        progress.position = progress.position.max(ends.position);
        // What was read was told; whoever waits with it is answered when it is dropped.
        progress.waiting = progress.waiting.split_off(&(progress.position + 1));
        self.advance(user, progress);
        progress.is_catching_up = progress.must_query_store || !progress.waiting.is_empty();
        Ok(!progress.is_catching_up)
    }
}

impl Progress {
    fn new(ends: &Ends) -> Self {
        Self {
            position: ends.position,
            seqs: ends.conversations.iter().map(|(conversation, seq)| (conversation.key, *seq)).collect(),
            waiting: BTreeMap::new(),
            is_catching_up: false,
            must_query_store: false,
        }
    }
}

/// What is stored after `told`, the last `seq` by conversation, up to `ends`, in the order of commits.
async fn missing(
    source: &dyn Source,
    told: &HashMap<i64, i64>,
    ends: &Ends,
) -> Result<Vec<StoredMessage>, StoreError> {
    let mut missing = Vec::new();
    for (conversation, last_seq) in &ends.conversations {
        let mut seq = told.get(&conversation.key).copied().unwrap_or(0);
        while seq < *last_seq {
            let slice = source.messages_after(conversation, seq).await?;
            let Some(last) = slice.last() else { break };
            seq = last.seq;
            missing.extend(slice.into_iter().filter(|message| message.seq <= *last_seq));
        }
    }
    missing.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(missing)
}

/// How far the conversations of one user go.
async fn ends_of(source: &dyn Source, user: &Id) -> Result<Ends, StoreError> {
    let found = source.ends_of(vec![user.clone()]).await?.pop();
    Ok(found.unwrap_or_else(|| Ends { user: user.clone(), position: 0, conversations: Vec::new() }))
}
