//! A socket that goes from one node to another is told every message once.
//!
//! The node that gives it away does so between two messages of the user, and says how far it has told (by position, and
//! by `seq` for each conversation). The other may have told less, then the socket passes over what it was told before;
//! or more, then what is between is read from the store first, while what comes waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use socketio::{LostSocket, Socket};

use super::{Sequencer, ends_of};
use crate::bus::{HandedOver, Reached, StoredMessage, conversation_room, feed_room};
use crate::id::Id;
use crate::store::StoreError;

/// How many messages a node may be ahead of the one that gives a socket away: what is between is read at once. Beyond,
/// the client gets a new socket, and a replay by pages.
const AHEAD: i64 = 128;
/// How many bytes of what was missed wait to be sent at once: the rest of the outbox is for what comes meanwhile.
const WAITING: usize = 128 * 1024;

impl Sequencer {
    /// Gives a socket of `user` away, if this node has it.
    pub(in crate::bus) fn hand_over(&self, user: &Id, lost: LostSocket<'_>) -> Option<HandedOver> {
        // While this is locked the user is told of no message.
        let subscribers = self.subscribers.lock();
        let progress = subscribers.get(user)?.progress.as_ref()?;
        let (socket, replayed) = self.hub.hand_over(user, lost)?;
        let mut seqs = progress.seqs.clone();
        let is_ahead = replayed.is_some();
        for (conversation, last) in replayed.into_iter().flatten() {
            let seq = seqs.entry(conversation).or_default();
            *seq = (*seq).max(last);
        }
        Some(HandedOver { socket, reached: Reached { position: progress.position, seqs, is_ahead } })
    }

    /// Whether a socket of `user` that was told so far can be brought to the present.
    pub(in crate::bus) fn can_restore(&self, user: &Id, reached: &Reached) -> bool {
        let subscribers = self.subscribers.lock();
        let progress = subscribers.get(user).and_then(|subscriber| subscriber.progress.as_ref());
        progress.is_some_and(|progress| progress.position.saturating_sub(reached.position) <= AHEAD)
    }

    /// From now on `socket`, which was handed over to this node, is in its rooms, and told what it was not told yet.
    pub(in crate::bus) fn restore(&self, socket: &Socket, user: &Id, reached: Reached, rooms: &[Box<str>]) {
        let subscribers = self.subscribers.lock();
        let here = subscribers.get(user).and_then(|subscriber| subscriber.progress.as_ref());
        let here = here.map(|progress| progress.position);
        let is_behind = here.is_none_or(|position| position > reached.position);
        if is_behind {
            self.hub.hold_handed_over(socket);
        } else if here != Some(reached.position) || reached.is_ahead {
            self.hub.pass_over(socket, reached.seqs.clone());
            if let Some(me) = self.me.upgrade() {
                tokio::spawn(me.pass_over(socket.clone(), user.clone(), reached.seqs.values().sum()));
            }
        }
        for room in rooms {
            if let Err(error) = socket.join(room) {
                tracing::error!(%error, %user, "a socket that was handed over could not join its rooms");
                break;
            }
        }
        drop(subscribers);
        if is_behind && let Some(me) = self.me.upgrade() {
            let rooms = rooms.iter().cloned().collect();
            tokio::spawn(me.catch_up(socket.clone(), user.clone(), reached.seqs, rooms));
        }
    }

    /// Messages up to `position`, which `socket` was told elsewhere, are passed over until they were told here.
    async fn pass_over(self: Arc<Self>, socket: Socket, user: Id, position: i64) {
        if !self.wait_until_delivered(&user, position).await {
            tracing::warn!(%user, "a node that had a user's socket told more than can be read here");
            return self.hub.give_up(&socket);
        }
        self.hub.caught_up(&socket);
    }

    /// Tells `socket` what it missed between two nodes.
    async fn catch_up(
        self: Arc<Self>,
        socket: Socket,
        user: Id,
        seqs: HashMap<i64, i64>,
        rooms: HashSet<Box<str>>,
    ) {
        let (missing, last_seqs) = match self.missed(&user, &seqs).await {
            Ok(missed) => missed,
            Err(error) => {
                tracing::warn!(%error, %user, "what a socket missed between two nodes could not be read");
                // Without it there would be a gap: the client comes again, as a new socket.
                return self.hub.give_up(&socket);
            }
        };
        let has_feed = rooms.contains(&*feed_room(&user));
        for message in missing.iter().filter_map(|message| message.event.as_ref()) {
            // A connection that is lost may be recovered, with what was sent to it: so it goes on without one.
            socket.drained(WAITING).await;
            if has_feed || rooms.contains(&*conversation_room(&message.conversation.id, &user)) {
                socket.emit("new_message", &message.json);
            }
            if message.sender != user {
                socket.emit("message_notification", &message.notification);
            }
        }
        let position = last_seqs.values().sum();
        self.hub.restored(&socket, last_seqs);
        if let Some(source) = self.source() {
            missing
                .iter()
                .filter_map(|message| message.event.as_ref())
                .for_each(|message| source.message_replayed(message));
        }
        drop(missing);
        self.pass_over(socket, user, position).await;
    }

    /// What the user's conversations have after `seqs`, and how far they go then.
    async fn missed(
        &self,
        user: &Id,
        seqs: &HashMap<i64, i64>,
    ) -> Result<(Vec<StoredMessage>, HashMap<i64, i64>), StoreError> {
        let Some(source) = self.source() else { return Ok((Vec::new(), HashMap::new())) };
        let ends = ends_of(&*source, user).await?;
        let missing = super::missing(&*source, seqs, &ends).await?;
        let mut last_seqs = seqs.clone();
        for (conversation, seq) in &ends.conversations {
            let last = last_seqs.entry(conversation.key).or_default();
            *last = (*last).max(*seq);
        }
        Ok((missing, last_seqs))
    }
}
