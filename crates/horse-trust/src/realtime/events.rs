//! The client's events, one function each.

use std::sync::Arc;
use std::time::Instant;

use socketio::{Event, EventFuture, Responder, Socket};

use super::services::{Participant, Services};
use crate::bus::conversation_room;
use crate::chat::{Lookup, SendContext, view};
use crate::contract::{
    ConversationName, DONE, Draft, EditMessage, FetchMessages, MarkRead, MessageJson, MessageName,
    RefreshToken, Refreshed, Refusal, ReportMessage, Reported, SendMessage, UpdateConversation, UserName,
    fetched, refused, success,
};
use crate::id::Id;
use crate::json;
use crate::store::{Conversation, Range, Read};
use crate::timestamp::Timestamp;

/// Messages a slice if nothing is said.
const DEFAULT_LIMIT: i64 = 30;
/// Messages a slice at most.
const MAX_LIMIT: i64 = 100;

impl Participant {
    pub(super) fn send_message(&self, event: Event<'_>) -> Option<EventFuture> {
        let responder = event.responder;
        let SendMessage { conversation_id, draft } = match SendMessage::parse(event.arguments) {
            Ok(payload) => payload,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user, begin) = (&self.services.chat, &self.claims.user, Instant::now());
        if let Err(refusal) = chat.count_message(user) {
            return refuse(responder, refusal);
        }
        let context = chat.send_context(user, &conversation_id, &draft);
        self.when_found(context, move |services, user, context| {
            submit(services, user, context, draft, responder, begin);
        })
    }

    /// Calls `finish` with what was looked up: now if it is cached, so that the usual event needs no future.
    fn when_found<T: Send + 'static>(
        &self,
        lookup: Lookup<T>,
        finish: impl FnOnce(&Arc<Services>, &Id, T) + Send + 'static,
    ) -> Option<EventFuture> {
        match lookup {
            Lookup::Cached(found) => {
                finish(&self.services, &self.claims.user, found);
                None
            }
            Lookup::Loading(found) => {
                let (services, user) = (Arc::clone(&self.services), self.claims.user.clone());
                Some(Box::pin(async move { finish(&services, &user, found.await) }))
            }
        }
    }

    pub(super) fn join_conversation(&self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let socket = socket.clone();
        self.with_room(event, move |user, conversation, responder| {
            join(&socket, user, conversation, responder);
        })
    }

    /// Ends `join_conversation`: a conversation that was not joined is left all the same.
    pub(super) fn leave_conversation(&self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let socket = socket.clone();
        self.with_room(event, move |user, found, responder| {
            let left = found.map(|conversation| socket.leave(&conversation_room(&conversation.id, user)));
            answer(responder, left.map(|()| DONE.to_owned()));
        })
    }

    /// Looks up the conversation that an event names, at the rate of joins, and has `finish` answer.
    fn with_room(
        &self,
        event: Event<'_>,
        finish: impl FnOnce(&Id, Result<Arc<Conversation>, Refusal>, Responder) + Send + 'static,
    ) -> Option<EventFuture> {
        let responder = event.responder;
        let id = match ConversationName::parse(event.arguments) {
            Ok(name) => name.conversation_id,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user) = (&self.services.chat, &self.claims.user);
        if let Err(refusal) = chat.limits().join(user) {
            return refuse(responder, refusal);
        }
        self.when_found(chat.conversation(user, &id), move |_, user, found| finish(user, found, responder))
    }

    pub(super) fn update_conversation(&self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let (socket, responder) = (socket.key(), event.responder);
        let update = match UpdateConversation::parse(event.arguments) {
            Ok(payload) => payload,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user) = (Arc::clone(&self.services.chat), self.claims.user.clone());
        Some(Box::pin(async move {
            let updated = match chat.update_conversation(&user, &update, socket).await {
                Ok(summary) => Ok(chat.conversation_json(&user, &summary).await),
                Err(refusal) => Err(refusal),
            };
            answer(responder, updated.map(|json| success(&json)));
        }))
    }

    pub(super) fn set_typing(&self, socket: &Socket, event: Event<'_>, types: bool) -> Option<EventFuture> {
        let socket = socket.key();
        let responder = event.responder;
        let id = match ConversationName::parse(event.arguments) {
            Ok(name) => name.conversation_id,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user) = (&self.services.chat, &self.claims.user);
        if let Err(refusal) = chat.limits().typing(user) {
            return refuse(responder, refusal);
        }
        self.when_found(chat.unblocked_conversation(user, &id), move |services, user, found| {
            let set = found.map(|conversation| services.chat.set_typing(user, &conversation, socket, types));
            answer(responder, set.map(|()| DONE.to_owned()));
        })
    }

    pub(super) fn mark_read(&self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let (socket, responder) = (socket.key(), event.responder);
        let MarkRead { conversation_id: id, up_to_seq: up_to } = match MarkRead::parse(event.arguments) {
            Ok(payload) => payload,
            Err(refusal) => return refuse(responder, refusal),
        };
        if let Err(refusal) = self.services.chat.limits().request(&self.claims.user) {
            return refuse(responder, refusal);
        }
        let lookup = self.services.chat.conversation(&self.claims.user, &id);
        self.when_found(lookup, move |services, user, found| match found {
            Ok(conversation) => {
                let done = |read: Result<Read, Refusal>| {
                    answer(responder, read.map(|read| success(&json::encode(&view::marked(&read)))));
                };
                services.chat.mark_read(user, &conversation, up_to, socket, Box::new(done));
            }
            Err(refusal) => answer(responder, Err(refusal)),
        })
    }

    pub(super) fn fetch_messages(&self, event: Event<'_>) -> Option<EventFuture> {
        let responder = event.responder;
        let parsed = FetchMessages::parse(event.arguments);
        let (chat, user) = (Arc::clone(&self.services.chat), self.claims.user.clone());
        match chat.limits().request(&user).and(parsed) {
            Ok(payload) => Some(Box::pin(async move {
                let slice = chat.slice(&user, &payload.conversation_id, range(&payload), false).await;
                answer(responder, slice.map(|slice| fetched(&slice.messages, slice.has_more)));
            })),
            Err(refusal) => refuse(responder, refusal),
        }
    }

    pub(super) fn edit_message(&self, event: Event<'_>) -> Option<EventFuture> {
        match EditMessage::parse(event.arguments) {
            Ok(EditMessage { message_id, text }) => {
                Some(self.change_message(message_id, Some(text), event.responder))
            }
            Err(refusal) => refuse(event.responder, refusal),
        }
    }

    pub(super) fn delete_message(&self, event: Event<'_>) -> Option<EventFuture> {
        match MessageName::parse(event.arguments) {
            Ok(name) => Some(self.change_message(name.message_id, None, event.responder)),
            Err(refusal) => refuse(event.responder, refusal),
        }
    }

    fn change_message(&self, id: String, text: Option<String>, responder: Responder) -> EventFuture {
        let (chat, user) = (Arc::clone(&self.services.chat), self.claims.user.clone());
        let done = move |changed: Result<MessageJson, Refusal>| {
            answer(responder, changed.map(|json| success(&json)));
        };
        Box::pin(async move { chat.change_message(&user, &id, text, Box::new(done)).await })
    }

    pub(super) fn set_block(
        &self,
        socket: &Socket,
        event: Event<'_>,
        is_blocked: bool,
    ) -> Option<EventFuture> {
        let (socket, responder) = (socket.key(), event.responder);
        let other = match UserName::parse(event.arguments) {
            Ok(name) => name.user_id,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user) = (Arc::clone(&self.services.chat), self.claims.user.clone());
        Some(Box::pin(async move {
            let result = chat.set_block(&user, &other, is_blocked, Some(socket)).await;
            answer(responder, result.map(|()| DONE.to_owned()));
        }))
    }

    pub(super) fn report_message(&self, event: Event<'_>) -> Option<EventFuture> {
        let responder = event.responder;
        let ReportMessage { message_id, reason } = match ReportMessage::parse(event.arguments) {
            Ok(payload) => payload,
            Err(refusal) => return refuse(responder, refusal),
        };
        let (chat, user) = (Arc::clone(&self.services.chat), self.claims.user.clone());
        Some(Box::pin(async move {
            let report = chat.report_message(&user, &message_id, &reason).await;
            answer(responder, report.map(|id| success(&json::encode(&Reported { report_id: &id }))));
        }))
    }

    /// The socket stays for as long as the new token is valid.
    pub(super) fn refresh_token(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let token = match RefreshToken::parse(event.arguments) {
            Ok(payload) => payload.token,
            Err(refusal) => return refuse(event.responder, refusal),
        };
        if let Err(refusal) = self.services.chat.limits().request(&self.claims.user) {
            return refuse(event.responder, refusal);
        }
        let claims =
            self.services.tokens.verify(&token).ok().filter(|claims| claims.user == self.claims.user);
        let Some(claims) = claims else { return refuse(event.responder, Refusal::InvalidToken) };
        self.services.expiries.watch(socket, claims.expires_at);
        self.services.hub.set_token(socket, claims.token);
        // It may have been signed out since it was looked at, when this socket was not one of its own yet.
        if self.services.tokens.check(&claims).is_err() {
            socket.disconnect();
        }
        let expires_at = claims.expires_at.and_then(Timestamp::from_seconds);
        self.claims = claims;
        answer(event.responder, Ok(success(&json::encode(&Refreshed { expires_at }))));
        None
    }
}

/// The range that is asked for.
fn range(part: &FetchMessages) -> Range {
    let limit = u64::try_from(part.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)).unwrap_or(1);
    match (part.after_seq, part.before_seq) {
        (Some(seq), _) => Range::After(seq, limit),
        (None, before) => Range::Before(before.unwrap_or(i64::MAX), limit),
    }
}

fn join(socket: &Socket, user: &Id, conversation: Result<Arc<Conversation>, Refusal>, responder: Responder) {
    let joined = conversation.and_then(|conversation| {
        socket.join(&conversation_room(&conversation.id, user)).map_err(|error| {
            tracing::debug!(%error, socket = %socket.log_id(), "a socket could not join a conversation");
            Refusal::TooManyConversations
        })
    });
    answer(responder, joined.map(|()| DONE.to_owned()));
}

/// Gives a message to the chat; the acknowledgement follows when the sockets of this node have it.
fn submit(
    services: &Arc<Services>,
    user: &Id,
    context: Result<SendContext, Refusal>,
    draft: Draft,
    responder: Responder,
    begin: Instant,
) {
    let context = match context {
        Ok(context) => context,
        // For the sender, a failed read of the store is a message that was not sent.
        Err(Refusal::StoreFailed) => return answer(responder, Err(Refusal::SendFailed)),
        Err(refusal) => return answer(responder, Err(refusal)),
    };
    let metrics = Arc::clone(&services.metrics);
    let sent = move |result: Result<(MessageJson, bool), Refusal>| {
        let is_stored = result.is_ok();
        answer(responder, result.map(|(json, _)| success(&json)));
        if is_stored {
            metrics.acknowledged(begin);
        }
    };
    services.chat.send(user, context, draft, Box::new(sent));
}

fn answer(responder: Responder, result: Result<String, Refusal>) {
    match result {
        Ok(json) => responder.send_raw(&json),
        Err(refusal) => drop(refuse(responder, refusal)),
    }
}

/// Acknowledges with a refusal.
pub(super) fn refuse(responder: Responder, refusal: Refusal) -> Option<EventFuture> {
    // The line of the failure has the cause; this one has the socket.
    if matches!(refusal, Refusal::SendFailed | Refusal::StoreFailed) {
        tracing::warn!(sid = %responder.log_id(), %refusal, "an event failed");
    }
    responder.send_raw(&refused(refusal));
    None
}
