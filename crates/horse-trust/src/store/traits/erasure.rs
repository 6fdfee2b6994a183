//! Erasures: all that is kept of a user goes for good.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Conversation, Erasure, ErasurePart, NewAuditEntry};

/// Erasures. Each method does a bounded part, so that no other write waits long; all of them may be repeated. An erasure
/// that was begun stays in [`ErasureStore::erasures`] until it is finished, whatever happens to the process.
///
/// Messages are erased by [`MessageStore::change_message`](super::MessageStore::change_message), with `is_erasure`.
#[async_trait]
pub trait ErasureStore: Send + Sync + 'static {
    /// Takes away all that is in the account of a user and makes all tokens void, in one transaction, and begins the
    /// erasure of the rest. `false` if nothing is known of the user.
    async fn begin_erasure(&self, user: &Id, with_messages: bool, audit: NewAuditEntry) -> Result<bool>;

    /// The erasures that are not finished.
    async fn erasures(&self) -> Result<Vec<Erasure>>;

    /// The ids of all conversations of a user.
    async fn all_conversations_of(&self, user: &Id) -> Result<Vec<Id>>;

    /// Erases, behind the sequence number `after`, what is kept of a participant's messages beside the messages: texts that
    /// were edited or deleted, and the snapshot of a last message. Answers the messages that are still to be erased.
    async fn erase_part(
        &self,
        conversation: &Conversation,
        after: i64,
        erasure: &Erasure,
    ) -> Result<ErasurePart>;

    /// Erases some of what is kept of a user beside conversations: idempotency keys, blocks, and, with the messages, what
    /// reports say. Answers whether there may be more.
    async fn erase_rows(&self, erasure: &Erasure) -> Result<bool>;

    /// Has the bytes of what was erased leave the files of the store, as far as the store can see to that, and ends these
    /// erasures. `false` if something still reads an old state: they are done then, and this has to be tried again.
    async fn finish_erasures(&self, erasures: &[Erasure]) -> Result<bool>;
}
