//! What the platform does in a conversation: it reads, writes and deletes there. Whoever calls this may do it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::access::store_failed;
use super::messages::SendResult;
use super::reading::Slice;
use super::service::Chat;
use crate::contract::{MessageJson, PlatformMessage, Refusal};
use crate::id::Id;
use crate::store::{MessageExtras, NewMessage, Range};

impl Chat {
    /// A part of a conversation's history, of which nothing counts as read or delivered.
    pub async fn platform_slice(&self, conversation_id: &str, range: Range) -> Result<Slice, Refusal> {
        let conversation = self.conversation_of_any(conversation_id).await?;
        let (history, messages) = self.read_part(&conversation, range).await?;
        Ok(self.cut(range, &history, messages).0)
    }

    /// Stores a message of the platform, or in the name of a participant, and notifies both as of any other. The platform has
    /// no rate, and no block stops what it says itself.
    pub async fn post_for_platform(
        self: &Arc<Self>,
        conversation_id: &str,
        message: PlatformMessage,
    ) -> SendResult {
        let PlatformMessage { draft, sender_id, custom } = message;
        draft.check()?;
        let conversation = self.conversation_of_any(conversation_id).await?;
        let sender = match sender_id {
            None => Id::SYSTEM,
            Some(id) => {
                let sender = Id::parse(&id).map_err(|_| Refusal::SenderNotInConversation)?;
                conversation.side_of(&sender).ok_or(Refusal::SenderNotInConversation)?;
                self.blocks(&sender, &conversation).get().await?.check()?;
                sender
            }
        };
        let profile = self.profile(&sender).await?;
        let message = NewMessage {
            conversation,
            sender,
            text: draft.text,
            client_id: draft.client_id,
            reply_to: None,
            extras: MessageExtras { custom }.if_any(),
        };
        let (sent, result) = oneshot::channel();
        // The caller may have gone away meanwhile; the message is stored all the same.
        self.store_message(message, profile, Box::new(move |stored| drop(sent.send(stored))));
        result.await.unwrap_or(Err(Refusal::SendFailed))
    }

    /// Deletes a message of any age for both, whoever wrote it.
    pub async fn delete_for_platform(self: &Arc<Self>, message_id: &str) -> Result<MessageJson, Refusal> {
        let id = Id::parse(message_id).map_err(|_| Refusal::MessageNotFound)?;
        let found = self.store.message(&id).await.map_err(store_failed("message"))?;
        let (conversation, message) = found.ok_or(Refusal::MessageNotFound)?;
        let sender = self.profile(&message.sender).await?;
        let (deleted, result) = oneshot::channel();
        let done = Box::new(move |message| drop(deleted.send(message)));
        self.store_change(&conversation, message.seq, sender, None, None, done);
        result.await.unwrap_or(Err(Refusal::StoreFailed))
    }
}
