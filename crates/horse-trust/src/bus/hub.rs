//! The sockets of this node: who receives which event, and how a socket that replays what it missed gets to the present.
//!
//! A socket that asks for a replay receives every message by its feed. Before the store is asked what it missed, the hub
//! starts to buffer live messages for it ([`ReplayState`]). The replay is sent first, then the buffered messages that
//! were not in it. A message of the replay may be delivered live after the store was asked, so the replay ends only when
//! all that was committed before has been delivered ([`Publish::wait_until_delivered`], `Lifecycle::flush`). So there is
//! neither a gap nor a repetition, and nothing is kept of a replay that is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use socketio::{LostSocket, Namespace, Socket, SocketError, SocketId};
use tokio::task::AbortHandle;

use super::api::{
    Bus, DeliveryCursor, DeliveryWait, Presence, PresenceEvent, PresenceVersion, Publish, Quota, Quotas,
    SocketTransfer, Subscribe, SubscribeFuture, Transfer,
};
use super::event::{BusEvent, Except, MessageEvent, NEW_MESSAGE, NOTIFICATION};
use super::replay_state::{BufferedEvent, LastSeqs, ReplayState};
use super::replays::Replays;
use super::rooms::{conversation_room, feed_room, user_room};
use crate::callback::Callback;
use crate::id::Id;
use crate::store::{Conversation, TokenId};

/// How many users are notified before other tasks have their turn.
const AT_ONCE: usize = 128;

/// The sockets of this node. Alone, it is the bus of a server that has no other nodes.
pub struct Hub {
    namespace: Namespace,
    replays: Replays,
    /// The token of each connected socket.
    tokens: Mutex<HashMap<SocketId, TokenId>>,
}

impl Hub {
    /// The sockets of `namespace`.
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace, replays: Replays::default(), tokens: Mutex::default() }
    }

    /// From now on `socket` is disconnected when this token is signed out.
    pub fn set_token(&self, socket: &Socket, token: TokenId) {
        self.tokens.lock().insert(socket.key(), token);
    }

    /// Has `socket` follow all conversations of `user` from now on. It receives no message before the replay that has to
    /// follow is done ([`Hub::take_buffered`]).
    pub fn begin_replay(&self, socket: &Socket, user: &Id) -> Result<(), SocketError> {
        // A recovery in the middle of a replay could not tell what of it is still missing.
        socket.suspend_recovery();
        self.replays.insert(socket, ReplayState::Pending);
        socket.join(&feed_room(user))
    }

    /// The task that sends the replay of `socket`: it is aborted when the connection ends before it is done.
    pub fn set_replay_task(&self, socket: &Socket, task: AbortHandle) {
        self.replays.set_task(socket, task);
    }

    /// Buffers live messages for `socket` from now on: the store is about to be asked what it missed.
    pub fn start_buffering(&self, socket: &Socket) {
        self.replays.set(socket, ReplayState::buffering());
    }

    /// Some of what was buffered for `socket` and was not in its replay, in its order. `None` when nothing is left: then
    /// the replay is done, and messages are delivered as they come.
    pub fn take_buffered(
        &self,
        socket: &Socket,
        is_replayed: impl Fn(i64, i64) -> bool,
    ) -> Option<Vec<BufferedEvent>> {
        self.replays.take_buffered(socket, is_replayed)
    }

    /// The replay for `socket` failed: it receives no further message, because that would hide the gap, and its
    /// connection ends, so that its client comes again.
    pub fn fail_replay(&self, socket: &Socket) {
        self.replays.set(socket, ReplayState::Failed);
        socket.suspend_recovery();
        socket.close_connection();
        self.replays.remove_if_lost(socket);
    }

    /// Buffers all events for `socket`, which moved here, until [`Hub::send_buffered_moved`].
    pub(super) fn buffer_moved(&self, socket: &Socket) {
        self.replays.insert(socket, ReplayState::buffering_moved());
    }

    /// Sends `socket`, which moved here, what was buffered beyond `last_seqs`. To be followed by
    /// [`Hub::finish_deduplication`] when this node has delivered as much to its user.
    pub(super) fn send_buffered_moved(&self, socket: &Socket, last_seqs: LastSeqs) {
        self.replays.deduplicate(socket, last_seqs);
    }

    /// `socket` had received messages up to `last_seqs` before it moved here. To be followed by
    /// [`Hub::finish_deduplication`] when this node has delivered as much to its user.
    pub(super) fn deduplicate(&self, socket: &Socket, last_seqs: LastSeqs) {
        self.replays.insert(socket, ReplayState::Deduplicating(last_seqs));
    }

    /// See [`Hub::deduplicate`].
    pub(super) fn finish_deduplication(&self, socket: &Socket) {
        self.replays.remove(socket);
    }

    /// Takes a socket of `user` away for another node. Answers up to where it had received messages elsewhere, if that is
    /// further than here. To be called while no message is delivered to the user.
    pub(super) fn hand_over(
        &self,
        user: &Id,
        lost: LostSocket<'_>,
    ) -> Option<(socketio::SocketSnapshot, Option<LastSeqs>)> {
        let socket = self.namespace.recoverable(lost.pid)?;
        // How much of an unfinished replay was sent is not known here: the client gets another replay.
        if self.replays.withholds(&socket) {
            return None;
        }
        let handed = socket.export(user.as_str(), lost.offset)?;
        Some((handed, self.replays.remove(&socket)))
    }

    /// The connection of `socket` has ended: a replay that is not done ends with it.
    pub fn disconnected(&self, socket: &Socket) {
        self.tokens.lock().remove(&socket.key());
        self.replays.disconnected(socket);
    }

    /// The connected and recoverable sockets of a user.
    pub fn sockets_of(&self, user: &Id) -> Vec<Socket> {
        self.namespace.sockets_in(&user_room(user))
    }

    /// Delivers a message to the sockets of one participant.
    pub(super) fn deliver_to_user(&self, user: &Id, message: &MessageEvent) {
        let MessageEvent { conversation, seq, sender, json, notification, .. } = message;
        let seq = *seq;
        let rooms = [conversation_room(&conversation.id, user), feed_room(user)];
        self.namespace.emit_raw_to(&rooms.each_ref().map(String::as_str), NEW_MESSAGE, json, |socket, _| {
            self.replays.admits(socket, NEW_MESSAGE, conversation, seq, json)
        });
        if user != sender {
            self.namespace.emit_raw_to(&[&user_room(user)], NOTIFICATION, notification, |socket, _| {
                self.replays.admits(socket, NOTIFICATION, conversation, seq, notification)
            });
        }
    }

    /// Notifies those of `users` who have a socket here and whom the filter admits.
    pub(super) async fn publish_presence_if(
        &self,
        event: &PresenceEvent,
        users: &[Id],
        admits: impl Fn(&Id) -> bool + Send + Sync,
    ) {
        for users in users.chunks(AT_ONCE) {
            for user in users.iter().filter(|user| self.has_socket(user) && admits(user)) {
                self.namespace.emit_raw(&user_room(user), None, event.name, &event.argument);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Delivers another event to the sockets of this node.
    pub(super) fn deliver(&self, event: &BusEvent) {
        match event {
            BusEvent::Emit { name, argument, conversation, users, except } => {
                let mut rooms: Vec<String> = Vec::with_capacity(2 + users.len());
                if let Some(conversation) = conversation {
                    let participants = conversation.participants.iter().enumerate();
                    let receivers =
                        participants.filter(|(side, _)| *except != Some(Except::Participant(*side)));
                    rooms.extend(receivers.map(|(_, user)| conversation_room(&conversation.id, user)));
                }
                let first_device_room = rooms.len();
                rooms.extend(users.iter().map(user_room));
                let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
                self.namespace.emit_raw_to(&rooms, name, argument, |socket, index| match except {
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
            // A socket without a connection is not among them: whoever recovers it shows a token again.
            BusEvent::TokenVoid { user, token } => {
                for socket in self.sockets_of(user) {
                    let has_token = self.tokens.lock().get(&socket.key()) == Some(token);
                    if has_token {
                        socket.disconnect();
                    }
                }
            }
            BusEvent::AccountSuspended { user, argument } => {
                for socket in self.sockets_of(user) {
                    socket.emit_raw("account_suspended", argument);
                    socket.disconnect();
                }
            }
            // These change what the chat has cached, and no socket receives them.
            BusEvent::Typing { .. }
            | BusEvent::UnreadChanged { .. }
            | BusEvent::ConversationChanged { .. }
            | BusEvent::ListingChanged { .. }
            | BusEvent::BlocksChanged { .. }
            | BusEvent::ProfileChanged { .. } => {}
        }
    }
}

#[async_trait]
impl Bus for Hub {
    async fn close(&self) {}
}

#[async_trait]
impl Publish for Hub {
    fn publish_message(&self, message: MessageEvent, delivered: Callback<()>) {
        for user in &message.conversation.participants {
            self.deliver_to_user(user, &message);
        }
        delivered(());
    }

    fn recheck(&self, _: &Arc<Conversation>) {}

    fn publish(&self, event: BusEvent) {
        self.deliver(&event);
    }

    fn publish_locally(&self, event: &BusEvent) {
        self.deliver(event);
    }

    async fn wait_until_delivered(&self, _: &Id, _: i64) -> DeliveryWait {
        DeliveryWait::NotTracked
    }
}

impl Subscribe for Hub {
    fn has_other_nodes(&self) -> bool {
        false
    }

    fn has_device(&self, user: &Id) -> bool {
        self.namespace.has_connected(&user_room(user))
    }

    fn has_socket(&self, user: &Id) -> bool {
        !self.namespace.is_empty(&user_room(user))
    }

    fn subscribe(&self, _: &Id) -> Option<SubscribeFuture> {
        None
    }
}

#[async_trait]
impl Presence for Hub {
    async fn set_present(&self, users: &[Id], _: bool) -> Vec<Option<PresenceVersion>> {
        vec![Some(PresenceVersion::UNKNOWN); users.len()]
    }

    async fn publish_presence(&self, event: &PresenceEvent, users: &[Id]) {
        self.publish_presence_if(event, users, |_| true).await;
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        vec![false; users.len()]
    }
}

#[async_trait]
impl Quotas for Hub {
    fn record_usage(&self, _: &Id, _: u32, _: Quota) {}

    async fn take_from_quota(&self, _: &Id, _: Quota) -> Option<Duration> {
        None
    }
}

#[async_trait]
impl Transfer for Hub {
    async fn fetch_socket(&self, _: &Id, _: LostSocket<'_>) -> Option<Box<SocketTransfer>> {
        None
    }

    fn restore(&self, _: &Socket, _: &Id, _: DeliveryCursor, _: &[Box<str>]) {}
}
