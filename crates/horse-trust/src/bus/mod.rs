//! What carries news to the sockets that they are for, wherever those are.
//!
//! [`Hub`] has the sockets of this node; alone it is the bus of a server that has no other nodes. [`RedisBus`] tells
//! the hub first, then the other nodes; [`sequencer`] brings what comes from them into the order of the conversation.

mod hub;
mod redis;
mod sequencer;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use socketio::{LostSocket, Socket, SocketId};

pub use self::hub::{BufferedEvent, Hub};
pub use self::redis::{NodeName, RedisBus, RedisError};
use crate::id::Id;
use crate::store::{Conversation, Ends, Revocation, StoreError, TokenId};
use crate::timestamp::Timestamp;

/// A message that was stored: `new_message` to the conversation's room and to all who follow it by their feed,
/// `message_notification` to the other's devices.
#[derive(Debug, Clone)]
pub struct MessageEvent {
    /// Where.
    pub conversation: Arc<Conversation>,
    /// Its place.
    pub seq: i64,
    /// Which message it is of all that each of the two takes part in, in the order of `participants`; 0 from a store
    /// that only one node uses.
    pub positions: [i64; 2],
    /// Who wrote it.
    pub sender: Id,
    /// The message.
    pub json: Arc<str>,
    /// The notification.
    pub notification: Arc<str>,
}

/// Something else that happened.
#[derive(Debug, Clone)]
pub enum BusEvent {
    /// An event for some sockets, once each.
    Emit {
        /// Its name.
        name: Cow<'static, str>,
        /// Its argument, as JSON.
        argument: String,
        /// The conversation in whose room it is told, if there is one.
        conversation: Option<Arc<Conversation>>,
        /// The users whose devices are told.
        users: Vec<Id>,
        /// What is left out on this node.
        except: Option<Except>,
    },
    /// A user types in a conversation on this node, or types there no longer on any of its devices. It is told to no
    /// socket: each node knows who types where, and tells its own sockets ([`Source::heard`]).
    Typing {
        /// The user.
        user: Id,
        /// Where.
        conversation: Arc<Conversation>,
        /// Whether the user types.
        types: bool,
        /// The node on which, if it is another.
        node: Option<Box<str>>,
    },
    /// What a user has not read in a conversation has changed, by whatever node: each node that has the user's devices
    /// looks it up and tells them, so that what is told last is what is so.
    UnreadChanged {
        /// The user.
        user: Id,
        /// The conversation.
        conversation: Arc<Conversation>,
    },
    /// A user's tokens from before then are void: all sockets end.
    TokensRevoked {
        /// The user.
        user: Id,
        /// Which tokens.
        revocation: Revocation,
    },
    /// A user signed one token out: its sockets end. Each node hears of it from the store, so it is told here alone.
    TokenVoid {
        /// The user.
        user: Id,
        /// The token.
        token: TokenId,
    },
    /// A user's account is suspended: all sockets are told, and end. Each node hears of it from the store, so it is told
    /// here alone.
    AccountSuspended {
        /// The user.
        user: Id,
        /// The argument of `account_suspended`, as JSON.
        argument: String,
    },
    /// What two users block of each other has changed.
    BlocksChanged {
        /// The two.
        users: [Id; 2],
    },
    /// A user's profile has changed.
    ProfileChanged {
        /// The user.
        user: Id,
    },
}

/// What an event is not for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Except {
    /// Not at all.
    Everywhere(SocketId),
    /// Not as one of its user's devices; as a member of the conversation it is told.
    AsDevice(SocketId),
    /// None of the sockets of this one of the conversation's participants, by the index.
    Participant(usize),
}

/// Called when the sockets of this node were told.
pub type Told = Box<dyn FnOnce() + Send>;

/// Carries news. Those of one caller arrive in the order in which they were given; messages arrive in the order of
/// their conversation.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells of a message; never waits for other nodes.
    fn publish_message(&self, message: MessageEvent, told: Told);

    /// A conversation may have messages that nobody told of: their sender does not know what became of them.
    fn recheck(&self, conversation: &Arc<Conversation>);

    /// Whether there may be other nodes.
    fn has_other_nodes(&self) -> bool;

    /// Tells the sockets of this node alone.
    fn publish_locally(&self, event: &BusEvent);

    /// Tells of something else.
    fn publish(&self, event: BusEvent);

    /// Emits an event to the devices of each of many users, in time: it waits behind messages, and for other nodes to
    /// take it. What they can't be told now they are not told.
    async fn publish_to_each(&self, name: &'static str, argument: &str, users: &[Id]);

    /// Whether a device of `user` is connected to this node.
    fn has_device(&self, user: &Id) -> bool;

    /// A device of `user` is about to be let in. It may be, once what is returned is done: from then on nothing that
    /// other nodes tell of the user is missed.
    fn subscribe(&self, user: &Id) -> Option<SubscribeFuture>;

    /// The socket that `user` has lost on another node, if it can be taken up here; that node then has it no longer.
    /// Waits a moment, once the user's device is attached.
    async fn take_over(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<HandedOver>>;

    /// A socket that was handed over is let in: it joins its rooms, and is told what it was not told before.
    fn restore(&self, socket: &Socket, user: &Id, reached: Reached, rooms: &[Box<str>]);

    /// Of the quota of `user`, so much is used: other nodes may want to know.
    fn record_usage(&self, user: &Id, count: u32, quota: MessageQuota);

    /// Counts a message of `user`, who has no device here, against what other nodes have taken; answers how long to
    /// wait if it is too many.
    async fn take(&self, user: &Id, quota: MessageQuota) -> Option<Duration>;

    /// Notes that users have a device on this node, or no longer any; answers for each whether that changed whether
    /// the user has one anywhere.
    async fn set_present(&self, users: &[Id], are_present: bool) -> Vec<bool>;

    /// Which of the users have a device on another node.
    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool>;

    /// Waits until the sockets of `user`, who has a device here, were told of all messages up to `position` (counted as
    /// in [`MessageEvent::positions`]).
    async fn wait_until_delivered(&self, user: &Id, position: i64) -> DeliveryWait;

    /// Says goodbye to the other nodes.
    async fn close(&self);
}

/// See [`Bus::wait_until_delivered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryWait {
    /// They have been delivered.
    Done,
    /// They were not delivered in time.
    TimedOut,
    /// This bus tracks no positions: it delivers when the store calls back.
    NotTracked,
}

/// See [`Bus::attach`].
pub type SubscribeFuture = std::pin::Pin<Box<dyn Future<Output = Subscription> + Send>>;

/// A device's claim on what other nodes tell of its user; given up when it is dropped.
pub struct Subscription(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Send + Sync>);

/// How many messages a user may write over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQuota {
    /// A second, in the long run; at least one.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// A socket that goes from one node to another.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedOver {
    /// The socket.
    pub socket: socketio::HandedOver,
    /// What it was told.
    pub reached: Reached,
}

/// How far a socket was told of its user's messages.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reached {
    /// The position of the last one.
    pub position: i64,
    /// The last one of each conversation, by the store's key.
    pub seqs: HashMap<i64, i64>,
    /// Whether some were told that come after `position`, by a replay.
    pub is_ahead: bool,
}

/// A message as it is read from the store.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its id: ids sort in the order of commits.
    pub id: Id,
    /// Its conversation, by the store's key.
    pub conversation: i64,
    /// Its place there.
    pub seq: i64,
    /// What is told of it; `None` if it is deleted.
    pub event: Option<MessageEvent>,
}

/// What the bus needs of the chat.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// What is stored in a conversation after a sequence number, at most a hundred, without holes.
    async fn messages_after(
        &self,
        conversation: &Arc<Conversation>,
        seq: i64,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// How many messages the conversations of each of these users have.
    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>, StoreError>;

    /// How far the conversations of these users go.
    async fn ends_of(&self, users: Vec<Id>) -> Result<Vec<Ends>, StoreError>;

    /// Another node's message was told to the sockets of this one.
    fn message_delivered(&self, message: &MessageEvent);

    /// Users who had a device on a node that is gone, and was last there then: they count as if they had one here until
    /// the grace is over.
    fn users_adopted(&self, users: &[Id], last_seen: Timestamp);

    /// A socket that was handed over was told of a message late.
    fn message_replayed(&self, message: &MessageEvent);

    /// Another node tells of something that may be remembered here otherwise.
    fn event_received(&self, event: &BusEvent);

    /// Other nodes may have told of things that were not heard: they are read anew. Whether that could be done.
    async fn refresh(&self) -> bool;

    /// The users who count as present on this node: with a device, or within the grace after the last one.
    fn present(&self) -> Vec<Id>;

    /// Whether a user does.
    fn is_present(&self, user: &Id) -> bool;
}

/// The room of a user's sockets that have joined a conversation. The two have a room each, so that each can be told in
/// the order of all that concerns the user.
pub fn conversation_room(conversation: &Id, user: &Id) -> String {
    format!("conv:{conversation}:{user}")
}

/// The personal room of a user.
pub fn user_room(id: &Id) -> String {
    format!("user:{id}")
}

/// The room of a user's sockets that get every message of all conversations.
fn feed_room(id: &Id) -> String {
    format!("feed:{id}")
}
