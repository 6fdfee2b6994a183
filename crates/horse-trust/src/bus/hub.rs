//! The sockets of this node: who is told what, and how a socket that replays what it missed gets to the present.
//!
//! A socket that asks for a replay gets everything by its feed. From before the store is asked what it missed, the hub
//! holds back what comes for it ([`gates`]); then the replay is sent, then what was held back and was not in the
//! replay. A message that was in the replay may be told of after the store was asked: so the replay is done only when
//! all that was committed before was told ([`Bus::wait_until_delivered`], `Store::settled`). So there is neither gap nor double,
//! whatever was on its way meanwhile, and nothing is kept of a replay that is done.

mod gates;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use socketio::{LostSocket, Namespace, Socket, SocketError, SocketId};
use tokio::task::AbortHandle;

pub use self::gates::BufferedEvent;
use self::gates::Gates;
use super::{
    Bus, BusEvent, DeliveryWait, Except, HandedOver, MessageEvent, MessageQuota, Reached, SubscribeFuture,
    Told, conversation_room, feed_room, user_room,
};
use crate::id::Id;
use crate::store::{Conversation, TokenId};

/// How many users are told of something before others have their turn.
const AT_ONCE: usize = 128;

/// The events of a message.
const NEW_MESSAGE: &str = "new_message";
const NOTIFICATION: &str = "message_notification";

/// The sockets of this node. Alone, it is the bus of a server that has no other nodes.
pub struct Hub {
    namespace: Namespace,
    gates: Gates,
    /// With which token each connected socket is there.
    tokens: Mutex<HashMap<SocketId, TokenId>>,
}

impl Hub {
    /// The sockets of `namespace`.
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace, gates: Gates::default(), tokens: Mutex::default() }
    }

    /// From now on `socket` ends when this token is signed out.
    pub fn set_token(&self, socket: &Socket, token: TokenId) {
        self.tokens.lock().insert(socket.key(), token);
    }

    /// Has `socket` follow all conversations of `user` from now on. It is told of no message before the replay that
    /// is to follow is done ([`Hub::take_buffered`]).
    pub fn follow(&self, socket: &Socket, user: &Id) -> Result<(), SocketError> {
        // A part of a replay could not be told from the whole.
        socket.suspend_recovery();
        self.gates.add_closed(socket);
        socket.join(&feed_room(user))
    }

    /// The task that replays for `socket`: it is aborted when the connection ends before it is done.
    pub fn replays(&self, socket: &Socket, task: AbortHandle) {
        self.gates.set_task(socket, task);
    }

    /// What comes for `socket` from now on is held back: the store is about to be asked what came before.
    pub fn hold(&self, socket: &Socket) {
        self.gates.hold(socket);
    }

    /// Some of what was held back for `socket` and was not in its replay, in its order. When nothing is left the
    /// replay is done, and messages are told as they come.
    pub fn take_buffered(
        &self,
        socket: &Socket,
        is_replayed: impl Fn(i64, i64) -> bool,
    ) -> Option<Vec<BufferedEvent>> {
        self.gates.take_buffered(socket, is_replayed)
    }

    /// Holds back what comes for `socket`, which was handed over, until [`Hub::restored`].
    pub(super) fn hold_handed_over(&self, socket: &Socket) {
        self.gates.add_holding(socket);
    }

    /// `socket`, which was handed over, was told up to these sequence numbers by conversation: sends what was held
    /// back. To be followed by [`Hub::caught_up`] when this node has told its user as much.
    pub(super) fn restored(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        self.gates.hold_no_longer(socket, last_seqs);
    }

    /// `socket` was told up to these sequence numbers by conversation before it was handed over. To be followed by
    /// [`Hub::caught_up`] when this node has told its user as much.
    pub(super) fn pass_over(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        self.gates.add_behind(socket, last_seqs);
    }

    /// See [`Hub::pass_over`].
    pub(super) fn caught_up(&self, socket: &Socket) {
        self.gates.open(socket);
    }

    /// Takes a socket of `user` away for another node; answers up to where it was told elsewhere, if that is further
    /// than here. To be called while the user is told of no message.
    pub(super) fn hand_over(
        &self,
        user: &Id,
        lost: LostSocket<'_>,
    ) -> Option<(socketio::HandedOver, Option<HashMap<i64, i64>>)> {
        let socket = self.namespace.recoverable(lost.pid)?;
        // What a replay that is not done has sent, or will, is not known here: the client gets another.
        if self.gates.is_shut(&socket) {
            return None;
        }
        let handed = socket.hand_over(user.as_str(), lost.offset)?;
        Some((handed, self.gates.open(&socket)))
    }

    /// The replay for `socket` failed: it is told of no message any more, and its connection ends, so that its client
    /// comes again. Whatever it were told would hide what it missed.
    pub fn give_up(&self, socket: &Socket) {
        self.gates.close(socket);
        socket.suspend_recovery();
        socket.close_connection();
        self.gates.remove_if_lost(socket);
    }

    /// The connection of `socket` has ended: a replay that is not done ends with it.
    pub fn disconnected(&self, socket: &Socket) {
        self.tokens.lock().remove(&socket.key());
        self.gates.disconnected(socket);
    }

    /// The connected and recoverable sockets of a user.
    pub fn sockets_of(&self, user: &Id) -> Vec<Socket> {
        self.namespace.sockets_in(&user_room(user))
    }

    /// Tells the sockets of one of the two of a message.
    pub(super) fn deliver_to_user(&self, user: &Id, message: &MessageEvent) {
        let MessageEvent { conversation, seq, sender, json, notification, .. } = message;
        let seq = *seq;
        let rooms = [conversation_room(&conversation.id, user), feed_room(user)];
        self.namespace.emit_to(&rooms.each_ref().map(String::as_str), NEW_MESSAGE, json, |socket, _| {
            self.gates.is_open(socket, NEW_MESSAGE, conversation, seq, json)
        });
        if user != sender {
            self.namespace.emit_to(&[&user_room(user)], NOTIFICATION, notification, |socket, _| {
                self.gates.is_open(socket, NOTIFICATION, conversation, seq, notification)
            });
        }
    }

    /// Tells the sockets of this node of something else.
    pub(super) fn deliver(&self, event: &BusEvent) {
        match event {
            BusEvent::Emit { name, argument, conversation, users, except } => {
                let mut rooms: Vec<String> = Vec::with_capacity(2 + users.len());
                if let Some(conversation) = conversation {
                    let participants = conversation.participants.iter().enumerate();
                    let told = participants.filter(|(side, _)| *except != Some(Except::Participant(*side)));
                    rooms.extend(told.map(|(_, user)| conversation_room(&conversation.id, user)));
                }
                let first_device_room = rooms.len();
                rooms.extend(users.iter().map(user_room));
                let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
                self.namespace.emit_to(&rooms, name, argument, |socket, index| match except {
                    Some(Except::Everywhere(key)) => socket.key() != *key,
                    Some(Except::AsDevice(key)) => socket.key() != *key || index < first_device_room,
                    Some(Except::Participant(_)) | None => true,
                });
            }
            BusEvent::TokensRevoked { user, .. } => {
                for socket in self.sockets_of(user) {
                    socket.disconnect();
                }
            }
            // A connection that was lost is not among them: whoever recovers it shows a token again.
            BusEvent::TokenVoid { user, token } => {
                for socket in self.sockets_of(user) {
                    let is_its = self.tokens.lock().get(&socket.key()) == Some(token);
                    if is_its {
                        socket.disconnect();
                    }
                }
            }
            BusEvent::AccountSuspended { user, argument } => {
                for socket in self.sockets_of(user) {
                    socket.emit("account_suspended", argument);
                    socket.disconnect();
                }
            }
            // What is remembered is the chat's.
            BusEvent::Typing { .. }
            | BusEvent::UnreadChanged { .. }
            | BusEvent::BlocksChanged { .. }
            | BusEvent::ProfileChanged { .. } => {}
        }
    }

    /// Whether a socket of `user` is there, connected or recoverable.
    pub(super) fn has_socket(&self, user: &Id) -> bool {
        !self.namespace.is_empty(&user_room(user))
    }
}

#[async_trait]
impl Bus for Hub {
    fn publish_message(&self, message: MessageEvent, told: Told) {
        for user in &message.conversation.participants {
            self.deliver_to_user(user, &message);
        }
        told();
    }

    fn recheck(&self, _: &Arc<Conversation>) {}

    fn has_other_nodes(&self) -> bool {
        false
    }

    fn publish_locally(&self, event: &BusEvent) {
        self.deliver(event);
    }

    fn publish(&self, event: BusEvent) {
        self.deliver(&event);
    }

    async fn publish_to_each(&self, name: &'static str, argument: &str, users: &[Id]) {
        for users in users.chunks(AT_ONCE) {
            for user in users {
                self.namespace.emit(&user_room(user), None, name, argument);
            }
            tokio::task::yield_now().await;
        }
    }

    fn has_device(&self, user: &Id) -> bool {
        self.namespace.has_connected(&user_room(user))
    }

    fn subscribe(&self, _: &Id) -> Option<SubscribeFuture> {
        None
    }

    async fn take_over(&self, _: &Id, _: LostSocket<'_>) -> Option<Box<HandedOver>> {
        None
    }

    fn restore(&self, _: &Socket, _: &Id, _: Reached, _: &[Box<str>]) {}

    fn record_usage(&self, _: &Id, _: u32, _: MessageQuota) {}

    async fn take(&self, _: &Id, _: MessageQuota) -> Option<Duration> {
        None
    }

    async fn set_present(&self, users: &[Id], _: bool) -> Vec<bool> {
        vec![true; users.len()]
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        vec![false; users.len()]
    }

    async fn wait_until_delivered(&self, _: &Id, _: i64) -> DeliveryWait {
        DeliveryWait::NotTracked
    }

    async fn close(&self) {}
}
