//! Conversations, and the lists of them.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::types::{Conversation, ConversationSummary, NewConversation, SettingsChange};

/// Conversations, and the lists of them.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// The conversation with this id.
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>>;

    /// The one conversation of two users about a horse, whatever their order; created if there is none, once even if both
    /// ask at the same time. The first participant opens it. The other does not see it before it has a message, or before
    /// opening it as well.
    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation>;

    /// Changes what `user`, one of its participants, has set for a conversation.
    async fn change_settings(
        &self,
        conversation: &Conversation,
        user: &Id,
        change: SettingsChange,
    ) -> Result<()>;

    /// A part of the list of conversations that `user` sees, greatest `updated_at` first.
    async fn conversation_list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>>;

    /// The conversations with these keys as `user`'s list shows them, in that order.
    async fn conversation_summaries(&self, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>>;

    /// One conversation as `user`'s list shows it.
    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>>;

    /// The keys of the conversations with `other` that `user` sees, at most `limit`, greatest `updated_at` first.
    async fn shared_conversations(&self, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>>;

    /// For each of these users the others with whom they share a conversation that both see; blocked ones are left out,
    /// and each is named once.
    async fn partners_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>>;
}
