//! The sockets of this node: who is told what, and how a socket that replays what it missed gets to the present.
//!
//! A socket that asks for a replay gets everything by its feed. While the store is asked what it missed, the hub
//! holds back what comes for it (the gate); then the replay is sent, then what was held back and was not in the
//! replay. A message that was in the replay, and is told of only later, is passed over by its sequence number. So
//! there is neither gap nor double, whatever was on its way meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use socketio::{LostSocket, Namespace, Socket, SocketError, SocketId};
use tokio::time::Instant;

use super::{
    Attaching, Bus, Except, HandedOver, MessageNotice, MessageQuota, Notice, Reached, Told,
    conversation_room, feed_room, user_room,
};
use crate::id::Id;
use crate::store::Conversation;

/// For how long after a replay messages may be told of that were in it.
const LATE: Duration = Duration::from_mins(5);
/// How many messages are held back for one socket; beyond, it is closed and comes again.
const HELD: usize = 10_000;

/// The events of a message.
const NEW_MESSAGE: &str = "new_message";
const NOTIFICATION: &str = "message_notification";

/// The sockets of this node. Alone, it is the bus of a server that has no other nodes.
pub struct Hub {
    namespace: Namespace,
    gates: Mutex<HashMap<SocketId, Gate>>,
    /// How many gates there are: mostly none, and nothing has to be looked up.
    gate_count: AtomicUsize,
}

/// What a socket is not to be told now: messages, and if it was handed over their notifications, too.
enum Gate {
    /// Its replay is not done: what comes waits here.
    Holding { held: Vec<Held>, is_handed_over: bool },
    /// Its replay failed, and its connection is being closed: whatever it were told would hide what it missed.
    Shut { until: Instant },
    /// Its replay went up to these sequence numbers.
    Behind { last_seqs: HashMap<i64, i64>, until: Instant, is_handed_over: bool },
}

struct Held {
    conversation: i64,
    seq: i64,
    event: &'static str,
    json: Arc<str>,
}

impl Hub {
    /// The sockets of `namespace`.
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace, gates: Mutex::default(), gate_count: AtomicUsize::new(0) }
    }

    /// Has `socket` follow all conversations of `user` from now on, and holds back what comes until
    /// [`Hub::replayed`].
    pub fn follow(&self, socket: &Socket, user: &Id) -> Result<(), SocketError> {
        self.change_gates(|gates| {
            gates.insert(socket.key(), Gate::Holding { held: Vec::new(), is_handed_over: false })
        });
        socket.join(&feed_room(user))
    }

    /// The replay for `socket` was sent, up to these sequence numbers by conversation: sends what was held back.
    pub fn replayed(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        self.change_gates(|gates| {
            let (held, is_handed_over) = match gates.remove(&socket.key()) {
                Some(Gate::Holding { held, is_handed_over }) => (held, is_handed_over),
                _ => (Vec::new(), false),
            };
            for Held { conversation, seq, event, json } in held {
                if last_seqs.get(&conversation).is_none_or(|last| seq > *last) {
                    socket.emit(event, &json);
                }
            }
            let until = Instant::now() + LATE;
            gates.insert(socket.key(), Gate::Behind { last_seqs, until, is_handed_over });
        });
    }

    /// Holds back what comes for `socket`, which was handed over, until [`Hub::replayed`].
    pub(super) fn hold(&self, socket: &Socket) {
        self.change_gates(|gates| {
            gates.insert(socket.key(), Gate::Holding { held: Vec::new(), is_handed_over: true })
        });
    }

    /// `socket` was told up to these sequence numbers by conversation before it was handed over.
    pub(super) fn pass_over(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        let gate = Gate::Behind { last_seqs, until: Instant::now() + LATE, is_handed_over: true };
        self.change_gates(|gates| gates.insert(socket.key(), gate));
    }

    /// Takes a socket of `user` away for another node; answers up to where a replay has told it, if there was one. To
    /// be called while the user is told of no message.
    pub(super) fn hand_over(
        &self,
        user: &Id,
        lost: LostSocket<'_>,
    ) -> Option<(socketio::HandedOver, Option<HashMap<i64, i64>>)> {
        let socket = self.namespace.recoverable(lost.pid)?;
        // What a replay that is not done has sent, or will, is not known here: the client gets another.
        if matches!(self.gates.lock().get(&socket.key()), Some(Gate::Holding { .. } | Gate::Shut { .. })) {
            return None;
        }
        let handed = socket.hand_over(user.as_str(), lost.offset)?;
        let replayed = match self.change_gates(|gates| gates.remove(&socket.key())) {
            Some(Gate::Behind { last_seqs, .. }) => Some(last_seqs),
            _ => None,
        };
        Some((handed, replayed))
    }

    /// The replay for `socket` failed: it is told of no message any more, and has to come again.
    pub fn shut(&self, socket: &Socket) {
        self.change_gates(|gates| gates.insert(socket.key(), Gate::Shut { until: Instant::now() + LATE }));
    }

    /// Whether the replay for `socket` failed, so that another is needed if its connection is recovered.
    pub fn is_shut(&self, socket: &Socket) -> bool {
        matches!(self.gates.lock().get(&socket.key()), Some(Gate::Shut { .. }))
    }

    /// Forgets what is no longer needed. To be called every minute or so.
    pub fn tidy(&self) {
        let now = Instant::now();
        self.change_gates(|gates| {
            gates.retain(|_, gate| match gate {
                Gate::Holding { .. } => true,
                Gate::Behind { until, .. } | Gate::Shut { until } => *until >= now,
            });
        });
    }

    /// The connected and recoverable sockets of a user.
    pub fn sockets_of(&self, user: &Id) -> Vec<Socket> {
        self.namespace.sockets_in(&user_room(user))
    }

    fn change_gates<T>(&self, change: impl FnOnce(&mut HashMap<SocketId, Gate>) -> T) -> T {
        let mut gates = self.gates.lock();
        let result = change(&mut gates);
        self.gate_count.store(gates.len(), Ordering::Release);
        result
    }

    /// Tells the sockets of one of the two of a message.
    pub(super) fn tell_user(&self, user: &Id, message: &MessageNotice) {
        let MessageNotice { conversation, seq, sender, json, notification, .. } = message;
        let seq = *seq;
        let rooms = [conversation_room(&conversation.id, user), feed_room(user)];
        self.namespace.emit_to(&rooms.each_ref().map(String::as_str), NEW_MESSAGE, json, |socket, _| {
            self.is_open(socket, NEW_MESSAGE, conversation.key, seq, json)
        });
        if user != sender {
            self.namespace.emit_to(&[&user_room(user)], NOTIFICATION, notification, |socket, _| {
                self.is_open(socket, NOTIFICATION, conversation.key, seq, notification)
            });
        }
    }

    /// Whether `socket` is to be told now; what it is to be told later waits at its gate.
    fn is_open(
        &self,
        socket: &Socket,
        event: &'static str,
        conversation: i64,
        seq: i64,
        json: &Arc<str>,
    ) -> bool {
        if self.gate_count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let is_message = event == NEW_MESSAGE;
        match self.gates.lock().get_mut(&socket.key()) {
            Some(Gate::Behind { last_seqs, is_handed_over, .. }) if is_message || *is_handed_over => {
                last_seqs.get(&conversation).is_none_or(|last| seq > *last)
            }
            Some(Gate::Holding { held, is_handed_over }) if is_message || *is_handed_over => {
                if held.len() >= HELD {
                    socket.close_connection();
                } else {
                    held.push(Held { conversation, seq, event, json: Arc::clone(json) });
                }
                false
            }
            Some(Gate::Shut { .. }) => !is_message,
            _ => true,
        }
    }

    /// Tells the sockets of this node of something else.
    pub(super) fn tell(&self, notice: &Notice) {
        match notice {
            Notice::Event { name, argument, conversation, users, except } => {
                let mut rooms: Vec<String> = Vec::with_capacity(2 + users.len());
                if let Some(conversation) = conversation {
                    let participants = &conversation.participants;
                    rooms.extend(participants.iter().map(|user| conversation_room(&conversation.id, user)));
                }
                let first_device_room = rooms.len();
                rooms.extend(users.iter().map(user_room));
                let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
                self.namespace.emit_to(&rooms, name, argument, |socket, index| match except {
                    Some(Except::Everywhere(key)) => socket.key() != *key,
                    Some(Except::AsDevice(key)) => socket.key() != *key || index < first_device_room,
                    None => true,
                });
            }
            Notice::TokensRevoked { user, .. } => {
                for socket in self.sockets_of(user) {
                    socket.disconnect();
                }
            }
            // What is remembered is the chat's.
            Notice::UnreadChanged { .. } | Notice::BlocksChanged { .. } | Notice::ProfileChanged { .. } => {}
        }
    }

    /// Whether a socket of `user` is there, connected or recoverable.
    pub(super) fn has_socket(&self, user: &Id) -> bool {
        !self.namespace.is_empty(&user_room(user))
    }
}

#[async_trait]
impl Bus for Hub {
    fn message(&self, message: MessageNotice, told: Told) {
        for user in &message.conversation.participants {
            self.tell_user(user, &message);
        }
        told();
    }

    fn recheck(&self, _: &Arc<Conversation>) {}

    fn has_other_nodes(&self) -> bool {
        false
    }

    fn tell_here(&self, notice: &Notice) {
        self.tell(notice);
    }

    fn publish(&self, notice: Notice) {
        self.tell(&notice);
    }

    fn has_device(&self, user: &Id) -> bool {
        self.namespace.has_connected(&user_room(user))
    }

    fn attach(&self, _: &Id) -> Option<Attaching> {
        None
    }

    async fn take_over(&self, _: &Id, _: LostSocket<'_>) -> Option<Box<HandedOver>> {
        None
    }

    fn restore(&self, _: &Socket, _: &Id, _: Reached, _: &[Box<str>]) {}

    fn note_used(&self, _: &Id, _: u32, _: MessageQuota) {}

    async fn take(&self, _: &Id, _: MessageQuota) -> Option<Duration> {
        None
    }

    async fn set_present(&self, users: &[Id], _: bool) -> Vec<bool> {
        vec![true; users.len()]
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        vec![false; users.len()]
    }

    async fn close(&self) {}
}
