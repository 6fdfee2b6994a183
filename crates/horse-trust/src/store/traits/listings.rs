//! Conversations that the platform makes, and what it shows of horses in them.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Conversation, NewConversation};

/// Conversations that the platform makes, and what it shows of horses in them. A listing is JSON that the caller has checked.
#[async_trait]
pub trait ListingStore: Send + Sync + 'static {
    /// As [`ConversationStore::open_conversation`](super::ConversationStore::open_conversation), but both see it from then
    /// on. Also answers whether it was made.
    async fn put_conversation(&self, conversation: NewConversation) -> Result<(Conversation, bool)>;

    /// Sets what one conversation shows, until the listing of its horse is set; `None` takes it away.
    async fn set_listing(&self, conversation: &Conversation, listing: Option<String>) -> Result<()>;

    /// Sets what all conversations about a horse show, also those that are opened later. One row is written, however many
    /// they are.
    async fn set_horse_listing(&self, horse: &Id, listing: String) -> Result<()>;

    /// The conversations about a horse with a lower key than `before`, or the newest; at most `limit`, newest first.
    async fn conversations_about(
        &self,
        horse: &Id,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Conversation>>;

    /// How many conversations are about a horse.
    async fn count_about(&self, horse: &Id) -> Result<u64>;
}
