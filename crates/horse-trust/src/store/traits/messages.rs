//! Messages: written, changed and marked as read in the order of commits, and read back.

use std::sync::Arc;

use async_trait::async_trait;

use crate::callback::Callback;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{
    Change, Changed, Conversation, History, MarkRead, Message, NewMessage, Range, Read, Stored,
};

/// Messages: written, changed and marked as read in the order of commits, and read back.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Adds `message` to the batch that is now open, and returns at once.
    ///
    /// `callback` is called once, after the batch was committed and synced (or failed as a whole), in the
    /// order of commits, never two at a time, on a thread of the runtime; it must not block. In one
    /// conversation commit order, the order of `seq` and the order of the calls here are the same. A repeat of a
    /// sender's `client_id` stores nothing and finds the first message, if [`Message::is_repeated_by`]; otherwise it
    /// is [`StoreError::ClientIdUsed`]. In a store that several nodes may use, nothing is stored after a block between
    /// the two was committed.
    fn append_message(&self, message: NewMessage, callback: Callback<Result<Stored>>);

    /// Edits or deletes a message; of an edit blocks are looked at as of an append. `callback` is called as that of
    /// [`MessageStore::append_message`].
    fn change_message(&self, change: Change, callback: Callback<Result<Changed>>);

    /// Marks what the other wrote as read. It costs in proportion to the messages that are newly read. `callback` is
    /// called as that of [`MessageStore::append_message`].
    fn mark_read(&self, mark: MarkRead, callback: Callback<Result<Read>>);

    /// The message with this id.
    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>>;

    /// A part of a conversation's history, oldest first.
    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History>;

    /// The messages at these places, each a conversation and a sequence number: as many of the first ones as have
    /// `max_bytes` of text together, and at least one. `None` where there is no message.
    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>>;

    /// How many messages written to `user` are not read, in all conversations.
    async fn unread_count(&self, user: &Id) -> Result<u64>;
}
