//! What the chat needs of a bus, by topic.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use socketio::{LostSocket, Socket};

use super::event::{BusEvent, MessageEvent};
use crate::callback::Callback;
use crate::id::Id;
use crate::store::Conversation;

/// Everything that a bus does.
#[async_trait]
pub trait Bus: Publish + Subscribe + Presence + Quotas + Transfer {
    /// Publishes what waits, and leaves the other nodes in order.
    async fn close(&self);
}

/// Publishes events. The events of one caller arrive in the order of its calls; messages arrive in the order of
/// their conversation.
#[async_trait]
pub trait Publish: Send + Sync + 'static {
    /// Publishes a message. Never waits for other nodes: `delivered` is called when the sockets of this node have it.
    fn publish_message(&self, message: MessageEvent, delivered: Callback<()>);

    /// A conversation may have messages that were never published, because the store's answer was lost: every node
    /// compares with the store.
    fn recheck(&self, conversation: &Arc<Conversation>);

    /// Publishes another event to all nodes.
    fn publish(&self, event: BusEvent);

    /// Publishes an event to the sockets of this node alone.
    fn publish_locally(&self, event: &BusEvent);

    /// Waits until the sockets of `user`, who has a device here, have received all messages up to `position` (counted as
    /// in [`MessageEvent::positions`]).
    async fn wait_until_delivered(&self, user: &Id, position: i64) -> DeliveryWait;
}

/// See [`Publish::wait_until_delivered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryWait {
    /// They have been delivered.
    Done,
    /// They were not delivered in time.
    TimedOut,
    /// This bus tracks no positions: it delivers when the store calls back.
    NotTracked,
}

/// Knows which users have a device here, and receives what other nodes publish for them.
pub trait Subscribe: Send + Sync + 'static {
    /// Whether there may be other nodes.
    fn has_other_nodes(&self) -> bool;

    /// Whether a device of `user` is connected to this node.
    fn has_device(&self, user: &Id) -> bool;

    /// Whether a socket of `user` is on this node, connected or lost and recoverable: it receives what is sent to the user.
    fn has_socket(&self, user: &Id) -> bool;

    /// A device of `user` is about to connect. Once the future is done, nothing that other nodes publish for the user is
    /// missed. `None` if there are no other nodes.
    fn subscribe(&self, user: &Id) -> Option<SubscribeFuture>;
}

/// See [`Subscribe::subscribe`].
pub type SubscribeFuture = Pin<Box<dyn Future<Output = Subscription> + Send>>;

/// A device's subscription to its user's events; dropping it ends the subscription.
pub struct Subscription(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Send + Sync>);

impl Subscription {
    pub(super) fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

/// Whether users have a device on any node.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// Notes that users have a device on this node, or no longer have one. Answers for each the version of the change, or
    /// `None` if the user has a device on another node: then nothing has changed for others.
    async fn set_present(&self, users: &[Id], are_present: bool) -> Vec<Option<PresenceVersion>>;

    /// Notifies the devices of each of `users` of a change. It yields to messages and waits for Redis to take it; what
    /// Redis does not take in time is dropped. Of the changes of one user, each device receives the last one last,
    /// whichever node publishes it.
    async fn publish_presence(&self, event: &PresenceEvent, users: &[Id]);

    /// For each of the users, whether another node has a device.
    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool>;
}

/// Puts the changes of one user's presence on all nodes into their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PresenceVersion(pub(crate) u64);

impl PresenceVersion {
    /// Of a change that no other node knows of.
    pub const UNKNOWN: Self = Self(0);
}

/// A user is present, or no longer present, on any node.
#[derive(Debug)]
pub struct PresenceEvent {
    /// The user.
    pub user: Id,
    /// The version of the change.
    pub version: PresenceVersion,
    /// The event's name.
    pub name: &'static str,
    /// Its argument, as JSON.
    pub argument: String,
}

/// How much a user may do, over all nodes.
#[async_trait]
pub trait Quotas: Send + Sync + 'static {
    /// `count` of the user's quota are used on this node: shares it with the other nodes once it is much.
    fn record_usage(&self, user: &Id, count: u32, quota: Quota);

    /// Counts one more of the user's quota against what all nodes know. Answers how long to wait if it is one too many.
    async fn take_from_quota(&self, user: &Id, quota: Quota) -> Option<Duration>;
}

/// How much of one kind a user may do over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What is counted; nodes share a count by this name.
    pub name: &'static str,
    /// How long it takes until one more is allowed.
    pub period: Duration,
    /// How many are allowed at once.
    pub burst: u32,
}

/// Moves the socket of a client that reconnects to another node.
#[async_trait]
pub trait Transfer: Send + Sync + 'static {
    /// Fetches the lost socket of `user` from the node that has it, which then has it no longer. To be called after the
    /// user was subscribed. Waits a few seconds at most.
    async fn fetch_socket(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<SocketTransfer>>;

    /// Lets in a socket that was handed over: it joins its rooms, and receives what it missed.
    fn restore(&self, socket: &Socket, user: &Id, cursor: DeliveryCursor, rooms: &[Box<str>]);
}

/// A socket that moves from one node to another.
#[derive(Debug, Serialize, Deserialize)]
pub struct SocketTransfer {
    /// The socket.
    pub socket: socketio::SocketSnapshot,
    /// Which messages it has received.
    #[serde(rename = "reached")]
    pub cursor: DeliveryCursor,
}

/// Which of its user's messages a socket has received.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DeliveryCursor {
    /// The position of the last one.
    pub position: i64,
    /// The sequence number of the last one in each conversation, by the store's key.
    pub seqs: HashMap<i64, i64>,
    /// Whether a replay delivered messages beyond `position`.
    pub is_ahead: bool,
}
