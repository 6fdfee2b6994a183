//! The events of the Socket.IO contract on the engine: who is let in, and one function an event.

mod payload;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use socketio::{
    Accept, CloseReason, ConnectRequest, Connecting, Event, EventFuture, NamespaceHandler, Refuse, Responder,
    Socket, SocketHandler,
};

use self::payload::SendMessage;
use crate::auth::Tokens;
use crate::chat::{Chat, Desk, Refusal, conversation_room, user_room};
use crate::id::Id;
use crate::json::LossyString;
use crate::store::Conversation;

/// Lets users with a valid token in.
pub struct Realtime {
    chat: Arc<Chat>,
    tokens: Arc<Tokens>,
}

impl Realtime {
    /// The contract's namespace over `chat`.
    pub fn new(chat: Arc<Chat>, tokens: Arc<Tokens>) -> Self {
        Self { chat, tokens }
    }
}

/// The fields of the handshake's `auth` that are ours.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    recovery: Option<&'a RawValue>,
}

impl NamespaceHandler for Realtime {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let auth = request.auth.and_then(|auth| serde_json::from_str::<Auth<'_>>(auth.get()).ok());
        let token = auth.as_ref().and_then(|auth| LossyString::parse(auth.token?.get()));
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return refuse_connection(&request, "Authentication error: no token");
        };
        let Ok(claims) = self.tokens.verify(&token) else {
            return refuse_connection(&request, "Authentication error: invalid token");
        };
        let wants_recovery = auth.and_then(|auth| auth.recovery).is_some_and(|value| value.get() == "true");
        let recovery = wants_recovery.then(|| claims.user.to_string());
        let handler = Box::new(Participant { chat: Arc::clone(&self.chat), user: claims.user });
        Connecting::Done(Ok(Accept { handler, recovery }))
    }
}

fn refuse_connection(request: &ConnectRequest<'_>, message: &str) -> Connecting {
    tracing::info!(address = %request.address, reason = message, "socket refused");
    Connecting::Done(Err(Refuse { message: message.to_owned(), data: None }))
}

/// A user's socket.
struct Participant {
    chat: Arc<Chat>,
    user: Id,
}

impl SocketHandler for Participant {
    fn connected(&mut self, socket: &Socket, recovered: bool) {
        if let Err(error) = socket.join(&user_room(&self.user)) {
            tracing::error!(%error, user = %self.user, "a socket could not join its user's room");
        }
        tracing::info!(user = %self.user, socket = socket.id(), recovered, "socket connected");
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        match event.name {
            "send_message" => self.send_message(event),
            "join_conversation" => self.join_conversation(socket, event),
            "typing" => self.typing(socket, event, "user_typing"),
            "stop_typing" => self.typing(socket, event, "user_stop_typing"),
            name => {
                tracing::debug!(name, user = %self.user, "an unknown event");
                refuse(event.responder, Refusal::UnknownEvent)
            }
        }
    }

    fn disconnected(&mut self, socket: &Socket, reason: CloseReason) {
        tracing::info!(user = %self.user, socket = socket.id(), %reason, "socket disconnected");
    }
}

impl Participant {
    fn send_message(&self, event: Event<'_>) -> Option<EventFuture> {
        let responder = event.responder;
        let SendMessage { conversation_id, text } = match SendMessage::parse(event.arguments) {
            Ok(payload) => payload,
            Err(refusal) => return refuse(responder, refusal),
        };
        if let Some(desk) = self.chat.desk_at_once(&self.user, &conversation_id) {
            submit(&self.chat, &self.user, desk, text, responder);
            return None;
        }
        let (chat, user) = (Arc::clone(&self.chat), self.user.clone());
        Some(Box::pin(async move {
            let desk = chat.desk(&user, &conversation_id).await;
            submit(&chat, &user, desk, text, responder);
        }))
    }

    fn join_conversation(&self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let socket = socket.clone();
        self.with_conversation(event, move |_, _, conversation, responder| {
            match socket.join(&conversation_room(&conversation.id)) {
                Ok(()) => responder.send(SUCCESS),
                Err(error) => {
                    tracing::debug!(%error, socket = socket.id(), "a socket could not join a conversation");
                    drop(refuse(responder, Refusal::TooManyConversations));
                }
            }
        })
    }

    fn typing(&self, socket: &Socket, event: Event<'_>, emitted: &'static str) -> Option<EventFuture> {
        let socket = socket.key();
        self.with_conversation(event, move |chat, user, conversation, responder| {
            match chat.typing(user, &conversation.id, socket, emitted) {
                Ok(()) => responder.send(SUCCESS),
                Err(refusal) => drop(refuse(responder, refusal)),
            }
        })
    }

    /// Does `action` with the conversation that the event's first argument names, if the user takes part in
    /// it; at once if it is remembered.
    fn with_conversation(
        &self,
        event: Event<'_>,
        action: impl FnOnce(&Chat, &Id, &Conversation, Responder) + Send + 'static,
    ) -> Option<EventFuture> {
        let responder = event.responder;
        let Some(id) = event.arguments.first().and_then(|argument| LossyString::parse(argument.get())) else {
            return refuse(responder, Refusal::ConversationNotFound);
        };
        match self.chat.conversation_at_once(&self.user, &id) {
            Some(Ok(conversation)) => {
                action(&self.chat, &self.user, &conversation, responder);
                None
            }
            Some(Err(refusal)) => refuse(responder, refusal),
            None => {
                let (chat, user) = (Arc::clone(&self.chat), self.user.clone());
                Some(Box::pin(async move {
                    match chat.conversation(&user, &id).await {
                        Ok(conversation) => action(&chat, &user, &conversation, responder),
                        Err(refusal) => drop(refuse(responder, refusal)),
                    }
                }))
            }
        }
    }
}

/// The acknowledgement of what needs no answer but yes.
const SUCCESS: &str = r#"{"success":true}"#;

/// Gives a message to the chat; the acknowledgement follows when everybody was told.
fn submit(chat: &Arc<Chat>, user: &Id, desk: Result<Desk, Refusal>, text: String, responder: Responder) {
    let desk = match desk {
        Ok(desk) => desk,
        // What the store's failure means for the sender.
        Err(Refusal::StoreFailed) => return drop(refuse(responder, Refusal::SendFailed)),
        Err(refusal) => return drop(refuse(responder, refusal)),
    };
    let sent = move |result: Result<Arc<str>, Refusal>| match result {
        Ok(json) => responder.send(&format!(r#"{{"success":true,"data":{json}}}"#)),
        Err(refusal) => drop(refuse(responder, refusal)),
    };
    chat.send(user, desk, text, Box::new(sent));
}

/// Acknowledges with a refusal.
fn refuse(responder: Responder, refusal: Refusal) -> Option<EventFuture> {
    let retry_after = match refusal {
        Refusal::TooManyMessages { retry_after } => format!(r#","retry_after":{retry_after}"#),
        _ => String::new(),
    };
    // No refusal's text holds what JSON would escape.
    responder.send(&format!(r#"{{"success":false,"message":"{refusal}"{retry_after}}}"#));
    None
}
