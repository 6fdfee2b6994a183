//! The store beside a model of it that is a few vectors: whatever is done in whatever order, both agree.

use std::sync::Arc;

use horse_trust::store::{Conversation, Store};
use proptest::prelude::*;

use crate::store::{Place, append, id, mark_read, open, read_page, soon};

const USERS: [&str; 3] = ["ann", "ben", "cat"];
/// The conversations, by the index of their users.
const PAIRS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 0]];

#[derive(Debug, Clone)]
enum Step {
    /// Messages in a row without waiting: each a conversation and which of the two writes.
    Send(Vec<(usize, usize)>),
    /// In that conversation, that one of the two reads, while messages are on their way.
    Read { conversation: usize, side: usize },
    /// The store is closed and opened again.
    Reopen,
}

/// What a conversation should be: who wrote each message and whether it is read.
#[derive(Debug, Clone, Default)]
struct Model {
    messages: Vec<(usize, bool)>,
}

impl Model {
    fn unread(&self, side: usize) -> usize {
        self.messages.iter().filter(|(sender, is_read)| *sender != side && !is_read).count()
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((0..3_usize, 0..2_usize), 1..12).prop_map(Step::Send),
        3 => (0..3_usize, 0..2_usize).prop_map(|(conversation, side)| Step::Read { conversation, side }),
        1 => Just(Step::Reopen),
    ]
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
            assert_eq!(seqs, (1..).take(expected.messages.len()).collect::<Vec<i64>>());
            let seen: Vec<_> = found
                .iter()
                .map(|message| (usize::from(message.sender != conversation.participants[0]), message.is_read))
                .collect();
            assert_eq!(seen, expected.messages);
            assert!(
                found.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at)
            );
        }
    }
    for (user, name) in USERS.iter().enumerate() {
        let mut sum = 0;
        for summary in soon(store.conversations_of(&id(name))).await.unwrap() {
            let index = conversations.iter().position(|other| other.key == summary.conversation.key).unwrap();
            let side = usize::from(PAIRS[index][0] != user);
            assert_eq!(summary.unread_count, model[index].unread(side) as u64);
            let last = summary.last_message.map(|last| {
                (usize::from(last.sender_id != summary.conversation.participants[0]), last.is_read)
            });
            assert_eq!(last, model[index].messages.last().copied());
            sum += summary.unread_count;
        }
        assert_eq!(soon(store.unread_count(&id(name))).await.unwrap(), sum);
    }
}

async fn run(engine: &str, steps: Vec<Step>) {
    let place = Place::new(engine).await;
    let mut store = place.open().await;
    let mut conversations = Vec::new();
    for [first, second] in PAIRS {
        conversations.push(open(&*store, USERS[first], USERS[second]).await);
    }
    let mut model = vec![Model::default(); PAIRS.len()];
    for step in steps {
        match step {
            Step::Send(sent) => {
                let results: Vec<_> = sent
                    .into_iter()
                    .map(|(conversation, side)| {
                        model[conversation].messages.push((side, false));
                        let seq = i64::try_from(model[conversation].messages.len()).unwrap();
                        let sender = USERS[PAIRS[conversation][side]];
                        (seq, append(&*store, &conversations[conversation], sender, "Hello"))
                    })
                    .collect();
                for (seq, result) in results {
                    assert_eq!(result.await.unwrap().seq, seq);
                }
            }
            Step::Read { conversation, side } => {
                let reader = USERS[PAIRS[conversation][side]];
                let marked = mark_read(&*store, &conversations[conversation], reader).await.unwrap();
                assert_eq!(marked, model[conversation].unread(side) as u64);
                for (sender, is_read) in &mut model[conversation].messages {
                    *is_read |= *sender != side;
                }
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

fn run_alone(engine: &str, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(engine, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(steps in prop::collection::vec(step(), 1..15)) {
        run_alone("sqlite", steps);
    }

    #[test]
    fn postgresql_does_what_the_model_does(steps in prop::collection::vec(step(), 1..15)) {
        run_alone("postgresql", steps);
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
