//! The replays under way, by socket. Most sockets have none.
//!
//! A replay's entry goes with its connection or with the end of the replay, whichever comes first.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use socketio::{Socket, SocketId};
use tokio::task::AbortHandle;

use super::replay_state::{Admission, BufferedEvent, LastSeqs, ReplayState};
use crate::store::Conversation;

/// The replays, by socket.
#[derive(Default)]
pub(super) struct Replays {
    by_socket: Mutex<HashMap<SocketId, Replay>>,
    /// How many there are: mostly none, and then nothing has to be looked up.
    count: AtomicUsize,
}

struct Replay {
    state: ReplayState,
    /// The task that sends it.
    task: Option<AbortHandle>,
}

impl Replays {
    /// `socket`, which has just connected, has a replay in this state from now on.
    pub(super) fn insert(&self, socket: &Socket, state: ReplayState) {
        self.change(|replays| replays.insert(socket.key(), Replay { state, task: None }));
    }

    /// Changes the state of the replay of `socket`, unless its connection has ended: an entry that went with its connection
    /// does not come back, because nobody would remove it.
    pub(super) fn set(&self, socket: &Socket, state: ReplayState) {
        if let Some(replay) = self.by_socket.lock().get_mut(&socket.key()) {
            replay.state = state;
        }
    }

    /// The task that sends the replay of `socket`; it is aborted when the connection ends.
    pub(super) fn set_task(&self, socket: &Socket, task: AbortHandle) {
        if let Some(replay) = self.by_socket.lock().get_mut(&socket.key()) {
            replay.task = Some(task);
        }
    }

    /// From now on `socket` receives everything. Answers up to where it had received messages elsewhere.
    pub(super) fn remove(&self, socket: &Socket) -> Option<LastSeqs> {
        match self.change(|replays| replays.remove(&socket.key()))?.state {
            ReplayState::Deduplicating(last_seqs) => Some(last_seqs),
            ReplayState::Pending | ReplayState::Buffering(_) | ReplayState::Failed => None,
        }
    }

    /// Whether messages for `socket` are withheld.
    pub(super) fn withholds(&self, socket: &Socket) -> bool {
        let replays = self.by_socket.lock();
        replays
            .get(&socket.key())
            .is_some_and(|replay| !matches!(replay.state, ReplayState::Deduplicating(_)))
    }

    /// Removes the failed replay of `socket` if it has no connection whose end would do so.
    pub(super) fn remove_if_lost(&self, socket: &Socket) {
        if !socket.is_connected() {
            self.change(|replays| {
                let state = replays.get(&socket.key()).map(|replay| &replay.state);
                if matches!(state, Some(ReplayState::Pending | ReplayState::Failed)) {
                    replays.remove(&socket.key());
                }
            });
        }
    }

    /// The connection of `socket` has ended, and its replay with it.
    pub(super) fn disconnected(&self, socket: &Socket) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let replay = self.change(|replays| {
            let survives = replays.get(&socket.key())?.state.survives_disconnect();
            if survives { None } else { replays.remove(&socket.key()) }
        });
        if let Some(task) = replay.and_then(|replay| replay.task) {
            task.abort();
        }
    }

    /// See [`ReplayState::take_buffered`]. `None` if nothing is left: the replay is done.
    pub(super) fn take_buffered(
        &self,
        socket: &Socket,
        is_replayed: impl Fn(i64, i64) -> bool,
    ) -> Option<Vec<BufferedEvent>> {
        self.change(|replays| {
            let state = &mut replays.get_mut(&socket.key())?.state;
            if !matches!(state, ReplayState::Buffering(_)) {
                return None;
            }
            let taken = state.take_buffered(is_replayed);
            if taken.is_empty() {
                replays.remove(&socket.key());
                // The whole replay was sent, so a recovery no longer cuts it in two.
                socket.allow_recovery();
                return None;
            }
            Some(taken)
        })
    }

    /// Sends `socket`, which moved here, what was buffered and what it has not received elsewhere.
    pub(super) fn deduplicate(&self, socket: &Socket, last_seqs: LastSeqs) {
        if let Some(replay) = self.by_socket.lock().get_mut(&socket.key()) {
            for BufferedEvent { event, json, .. } in replay.state.deduplicate(last_seqs) {
                if let Some(json) = json {
                    socket.emit_raw(event, &json);
                }
            }
        }
        self.remove_if_lost(socket);
    }

    /// Whether `socket` receives this event now.
    pub(super) fn admits(
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
        let mut replays = self.by_socket.lock();
        let Some(replay) = replays.get_mut(&socket.key()) else { return true };
        match replay.state.admit(event, conversation, seq, json) {
            Admission::Deliver => true,
            Admission::Withhold => false,
            Admission::Overflow => {
                socket.suspend_recovery();
                socket.close_connection();
                false
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<SocketId, Replay>) -> T) -> T {
        let mut replays = self.by_socket.lock();
        let result = change(&mut replays);
        // The room that many replays took at once is not kept.
        if replays.capacity() > 1024 && replays.len() < replays.capacity() / 8 {
            replays.shrink_to_fit();
        }
        self.count.store(replays.len(), Ordering::Release);
        result
    }
}
