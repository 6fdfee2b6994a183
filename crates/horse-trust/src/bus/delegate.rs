//! What a bus of several nodes needs of the chat.

use std::sync::Arc;

use async_trait::async_trait;

use super::event::{BusEvent, MessageEvent};
use crate::id::Id;
use crate::store::{Conversation, StoreError, UserPosition};
use crate::timestamp::Timestamp;

/// A message as it is read from the store.
#[derive(Debug)]
pub struct StoredMessage {
    /// The message's id: ids sort in the order of commits.
    pub id: Id,
    /// The conversation, by the store's key.
    pub conversation: i64,
    /// The sequence number in the conversation.
    pub seq: i64,
    /// The event for it; `None` if the message is deleted.
    pub event: Option<MessageEvent>,
}

/// The chat as the bus sees it: reads what is missing, and reacts to what other nodes publish.
#[async_trait]
pub trait Delegate: Send + Sync + 'static {
    /// The messages of a conversation after a sequence number, at most a hundred, without gaps.
    async fn messages_after(
        &self,
        conversation: &Arc<Conversation>,
        seq: i64,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// How many messages the conversations of each of these users have.
    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>, StoreError>;

    /// The last sequence numbers of the conversations of these users.
    async fn detailed_positions_of(&self, users: Vec<Id>) -> Result<Vec<UserPosition>, StoreError>;

    /// The sockets of this node received another node's message.
    fn message_delivered(&self, message: &MessageEvent);

    /// A socket that moved to this node received a message that it had missed.
    fn message_replayed(&self, message: &MessageEvent);

    /// These users had a device on a node that died, last seen then. They count as present on this node until the grace
    /// period is over.
    fn users_adopted(&self, users: &[Id], last_seen: Timestamp);

    /// Another node published an event.
    fn event_received(&self, event: &BusEvent);

    /// Events of other nodes may be lost: discards what is cached and reads it anew. Whether that succeeded.
    async fn refresh(&self) -> bool;

    /// The users who count as present on this node: with a device, or within the grace period after the last one.
    fn present(&self) -> Vec<Id>;

    /// Whether a user counts as present on this node.
    fn is_present(&self, user: &Id) -> bool;
}
