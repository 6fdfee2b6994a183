//! The rules of the chat: who may write where, what a message may say, who is told of it and in which
//! order. No transport and no SQL; it speaks to the [`Store`] and to the [`Bus`].

mod coalescer;
mod conversations;
mod feed;
mod limits;
mod messages;
mod people;
mod presence;
#[cfg(test)]
mod presence_properties;
mod presence_tracker;
mod reading;
mod receipts;
mod remote;
mod shared;
mod turns;
mod typing;
pub mod view;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use socketio::{LostSocket, Socket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::coalescer::Coalescer;
use self::limits::Limits;
pub use self::messages::SendResult;
use self::presence::Presence;
pub use self::reading::{MessagePlace, Offset, Replay, Slice};
use self::receipts::Receipts;
pub use self::turns::{Turn, UserTurns};
use self::typing::Typing;
use crate::auth::{Claims, Tokens};
use crate::bus::{Bus, BusEvent, HandedOver, Reached, SubscribeFuture};
pub use crate::contract::{Draft, MessageJson, Refusal};
use crate::id::Id;
use crate::store::{ChangeCursor, Conversation, Profile, Revocation, Store, StoreError, VoidToken};
use crate::timestamp::Timestamp;

/// How many conversations, profiles and pairs of users are remembered; about 200 bytes each.
const CACHED_ENTRIES: usize = 50_000;

/// How many pages of histories and lists are read for one user at once, over HTTP and events together.
const READS_AT_ONCE: usize = 2;
/// How many more of one user may wait: as many as the rate of requests lets through at once.
const READS_WAITING: usize = 500;
/// How many pages are read and encoded at once over all users, each with up to 4 MB. A semaphore gives its places in order,
/// and no user waits for more than two at a time.
const PAGES_AT_ONCE: usize = 8;

/// What can be set.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// Messages a second that one user may send, with bursts of five times as many, and ten times as many other
    /// requests; `None` is no limit.
    pub message_rate: Option<NonZeroU32>,
    /// Connections a second that one user may open, with bursts of two hundred times as many; `None` is no limit.
    pub connection_rate: Option<NonZeroU32>,
    /// For how long a message can be edited and deleted by its sender.
    pub edit_window: Duration,
    /// For how long texts that were edited away or deleted are kept for a dispute.
    pub withdrawn_retention: Duration,
    /// How long a user may be without a device before the others are told.
    pub presence_grace: Duration,
    /// How many bytes of messages a slice of history has at most, if it has more than one message.
    pub slice_bytes: usize,
}

/// The chat.
pub struct Chat {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    tokens: Arc<Tokens>,
    config: ChatConfig,
    /// What never changes of a conversation, so an entry is never wrong.
    conversations: Cache<Id, Arc<Conversation>>,
    /// Profiles of users, also that a user has none; see [`Chat::profile_changed`].
    profiles: Cache<Id, Option<Arc<Profile>>>,
    /// Of two users, in the order of their ids: whether the first has blocked the second, and the other way round.
    blocks: Cache<(Id, Id), [bool; 2]>,
    /// Pairs of users, in the order of their ids, who are to learn that a block between them changed.
    block_changes: Coalescer<(Id, Id), ()>,
    limits: Limits,
    reads: UserTurns,
    pages: Semaphore,
    presence: Presence,
    receipts: Receipts,
    typing: Typing,
}

/// What a sender needs to write in a conversation, looked up before the message joins the batch.
pub struct SendContext {
    conversation: Arc<Conversation>,
    sender: Option<Arc<Profile>>,
}

/// Whether the asking user has blocked the other, and the other the asking user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks {
    by_user: bool,
    by_other: bool,
}

impl Blocks {
    fn check(self) -> Result<(), Refusal> {
        match self {
            Self { by_user: false, by_other: false } => Ok(()),
            Self { by_user, .. } => Err(Refusal::blocked(by_user)),
        }
    }

    fn any(self) -> bool {
        self.by_user || self.by_other
    }
}

impl Chat {
    /// A chat over `store` and `bus`, for users with `tokens`.
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        tokens: Arc<Tokens>,
        config: ChatConfig,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            bus,
            tokens,
            conversations: Cache::new(CACHED_ENTRIES),
            profiles: Cache::new(CACHED_ENTRIES),
            blocks: Cache::new(CACHED_ENTRIES),
            block_changes: Coalescer::new(),
            limits: Limits::new(config.message_rate, config.connection_rate),
            reads: UserTurns::new(READS_AT_ONCE, READS_WAITING),
            pages: Semaphore::new(PAGES_AT_ONCE),
            presence: Presence::new(config.presence_grace),
            receipts: Receipts::new(),
            typing: Typing::new(),
            config,
        })
    }

    /// Starts what goes on beside the requests: who came and went, receipts, typing that ends, what changes of users after
    /// `cursor`. It ends when the
    /// set is dropped.
    pub fn start(self: &Arc<Self>, cursor: ChangeCursor) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).follow_users(cursor));
        tasks.spawn(Arc::clone(self).notify_presence());
        tasks.spawn(Arc::clone(self).notify_delivered());
        tasks.spawn(Arc::clone(self).notify_unread());
        tasks.spawn(Arc::clone(self).store_delivered());
        tasks.spawn(Arc::clone(self).end_typing());
        tasks.spawn(Arc::clone(self).announce_block_changes());
        tasks
    }

    /// Stores what is only noted so far. To be called when the sockets are closed, before the store is.
    pub async fn close(&self) {
        self.store_last_seen().await;
        self.flush_delivered().await;
    }

    /// For how long a message can be edited and deleted by its sender.
    pub fn edit_window(&self) -> Duration {
        self.config.edit_window
    }

    /// How much one user may ask for. What may ask the store is counted before it does.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The conversation, if `user` takes part in it.
    pub async fn conversation(&self, user: &Id, conversation_id: &str) -> Result<Arc<Conversation>, Refusal> {
        let id = Id::parse(conversation_id).map_err(|_| Refusal::ConversationNotFound)?;
        let conversation = match self.conversations.get(&id) {
            Some(conversation) => conversation,
            None => {
                let found = self.store.conversation(&id).await.map_err(store_failed("conversation"))?;
                let conversation = Arc::new(found.ok_or(Refusal::ConversationNotFound)?);
                self.conversations.insert(id, Arc::clone(&conversation));
                conversation
            }
        };
        taking_part(conversation, user)
    }

    /// As [`Chat::conversation`], without waiting: `None` if the store has to be asked.
    pub fn conversation_at_once(
        &self,
        user: &Id,
        conversation_id: &str,
    ) -> Option<Result<Arc<Conversation>, Refusal>> {
        let Ok(id) = Id::parse(conversation_id) else { return Some(Err(Refusal::ConversationNotFound)) };
        self.conversations.get(&id).map(|conversation| taking_part(conversation, user))
    }

    /// As [`Chat::conversation`], for one who wants to be heard by the other: refused if either has blocked the
    /// other.
    pub async fn open_conversation_for(
        &self,
        user: &Id,
        conversation_id: &str,
    ) -> Result<Arc<Conversation>, Refusal> {
        let conversation = self.conversation(user, conversation_id).await?;
        self.blocks(user, &conversation).await?.check()?;
        Ok(conversation)
    }

    /// As [`Chat::open_conversation_for`], without waiting.
    pub fn open_conversation_at_once(
        &self,
        user: &Id,
        conversation_id: &str,
    ) -> Option<Result<Arc<Conversation>, Refusal>> {
        match self.conversation_at_once(user, conversation_id)? {
            Ok(conversation) => {
                let blocks = self.blocks_at_once(user, &conversation)?;
                Some(blocks.check().map(|()| conversation))
            }
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// What `user` needs to write in `conversation_id`.
    pub async fn send_context(&self, user: &Id, conversation_id: &str) -> Result<SendContext, Refusal> {
        let conversation = self.open_conversation_for(user, conversation_id).await?;
        Ok(SendContext { conversation, sender: self.profile(user).await? })
    }

    /// As [`Chat::desk`], without waiting: `None` if the store has to be asked.
    pub fn cached_send_context(
        &self,
        user: &Id,
        conversation_id: &str,
    ) -> Option<Result<SendContext, Refusal>> {
        match self.open_conversation_at_once(user, conversation_id)? {
            Ok(conversation) => {
                self.profiles.get(user).map(|sender| Ok(SendContext { conversation, sender }))
            }
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// A device of `user` is about to be let in; it may be, once what is returned is done.
    pub fn subscribe(&self, user: &Id) -> Option<SubscribeFuture> {
        self.bus.subscribe(user)
    }

    /// The socket that `user` has lost on another node, if it can be taken up here.
    pub async fn take_over(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<HandedOver>> {
        self.bus.take_over(user, lost).await
    }

    /// A socket that was handed over is let in.
    pub fn restore(&self, socket: &Socket, user: &Id, reached: Reached, rooms: &[Box<str>]) {
        self.bus.restore(socket, user, reached, rooms);
    }

    /// Makes all tokens of `user` void and ends all sockets, on all nodes.
    pub async fn end_sessions(&self, user: &Id) -> Result<(), Refusal> {
        let revocation = self.store.revoke_tokens(user).await.map_err(store_failed("revoke_tokens"))?;
        self.sessions_ended(user, revocation);
        Ok(())
    }

    /// Makes the token with these claims void and ends its sockets; the other nodes follow within a second.
    pub async fn end_session(&self, claims: &Claims) -> Result<(), Refusal> {
        let expires_at = claims.expires_at.and_then(Timestamp::from_seconds);
        let void = VoidToken { user: claims.user.clone(), token: claims.token, expires_at };
        let revocation = self.store.void_token(void.clone()).await.map_err(store_failed("void_token"))?;
        self.token_void(void);
        tracing::info!(user = %claims.user, "a session of a user was ended");
        if let Some(revocation) = revocation {
            self.sessions_ended(&claims.user, revocation);
        }
        Ok(())
    }

    fn sessions_ended(&self, user: &Id, revocation: Revocation) {
        self.tokens.revoke(user.clone(), revocation);
        tracing::info!(%user, "all sessions of a user were ended");
        self.bus.publish(BusEvent::TokensRevoked { user: user.clone(), revocation });
    }

    /// Forgets what was remembered of a user's profile, on all nodes; to be called after it was stored.
    pub fn profile_changed(&self, user: &Id) {
        self.profiles.remove(user);
        self.bus.publish(BusEvent::ProfileChanged { user: user.clone() });
    }

    /// Frees what is no longer needed. To be called every minute or so.
    pub async fn tidy(&self) {
        self.limits.tidy();
        self.tokens.tidy();
        self.forget_withdrawn().await;
        self.forget_user_changes().await;
    }

    async fn profile(&self, user: &Id) -> Result<Option<Arc<Profile>>, Refusal> {
        // A change that comes while it is loaded takes the entry away, and what was loaded is not kept.
        let load = async { Ok(self.store.profile(user).await?.map(Arc::new)) };
        self.profiles.get_or_insert_async(user, load).await.map_err(store_failed("profile"))
    }

    /// The profiles of the two.
    async fn profiles_of(&self, conversation: &Conversation) -> Result<[Option<Arc<Profile>>; 2], Refusal> {
        let [first, second] = &conversation.participants;
        Ok([self.profile(first).await?, self.profile(second).await?])
    }

    async fn blocks(&self, user: &Id, conversation: &Conversation) -> Result<Blocks, Refusal> {
        let Some(other) = conversation.other(user) else { return Err(Refusal::ConversationNotFound) };
        self.blocks_between(user, other).await
    }

    async fn blocks_between(&self, user: &Id, other: &Id) -> Result<Blocks, Refusal> {
        let (first, second) = if user < other { (user, other) } else { (other, user) };
        let load = self.store.blocks_between(first, second);
        // A change that comes while it is loaded is not overwritten: the place is taken by then.
        let found = self.blocks.get_or_insert_async(&(first.clone(), second.clone()), load).await;
        Ok(seen_by(user, other, found.map_err(store_failed("blocks"))?))
    }

    fn blocks_at_once(&self, user: &Id, conversation: &Conversation) -> Option<Blocks> {
        let other = conversation.other(user)?;
        let pair = if user < other { (user.clone(), other.clone()) } else { (other.clone(), user.clone()) };
        self.blocks.get(&pair).map(|blocks| seen_by(user, other, blocks))
    }
}

/// What is remembered of two users in the order of their ids, as one of them sees it.
fn seen_by(user: &Id, other: &Id, [by_first, by_second]: [bool; 2]) -> Blocks {
    if user < other {
        Blocks { by_user: by_first, by_other: by_second }
    } else {
        Blocks { by_user: by_second, by_other: by_first }
    }
}

/// `conversation` if `user` is one of the two.
fn taking_part(conversation: Arc<Conversation>, user: &Id) -> Result<Arc<Conversation>, Refusal> {
    if conversation.other(user).is_some() { Ok(conversation) } else { Err(Refusal::ConversationNotFound) }
}

/// Logs a failure of the store with what was being done, and hides it from the client.
fn store_failed(operation: &'static str) -> impl Fn(StoreError) -> Refusal {
    move |error| {
        if let StoreError::Blocked { by_sender } = error {
            return Refusal::blocked(by_sender);
        }
        tracing::error!(%error, operation, "the store failed");
        Refusal::StoreFailed
    }
}
