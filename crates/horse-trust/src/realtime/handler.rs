//! Lets clients in, and passes on their events.

use std::sync::Arc;

use socketio::{
    Accept, CloseReason, ConnectError, ConnectRequest, Connecting, Event, EventFuture, LostSocket,
    NamespaceHandler, Socket, SocketHandler,
};

use super::events;
use super::expiry::Expiries;
use super::replay;
use super::replay_turns::Replays;
use super::services::{Participant, Services};
use crate::auth::{Rejection, Tokens};
use crate::bus::{Hub, SocketTransfer, user_room};
use crate::chat::{Chat, view};
use crate::contract::{Auth, ClientEvent, Refusal, RetryAfter, ServerEvent, refusals};
use crate::json::{self, LossyString};
use crate::metrics::Metrics;

/// Lets users with a valid token in.
pub struct Realtime {
    services: Arc<Services>,
}

impl Realtime {
    /// The contract's namespace over `chat`, for the sockets of `hub`.
    pub fn new(
        chat: Arc<Chat>,
        tokens: Arc<Tokens>,
        hub: Arc<Hub>,
        expiries: Arc<Expiries>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let replays = Replays::default();
        Self { services: Arc::new(Services { chat, tokens, hub, expiries, metrics, replays }) }
    }
}

impl NamespaceHandler for Realtime {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let auth = request.auth.and_then(|auth| serde_json::from_str::<Auth<'_>>(auth.get()).ok());
        let token = auth.as_ref().and_then(|auth| LossyString::parse(auth.token?.get()));
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return refuse_connection(&request, refusals::NO_TOKEN, None);
        };
        let claims = match self.services.tokens.verify(&token) {
            Ok(claims) => claims,
            Err(Rejection::Invalid) => {
                return refuse_connection(&request, refusals::INVALID_TOKEN, None);
            }
            Err(Rejection::Suspended(suspension)) => {
                let data = Some(json::encode(&view::suspension(&suspension)));
                return refuse_connection(&request, refusals::SUSPENDED, data);
            }
        };
        if let Err(Refusal::TooManyMessages { retry_after }) =
            self.services.chat.limits().connection(&claims.user)
        {
            let data = json::encode(&RetryAfter { retry_after });
            return refuse_connection(&request, refusals::TOO_MANY, Some(data));
        }
        self.services.chat.note_generation(&claims);
        let wants_recovery =
            auth.as_ref().and_then(|auth| auth.recovery).is_some_and(|value| value.get() == "true");
        let recovery = wants_recovery.then(|| claims.user.to_string());
        let offset = auth.and_then(|auth| replay::parse_offset(auth.server_offset?.get()));
        let subscribing = self.services.chat.subscribe(&claims.user);
        let lost = request.lost.filter(|_| wants_recovery);
        let lost = lost.map(|lost| (lost.pid.to_owned(), lost.offset.map(str::to_owned)));
        let participant = Participant {
            services: Arc::clone(&self.services),
            claims,
            offset,
            subscription: None,
            transfer: None,
        };
        let Some(subscribing) = subscribing else {
            return Connecting::Done(Ok(Accept { handler: Box::new(participant), recovery, snapshot: None }));
        };
        Connecting::Later(Box::pin(async move {
            let subscription = Some(subscribing.await);
            let given = match &lost {
                Some((pid, offset)) => {
                    let lost = LostSocket { pid, offset: offset.as_deref() };
                    participant.services.chat.fetch_socket(&participant.claims.user, lost).await
                }
                None => None,
            };
            let (snapshot, transfer) = given
                .map(|given| {
                    let SocketTransfer { mut socket, cursor } = *given;
                    let rooms = std::mem::take(&mut socket.rooms);
                    (Box::new(socket), Box::new((cursor, rooms)))
                })
                .unzip();
            let handler = Box::new(Participant { subscription, transfer, ..participant });
            Ok(Accept { handler, recovery, snapshot })
        }))
    }
}

fn refuse_connection(request: &ConnectRequest<'_>, message: &str, data: Option<String>) -> Connecting {
    tracing::info!(address = %request.address, reason = message, "socket refused");
    Connecting::Done(Err(ConnectError { message: message.to_owned(), data }))
}

impl SocketHandler for Participant {
    fn connected(&mut self, socket: &Socket, recovered: bool) {
        let user = &self.claims.user;
        if let Some((cursor, rooms)) = self.transfer.take().filter(|_| recovered).map(|given| *given) {
            self.services.chat.restore(socket, user, cursor, &rooms);
        }
        if let Err(error) = socket.join(&user_room(user)) {
            tracing::error!(%error, %user, "a socket could not join its user's room");
        }
        self.services.expiries.watch(socket, self.claims.expires_at);
        self.services.hub.set_token(socket, self.claims.token);
        self.services.chat.device_connected(user);
        // The token may have become void since it was verified, when this socket could not be found yet.
        if let Err(rejection) = self.services.tokens.check(&self.claims) {
            if let Rejection::Suspended(suspension) = rejection {
                let event = ServerEvent::AccountSuspended(view::suspension(&suspension));
                socket.emit_raw(event.name(), &event.argument());
            }
            return socket.disconnect();
        }
        // A recovered connection has received what it missed.
        if let Some(offset) = self.offset.take().filter(|_| !recovered) {
            replay::start(&self.services, socket, user, offset);
        }
        tracing::info!(%user, socket = %socket.log_id(), recovered, "socket connected");
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        match ClientEvent::named(event.name) {
            Some(ClientEvent::SendMessage) => self.send_message(event),
            Some(ClientEvent::JoinConversation) => self.join_conversation(socket, event),
            Some(ClientEvent::LeaveConversation) => self.leave_conversation(socket, event),
            Some(ClientEvent::Typing) => self.set_typing(socket, event, true),
            Some(ClientEvent::StopTyping) => self.set_typing(socket, event, false),
            Some(ClientEvent::MarkRead) => self.mark_read(socket, event),
            Some(ClientEvent::FetchMessages) => self.fetch_messages(event),
            Some(ClientEvent::EditMessage) => self.edit_message(event),
            Some(ClientEvent::DeleteMessage) => self.delete_message(event),
            Some(ClientEvent::BlockUser) => self.set_block(socket, event, true),
            Some(ClientEvent::UnblockUser) => self.set_block(socket, event, false),
            Some(ClientEvent::UpdateConversation) => self.update_conversation(socket, event),
            Some(ClientEvent::ReportMessage) => self.report_message(event),
            Some(ClientEvent::RefreshToken) => self.refresh_token(socket, event),
            None => {
                // Its name is the client's own text, so it is not logged.
                let counted = self.services.chat.limits().request(&self.claims.user);
                events::refuse(event.responder, counted.err().unwrap_or(Refusal::UnknownEvent))
            }
        }
    }

    fn disconnected(&mut self, socket: &Socket, reason: CloseReason) {
        let user = &self.claims.user;
        self.services.expiries.forget(socket);
        self.services.hub.disconnected(socket);
        self.services.chat.socket_disconnected(user, socket.key());
        self.services.chat.device_disconnected(user);
        tracing::info!(%user, socket = %socket.log_id(), %reason, "socket disconnected");
    }
}
