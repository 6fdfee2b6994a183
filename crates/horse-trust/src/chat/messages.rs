//! Sends, edits and deletes messages: what is stored, and who is notified in which order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::access::{SendContext, store_failed};
use super::limits::too_many;
use super::service::Chat;
use super::view;
use crate::bus::{BusEvent, MessageEvent, Quota};
use crate::callback::Callback;
use crate::contract::{Draft, MESSAGE_UPDATED, MessageDeleted, MessageJson, Refusal, ServerEvent, text};
use crate::id::Id;
use crate::store::{Change, Changed, Conversation, Message, NewMessage, Profile, Quote, StoreError, Stored};

/// The stored message, and whether it is new; or why it was refused.
pub type SendResult = Result<(MessageJson, bool), Refusal>;

impl Chat {
    /// Checks a message and stores it. `sent` is called once: after the message is on disk and was delivered to the sockets
    /// of this node, or with the refusal. The caller has counted the message before it asked for the context.
    ///
    /// The order of calls for one conversation is the order in which the messages are stored and delivered.
    pub fn send(self: &Arc<Self>, user: &Id, context: SendContext, draft: Draft, sent: Callback<SendResult>) {
        if let Err(refusal) = draft.check() {
            return sent(Err(refusal));
        }
        let Draft { text, client_id, .. } = draft;
        let SendContext { conversation, sender, reply_to } = context;
        let message =
            NewMessage { conversation, sender: user.clone(), text, client_id, reply_to, extras: None };
        self.store_message(message, sender, sent);
    }

    /// Stores a message that was checked, and notifies of it; `sender` is the profile that is shown.
    pub(super) fn store_message(
        self: &Arc<Self>,
        message: NewMessage,
        sender: Option<Arc<Profile>>,
        sent: Callback<SendResult>,
    ) {
        let (chat, place) = (Arc::clone(self), Arc::clone(&message.conversation));
        self.store.append_message(
            message,
            Box::new(move |appended| match appended {
                Ok(stored) => {
                    let message = view::message(&stored.conversation, sender.as_deref(), &stored.message);
                    let json = message.to_json();
                    if stored.is_new {
                        chat.deliver(&stored, Arc::clone(&json), Box::new(move |()| sent(Ok((json, true)))));
                    } else {
                        // A repetition. The node that stored the first one may have died before it published it.
                        chat.bus.recheck(&stored.conversation);
                        sent(Ok((json, false)));
                    }
                }
                // Another node set the block, and this one did not know of it yet.
                Err(StoreError::Blocked { by_sender }) => sent(Err(Refusal::blocked(by_sender))),
                Err(StoreError::ClientIdUsed) => sent(Err(Refusal::ClientIdUsed)),
                Err(error) => {
                    tracing::error!(%error, "a message could not be stored");
                    chat.bus.recheck(&place);
                    sent(Err(Refusal::SendFailed));
                }
            }),
        );
    }

    /// Counts a message of `user`, over all nodes; refused if it is one too many. To be called before the store is read.
    pub fn count_message(&self, user: &Id) -> Result<(), Refusal> {
        self.limits.message(user, |count, quota| self.bus.record_usage(user, count, quota))
    }

    /// [`Chat::send`] for a caller that waits.
    pub async fn post_message(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        draft: Draft,
    ) -> Result<(MessageJson, bool), Refusal> {
        let context = self.send_context(user, conversation_id, &draft).get().await?;
        // A node that has a device of the user has received all of their messages, and counted them.
        if !self.bus.has_device(user) {
            self.take_from_all_nodes(user, self.limits.message_quota()).await?;
        }
        let (sender, receiver) = oneshot::channel();
        // The caller may have gone away meanwhile; the message is stored all the same.
        self.send(user, context, draft, Box::new(move |result| drop(sender.send(result))));
        receiver.await.unwrap_or(Err(Refusal::SendFailed))
    }

    /// Counts one more of what `user` may do over all nodes, if that is limited; refused if it is one too many.
    pub(super) async fn take_from_all_nodes(&self, user: &Id, quota: Option<Quota>) -> Result<(), Refusal> {
        let Some(quota) = quota else { return Ok(()) };
        match self.bus.take_from_quota(user, quota).await {
            Some(wait) => Err(too_many(wait)),
            None => Ok(()),
        }
    }

    /// Publishes a message that was stored: to the conversation and the recipient's devices; then `delivered` is called.
    fn deliver(&self, stored: &Stored, json: MessageJson, delivered: Callback<()>) {
        let Stored { conversation, message, unread, positions, .. } = stored;
        self.typing_ended(&message.sender, conversation);
        self.bus.publish_message(message_event(conversation, message, *positions, json), delivered);
        self.note_unread_of(conversation, &message.sender, *unread);
        self.note_delivered(conversation, &message.sender, message.seq);
    }

    /// Edits a message of the user's own, or deletes it if there is no `text`. `done` is called with the message as it then
    /// is, after the sockets of this node were notified.
    pub async fn change_message(
        self: &Arc<Self>,
        user: &Id,
        message_id: &str,
        text: Option<String>,
        done: Callback<Result<MessageJson, Refusal>>,
    ) {
        match self.own_message(user, message_id, text.as_deref()).await {
            Ok((conversation, seq, sender)) => {
                let window = Some(self.config.edit_window);
                self.store_change(&conversation, seq, sender, text, window, done);
            }
            Err(refusal) => done(Err(refusal)),
        }
    }

    /// Where the message is, and who sent it, if `user` may change it to `text`.
    async fn own_message(
        self: &Arc<Self>,
        user: &Id,
        message_id: &str,
        text: Option<&str>,
    ) -> Result<(Arc<Conversation>, i64, Option<Arc<Profile>>), Refusal> {
        // An edit sends a new text to the other, as a message does, and the old one is kept.
        if text.is_some() {
            self.count_message(user)?;
            // A node that has a device of the user has received all of their messages, and counted them.
            if !self.bus.has_device(user) {
                self.take_from_all_nodes(user, self.limits.message_quota()).await?;
            }
        } else {
            self.limits.request(user)?;
        }
        let (conversation, message) = self.message(user, message_id).await?;
        if message.sender != *user {
            return Err(Refusal::NotTheSender);
        }
        if let Some(text) = text {
            text::check(text)?;
            self.blocks(user, &conversation).get().await?.check()?;
        }
        let sender = self.profile(user).await?;
        Ok((conversation, message.seq, sender))
    }

    /// A message in a conversation in which `user` takes part.
    pub(super) async fn message(
        &self,
        user: &Id,
        message_id: &str,
    ) -> Result<(Arc<Conversation>, Message), Refusal> {
        let id = Id::parse(message_id).map_err(|_| Refusal::MessageNotFound)?;
        let found = self.store.message(&id).await.map_err(store_failed("message"))?;
        found.filter(|(conversation, _)| conversation.other(user).is_some()).ok_or(Refusal::MessageNotFound)
    }

    /// What a reply quotes: the message with this id, if it is one of `conversation`.
    pub(super) async fn quote(
        &self,
        conversation: &Conversation,
        message_id: &str,
    ) -> Result<Quote, Refusal> {
        let id = Id::parse(message_id).map_err(|_| Refusal::ReplyNotFound)?;
        let found = self.store.message(&id).await.map_err(store_failed("message"))?;
        let (_, message) =
            found.filter(|(of, _)| of.key == conversation.key).ok_or(Refusal::ReplyNotFound)?;
        Ok(Quote { id, seq: message.seq, sender: message.sender, text: message.text })
    }

    /// Changes a message within `window` after it was sent. Without one the platform does it: at any age, and for both.
    pub(super) fn store_change(
        self: &Arc<Self>,
        conversation: &Arc<Conversation>,
        seq: i64,
        sender: Option<Arc<Profile>>,
        text: Option<String>,
        window: Option<Duration>,
        done: Callback<Result<MessageJson, Refusal>>,
    ) {
        let is_deletion = text.is_none();
        let change = Change { conversation: Arc::clone(conversation), seq, text, window, is_erasure: false };
        let (chat, conversation) = (Arc::clone(self), Arc::clone(conversation));
        let json =
            move |message: &Message| view::message(&conversation, sender.as_deref(), message).to_json();
        let conversation = Arc::clone(&change.conversation);
        self.store.change_message(
            change,
            Box::new(move |changed| {
                done(match changed {
                    Ok(Changed::Done { message, unread }) => {
                        let json = json(&message);
                        chat.publish_change(&conversation, &message, &json, window.is_none());
                        if is_deletion {
                            chat.note_unread_of(&conversation, &message.sender, unread);
                        }
                        Ok(json)
                    }
                    // A repeated deletion succeeds, because the answer to the first may have been lost.
                    Ok(Changed::Gone(message)) if is_deletion => Ok(json(&message)),
                    Ok(Changed::Gone(_)) => Err(Refusal::MessageNotFound),
                    Ok(Changed::TooLate) => Err(Refusal::TooLateToChange),
                    Err(error) => Err(store_failed("change_message")(error)),
                });
            }),
        );
    }

    pub(super) fn publish_change(
        &self,
        conversation: &Arc<Conversation>,
        message: &Message,
        json: &MessageJson,
        is_of_platform: bool,
    ) {
        let (name, argument) = match message.deleted_at {
            Some(deleted_at) => {
                let event = ServerEvent::MessageDeleted(MessageDeleted {
                    message_id: &message.id,
                    conversation_id: &conversation.id,
                    seq: message.seq,
                    deleted_at,
                });
                (event.name(), event.argument())
            }
            None => (MESSAGE_UPDATED, json.to_string()),
        };
        // While a block stands, neither receives anything of the other.
        let is_blocked = !is_of_platform && self.is_known_to_be_blocked(&message.sender, conversation);
        self.bus.publish(BusEvent::Emit {
            name: name.into(),
            argument,
            conversation: (!is_blocked).then(|| Arc::clone(conversation)),
            users: if is_blocked { vec![message.sender.clone()] } else { conversation.participants.to_vec() },
            except: None,
        });
    }
}

/// The event for a message.
pub(super) fn message_event(
    conversation: &Arc<Conversation>,
    message: &Message,
    positions: Option<[i64; 2]>,
    json: MessageJson,
) -> MessageEvent {
    MessageEvent {
        conversation: Arc::clone(conversation),
        seq: message.seq,
        positions: positions.unwrap_or_default(),
        sender: message.sender.clone(),
        json,
        notification: ServerEvent::MessageNotification(view::notification(conversation, message))
            .argument()
            .into(),
    }
}
