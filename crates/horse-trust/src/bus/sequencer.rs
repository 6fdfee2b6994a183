//! Brings what this node and others tell of a conversation into its order, by `seq`, and heals what is missing from
//! the store: no receiver misses a message, none comes twice, and none out of turn.
//!
//! What counts is known of the conversations of users who have a device here: up to which message the node's sockets
//! were told. A message that is next is told at once. One that is ahead waits a moment for those before it, which are
//! most often on their way; then they are read from the store.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Hub, MessageNotice, Source, Told};
use crate::id::Id;
use crate::store::Conversation;

/// How long a message waits for those before it, before the store is asked.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long after a failure the store is asked again.
const RETRY: Duration = Duration::from_millis(300);
/// Of how many users the conversations are looked up in one read.
const BATCH: usize = 500;

pub(super) struct Sequencer {
    hub: Arc<Hub>,
    source: OnceLock<Weak<dyn Source>>,
    state: Mutex<State>,
    /// Itself, for the tasks that heal.
    me: Weak<Self>,
}

#[derive(Default)]
struct State {
    /// By the store's key.
    conversations: HashMap<i64, Progress>,
    /// The users who have a device here, or are about to.
    users: HashMap<Id, Follower>,
}

#[derive(Default)]
struct Follower {
    /// How many devices there are.
    claims: usize,
    /// Whether the conversations that there were are known.
    is_followed: bool,
}

/// How far a conversation is told.
struct Progress {
    conversation: Arc<Conversation>,
    seq: i64,
    /// What is ahead.
    waiting: BTreeMap<i64, Waiting>,
    /// Whether a task heals it.
    is_healing: bool,
}

struct Waiting {
    message: MessageNotice,
    /// Of a message of this node: called when it is told.
    told: Option<Told>,
    is_remote: bool,
}

impl Sequencer {
    pub(super) fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            hub,
            source: OnceLock::new(),
            state: Mutex::default(),
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
        let mut state = self.state.lock();
        let follower = state.users.entry(user.clone()).or_default();
        follower.claims += 1;
        follower.is_followed
    }

    /// A device of `user` is no longer here.
    pub(super) fn release(&self, user: &Id) {
        if let Some(follower) = self.state.lock().users.get_mut(user) {
            follower.claims = follower.claims.saturating_sub(1);
        }
    }

    /// The users who have a device here.
    pub(super) fn users(&self) -> Vec<Id> {
        self.state.lock().users.keys().cloned().collect()
    }

    /// Forgets users who have no socket here any more, also none that may be recovered; answers them.
    pub(super) fn sweep(&self) -> Vec<Id> {
        let mut state = self.state.lock();
        let gone: Vec<Id> = state
            .users
            .extract_if(|user, follower| follower.claims == 0 && !self.hub.has_socket(user))
            .map(|(user, _)| user)
            .collect();
        if !gone.is_empty() {
            let State { conversations, users } = &mut *state;
            conversations.retain(|_, progress| {
                !progress.waiting.is_empty()
                    || progress.conversation.participants.iter().any(|user| users.contains_key(user))
            });
        }
        gone
    }

    /// From then on the conversations of `user` are followed, from their present ends. Waits for the store.
    pub(super) async fn follow(&self, user: &Id) {
        loop {
            let Some(source) = self.source() else { return };
            match source.ends_of(vec![user.clone()]).await {
                Ok(ends) => return self.state.lock().follow(user, ends),
                Err(error) => tracing::warn!(%error, %user, "a user's conversations could not be looked up"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Tells of a message in its turn.
    pub(super) fn message(&self, message: MessageNotice, told: Option<Told>) {
        let is_remote = told.is_none();
        let mut state = self.state.lock();
        let Some(progress) = state.progress(&message.conversation) else {
            drop(state);
            // Nobody here is concerned.
            if let Some(told) = told {
                told();
            }
            return;
        };
        if message.seq <= progress.seq {
            // It was read from the store already.
            drop(state);
            if let Some(told) = told {
                told();
            }
            return;
        }
        match progress.waiting.entry(message.seq) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Waiting { message, told, is_remote });
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if told.is_some() {
                    entry.get_mut().told = told;
                }
            }
        }
        self.advance(progress);
        self.heal_if_needed(progress, None);
    }

    /// A conversation has messages up to `seq`, of which this node may not have been told.
    pub(super) fn end(&self, conversation: &Arc<Conversation>, seq: i64) {
        let mut state = self.state.lock();
        if let Some(progress) = state.progress(conversation)
            && progress.seq < seq
        {
            self.heal_if_needed(progress, Some(seq));
        }
    }

    /// Other nodes may have told of messages that were not heard: looks up all conversations.
    pub(super) async fn heal_all(&self) {
        let Some(source) = self.source() else { return };
        for users in self.users().chunks(BATCH) {
            loop {
                match source.ends_of(users.to_vec()).await {
                    Ok(ends) => {
                        for (conversation, seq) in ends {
                            self.end(&conversation, seq);
                        }
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "what was missed from other nodes could not be looked up");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
    }

    /// Tells all that is next.
    fn advance(&self, progress: &mut Progress) {
        while let Some(Waiting { message, told, is_remote }) = progress.waiting.remove(&(progress.seq + 1)) {
            progress.seq += 1;
            self.tell(&message, is_remote);
            if let Some(told) = told {
                told();
            }
        }
    }

    fn tell(&self, message: &MessageNotice, is_remote: bool) {
        self.hub.tell_message(message);
        if is_remote && let Some(source) = self.source() {
            source.told(message);
        }
    }

    /// Starts a task that reads what is missing before what waits, or up to `target`.
    fn heal_if_needed(&self, progress: &mut Progress, target: Option<i64>) {
        if progress.is_healing || (progress.waiting.is_empty() && target.is_none()) {
            return;
        }
        progress.is_healing = true;
        let (me, conversation) = (Weak::clone(&self.me), Arc::clone(&progress.conversation));
        tokio::spawn(async move {
            if target.is_none() {
                tokio::time::sleep(PATIENCE).await;
            }
            while let Some(me) = me.upgrade() {
                if me.heal(&conversation, target).await {
                    break;
                }
                tokio::time::sleep(RETRY).await;
            }
        });
    }

    /// Reads what is missing and tells it; answers whether nothing is missing any more.
    async fn heal(&self, conversation: &Arc<Conversation>, target: Option<i64>) -> bool {
        let Some(source) = self.source() else { return true };
        loop {
            let seq = {
                let mut state = self.state.lock();
                let Some(progress) = state.conversations.get_mut(&conversation.key) else { return true };
                if progress.waiting.is_empty() && target.is_none_or(|target| progress.seq >= target) {
                    progress.is_healing = false;
                    return true;
                }
                progress.seq
            };
            let found = match source.after(conversation, seq).await {
                Ok(found) if !found.is_empty() => found,
                // What waits was committed, and so was what is before it: the store has not shown it yet.
                Ok(_) => return false,
                Err(error) => {
                    tracing::warn!(%error, conversation = %conversation.id, "what is missing could not be read");
                    return false;
                }
            };
            let mut state = self.state.lock();
            let Some(progress) = state.conversations.get_mut(&conversation.key) else { return true };
            for (seq, message) in found {
                // What waits is the same message, and somebody may wait with it.
                self.advance(progress);
                if seq != progress.seq + 1 {
                    continue;
                }
                progress.seq = seq;
                if let Some(message) = message {
                    self.tell(&message, true);
                }
            }
            self.advance(progress);
        }
    }
}

impl Progress {
    fn new(conversation: Arc<Conversation>, seq: i64) -> Self {
        Self { conversation, seq, waiting: BTreeMap::new(), is_healing: false }
    }
}

impl State {
    fn follow(&mut self, user: &Id, ends: Vec<(Arc<Conversation>, i64)>) {
        for (conversation, seq) in ends {
            self.conversations.entry(conversation.key).or_insert_with(|| Progress::new(conversation, seq));
        }
        if let Some(follower) = self.users.get_mut(user) {
            follower.is_followed = true;
        }
    }

    /// How far a conversation is told; `None` if no one who takes part has a device here.
    fn progress(&mut self, conversation: &Arc<Conversation>) -> Option<&mut Progress> {
        match self.conversations.entry(conversation.key) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(entry) => {
                let is_followed = conversation
                    .participants
                    .iter()
                    .any(|user| self.users.get(user).is_some_and(|follower| follower.is_followed));
                // It is newer than the last look at the user's conversations.
                is_followed.then(|| entry.insert(Progress::new(Arc::clone(conversation), 0)))
            }
        }
    }
}
