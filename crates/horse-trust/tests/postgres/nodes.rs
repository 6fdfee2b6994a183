//! Nodes that share a database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use horse_trust::store::{Changed, Store, StoreError};
use horse_trust::timestamp::Timestamp;

use super::node::{message, node, send, sums_are_right, whole_history};
use crate::fixture::postgres::{client, database};
use crate::fixture::store::{ALWAYS, append, block, id, mark_read, new_message, open, soon, try_change};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_write_at_once_make_one_order() {
    let url = database().await;
    let nodes = [node(&url).await, node(&url).await, node(&url).await];
    let conversations = [open(&*nodes[0], "ann", "ben").await, open(&*nodes[1], "cat", "ann").await];
    let told: [_; 3] = std::array::from_fn(|_| Arc::new(Mutex::new(Vec::new())));
    let mut tasks = Vec::new();
    for (node, told) in nodes.iter().zip(&told) {
        for conversation in &conversations {
            let (node, told, conversation) = (Arc::clone(node), Arc::clone(told), Arc::clone(conversation));
            tasks.push(tokio::spawn(async move {
                for round in 0..40 {
                    let sender = &conversation.participants[round % 2];
                    for _ in 0..5 {
                        let told = Arc::clone(&told);
                        let message = new_message(&conversation, sender.as_str(), "Hello");
                        node.append_message(
                            message,
                            Box::new(move |result| told.lock().unwrap().push(result.unwrap().message.id)),
                        );
                    }
                    let reader = conversation.participants[0].as_str();
                    mark_read(&*node, &conversation, reader).await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    for (node, told) in nodes.iter().zip(&told) {
        soon(node.close()).await;
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 400);
        assert!(told.is_sorted(), "ids ascend in the order in which a node is told");
    }
    let node = node(&url).await;
    for conversation in &conversations {
        assert_eq!(whole_history(&*node, conversation).await, 600);
        for side in 0..2 {
            let user = &conversation.participants[side];
            let summary = soon(node.conversation_summary(conversation.key, user)).await.unwrap().unwrap();
            let history =
                soon(node.history(
                    conversation,
                    horse_trust::store::Range::After(summary.sides[side].read_seq, 1000),
                ))
                .await
                .unwrap();
            let unread = history.messages.iter().filter(|message| message.sender != *user).count() as u64;
            assert_eq!((summary.unread_count, history.unread[side]), (unread, unread));
        }
    }
    // Ann takes part in both.
    assert!(sums_are_right(&url).await);
    soon(node.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_stored_once_over_all_nodes() {
    let url = database().await;
    let nodes = [node(&url).await, node(&url).await];
    let conversation = open(&*nodes[0], "ann", "ben").await;
    for number in 0..30 {
        let name = number.to_string();
        let [one, other] = [0, 1].map(|index| send(&*nodes[index], message(&conversation, "ann", &name)));
        let (one, other) = tokio::join!(one, other);
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.message, other.message);
        assert_ne!(one.is_new, other.is_new);
    }
    assert_eq!(whole_history(&*nodes[0], &conversation).await, 30);
    for node in nodes {
        soon(node.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stored_after_a_block_on_whatever_node() {
    let url = database().await;
    let nodes = [node(&url).await, node(&url).await];
    let conversation = open(&*nodes[0], "ann", "ben").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (node, conversation, is_over) =
                (Arc::clone(&nodes[0]), Arc::clone(&conversation), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut refused = 0;
                while !is_over.load(Ordering::Relaxed) {
                    match append(&*node, &conversation, "ben", "Hello").await {
                        Ok(_) => {}
                        Err(StoreError::Blocked { by_sender: false }) => refused += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                refused
            })
        })
        .collect();
    let last_seq = async || {
        soon(nodes[1].conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap().last_seq
    };
    for _ in 0..50 {
        let before = last_seq().await;
        soon(async { while last_seq().await == before {} }).await;
        block(&*nodes[1], "ann", "ben", true).await;
        let at_the_block = last_seq().await;
        // What was on its way has been refused by then: it is in one queue with this.
        mark_read(&*nodes[0], &conversation, "ann").await.unwrap();
        assert_eq!(last_seq().await, at_the_block);
        block(&*nodes[1], "ann", "ben", false).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(soon(writer).await.unwrap() > 0, "a writer met no block");
    }
    let stored = usize::try_from(last_seq().await).unwrap();
    assert_eq!(whole_history(&*nodes[0], &conversation).await, stored);
    for node in nodes {
        soon(node.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_refuses_messages_and_edits_but_no_deletion() {
    let url = database().await;
    let node = node(&url).await;
    let (with_ben, with_cat) = (open(&*node, "ann", "ben").await, open(&*node, "cat", "ann").await);
    let said = send(&*node, message(&with_ben, "ann", "one")).await.unwrap().message;
    block(&*node, "ann", "ben", true).await;
    // In one batch. A name is that of the first message that is stored.
    let sent = [
        message(&with_ben, "ann", "two"),
        message(&with_ben, "ben", "one"),
        message(&with_cat, "ann", "two"),
        message(&with_ben, "ann", "one"),
    ];
    let outcomes: Vec<_> = join_all(sent.map(|message| send(&*node, message)))
        .await
        .into_iter()
        .map(|sent| match sent {
            Ok(stored) => format!("{} in {}", stored.message.seq, stored.conversation.participants[0]),
            Err(StoreError::Blocked { by_sender }) => format!("refused, {by_sender}"),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(outcomes, ["refused, true", "refused, false", "1 in cat", "refused, true"]);
    let edit = try_change(&*node, &with_ben, said.seq, Some("changed"), ALWAYS).await;
    assert!(matches!(edit, Err(StoreError::Blocked { by_sender: true })), "{edit:?}");
    block(&*node, "ann", "ben", false).await;
    block(&*node, "ben", "ann", true).await;
    let edit = try_change(&*node, &with_ben, said.seq, Some("changed"), ALWAYS).await;
    assert!(matches!(edit, Err(StoreError::Blocked { by_sender: false })), "{edit:?}");
    let deleted = try_change(&*node, &with_ben, said.seq, None, ALWAYS).await;
    assert!(matches!(deleted, Ok(Changed::Done { unread: Some(_), .. })), "{deleted:?}");
    block(&*node, "ben", "ann", false).await;
    assert_eq!(append(&*node, &with_ben, "ann", "two").await.unwrap().seq, 2);
    soon(node.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_time_nor_ids_run_backwards() {
    let url = database().await;
    let store = node(&url).await;
    let conversation = open(&*store, "ann", "ben").await;
    let first = append(&*store, &conversation, "ann", "one").await.unwrap();
    soon(store.close()).await;
    // As if the clock had been ahead, and an import had brought ids from even later; the others tell nothing of a
    // clock.
    let ahead = format!("{:08x}ffffffffffffffff", first.sent_at.0 / 1000 + 365 * 24 * 60 * 60);
    let client = client(&url).await;
    for (seq, id) in [(2, ahead.as_str()), (3, "ffffffffffffffffffffffff"), (4, "zzz")] {
        let sql = "INSERT INTO messages (conversation, seq, id, sender, sent_at, text) VALUES ($1, $2, $3, 0, 5, '')";
        client.execute(sql, &[&conversation.key, &i64::from(seq), &id]).await.unwrap();
    }
    client
        .batch_execute("UPDATE conversations SET last_seq = 4, updated_at = updated_at + 4000")
        .await
        .unwrap();
    let store = node(&url).await;
    let next = append(&*store, &conversation, "ann", "two").await.unwrap();
    assert!(next.id > id(&ahead) && next.id < id("f"), "{}", next.id);
    assert_eq!((next.seq, next.sent_at.0), (5, first.sent_at.0 + 4_000));
    // What is further ahead is no time of a clock that was set back a little.
    let before = Timestamp::now();
    client.batch_execute("UPDATE conversations SET updated_at = updated_at + 34560000000").await.unwrap();
    let real = append(&*store, &conversation, "ann", "three").await.unwrap();
    assert!((before..=Timestamp::now()).contains(&real.sent_at), "{}", real.sent_at);
    assert!(real.id > next.id);
    client.batch_execute("UPDATE messages SET sent_at = sent_at + 34560000000 WHERE seq = 6").await.unwrap();
    assert_eq!(try_change(&*store, &conversation, 6, Some("x"), ALWAYS).await.unwrap(), Changed::TooLate);
    soon(store.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isolation_that_is_set_for_the_database_changes_nothing() {
    let url = database().await;
    let name = url.rsplit('/').next().unwrap();
    let sql = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'");
    client(&url).await.batch_execute(&sql).await.unwrap();
    let nodes = [node(&url).await, node(&url).await];
    let conversation = open(&*nodes[0], "ann", "ben").await;
    let send_all = async |node: &Arc<dyn Store>| {
        for _ in 0..100 {
            let sent = join_all((0..3).map(|_| append(&**node, &conversation, "ann", "Hello"))).await;
            assert!(sent.into_iter().all(|sent| sent.is_ok()));
            mark_read(&**node, &conversation, "ben").await.unwrap();
        }
    };
    tokio::join!(send_all(&nodes[0]), send_all(&nodes[1]));
    assert_eq!(whole_history(&*nodes[0], &conversation).await, 600);
    for node in nodes {
        soon(node.close()).await;
    }
}
