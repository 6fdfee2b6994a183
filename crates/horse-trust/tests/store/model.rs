//! The store beside a model of it that is a few vectors: whatever is done in whatever order, both agree.

use std::sync::Arc;

use horse_trust::id::Id;
use horse_trust::store::postgres::PostgresImport;
use horse_trust::store::sqlite::Database;
use horse_trust::store::{
    Changed, Conversation, ImportTarget, Staged, StagedConversation, StagedMessage, Store,
};
use horse_trust::timestamp::Timestamp;
use proptest::prelude::*;

use crate::fixture::store::{
    ALWAYS, Place, append, id, list, mark, mark_read, open, read_page, soon, try_change,
};

const USERS: [&str; 3] = ["ann", "ben", "cat"];
/// The conversations, by the index of their users.
const PAIRS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 0]];

/// A message that an import brings.
#[derive(Debug, Clone)]
struct Imported {
    conversation: usize,
    side: usize,
    is_read: bool,
    is_deleted: bool,
}

#[derive(Debug, Clone)]
enum Step {
    /// Messages in a row without waiting: each a conversation and which of the two writes.
    Send(Vec<(usize, usize)>),
    /// In that conversation, that one of the two reads up to a part of it (all, if `None`).
    Read { conversation: usize, side: usize, part: Option<f64> },
    /// The message at that part of the conversation is deleted.
    Delete { conversation: usize, part: f64 },
    /// The store is closed and opened again.
    Reopen,
}

#[derive(Debug, Clone, Copy)]
struct ModelMessage {
    sender: usize,
    is_read: bool,
    is_deleted: bool,
}

/// What a conversation should be.
#[derive(Debug, Clone, Default)]
struct Model {
    messages: Vec<ModelMessage>,
    /// Up to where each of the two has read.
    read_seq: [usize; 2],
}

impl Model {
    fn is_unread(message: &ModelMessage, side: usize) -> bool {
        message.sender != side && !message.is_read && !message.is_deleted
    }

    fn unread(&self, side: usize) -> u64 {
        self.messages.iter().filter(|message| Self::is_unread(message, side)).count() as u64
    }

    /// Who wrote each message that is shown, and whether it is read.
    fn shown(&self) -> Vec<(usize, bool)> {
        let shown = self.messages.iter().filter(|message| !message.is_deleted);
        shown.map(|message| (message.sender, message.is_read)).collect()
    }

    /// Marks as read; answers how many messages newly are.
    fn read(&mut self, side: usize, up_to: usize) -> u64 {
        let before = self.unread(side);
        self.read_seq[side] = self.read_seq[side].max(up_to);
        for message in self.messages.iter_mut().take(up_to).filter(|message| message.sender != side) {
            message.is_read = true;
        }
        before - self.unread(side)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let part = || 0.0..1.0_f64;
    prop_oneof![
        4 => prop::collection::vec((0..3_usize, 0..2_usize), 1..12).prop_map(Step::Send),
        4 => (0..3_usize, 0..2_usize, prop::option::weighted(0.7, part()))
            .prop_map(|(conversation, side, part)| Step::Read { conversation, side, part }),
        3 => (0..3_usize, part()).prop_map(|(conversation, part)| Step::Delete { conversation, part }),
        1 => Just(Step::Reopen),
    ]
}

fn imported() -> impl Strategy<Value = Vec<Imported>> {
    let message = (0..3_usize, 0..2_usize, any::<bool>(), prop::bool::weighted(0.3));
    let message = message.prop_map(|(conversation, side, is_read, is_deleted)| Imported {
        conversation,
        side,
        is_read,
        is_deleted,
    });
    prop::collection::vec(message, 0..15)
}

/// The sequence number at a part of a conversation; 0 if there is none.
fn seq_at(model: &Model, part: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "conversations here are short"
    )]
    let index = (part * model.messages.len() as f64) as usize;
    (index + 1).min(model.messages.len())
}

fn seq(seq: usize) -> i64 {
    i64::try_from(seq).unwrap()
}

/// Brings the conversations and these messages into a store that nobody serves.
fn import(target: &mut dyn ImportTarget, messages: &[Imported]) {
    let conversation_id = |index: usize| id(&format!("65b00000000000000000000{index}"));
    let conversations: Vec<_> = PAIRS
        .iter()
        .enumerate()
        .map(|(index, pair)| StagedConversation {
            id: conversation_id(index),
            participants: pair.map(|user| id(USERS[user])),
            horse_id: None,
            created_at: Timestamp(1000),
            updated_at: Timestamp(1000),
            last_message: None,
        })
        .collect();
    let messages: Vec<_> = (0..)
        .zip(messages)
        .map(|(number, message)| StagedMessage {
            id: id(&format!("65d0000000000000000000{number:02}")),
            conversation_id: conversation_id(message.conversation),
            sender_id: id(USERS[PAIRS[message.conversation][message.side]]),
            text: "Hello".to_owned(),
            is_read: message.is_read,
            read_at: None,
            deleted_at: message.is_deleted.then_some(Timestamp(3000)),
            sent_at: Timestamp(2000 + number),
            order: Timestamp(2000 + number),
        })
        .collect();
    let mut file = target.begin().unwrap();
    let staged = file.conversations(&conversations).unwrap();
    assert!(staged.iter().all(|staged| *staged == Staged::Added));
    file.commit().unwrap();
    let mut file = target.begin().unwrap();
    let staged = file.messages(&messages).unwrap();
    assert!(staged.iter().all(|staged| *staged == Staged::Added));
    file.commit().unwrap();
}

async fn import_into(place: &Place, messages: Vec<Imported>) {
    let open: Box<dyn FnOnce() -> Box<dyn ImportTarget> + Send> = match place {
        Place::Folder(folder) => {
            let path = folder.path().join("data/chat.db");
            Box::new(move || Box::new(Database::open(&path).unwrap()))
        }
        Place::Database(url) => {
            let url = url.clone();
            Box::new(move || Box::new(PostgresImport::open(&url).unwrap()))
        }
    };
    tokio::task::spawn_blocking(move || import(&mut *open(), &messages)).await.unwrap();
}

/// The ids of what a user missed after a message.
async fn missed(store: &dyn Store, user: &str, after: Option<&Id>) -> Vec<Id> {
    let missed = soon(store.missed(&id(user), after, 1000)).await.unwrap();
    assert!(!missed.is_too_much);
    missed.messages.into_iter().map(|message| message.id).collect()
}

async fn check(store: &dyn Store, conversations: &[Arc<Conversation>], model: &[Model]) {
    for (conversation, expected) in conversations.iter().zip(model) {
        for limit in [3, 100] {
            let mut found = Vec::new();
            for number in 1.. {
                let mut page = read_page(store, conversation, number, limit).await;
                if page.is_empty() {
                    break;
                }
                page.append(&mut found);
                found = page;
            }
            let seqs: Vec<_> = found.iter().map(|message| message.seq).collect();
            let shown = (1..).zip(&expected.messages).filter(|(_, message)| !message.is_deleted);
            assert_eq!(seqs, shown.map(|(seq, _)| seq).collect::<Vec<i64>>());
            let seen: Vec<_> = found
                .iter()
                .map(|message| (usize::from(message.sender != conversation.participants[0]), message.is_read))
                .collect();
            assert_eq!(seen, expected.shown());
            assert!(
                found.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at)
            );
        }
    }
    for (user, name) in USERS.iter().enumerate() {
        let all = missed(store, name, None).await;
        let shown = PAIRS.iter().zip(model).filter(|(pair, _)| pair.contains(&user));
        assert_eq!(all.len(), shown.map(|(_, model)| model.shown().len()).sum::<usize>());
        for after in [0, all.len() / 2, all.len().saturating_sub(1)] {
            let Some(known) = all.get(after) else { continue };
            assert_eq!(missed(store, name, Some(known)).await, all[after + 1..]);
        }
        let mut sum = 0;
        for summary in list(store, name).await {
            let index = conversations.iter().position(|other| other.key == summary.conversation.key).unwrap();
            let side = usize::from(PAIRS[index][0] != user);
            assert_eq!(summary.unread_count, model[index].unread(side));
            let last = summary.last_message.map(|last| {
                (usize::from(last.sender_id != summary.conversation.participants[0]), last.is_read)
            });
            assert_eq!(last, model[index].shown().last().copied());
            assert_eq!(seq(model[index].read_seq[side]), summary.sides[side].read_seq);
            sum += summary.unread_count;
        }
        assert_eq!(soon(store.unread_count(&id(name))).await.unwrap(), sum);
    }
}

async fn run(engine: &str, messages: Vec<Imported>, steps: Vec<Step>) {
    let place = Place::new(engine).await;
    let mut model = vec![Model::default(); PAIRS.len()];
    for Imported { conversation, side, is_read, is_deleted } in messages.iter().cloned() {
        model[conversation].messages.push(ModelMessage { sender: side, is_read, is_deleted });
    }
    import_into(&place, messages).await;
    let mut store = place.open().await;
    let mut conversations = Vec::new();
    for [first, second] in PAIRS {
        conversations.push(open(&*store, USERS[first], USERS[second]).await);
    }
    check(&*store, &conversations, &model).await;
    for step in steps {
        match step {
            Step::Send(sent) => {
                let results: Vec<_> = sent
                    .into_iter()
                    .map(|(conversation, side)| {
                        let message = ModelMessage { sender: side, is_read: false, is_deleted: false };
                        model[conversation].messages.push(message);
                        let seq = i64::try_from(model[conversation].messages.len()).unwrap();
                        let sender = USERS[PAIRS[conversation][side]];
                        (seq, append(&*store, &conversations[conversation], sender, "Hello"))
                    })
                    .collect();
                for (seq, result) in results {
                    assert_eq!(result.await.unwrap().seq, seq);
                }
            }
            Step::Read { conversation, side, part } => {
                let reader = USERS[PAIRS[conversation][side]];
                let (place, model) = (&conversations[conversation], &mut model[conversation]);
                let up_to = part.map_or(model.messages.len(), |part| seq_at(model, part));
                let newly_read = if part.is_some() {
                    let read = mark(&*store, place, reader, seq(up_to)).await;
                    assert_eq!(read.up_to_seq, seq(up_to.max(model.read_seq[side])));
                    read.newly_read
                } else {
                    mark_read(&*store, place, reader).await.unwrap()
                };
                assert_eq!(newly_read, model.read(side, up_to));
            }
            Step::Delete { conversation, part } => {
                let at = seq_at(&model[conversation], part);
                if at == 0 {
                    continue;
                }
                let changed =
                    try_change(&*store, &conversations[conversation], seq(at), None, ALWAYS).await.unwrap();
                let message = &mut model[conversation].messages[at - 1];
                assert_eq!(matches!(changed, Changed::Gone(_)), message.is_deleted);
                message.is_deleted = true;
            }
            Step::Reopen => {
                soon(store.close()).await;
                drop(store);
                store = place.open().await;
            }
        }
        check(&*store, &conversations, &model).await;
    }
    soon(store.close()).await;
}

fn run_alone(engine: &str, messages: Vec<Imported>, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(engine, messages, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(messages in imported(), steps in prop::collection::vec(step(), 1..15)) {
        run_alone("sqlite", messages, steps);
    }

    #[test]
    fn postgresql_does_what_the_model_does(messages in imported(), steps in prop::collection::vec(step(), 1..15)) {
        run_alone("postgresql", messages, steps);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_counts_right_after_writers_and_readers_at_once() {
    counts_are_right_after_writers_and_readers_at_once("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_counts_right_after_writers_and_readers_at_once() {
    counts_are_right_after_writers_and_readers_at_once("postgresql").await;
}

/// Writers and readers at once, in no order that a test could foresee: in the end a recount agrees.
async fn counts_are_right_after_writers_and_readers_at_once(engine: &str) {
    let place = Place::new(engine).await;
    let store = place.open().await;
    let conversation = open(&*store, "ann", "ben").await;
    let tasks: Vec<_> = ["ann", "ben"]
        .into_iter()
        .flat_map(|name| {
            let (to_write, to_read) = (Arc::clone(&store), Arc::clone(&store));
            let (written, read) = (Arc::clone(&conversation), Arc::clone(&conversation));
            let writer = tokio::spawn(async move {
                for _ in 0..40 {
                    let sent: Vec<_> = (0..10).map(|_| append(&*to_write, &written, name, "Hello")).collect();
                    for result in sent {
                        result.await.unwrap();
                    }
                }
                0
            });
            let reader = tokio::spawn(async move {
                let mut marked = 0;
                for _ in 0..100 {
                    marked += mark_read(&*to_read, &read, name).await.unwrap();
                }
                marked
            });
            [writer, reader]
        })
        .collect();
    let mut marked = 0;
    for task in tasks {
        marked += soon(task).await.unwrap();
    }
    let mut unread = [0_u64; 2];
    for number in 1..=8 {
        for message in read_page(&*store, &conversation, number, 100).await {
            if !message.is_read {
                unread[usize::from(message.sender == conversation.participants[0])] += 1;
            }
        }
    }
    assert_eq!(marked + unread[0] + unread[1], 800);
    assert_eq!(soon(store.unread_count(&id("ann"))).await.unwrap(), unread[0]);
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), unread[1]);
}
