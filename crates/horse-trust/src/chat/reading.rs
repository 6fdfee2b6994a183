//! Reads pages and slices of a history, marks messages as read, and finds what a client missed.

use std::sync::Arc;

use socketio::SocketId;
use tokio::sync::oneshot;

use super::access::{Blocks, store_failed};
use super::lookup::Lookup;
use super::service::Chat;
use super::view;
use crate::bus::{BusEvent, DeliveryWait, Except};
use crate::callback::Callback;
use crate::contract::{MessageJson, MessagesRead, Refusal, ServerEvent};
use crate::id::Id;
use crate::store::{Conversation, History, MarkRead, Message, Page, Profile, Range, Read};
use crate::timestamp::Timestamp;

/// How many missed messages are replayed; beyond, the client is sent which conversations to read.
const MAX_REPLAYED: usize = 1000;
/// How many messages of a replay are read at once.
const PAGE: usize = 64;

/// How many bytes of messages are encoded before other tasks have a turn; a page may have a megabyte.
const ENCODED_AT_ONCE: usize = 32 * 1024;

/// A part of a history.
#[derive(Debug)]
pub struct Slice {
    /// The messages, oldest first.
    pub messages: Vec<MessageJson>,
    /// Whether there are more in the direction that was asked for.
    pub has_more: bool,
}

/// The last message that a client has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offset {
    /// It has none.
    Beginning,
    /// It has this.
    Message(Id),
    /// Something that is no message's id.
    Unknown,
}

/// What a client missed.
#[derive(Debug, Default)]
pub struct Replay {
    /// Where the messages are, in the order of their ids.
    pub places: Vec<MessagePlace>,
    /// In place of messages that are too many: the conversations in which they are, each with its last one.
    pub resync: Option<Vec<(Id, i64)>>,
    /// Up to where the replay goes: for each conversation, by the store's key, its last message. Sorted.
    last_seqs: Vec<(i64, i64)>,
}

impl Replay {
    /// Whether a message, by the store's key of its conversation, is in the replay, or before where it begins.
    pub fn includes(&self, conversation: i64, seq: i64) -> bool {
        let found = self.last_seqs.binary_search_by_key(&conversation, |(key, _)| *key);
        found.is_ok_and(|at| seq <= self.last_seqs[at].1)
    }
}

/// A conversation and a sequence number there.
pub type MessagePlace = (Arc<Conversation>, i64);

impl Chat {
    /// A page of history; marks what the other wrote as read if `marks`, up to the last message of the page.
    pub async fn history(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        page: Page,
        marks: bool,
    ) -> Result<Vec<MessageJson>, Refusal> {
        // Until what is read is marked as well: the page is held while that is written.
        let _turn = self.reads.take(user).await?;
        let (conversation, history, messages) = self.read(user, conversation_id, Range::Page(page)).await?;
        if let (true, Some(last)) = (marks, history.messages.last()) {
            self.mark_seen(user, &conversation, &history, last.seq).await?;
        }
        Ok(messages)
    }

    /// A slice of history, deleted messages included; marks what the other wrote as read if `marks`, up to the last
    /// message of the slice.
    pub async fn slice(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        range: Range,
        marks: bool,
    ) -> Result<Slice, Refusal> {
        let _turn = self.reads.take(user).await?;
        let (conversation, history, messages) = self.read(user, conversation_id, range).await?;
        let (slice, last_seq) = self.cut(range, &history, messages);
        if let Some(last_seq) = last_seq {
            if marks {
                self.mark_seen(user, &conversation, &history, last_seq).await?;
            } else if let Some(other) = conversation.other(user)
                && last_seq == history.last_seq
            {
                self.note_delivered(&conversation, other, last_seq);
            }
        }
        Ok(slice)
    }

    /// A slice of bounded bytes of a part of a history, whose messages are encoded; and its last sequence number. A page is
    /// not cut.
    pub(super) fn cut(
        &self,
        range: Range,
        history: &History,
        mut messages: Vec<MessageJson>,
    ) -> (Slice, Option<i64>) {
        let kept = match range {
            Range::Page(_) => 0..messages.len(),
            Range::After(..) => nearest(&messages, true, self.config.slice_bytes),
            Range::Before(..) => nearest(&messages, false, self.config.slice_bytes),
        };
        messages = messages.drain(kept.clone()).collect();
        let (first, last) = match &history.messages[kept] {
            [first, .., last] => (Some(first), Some(last)),
            [only] => (Some(only), Some(only)),
            [] => (None, None),
        };
        let has_more = match range {
            Range::After(..) => last.is_some_and(|last| last.seq < history.last_seq),
            Range::Before(..) | Range::Page(_) => first.is_some_and(|first| first.seq > 1),
        };
        (Slice { messages, has_more }, last.map(|last| last.seq))
    }

    /// Reads a part of a history, and encodes its messages.
    async fn read(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        range: Range,
    ) -> Result<(Arc<Conversation>, History, Vec<MessageJson>), Refusal> {
        let conversation = self.conversation(user, conversation_id).get().await?;
        let (history, messages) = self.read_part(&conversation, range).await?;
        Ok((conversation, history, messages))
    }

    /// [`Chat::read`] of a conversation that is known.
    pub(super) async fn read_part(
        &self,
        conversation: &Conversation,
        range: Range,
    ) -> Result<(History, Vec<MessageJson>), Refusal> {
        // The semaphore is never closed.
        let _place = self.pages.acquire().await.ok();
        let history = self.store.history(conversation, range).await.map_err(store_failed("history"))?;
        let messages = self.views(conversation, &history.messages).await?;
        Ok((history, messages))
    }

    async fn views(
        &self,
        conversation: &Conversation,
        messages: &[Message],
    ) -> Result<Vec<MessageJson>, Refusal> {
        let profiles = self.profiles_of(conversation).await?;
        let mut views = Vec::with_capacity(messages.len());
        let mut encoded = 0;
        for message in messages {
            let view = view_of(conversation, &profiles, message);
            encoded += view.len();
            views.push(view);
            if encoded >= ENCODED_AT_ONCE {
                encoded = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(views)
    }

    /// The user has seen a part of a history that ends with `up_to`: what is up to there is read. What comes after it the
    /// user was not shown.
    async fn mark_seen(
        self: &Arc<Self>,
        user: &Id,
        conversation: &Arc<Conversation>,
        history: &History,
        up_to: i64,
    ) -> Result<(), Refusal> {
        // Most often all is read already, and nothing has to be written.
        if conversation.side_of(user).is_none_or(|side| history.unread[side] == 0) {
            return Ok(());
        }
        self.mark_read_and_wait(user, conversation, Some(up_to)).await?;
        Ok(())
    }

    /// [`Chat::mark_read`] for a caller that waits.
    pub async fn mark_read_and_wait(
        self: &Arc<Self>,
        user: &Id,
        conversation: &Arc<Conversation>,
        up_to: Option<i64>,
    ) -> Result<Read, Refusal> {
        let blocks = self.blocks(user, conversation).get().await?;
        let (sender, receiver) = oneshot::channel();
        // The caller may have gone away meanwhile.
        let done = Box::new(move |read| _ = sender.send(read));
        self.store_read(user, conversation, up_to, (blocks, None), done);
        receiver.await.unwrap_or(Err(Refusal::StoreFailed))
    }

    /// Marks what the other wrote as read, up to a sequence number or all. `done` is called after the sockets of this node were
    /// notified. `socket` is the device that asks.
    pub fn mark_read(
        self: &Arc<Self>,
        user: &Id,
        conversation: &Arc<Conversation>,
        up_to: Option<i64>,
        socket: SocketId,
        done: Callback<Result<Read, Refusal>>,
    ) {
        let (chat, user, conversation) = (Arc::clone(self), user.clone(), Arc::clone(conversation));
        let blocks = self.blocks(&user, &conversation);
        let store = move |blocks: Result<Blocks, Refusal>| match blocks {
            Ok(blocks) => chat.store_read(&user, &conversation, up_to, (blocks, Some(socket)), done),
            Err(refusal) => done(Err(refusal)),
        };
        match blocks {
            Lookup::Cached(blocks) => store(blocks),
            Lookup::Loading(blocks) => _ = tokio::spawn(async move { store(blocks.await) }),
        }
    }

    fn store_read(
        self: &Arc<Self>,
        user: &Id,
        conversation: &Arc<Conversation>,
        up_to: Option<i64>,
        (blocks, socket): (Blocks, Option<SocketId>),
        done: Callback<Result<Read, Refusal>>,
    ) {
        let mark = MarkRead { conversation: Arc::clone(conversation), reader: user.clone(), up_to };
        let (chat, user, conversation) = (Arc::clone(self), user.clone(), Arc::clone(conversation));
        self.store.mark_read(
            mark,
            Box::new(move |read| {
                let read = read.map_err(store_failed("mark_read"));
                if let Ok(read) = &read
                    && read.newly_read > 0
                {
                    let event = ServerEvent::MessagesRead(MessagesRead {
                        conversation_id: &conversation.id,
                        reader: &user,
                        up_to_seq: read.up_to_seq,
                        read_at: Timestamp::now(),
                    });
                    chat.bus.publish(BusEvent::Emit {
                        name: event.name().into(),
                        argument: event.argument(),
                        // While a block stands, neither receives anything of the other.
                        conversation: (!blocks.any()).then(|| Arc::clone(&conversation)),
                        users: vec![user.clone()],
                        except: socket.map(Except::AsDevice),
                    });
                    chat.note_unread(&user, &conversation, Some(read.unread));
                }
                done(read);
            }),
        );
    }

    /// How many messages the user has not read.
    pub async fn unread_count(&self, user: &Id) -> Result<u64, Refusal> {
        self.store.unread_count(user).await.map_err(store_failed("unread_count"))
    }

    /// What `user` missed since `offset`.
    pub async fn missed(&self, user: &Id, offset: &Offset) -> Result<Replay, Refusal> {
        let (after, limit) = match offset {
            Offset::Beginning => (None, MAX_REPLAYED),
            Offset::Message(id) => (Some(id), MAX_REPLAYED),
            Offset::Unknown => (None, 0),
        };
        let missed = self.store.missed(user, after, limit).await.map_err(store_failed("missed"))?;
        let mut last_seqs = missed.last_seqs;
        last_seqs.sort_unstable();
        if missed.is_too_much {
            return Ok(Replay { resync: Some(missed.changed), last_seqs, ..Replay::default() });
        }
        let places = missed.messages.into_iter().map(|message| (message.conversation, message.seq)).collect();
        Ok(Replay { places, resync: None, last_seqs })
    }

    /// The first of the messages at `places`, as many as have `max_bytes` of text, and at least one; `None` for one
    /// that is deleted. They count as delivered to `user`.
    pub async fn page(
        &self,
        user: &Id,
        places: &[MessagePlace],
        max_bytes: usize,
    ) -> Result<Vec<Option<MessageJson>>, Refusal> {
        let places = &places[..places.len().min(PAGE)];
        let messages = self.store.messages_at(places.to_vec(), max_bytes).await;
        let messages = messages.map_err(store_failed("messages_at"))?;
        let mut page = Vec::with_capacity(messages.len());
        for ((conversation, _), message) in places.iter().zip(messages) {
            let Some(message) = message.filter(|message| message.deleted_at.is_none()) else {
                page.push(None);
                continue;
            };
            let profiles = self.profiles_of(conversation).await?;
            page.push(Some(view_of(conversation, &profiles, &message)));
            if message.sender != *user {
                self.note_delivered(conversation, &message.sender, message.seq);
            }
        }
        Ok(page)
    }

    /// Waits until the sockets of `user` on this node have received all that is in `replay`.
    pub async fn wait_until_delivered(&self, user: &Id, replay: &Replay) -> Result<(), Refusal> {
        let position = replay.last_seqs.iter().map(|(_, seq)| seq).sum();
        match self.bus.wait_until_delivered(user, position).await {
            DeliveryWait::Done => Ok(()),
            DeliveryWait::TimedOut => Err(Refusal::StoreFailed),
            DeliveryWait::NotTracked => self.store.flush().await.map_err(store_failed("flush")),
        }
    }
}

/// Of the messages of a slice, oldest first, those next to where it begins (at its first one or its last) that have no more
/// than `most` bytes together; at least one.
fn nearest(messages: &[MessageJson], from_first: bool, most: usize) -> std::ops::Range<usize> {
    let mut bytes = 0;
    let mut fits = |message: &&MessageJson| {
        bytes += message.len();
        bytes <= most
    };
    let count = if from_first {
        messages.iter().take_while(&mut fits).count()
    } else {
        messages.iter().rev().take_while(&mut fits).count()
    };
    let count = count.max(1).min(messages.len());
    if from_first { 0..count } else { messages.len() - count..messages.len() }
}

pub(super) fn view_of(
    conversation: &Conversation,
    profiles: &[Option<Arc<Profile>>; 3],
    message: &Message,
) -> MessageJson {
    let sender = conversation.side_of(&message.sender).unwrap_or(2);
    view::message(conversation, profiles[sender].as_deref(), message).to_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_that_is_too_much_keeps_what_is_next_to_its_begin() {
        let of = |sizes: &[usize]| -> Vec<MessageJson> {
            sizes.iter().map(|size| MessageJson::from("x".repeat(*size))).collect()
        };
        assert_eq!(nearest(&of(&[1, 2, 3]), true, 10), 0..3);
        assert_eq!(nearest(&of(&[5, 5, 1]), true, 10), 0..2);
        assert_eq!(nearest(&of(&[1, 5, 5]), false, 10), 1..3);
        assert_eq!(nearest(&of(&[5, 5, 1]), false, 10), 1..3);
        assert_eq!(nearest(&of(&[11, 1]), true, 10), 0..1);
        assert_eq!(nearest(&of(&[1, 11]), false, 10), 1..2);
        assert_eq!(nearest(&[], true, 10), 0..0);
        assert_eq!(nearest(&[], false, 10), 0..0);
    }
}
