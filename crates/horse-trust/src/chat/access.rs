//! Which conversations a user may read and write in, and what is cached of conversations, profiles and blocks.

use std::sync::Arc;

use super::lookup::Lookup;
use super::service::Chat;
use crate::bus::BusEvent;
use crate::contract::{Draft, Refusal};
use crate::id::Id;
use crate::store::{Conversation, Profile, Quote, StoreError};

/// What a message needs before it can be stored.
pub struct SendContext {
    pub(super) conversation: Arc<Conversation>,
    pub(super) sender: Option<Arc<Profile>>,
    /// What the message quotes.
    pub(super) reply_to: Option<Quote>,
}

/// Whether a user has blocked the other one of two, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    by_user: bool,
    by_other: bool,
}

impl Blocks {
    pub(super) fn check(self) -> Result<(), Refusal> {
        match self {
            Self { by_user: false, by_other: false } => Ok(()),
            Self { by_user, .. } => Err(Refusal::blocked(by_user)),
        }
    }

    pub(super) fn any(self) -> bool {
        self.by_user || self.by_other
    }
}

impl Chat {
    /// The conversation, if `user` takes part in it.
    pub fn conversation(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
    ) -> Lookup<Result<Arc<Conversation>, Refusal>> {
        let Ok(id) = Id::parse(conversation_id) else {
            return Lookup::Cached(Err(Refusal::ConversationNotFound));
        };
        if let Some(conversation) = self.conversations.get(&id) {
            return Lookup::Cached(taking_part(conversation, user));
        }
        let (chat, user) = (Arc::clone(self), user.clone());
        Lookup::Loading(Box::pin(async move { taking_part(chat.load_conversation(id).await?, &user) }))
    }

    /// The conversation, whoever takes part in it: for the platform alone.
    pub async fn conversation_of_any(&self, conversation_id: &str) -> Result<Arc<Conversation>, Refusal> {
        let id = Id::parse(conversation_id).map_err(|_| Refusal::ConversationNotFound)?;
        match self.conversations.get(&id) {
            Some(conversation) => Ok(conversation),
            None => self.load_conversation(id).await,
        }
    }

    async fn load_conversation(&self, id: Id) -> Result<Arc<Conversation>, Refusal> {
        let found = self.store.conversation(&id).await.map_err(store_failed("conversation"))?;
        let conversation = Arc::new(found.ok_or(Refusal::ConversationNotFound)?);
        self.conversations.insert(id, Arc::clone(&conversation));
        Ok(conversation)
    }

    /// The conversation, if `user` takes part in it and no block stands between the two.
    pub fn unblocked_conversation(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
    ) -> Lookup<Result<Arc<Conversation>, Refusal>> {
        self.conversation(user, conversation_id).and_then(self, user, |chat, user, conversation| {
            chat.blocks(user, &conversation).map(|blocks| blocks?.check().map(|()| conversation))
        })
    }

    /// What `user` needs to send a message in a conversation.
    pub fn send_context(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        draft: &Draft,
    ) -> Lookup<Result<SendContext, Refusal>> {
        let conversation = self.unblocked_conversation(user, conversation_id);
        let context = conversation.and_then(self, user, |chat, user, conversation| {
            if let Some(sender) = chat.profiles.get(user) {
                return Lookup::Cached(Ok(SendContext { conversation, sender, reply_to: None }));
            }
            let (chat, user) = (Arc::clone(chat), user.clone());
            Lookup::Loading(Box::pin(async move {
                Ok(SendContext { conversation, sender: chat.profile(&user).await?, reply_to: None })
            }))
        });
        let Some(reply_to) = &draft.reply_to else { return context };
        let (chat, reply_to) = (Arc::clone(self), reply_to.clone());
        Lookup::Loading(Box::pin(async move {
            let mut context = context.get().await?;
            context.reply_to = Some(chat.quote(&context.conversation, &reply_to).await?);
            Ok(context)
        }))
    }

    /// The blocks between `user` and the other one in a conversation.
    pub(super) fn blocks(
        self: &Arc<Self>,
        user: &Id,
        conversation: &Conversation,
    ) -> Lookup<Result<Blocks, Refusal>> {
        let Some(other) = conversation.other(user) else {
            return Lookup::Cached(Err(Refusal::ConversationNotFound));
        };
        if let Some(blocks) = self.blocks.get(&ordered(user, other)) {
            return Lookup::Cached(Ok(seen_by(user, other, blocks)));
        }
        let (chat, user, other) = (Arc::clone(self), user.clone(), other.clone());
        Lookup::Loading(Box::pin(async move { chat.blocks_between(&user, &other).await }))
    }

    /// Whether a block stands between `user` and the other one in a conversation, as far as is cached.
    pub(super) fn is_known_to_be_blocked(&self, user: &Id, conversation: &Conversation) -> bool {
        let Some(other) = conversation.other(user) else { return false };
        self.blocks.get(&ordered(user, other)).is_some_and(|blocks| blocks != [false; 2])
    }

    pub(super) async fn blocks_between(&self, user: &Id, other: &Id) -> Result<Blocks, Refusal> {
        let pair = ordered(user, other);
        // A change that arrives while it is loaded is not overwritten: the entry is taken by then.
        let found = self.blocks.get_or_insert_async(&pair, self.store.blocks_between(&pair.0, &pair.1)).await;
        Ok(seen_by(user, other, found.map_err(store_failed("blocks"))?))
    }

    /// Caches that `blocker` has blocked the other, or no longer does.
    pub(super) fn set_cached_block(&self, blocker: &Id, other: &Id, is_blocked: bool) {
        let pair = ordered(blocker, other);
        // An entry that is being loaded may be older: what is inserted here stays. Without an entry the next reader loads it.
        match self.blocks.get(&pair) {
            Some(mut blocks) => {
                blocks[usize::from(pair.0 != *blocker)] = is_blocked;
                self.blocks.insert(pair, blocks);
            }
            None => drop(self.blocks.remove(&pair)),
        }
    }

    /// The blocks between two users have changed: they are read anew when they are needed.
    pub(super) fn forget_blocks(&self, one: &Id, other: &Id) {
        self.blocks.remove(&ordered(one, other));
    }

    /// Forgets what is cached of a user's profile, on all nodes; to be called after it was stored.
    pub fn profile_changed(&self, user: &Id) {
        self.profiles.remove(user);
        self.bus.publish(BusEvent::ProfileChanged { user: user.clone() });
    }

    /// What is shown of a user, or of the platform.
    pub async fn profile(&self, user: &Id) -> Result<Option<Arc<Profile>>, Refusal> {
        if *user == Id::SYSTEM {
            return Ok(Some(Arc::clone(&self.config.system)));
        }
        // A change that arrives while it is loaded removes the entry, and what was loaded is not cached.
        let load = async { Ok(self.store.profile(user).await?.map(Arc::new)) };
        self.profiles.get_or_insert_async(user, load).await.map_err(store_failed("profile"))
    }

    /// The profiles of whoever writes in a conversation: both participants, and the platform.
    pub(super) async fn profiles_of(
        &self,
        conversation: &Conversation,
    ) -> Result<[Option<Arc<Profile>>; 3], Refusal> {
        let [first, second] = &conversation.participants;
        Ok([self.profile(first).await?, self.profile(second).await?, self.profile(&Id::SYSTEM).await?])
    }
}

/// Two users in the order of their ids.
pub(super) fn ordered(one: &Id, other: &Id) -> (Id, Id) {
    if one < other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

/// What is cached of two users in the order of their ids, as one of them sees it.
fn seen_by(user: &Id, other: &Id, [by_first, by_second]: [bool; 2]) -> Blocks {
    if user < other {
        Blocks { by_user: by_first, by_other: by_second }
    } else {
        Blocks { by_user: by_second, by_other: by_first }
    }
}

/// `conversation` if `user` is one of its participants.
fn taking_part(conversation: Arc<Conversation>, user: &Id) -> Result<Arc<Conversation>, Refusal> {
    if conversation.other(user).is_some() { Ok(conversation) } else { Err(Refusal::ConversationNotFound) }
}

/// Logs a failure of the store with what was being done, and hides it from the client.
pub(super) fn store_failed(operation: &'static str) -> impl Fn(StoreError) -> Refusal {
    move |error| {
        if let StoreError::Blocked { by_sender } = error {
            return Refusal::blocked(by_sender);
        }
        tracing::error!(%error, operation, "the store failed");
        Refusal::StoreFailed
    }
}
