//! What the chat does for the bus of several nodes.

use std::sync::Arc;

use async_trait::async_trait;

use super::messages::message_notice;
use super::reading::view_of;
use super::{Chat, Refusal};
use crate::bus::{MessageNotice, Notice, Source, StoredMessage};
use crate::id::Id;
use crate::store::{Conversation, Ends, Message, Range, StoreError};
use crate::timestamp::Timestamp;

/// How many messages are read at once.
const SLICE: u64 = 100;

#[async_trait]
impl Source for Chat {
    async fn after(
        &self,
        conversation: &Arc<Conversation>,
        seq: i64,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let history = self.store.history(conversation, Range::After(seq, SLICE)).await?;
        let profiles = self
            .profiles_of(conversation)
            .await
            .map_err(|refusal: Refusal| StoreError::Engine(refusal.to_string().into()))?;
        let notice = |message: &Message| {
            let json = view_of(conversation, &profiles, message);
            message_notice(conversation, message, None, json)
        };
        let stored = |message: &Message| StoredMessage {
            id: message.id.clone(),
            conversation: conversation.key,
            seq: message.seq,
            notice: message.deleted_at.is_none().then(|| notice(message)),
        };
        Ok(history.messages.iter().map(stored).collect())
    }

    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>, StoreError> {
        self.store.positions_of(users).await
    }

    async fn ends_of(&self, users: Vec<Id>) -> Result<Vec<Ends>, StoreError> {
        self.store.ends_of(users).await
    }

    fn told(&self, message: &MessageNotice) {
        // A user's rate is one over all nodes that have a device of the user.
        if self.bus.has_device(&message.sender) {
            self.limits.charge_message(&message.sender);
        }
        self.typing_ended(&message.sender, &message.conversation);
        self.note_delivered(&message.conversation, &message.sender, message.seq);
    }

    fn adopted(&self, users: &[Id], last_seen: Timestamp) {
        self.presence.adopt(users, last_seen);
    }

    fn delivered(&self, message: &MessageNotice) {
        self.note_delivered(&message.conversation, &message.sender, message.seq);
    }

    fn heard(&self, notice: &Notice) {
        match notice {
            Notice::TokensRevoked { user, revocation } => {
                if self.tokens.revoke(user.clone(), *revocation) {
                    self.bus.tell_here(notice);
                }
            }
            Notice::BlocksChanged { users: [one, other] } => {
                let pair =
                    if one < other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) };
                self.blocks.remove(&pair);
            }
            Notice::ProfileChanged { user } => drop(self.profiles.remove(user)),
            Notice::UnreadChanged { user, conversation } => self.unread_changed(user, conversation),
            Notice::Typing { user, conversation, types, node } => {
                if let Some(node) = node {
                    self.typing_elsewhere(user, conversation, node, *types);
                }
            }
            Notice::Event { .. } | Notice::AccountSuspended { .. } => {}
        }
    }

    fn present(&self) -> Vec<Id> {
        self.presence.users()
    }

    fn is_present(&self, user: &Id) -> bool {
        self.presence.is_online(user)
    }

    async fn refresh(&self) -> bool {
        self.blocks.clear();
        self.profiles.clear();
        match self.replace_standings().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "void tokens could not be looked up");
                false
            }
        }
    }
}
