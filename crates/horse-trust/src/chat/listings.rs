//! Conversations that the platform makes, and what it shows of horses in them. Whoever calls this may do it.

use std::sync::Arc;

use super::access::store_failed;
use super::service::Chat;
use super::view;
use crate::bus::BusEvent;
use crate::contract::{self, Listing, ListingChange, Refusal};
use crate::id::Id;
use crate::json;
use crate::store::{Conversation, NewConversation};

/// How many conversations about a horse are read at once.
const READ_AT_ONCE: u32 = 500;

impl Chat {
    /// Makes or finds the one conversation of two users about a horse, which both see from then on, and changes its listing.
    /// Also answers whether it was made.
    pub async fn put_conversation(
        self: &Arc<Self>,
        participants: [Id; 2],
        horse_id: Option<Id>,
        change: &ListingChange,
    ) -> Result<(Conversation, bool), Refusal> {
        let put = self.store.put_conversation(NewConversation { participants, horse_id }).await;
        let (conversation, is_new) = put.map_err(store_failed("put_conversation"))?;
        self.store_listing(&conversation, change).await?;
        self.note_change_to_both(&conversation);
        Ok((conversation, is_new))
    }

    /// Changes the listing of one conversation.
    pub async fn change_listing(
        self: &Arc<Self>,
        conversation_id: &str,
        change: &ListingChange,
    ) -> Result<Arc<Conversation>, Refusal> {
        let conversation = self.conversation_of_any(conversation_id).await?;
        self.store_listing(&conversation, change).await?;
        if *change != ListingChange::Keep {
            self.note_change_to_both(&conversation);
        }
        Ok(conversation)
    }

    async fn store_listing(
        &self,
        conversation: &Conversation,
        change: &ListingChange,
    ) -> Result<(), Refusal> {
        let listing = match change {
            ListingChange::Keep => return Ok(()),
            ListingChange::Remove => None,
            ListingChange::Set(listing) => Some(json::encode(listing)),
        };
        self.store.set_listing(conversation, listing).await.map_err(store_failed("set_listing"))
    }

    /// Sets the listing of all conversations about a horse; answers how many there are.
    pub async fn set_horse_listing(&self, horse: &Id, listing: &Listing) -> Result<u64, Refusal> {
        let set = self.store.set_horse_listing(horse, json::encode(listing)).await;
        set.map_err(store_failed("set_horse_listing"))?;
        if self.bus.has_other_nodes() {
            self.bus.publish(BusEvent::ListingChanged { horse: horse.clone() });
        }
        self.listing_changed(horse);
        self.store.count_about(horse).await.map_err(store_failed("count_about"))
    }

    /// What is shown of a horse has changed: those of its conversations who are connected to this node are notified.
    pub(super) fn listing_changed(&self, horse: &Id) {
        self.listing_changes.offer(horse.clone(), ());
    }

    /// Sends `conversation_updated` after listings of horses changed, as long as it runs.
    pub(super) async fn announce_listing_changes(self: Arc<Self>) {
        loop {
            for (horse, ()) in self.listing_changes.due().await {
                if let Err(refusal) = self.announce_listing(&horse).await {
                    tracing::warn!(%refusal, %horse, "users were not notified of a changed listing");
                }
            }
        }
    }

    async fn announce_listing(&self, horse: &Id) -> Result<(), Refusal> {
        let mut before = None;
        loop {
            let part = self.store.conversations_about(horse, before, READ_AT_ONCE).await;
            let part = part.map_err(store_failed("conversations_about"))?;
            let Some(last) = part.last() else { return Ok(()) };
            before = Some(last.key);
            for conversation in &part {
                for user in conversation.participants.iter().filter(|user| self.bus.has_socket(user)) {
                    self.announce_conversation(user, conversation.key, None).await?;
                }
            }
        }
    }

    /// A conversation as the platform is shown it, as JSON: as the first of the two sees it, without what that one has set and
    /// not read.
    pub async fn conversation_for_platform(&self, conversation: &Conversation) -> Result<String, Refusal> {
        let first = &conversation.participants[0];
        let summary = self.store.conversation_summary(conversation.key, first).await;
        let summary =
            summary.map_err(store_failed("conversation_summary"))?.ok_or(Refusal::ConversationNotFound)?;
        let online = self.online_in(std::slice::from_ref(&summary)).await;
        let shown = view::conversation(&summary, first, |id| online.contains(id));
        let shown =
            contract::Conversation { unread_count: 0, archived: false, muted: false, pinned: false, ..shown };
        Ok(json::encode(&shown))
    }

    fn note_change_to_both(&self, conversation: &Conversation) {
        for participant in &conversation.participants {
            self.note_conversation_change(participant, conversation, None);
        }
    }
}
