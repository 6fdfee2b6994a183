//! What the bus of several nodes needs of the chat: it reads missing messages, and passes on what other nodes publish.

use std::sync::Arc;

use async_trait::async_trait;

use super::messages::message_event;
use super::reading::view_of;
use super::service::Chat;
use crate::bus::{BusEvent, Delegate, MessageEvent, StoredMessage};
use crate::contract::Refusal;
use crate::id::Id;
use crate::store::{Conversation, Message, Range, StoreError, UserPosition};
use crate::timestamp::Timestamp;

/// How many messages are read at once.
const SLICE: u64 = 100;

#[async_trait]
impl Delegate for Chat {
    async fn messages_after(
        &self,
        conversation: &Arc<Conversation>,
        seq: i64,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let history = self.store.history(conversation, Range::After(seq, SLICE)).await?;
        let profiles = self
            .profiles_of(conversation)
            .await
            .map_err(|refusal: Refusal| StoreError::Engine(refusal.to_string().into()))?;
        let event = |message: &Message| {
            let json = view_of(conversation, &profiles, message);
            message_event(conversation, message, None, json)
        };
        let stored = |message: &Message| StoredMessage {
            id: message.id.clone(),
            conversation: conversation.key,
            seq: message.seq,
            event: message.deleted_at.is_none().then(|| event(message)),
        };
        Ok(history.messages.iter().map(stored).collect())
    }

    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>, StoreError> {
        self.store.positions_of(users).await
    }

    async fn detailed_positions_of(&self, users: Vec<Id>) -> Result<Vec<UserPosition>, StoreError> {
        self.store.detailed_positions_of(users).await
    }

    fn message_delivered(&self, message: &MessageEvent) {
        // Each node that has a device of the user counts all messages of that user.
        if self.bus.has_device(&message.sender) {
            self.limits.charge_message(&message.sender);
        }
        self.typing_ended(&message.sender, &message.conversation);
        self.note_delivered(&message.conversation, &message.sender, message.seq);
    }

    fn users_adopted(&self, users: &[Id], last_seen: Timestamp) {
        self.adopt_users(users, last_seen);
    }

    fn message_replayed(&self, message: &MessageEvent) {
        self.note_delivered(&message.conversation, &message.sender, message.seq);
    }

    fn event_received(&self, event: &BusEvent) {
        match event {
            BusEvent::TokensRevoked { user, revocation } => {
                if self.tokens.revoke(user.clone(), *revocation) {
                    self.bus.publish_locally(event);
                }
            }
            BusEvent::BlocksChanged { users: [one, other] } => {
                self.forget_blocks(one, other);
            }
            BusEvent::ProfileChanged { user } => drop(self.profiles.remove(user)),
            BusEvent::ConversationChanged { user, conversation } => {
                self.conversation_changed(user, *conversation, None);
            }
            BusEvent::ListingChanged { horse } => self.listing_changed(horse),
            BusEvent::UnreadChanged { user, conversation } => self.unread_changed(user, conversation),
            BusEvent::Typing { user, conversation, types, node } => {
                if let Some(node) = node {
                    self.typing_elsewhere(user, conversation, node, *types);
                }
            }
            BusEvent::Emit { .. } | BusEvent::TokenVoid { .. } | BusEvent::AccountSuspended { .. } => {}
        }
    }

    fn present(&self) -> Vec<Id> {
        self.presence.lock().users()
    }

    fn is_present(&self, user: &Id) -> bool {
        self.presence.lock().is_present(user)
    }

    async fn refresh(&self) -> bool {
        self.blocks.clear();
        self.profiles.clear();
        match self.replace_standings().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "reading which tokens are void failed");
                false
            }
        }
    }
}
