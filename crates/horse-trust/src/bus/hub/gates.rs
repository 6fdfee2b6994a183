//! What a socket is not to be told now: its gate. Most sockets have none.
//!
//! A gate has a bound in bytes, and goes with the connection or with the replay that it is for, whichever ends first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use socketio::{Socket, SocketId};
use tokio::task::AbortHandle;

use super::NEW_MESSAGE;
use crate::store::Conversation;

/// How many messages are held back for one socket, about 50 bytes each; beyond, it is closed and comes again.
const HELD: usize = 4096;
/// How many bytes of JSON are held back for one socket; what is beyond is read from the store when its turn comes.
const HELD_BYTES: usize = 64 * 1024;
/// How much of what was held back is taken at once.
const TAKEN_AT_ONCE: usize = 64;

/// The gates, by socket.
#[derive(Default)]
pub(super) struct Gates {
    by_socket: Mutex<HashMap<SocketId, Gate>>,
    /// How many gates there are: mostly none, and nothing has to be looked up.
    count: AtomicUsize,
}

struct Gate {
    state: State,
    /// The replay that the gate is for.
    task: Option<AbortHandle>,
}

enum State {
    /// No message is told: the replay that reads it from the store has not begun, or has failed.
    Closed,
    /// The replay is not done: what comes waits here.
    Holding(Holding),
    /// Another node has told the socket up to these sequence numbers, by conversation.
    Behind(HashMap<i64, i64>),
}

#[derive(Default)]
struct Holding {
    held: VecDeque<BufferedEvent>,
    /// The JSON in `held`.
    bytes: usize,
    /// The socket was handed over: its notifications wait, too.
    is_handed_over: bool,
}

/// Something that was held back.
pub struct BufferedEvent {
    /// Where the message is.
    pub conversation: Arc<Conversation>,
    /// Its sequence number.
    pub seq: i64,
    /// The event.
    pub event: &'static str,
    /// The argument of the event; `None` for a message that is to be read from the store, because too much waited.
    pub json: Option<Arc<str>>,
}

impl Gates {
    /// `socket`, which has just come, is told of no message.
    pub(super) fn add_closed(&self, socket: &Socket) {
        self.add(socket, State::Closed);
    }

    /// What comes for `socket`, which was handed over, waits until it is taken.
    pub(super) fn add_holding(&self, socket: &Socket) {
        self.add(socket, State::Holding(Holding { is_handed_over: true, ..Holding::default() }));
    }

    /// What `socket` was told elsewhere is passed over.
    pub(super) fn add_behind(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        self.add(socket, State::Behind(last_seqs));
    }

    /// What comes for `socket` waits from now on, unless its connection has ended.
    pub(super) fn hold(&self, socket: &Socket) {
        self.set(socket, State::Holding(Holding::default()));
    }

    /// `socket` is told of no message from now on, unless its connection has ended.
    pub(super) fn close(&self, socket: &Socket) {
        self.set(socket, State::Closed);
    }

    /// `socket` is told everything; answers up to where it was told elsewhere.
    pub(super) fn open(&self, socket: &Socket) -> Option<HashMap<i64, i64>> {
        match self.change(|gates| gates.remove(&socket.key()))?.state {
            State::Behind(last_seqs) => Some(last_seqs),
            State::Closed | State::Holding(_) => None,
        }
    }

    /// The replay at the gate of `socket`, if it is not done.
    pub(super) fn set_task(&self, socket: &Socket, task: AbortHandle) {
        if let Some(gate) = self.by_socket.lock().get_mut(&socket.key()) {
            gate.task = Some(task);
        }
    }

    /// Whether `socket` is not told all that comes.
    pub(super) fn is_shut(&self, socket: &Socket) -> bool {
        let gates = self.by_socket.lock();
        gates.get(&socket.key()).is_some_and(|gate| !matches!(gate.state, State::Behind(_)))
    }

    /// `socket` is told nothing more; without a connection nobody says so later.
    pub(super) fn remove_if_lost(&self, socket: &Socket) {
        if !socket.is_connected() {
            self.change(|gates| {
                if gates.get(&socket.key()).is_some_and(|gate| matches!(gate.state, State::Closed)) {
                    gates.remove(&socket.key());
                }
            });
        }
    }

    /// The connection of `socket` has ended. The gate of a socket that was handed over, and may be recovered, goes with
    /// the task that brings it to the present.
    pub(super) fn disconnected(&self, socket: &Socket) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let gate = self.change(|gates| match &gates.get(&socket.key())?.state {
            State::Behind(_) | State::Holding(Holding { is_handed_over: true, .. }) => None,
            State::Closed | State::Holding(_) => gates.remove(&socket.key()),
        });
        if let Some(task) = gate.and_then(|gate| gate.task) {
            task.abort();
        }
    }

    /// Some of what waits for `socket`, less what `is_replayed` (by conversation and sequence number). Opens the gate
    /// when nothing is left.
    pub(super) fn take_buffered(
        &self,
        socket: &Socket,
        is_replayed: impl Fn(i64, i64) -> bool,
    ) -> Option<Vec<BufferedEvent>> {
        self.change(|gates| {
            let State::Holding(holding) = &mut gates.get_mut(&socket.key())?.state else { return None };
            let mut taken = Vec::new();
            while taken.len() < TAKEN_AT_ONCE
                && let Some(held) = holding.held.pop_front()
            {
                holding.bytes -= held.json.as_ref().map_or(0, |json| json.len());
                if !is_replayed(held.conversation.key, held.seq) {
                    taken.push(held);
                }
            }
            if taken.is_empty() {
                gates.remove(&socket.key());
                // All that belongs together was sent.
                socket.allow_recovery();
                return None;
            }
            Some(taken)
        })
    }

    /// Sends `socket` what waits for it, less what it was told elsewhere, which is passed over from now on.
    pub(super) fn hold_no_longer(&self, socket: &Socket, last_seqs: HashMap<i64, i64>) {
        if let Some(Gate { state, .. }) = self.by_socket.lock().get_mut(&socket.key())
            && let State::Holding(holding) = state
        {
            for BufferedEvent { conversation, seq, event, json } in holding.held.drain(..) {
                if last_seqs.get(&conversation.key).is_none_or(|last| seq > *last)
                    && let Some(json) = json
                {
                    socket.emit(event, &json);
                }
            }
            *state = State::Behind(last_seqs);
        }
        self.remove_if_lost(socket);
    }

    /// Whether `socket` is to be told now; what it is to be told later waits at its gate.
    pub(super) fn is_open(
        &self,
        socket: &Socket,
        event: &'static str,
        conversation: &Arc<Conversation>,
        seq: i64,
        json: &Arc<str>,
    ) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let is_message = event == NEW_MESSAGE;
        let mut gates = self.by_socket.lock();
        let Some(Gate { state, .. }) = gates.get_mut(&socket.key()) else { return true };
        match state {
            State::Behind(last_seqs) => last_seqs.get(&conversation.key).is_none_or(|last| seq > *last),
            State::Holding(holding) if is_message || holding.is_handed_over => {
                if !holding.push(event, conversation, seq, json) {
                    *state = State::Closed;
                    socket.suspend_recovery();
                    socket.close_connection();
                }
                false
            }
            State::Holding(_) => true,
            State::Closed => !is_message,
        }
    }

    fn add(&self, socket: &Socket, state: State) {
        self.change(|gates| gates.insert(socket.key(), Gate { state, task: None }));
    }

    /// A gate that went with its connection does not come back: nobody would remove it.
    fn set(&self, socket: &Socket, state: State) {
        if let Some(gate) = self.by_socket.lock().get_mut(&socket.key()) {
            gate.state = state;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<SocketId, Gate>) -> T) -> T {
        let mut gates = self.by_socket.lock();
        let result = change(&mut gates);
        // What many needed at once is not kept for the few.
        if gates.capacity() > 1024 && gates.len() < gates.capacity() / 8 {
            gates.shrink_to_fit();
        }
        self.count.store(gates.len(), Ordering::Release);
        result
    }
}

impl Holding {
    /// `false` if it is too much to be held back.
    fn push(
        &mut self,
        event: &'static str,
        conversation: &Arc<Conversation>,
        seq: i64,
        json: &Arc<str>,
    ) -> bool {
        let fits = self.bytes + json.len() <= HELD_BYTES;
        if self.held.len() >= HELD || (!fits && self.is_handed_over) {
            return false;
        }
        self.bytes += if fits { json.len() } else { 0 };
        let json = fits.then(|| Arc::clone(json));
        self.held.push_back(BufferedEvent { conversation: Arc::clone(conversation), seq, event, json });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::timestamp::Timestamp;

    fn conversation() -> Arc<Conversation> {
        let [ann, ben] = ["ann", "ben"].map(|id| Id::parse(id).unwrap());
        let id = Id::parse("c").unwrap();
        let participants = [ann, ben];
        Arc::new(Conversation { key: 1, id, participants, horse_id: None, created_at: Timestamp(0) })
    }

    #[test]
    fn what_is_held_back_is_bounded_in_bytes_and_in_number() {
        let (conversation, json) = (conversation(), Arc::from("x".repeat(12_000)));
        let mut holding = Holding::default();
        for seq in 1..=4096 {
            assert!(holding.push(NEW_MESSAGE, &conversation, seq, &json));
        }
        assert!(!holding.push(NEW_MESSAGE, &conversation, 4097, &json));
        assert!(holding.bytes <= HELD_BYTES);
        let with_json = holding.held.iter().filter(|held| held.json.is_some()).count();
        assert_eq!(with_json, HELD_BYTES / json.len());
        assert!(size_of::<BufferedEvent>() * HELD <= 256 * 1024);
    }

    #[test]
    fn a_socket_that_was_handed_over_holds_no_more_than_it_can_send() {
        let (conversation, json) = (conversation(), Arc::from("x".repeat(12_000)));
        let mut holding = Holding { is_handed_over: true, ..Holding::default() };
        let held = (1..=100).take_while(|seq| holding.push(NEW_MESSAGE, &conversation, *seq, &json)).count();
        assert_eq!(held, HELD_BYTES / json.len());
    }
}
