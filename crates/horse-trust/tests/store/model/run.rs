//! Does each step to a store and to the model, and compares what both answer.

use std::sync::Arc;

use horse_trust::store::{Changed, Conversation, Delivered, NewMessage, Result, StoreError, Stored, Unread};
use tokio::sync::oneshot;

use super::check::{check, missed, places, seq};
use super::import::{Imported, import_into};
use super::step::{Again, At, Sent, Step};
use super::world::{PAIRS, USERS, World, index_at};
use crate::fixture::store::{
    ALWAYS, AnyStore, Place, block, mark, mark_read, new_message, open, soon, try_change,
};

pub(super) fn run_alone(engine: &str, messages: Vec<Imported>, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(engine, messages, steps));
}

async fn run(engine: &str, messages: Vec<Imported>, steps: Vec<Step>) {
    let place = Place::new(engine).await;
    let mut world = World::new(matches!(place, Place::Database(_)));
    import_into(&place, &mut world, messages).await;
    let store = place.open().await;
    let mut conversations = Vec::new();
    for [first, second] in PAIRS {
        conversations.push(open(&*store, USERS[first], USERS[second]).await);
    }
    check(&*store, &conversations, &world).await;
    let mut run = Run { place, store, conversations, world };
    for step in steps {
        run.step(step).await;
        check(&*run.store, &run.conversations, &run.world).await;
    }
    soon(run.store.close()).await;
}

struct Run {
    place: Place,
    store: AnyStore,
    conversations: Vec<Arc<Conversation>>,
    world: World,
}

impl Run {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Send(sent) => self.send(sent).await,
            Step::Repeat { at, again } => self.repeat(at, again).await,
            Step::Edit(at) => self.edit(at).await,
            Step::Delete(at) => self.delete(at).await,
            Step::Block { conversation, side, is_blocked } => {
                let [blocker, other] = [PAIRS[conversation][side], PAIRS[conversation][1 - side]];
                block(&*self.store, USERS[blocker], USERS[other], is_blocked).await;
                self.world.blocks[blocker][other] = is_blocked;
            }
            Step::ReadUpTo { at, side, is_all } => self.read_up_to(at, side, is_all).await,
            Step::Deliver { at, side } => {
                let Some(up_to) = self.world.seq_at(at) else { return };
                let conversation = self.conversations[at.conversation].key;
                let delivered = Delivered { conversation, side, seq: seq(up_to) };
                soon(self.store.set_delivered(vec![delivered])).await.unwrap();
                let known = &mut self.world.conversations[at.conversation].delivered_seq[side];
                *known = up_to.max(*known);
            }
            Step::Missed { user, part } => self.missed(user, part).await,
            Step::Reopen => {
                soon(self.store.close()).await;
                self.store = self.place.open().await;
            }
        }
    }

    /// Appends without waiting.
    fn append(
        &self,
        conversation: usize,
        side: usize,
        text: &str,
        key: Option<&str>,
    ) -> oneshot::Receiver<Result<Stored>> {
        let sender = USERS[PAIRS[conversation][side]];
        let mut message: NewMessage = new_message(&self.conversations[conversation], sender, text);
        message.client_id = key.map(str::to_owned);
        let (result, receiver) = oneshot::channel();
        self.store.append_message(message, Box::new(move |stored| result.send(stored).unwrap()));
        receiver
    }

    async fn send(&mut self, sent: Vec<Sent>) {
        let mut results = Vec::new();
        for Sent { conversation, side, has_key } in sent {
            let text = self.world.new_text();
            let key = has_key.then(|| format!("key of {text}"));
            let result = self.append(conversation, side, &text, key.as_deref());
            let refusal = self.world.refusal(conversation, side);
            if refusal.is_none() {
                self.world.push(conversation, side, text, key);
            }
            let expected = match refusal {
                Some(by_sender) => Err(by_sender),
                None => Ok((
                    seq(self.world.conversations[conversation].messages.len()),
                    self.unread(conversation, 1 - side),
                    PAIRS[conversation].map(|user| seq(self.world.position(user))),
                )),
            };
            results.push((expected, result));
        }
        for (expected, result) in results {
            match (expected, soon(result).await.unwrap()) {
                (Ok((seq, unread, positions)), Ok(stored)) => {
                    assert_eq!((stored.message.seq, stored.unread), (seq, Some(unread)));
                    assert_eq!(stored.positions, self.world.is_shared.then_some(positions));
                }
                (Err(expected), Err(StoreError::Blocked { by_sender })) => assert_eq!(by_sender, expected),
                (expected, found) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }

    async fn repeat(&mut self, at: At, again: Again) {
        let Some(found) = self.world.seq_at(at) else { return };
        let message = self.world.conversations[at.conversation].messages[found - 1].clone();
        let Some(key) = &message.key else { return };
        let sender = PAIRS[at.conversation][message.sender];
        let place = match again {
            Again::Same | Again::OtherText => (at.conversation, message.sender),
            Again::OtherConversation => {
                let mut others = self.world.of_user(sender).filter(|(index, _, _)| *index != at.conversation);
                others.next().map(|(index, side, _)| (index, side)).unwrap()
            }
        };
        let is_changed = message.is_edited || message.is_deleted;
        let is_repeat = match again {
            Again::Same => true,
            Again::OtherText => is_changed,
            Again::OtherConversation => false,
        };
        let text = match again {
            Again::Same | Again::OtherConversation => message.text.as_str(),
            Again::OtherText => "another text",
        };
        let refusal = self.world.refusal(place.0, place.1);
        match (soon(self.append(place.0, place.1, text, Some(key))).await.unwrap(), refusal) {
            (Err(StoreError::Blocked { by_sender }), Some(expected)) => assert_eq!(by_sender, expected),
            (Ok(stored), None) if is_repeat => {
                assert_eq!((stored.message.seq, stored.unread), (seq(found), None));
                assert_eq!(stored.conversation, self.conversations[at.conversation]);
            }
            (Err(StoreError::ClientIdUsed), None) => assert!(!is_repeat),
            (found, _) => panic!("{found:?} for {again:?} of {message:?}"),
        }
    }

    async fn edit(&mut self, at: At) {
        let Some(found) = self.world.seq_at(at) else { return };
        let text = self.world.new_text();
        let changed =
            try_change(&*self.store, &self.conversations[at.conversation], seq(found), Some(&text), ALWAYS)
                .await;
        let sender = self.world.conversations[at.conversation].messages[found - 1].sender;
        let refusal = self.world.refusal(at.conversation, sender);
        let message = &mut self.world.conversations[at.conversation].messages[found - 1];
        match (changed, refusal) {
            (Err(StoreError::Blocked { by_sender }), Some(expected)) => assert_eq!(by_sender, expected),
            (Ok(Changed::Gone(_)), None) => assert!(message.is_deleted),
            (Ok(Changed::Done { message: stored, unread }), None) => {
                assert!(!message.is_deleted);
                assert_eq!((stored.text, unread), (text.clone(), None));
                message.text = text;
                message.is_edited = true;
            }
            (found, _) => panic!("{found:?} for an edit of {message:?}"),
        }
    }

    async fn delete(&mut self, at: At) {
        let Some(found) = self.world.seq_at(at) else { return };
        let conversation = &self.conversations[at.conversation];
        let changed = try_change(&*self.store, conversation, seq(found), None, ALWAYS).await.unwrap();
        let message = &mut self.world.conversations[at.conversation].messages[found - 1];
        let (was_deleted, was_read, recipient) = (message.is_deleted, message.is_read, 1 - message.sender);
        message.is_deleted = true;
        match changed {
            Changed::Gone(_) => assert!(was_deleted),
            Changed::Done { message, unread } => {
                assert!(!was_deleted && message.deleted_at.is_some() && message.text.is_empty());
                assert_eq!(unread, (!was_read).then(|| self.unread(at.conversation, recipient)));
            }
            Changed::TooLate => panic!("everything may be changed"),
        }
    }

    async fn read_up_to(&mut self, at: At, side: usize, is_all: bool) {
        let reader = USERS[PAIRS[at.conversation][side]];
        let conversation = &self.conversations[at.conversation];
        let model = &mut self.world.conversations[at.conversation];
        if is_all {
            let newly_read = mark_read(&*self.store, conversation, reader).await.unwrap();
            assert_eq!(newly_read, model.read(side, model.messages.len()));
            return;
        }
        let up_to = self.world.seq_at(at).unwrap_or(0);
        let read = mark(&*self.store, conversation, reader, seq(up_to)).await;
        let model = &mut self.world.conversations[at.conversation];
        assert_eq!(read.newly_read, model.read(side, up_to));
        assert_eq!(read.up_to_seq, seq(model.read_seq[side]));
        assert_eq!(read.unread, self.unread(at.conversation, side));
    }

    async fn missed(&mut self, user: usize, part: f64) {
        let all = missed(&*self.store, USERS[user], None).await;
        if all.is_empty() {
            return;
        }
        let known = index_at(part, all.len());
        let after = missed(&*self.store, USERS[user], Some(&all[known].id)).await;
        assert_eq!(after, all[known + 1..]);
        let wanted = after.iter().map(|missed| (Arc::clone(&missed.conversation), missed.seq)).collect();
        let read = soon(self.store.messages_at(wanted, usize::MAX)).await.unwrap();
        let read: Vec<_> = read.into_iter().map(|message| message.unwrap().text).collect();
        let texts = places(&after, &self.conversations)
            .into_iter()
            .map(|(index, seq)| self.world.conversations[index].messages[seq - 1].text.clone());
        assert_eq!(read, texts.collect::<Vec<_>>());
    }

    /// What one of the two in a conversation has not read.
    fn unread(&self, conversation: usize, side: usize) -> Unread {
        let user = PAIRS[conversation][side];
        Unread {
            conversation: self.world.conversations[conversation].unread(side),
            total: self.world.unread(user),
        }
    }
}
