//! Moves a socket from one node to another, so that it receives every message once.
//!
//! The node that has the socket hands it over between two messages of the user, and says what the socket has received, by
//! position and by sequence number for each conversation. If the other node has delivered less, the socket ignores what
//! it has already. If that node has delivered more, what is missing is read from the store first, while live events are
//! buffered.

use std::collections::HashSet;
use std::sync::Arc;

use socketio::{LostSocket, Socket};

use super::api::{DeliveryCursor, SocketTransfer};
use super::delegate::StoredMessage;
use super::replay_state::LastSeqs;
use super::rooms::{conversation_room, feed_room};
use super::sequencer::{Sequencer, position_of, stored_after};
use super::user_sequence::UserSequence;
use crate::id::Id;
use crate::store::StoreError;

/// How many messages a node may be ahead of the one that hands a socket over, because what is missing is read at once.
/// Beyond, the client gets a new socket, and a replay by pages.
const AHEAD: i64 = 128;
/// How many bytes of missed messages the outbox holds at once; the rest of it is for live events.
const WAITING: usize = 128 * 1024;

impl Sequencer {
    /// Hands a socket of `user` over, if this node has it.
    pub(super) fn hand_over(&self, user: &Id, lost: LostSocket<'_>) -> Option<SocketTransfer> {
        // While this is locked no message is delivered to the user.
        let subscribers = self.subscribers.lock();
        let sequence = subscribers.get(user)?.sequence.as_ref()?;
        let (socket, replayed) = self.hub.hand_over(user, lost)?;
        let mut seqs = sequence.seqs().clone();
        let is_ahead = replayed.is_some();
        for (conversation, last) in replayed.into_iter().flatten() {
            let seq = seqs.entry(conversation).or_default();
            *seq = (*seq).max(last);
        }
        Some(SocketTransfer {
            socket,
            cursor: DeliveryCursor { position: sequence.position(), seqs, is_ahead },
        })
    }

    /// Whether a socket of `user` that has received that much can catch up here.
    pub(super) fn can_restore(&self, user: &Id, cursor: &DeliveryCursor) -> bool {
        self.position_of(user).is_some_and(|position| position.saturating_sub(cursor.position) <= AHEAD)
    }

    fn position_of(&self, user: &Id) -> Option<i64> {
        self.subscribers.lock().get(user)?.sequence.as_ref().map(UserSequence::position)
    }

    /// Lets `socket` in, which was handed over to this node: it joins its rooms, and receives what it missed.
    pub(super) fn restore(&self, socket: &Socket, user: &Id, cursor: DeliveryCursor, rooms: &[Box<str>]) {
        let subscribers = self.subscribers.lock();
        let here = subscribers.get(user).and_then(|subscriber| subscriber.sequence.as_ref());
        let here = here.map(UserSequence::position);
        let is_behind = here.is_none_or(|position| position > cursor.position);
        if is_behind {
            self.hub.buffer_moved(socket);
        } else if here != Some(cursor.position) || cursor.is_ahead {
            self.hub.deduplicate(socket, cursor.seqs.clone());
            if let Some(me) = self.me.upgrade() {
                tokio::spawn(me.await_deduplication(
                    socket.clone(),
                    user.clone(),
                    cursor.seqs.values().sum(),
                ));
            }
        }
        for room in rooms {
            if let Err(error) = socket.join(room) {
                tracing::error!(%error, %user, "a socket that moved here could not join its rooms");
                break;
            }
        }
        drop(subscribers);
        if is_behind && let Some(me) = self.me.upgrade() {
            let rooms = rooms.iter().cloned().collect();
            tokio::spawn(me.send_missed(socket.clone(), user.clone(), cursor.seqs, rooms));
        }
    }

    /// `socket` ignores messages up to `position`, which it has, until all of them are delivered here.
    async fn await_deduplication(self: Arc<Self>, socket: Socket, user: Id, position: i64) {
        if !self.wait_until_delivered(&user, position).await {
            tracing::warn!(%user, "a user's socket moved here with messages that can't be read here");
            return self.hub.fail_replay(&socket);
        }
        self.hub.finish_deduplication(&socket);
    }

    /// Sends `socket` what it missed between two nodes.
    async fn send_missed(
        self: Arc<Self>,
        socket: Socket,
        user: Id,
        seqs: LastSeqs,
        rooms: HashSet<Box<str>>,
    ) {
        let (missing, last_seqs) = match self.missed(&user, &seqs).await {
            Ok(missed) => missed,
            Err(error) => {
                tracing::warn!(%error, %user, "reading what a socket missed between two nodes failed");
                // Without it there would be a gap: the client comes again, as a new socket.
                return self.hub.fail_replay(&socket);
            }
        };
        let has_feed = rooms.contains(&*feed_room(&user));
        for message in missing.iter().filter_map(|message| message.event.as_ref()) {
            // A connection that is lost may be recovered, with what was sent to it: so it goes on without one.
            socket.drained(WAITING).await;
            if has_feed || rooms.contains(&*conversation_room(&message.conversation.id, &user)) {
                socket.emit_raw("new_message", &message.json);
            }
            if message.sender != user {
                socket.emit_raw("message_notification", &message.notification);
            }
        }
        let position = last_seqs.values().sum();
        self.hub.send_buffered_moved(&socket, last_seqs);
        if let Some(delegate) = self.delegate() {
            missing
                .iter()
                .filter_map(|message| message.event.as_ref())
                .for_each(|message| delegate.message_replayed(message));
        }
        drop(missing);
        self.await_deduplication(socket, user, position).await;
    }

    /// What the user's conversations have after `seqs`, and where they end then.
    async fn missed(&self, user: &Id, seqs: &LastSeqs) -> Result<(Vec<StoredMessage>, LastSeqs), StoreError> {
        let Some(delegate) = self.delegate() else { return Ok((Vec::new(), LastSeqs::new())) };
        let ends = position_of(&*delegate, user).await?;
        let missing = stored_after(&*delegate, seqs, &ends).await?;
        let mut last_seqs = seqs.clone();
        for (conversation, seq) in &ends.conversations {
            let last = last_seqs.entry(conversation.key).or_default();
            *last = (*last).max(*seq);
        }
        Ok((missing, last_seqs))
    }
}
