//! Messages: appended, changed and marked as read in one order, and read.

use std::sync::Arc;

use async_trait::async_trait;

use crate::callback::Callback;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{
    Change, Changed, Conversation, History, MarkRead, Message, NewMessage, Range, Read, Stored,
};

/// Messages: appended, changed and marked as read in one order, and read.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Queues a message for the next commit, and returns at once.
    ///
    /// `callback` is called once, after the commit is durable or has failed. Callbacks run in the order of commits, one at
    /// a time, on a thread of the runtime, and must not block. Messages are committed in the order of the calls, and get
    /// their sequence numbers in that order.
    ///
    /// A repeat of an idempotency key (`client_id`) stores nothing and answers the first message. Fails with
    /// [`StoreError::ClientIdUsed`] if the key belongs to another message, and, in a store of several nodes, with
    /// [`StoreError::Blocked`] if a block between the participants is committed.
    ///
    /// [`StoreError::ClientIdUsed`]: crate::store::StoreError::ClientIdUsed
    /// [`StoreError::Blocked`]: crate::store::StoreError::Blocked
    fn append_message(&self, message: NewMessage, callback: Callback<Result<Stored>>);

    /// Edits or deletes a message. An edit fails under a block, as an append does. `callback` is called as that of
    /// [`MessageStore::append_message`].
    fn change_message(&self, change: Change, callback: Callback<Result<Changed>>);

    /// Marks the other participant's messages as read. The work is proportional to the messages that become read.
    /// `callback` is called as that of [`MessageStore::append_message`].
    fn mark_read(&self, mark: MarkRead, callback: Callback<Result<Read>>);

    /// The message with this id.
    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>>;

    /// A part of a conversation's history, oldest first.
    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History>;

    /// The messages with these conversations and sequence numbers, in that order, up to `max_bytes` of text in all and one
    /// message at least. `None` where there is no message.
    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>>;

    /// How many messages `user` has not read, in all conversations.
    async fn unread_count(&self, user: &Id) -> Result<u64>;
}
