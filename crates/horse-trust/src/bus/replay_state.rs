//! The state of one socket's replay. Pure: it delivers nothing itself and knows no clock, so that tests can drive it
//! through any order of events.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::event::NEW_MESSAGE;
use crate::store::Conversation;

/// How many events are buffered for one socket, about 50 bytes each; beyond, its connection ends and the client comes
/// again.
const BUFFERED: usize = 4096;
/// How many bytes of JSON are buffered for one socket; what is beyond is read from the store when its turn comes.
const BUFFERED_BYTES: usize = 64 * 1024;
/// How many buffered events are taken at once.
const TAKEN_AT_ONCE: usize = 64;

/// The last sequence number of each conversation, by the store's key.
pub(super) type LastSeqs = HashMap<i64, i64>;

/// What is to be done with an event for a socket that has a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Deliver it now.
    Deliver,
    /// Do not deliver it now: it is buffered, was delivered before, or is read from the store later.
    Withhold,
    /// The buffer is full: the replay has failed, and the connection has to end.
    Overflow,
}

/// How far a replay is.
pub(super) enum ReplayState {
    /// The store has not been asked yet, so no message is delivered: the replay reads it from there.
    Pending,
    /// The replay is being sent; live events are buffered behind it.
    Buffering(Buffer),
    /// The socket has received messages up to these elsewhere; those are not delivered again.
    Deduplicating(LastSeqs),
    /// The replay failed: no further message is delivered, because it would hide the gap.
    Failed,
}

/// An event that waits for a replay to end.
pub struct BufferedEvent {
    /// The conversation of the message.
    pub conversation: Arc<Conversation>,
    /// The message's sequence number.
    pub seq: i64,
    /// The event's name.
    pub event: &'static str,
    /// The argument of the event; `None` for a message that is to be read from the store, because the buffer had too many
    /// bytes.
    pub json: Option<Arc<str>>,
}

impl ReplayState {
    /// Live events are buffered from now on.
    pub(super) fn buffering() -> Self {
        Self::Buffering(Buffer::default())
    }

    /// Live events of a socket that moved to this node are buffered from now on, its notifications included.
    pub(super) fn buffering_moved() -> Self {
        Self::Buffering(Buffer { is_moved: true, ..Buffer::default() })
    }

    /// Whether the replay goes on after its connection has ended: that of a socket that moved here, which may be recovered.
    pub(super) fn survives_disconnect(&self) -> bool {
        matches!(self, Self::Deduplicating(_) | Self::Buffering(Buffer { is_moved: true, .. }))
    }

    /// Decides on a live event, and buffers it if it has to wait.
    pub(super) fn admit(
        &mut self,
        event: &'static str,
        conversation: &Arc<Conversation>,
        seq: i64,
        json: &Arc<str>,
    ) -> Admission {
        let is_message = event == NEW_MESSAGE;
        let is_delivered = match self {
            Self::Deduplicating(last_seqs) => is_after(last_seqs, conversation.key, seq),
            Self::Buffering(buffer) if is_message || buffer.is_moved => {
                if !buffer.push(event, conversation, seq, json) {
                    *self = Self::Failed;
                    return Admission::Overflow;
                }
                false
            }
            Self::Buffering(_) => true,
            Self::Pending | Self::Failed => !is_message,
        };
        if is_delivered { Admission::Deliver } else { Admission::Withhold }
    }

    /// Some of the buffered events, in their order, without those that `is_replayed` (by conversation and sequence number).
    /// None is left if the answer is empty.
    pub(super) fn take_buffered(&mut self, is_replayed: impl Fn(i64, i64) -> bool) -> Vec<BufferedEvent> {
        let mut taken = Vec::new();
        let Self::Buffering(buffer) = self else { return taken };
        while taken.len() < TAKEN_AT_ONCE
            && let Some(event) = buffer.pop()
        {
            if !is_replayed(event.conversation.key, event.seq) {
                taken.push(event);
            }
        }
        taken
    }

    /// All buffered events of a socket that moved here, without those up to `last_seqs`, which are not delivered again.
    pub(super) fn deduplicate(&mut self, last_seqs: LastSeqs) -> Vec<BufferedEvent> {
        let Self::Buffering(buffer) = self else { return Vec::new() };
        let mut events = Vec::from(std::mem::take(&mut buffer.events));
        events.retain(|event| is_after(&last_seqs, event.conversation.key, event.seq));
        *self = Self::Deduplicating(last_seqs);
        events
    }
}

fn is_after(last_seqs: &LastSeqs, conversation: i64, seq: i64) -> bool {
    last_seqs.get(&conversation).is_none_or(|last| seq > *last)
}

/// Live events that wait, bounded in number and bytes.
#[derive(Default)]
pub(super) struct Buffer {
    events: VecDeque<BufferedEvent>,
    /// The JSON in `events`.
    bytes: usize,
    /// The socket moved here: its notifications wait, too.
    is_moved: bool,
}

impl Buffer {
    /// `false` if the buffer is full.
    fn push(
        &mut self,
        event: &'static str,
        conversation: &Arc<Conversation>,
        seq: i64,
        json: &Arc<str>,
    ) -> bool {
        let fits = self.bytes + json.len() <= BUFFERED_BYTES;
        if self.events.len() >= BUFFERED || (!fits && self.is_moved) {
            return false;
        }
        self.bytes += if fits { json.len() } else { 0 };
        let json = fits.then(|| Arc::clone(json));
        self.events.push_back(BufferedEvent { conversation: Arc::clone(conversation), seq, event, json });
        true
    }

    fn pop(&mut self) -> Option<BufferedEvent> {
        let event = self.events.pop_front()?;
        self.bytes -= event.json.as_ref().map_or(0, |json| json.len());
        Some(event)
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
    fn the_buffer_is_bounded_in_bytes_and_in_number() {
        let (conversation, json) = (conversation(), Arc::from("x".repeat(12_000)));
        let mut buffer = Buffer::default();
        for seq in 1..=4096 {
            assert!(buffer.push(NEW_MESSAGE, &conversation, seq, &json));
        }
        assert!(!buffer.push(NEW_MESSAGE, &conversation, 4097, &json));
        assert!(buffer.bytes <= BUFFERED_BYTES);
        let with_json = buffer.events.iter().filter(|event| event.json.is_some()).count();
        assert_eq!(with_json, BUFFERED_BYTES / json.len());
        assert!(size_of::<BufferedEvent>() * BUFFERED <= 256 * 1024);
    }

    #[test]
    fn a_socket_that_moved_here_buffers_no_more_than_it_can_send() {
        let (conversation, json) = (conversation(), Arc::from("x".repeat(12_000)));
        let mut state = ReplayState::buffering_moved();
        let admitted: Vec<_> =
            (1..=6).map(|seq| state.admit(NEW_MESSAGE, &conversation, seq, &json)).collect();
        assert_eq!(admitted[..5], [Admission::Withhold; 5]);
        assert_eq!(admitted[5], Admission::Overflow);
        assert_eq!(state.admit(NEW_MESSAGE, &conversation, 7, &json), Admission::Withhold);
    }
}
