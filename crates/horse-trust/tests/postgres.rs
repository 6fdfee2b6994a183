//! What only PostgreSQL can show: nodes that share a database, and a database that is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use horse_trust::store::postgres::{OpenError, PostgresStore};
use horse_trust::store::{Changed, Conversation, NewMessage, Page, Result, Store, StoreError, Stored};
use horse_trust::timestamp::Timestamp;
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::postgres_server::{Server, client, database};
use crate::store::{append, id, mark_read, open, read_page, soon};
use crate::store_delivery::{ALWAYS, block, try_change};

async fn node(url: &str) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(url).await.unwrap())
}

fn message(conversation: &Arc<Conversation>, sender: &str, client_id: &str) -> NewMessage {
    let client_id = Some(client_id.to_owned());
    let text = "Is it still there?".to_owned();
    NewMessage { conversation: Arc::clone(conversation), sender: id(sender), text, client_id }
}

async fn send(node: &dyn Store, message: NewMessage) -> Result<Stored> {
    let (told, result) = oneshot::channel();
    node.append_message(message, Box::new(move |result| drop(told.send(result.map(|(_, stored)| stored)))));
    soon(result).await.unwrap()
}

/// All sequence numbers of a conversation, checked to have neither hole nor double, and ids that ascend.
async fn whole_history(node: &dyn Store, conversation: &Conversation) -> usize {
    let mut history = Vec::new();
    for number in 1.. {
        let mut page = read_page(node, conversation, number, 100).await;
        if page.is_empty() {
            break;
        }
        page.append(&mut history);
        history = page;
    }
    let seqs: Vec<_> = history.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..).take(history.len()).collect::<Vec<i64>>());
    assert!(history.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at));
    history.len()
}

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
                        let message = NewMessage {
                            conversation: Arc::clone(&conversation),
                            sender: sender.clone(),
                            text: "Hello".to_owned(),
                            client_id: None,
                        };
                        node.append_message(
                            message,
                            Box::new(move |result| told.lock().unwrap().push(result.unwrap().1.message.id)),
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

/// Whether each user's sums are those over the user's conversations.
pub(crate) async fn sums_are_right(url: &str) -> bool {
    let sql = "SELECT bool_and((t.unread, t.messages) = (
            SELECT sum(CASE WHEN user_a = t.user_id THEN unread_a ELSE unread_b END), sum(last_seq)
            FROM conversations WHERE t.user_id IN (user_a, user_b))) FROM unread_totals t";
    client(url).await.query_one(sql, &[]).await.unwrap().get(0)
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
        assert_ne!(one.unread.is_some(), other.unread.is_some());
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

/// As a version kept it that did not know repeats.
const REPORTED_TWICE: &str = "INSERT INTO reports
    (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq, sent_at, text)
    SELECT 'r' || n, 'ben', 'rude', n, 'm1', 'c1', 'ann', 1, 0, 'words' FROM generate_series(1, 3) n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_first_version_is_brought_to_the_present() {
    let url = database().await;
    let first = include_str!("../migrations/postgres/0001_initial.sql");
    let client = client(&url).await;
    client.batch_execute(&format!("{first}; UPDATE horse_trust_schema SET version = 1")).await.unwrap();
    client.batch_execute(REPORTED_TWICE).await.unwrap();
    let node = node(&url).await;
    assert_eq!(soon(node.reports(Page { number: 1, limit: 10 })).await.unwrap().len(), 3);
    assert_eq!(soon(node.report_by(&id("ben"), &id("m1"))).await.unwrap(), Some(id("r1")));
    let conversation = open(&*node, "ann", "ben").await;
    assert_eq!(append(&*node, &conversation, "ann", "one").await.unwrap().seq, 1);
    block(&*node, "ben", "ann", true).await;
    assert!(append(&*node, &conversation, "ann", "two").await.is_err());
    soon(node.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_may_start_together() {
    let url = database().await;
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { node(&url).await })
        })
        .collect();
    let mut conversations = Vec::new();
    for node in nodes {
        let node = soon(node).await.unwrap();
        conversations.push(open(&*node, "ann", "ben").await);
        soon(node.close()).await;
    }
    assert!(conversations.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_fails_alone_leaves_the_others_of_its_batch() {
    let url = database().await;
    let node = node(&url).await;
    let conversation = open(&*node, "ann", "ben").await;
    let unknown = Arc::new(Conversation { key: 99, ..conversation.as_ref().clone() });
    let participants = [id("cat"), id("ben")];
    let stranger = Arc::new(Conversation { participants, ..conversation.as_ref().clone() });
    let sent = [&conversation, &unknown, &stranger, &conversation]
        .map(|conversation| append(&*node, conversation, "ann", "Hello"));
    let mut seqs = Vec::new();
    for result in sent {
        seqs.push(result.await.ok().map(|message| message.seq));
    }
    assert_eq!(seqs, [Some(1), None, None, Some(2)]);
    assert!(mark_read(&*node, &unknown, "ben").await.is_err());
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
async fn what_cannot_be_opened_is_named() {
    async fn error(url: &str) -> OpenError {
        let Err(error) = soon(PostgresStore::open(url)).await else { panic!("{url} was opened") };
        let text = error.to_string();
        assert!(!text.contains("s3cret") && !text.contains('\n'), "{text}");
        error
    }
    let url = database().await.replace("postgres@", "postgres:s3cret@");
    let name = url.rsplit('/').next().unwrap();
    let missing = error(&url.replace(name, "missing")).await.to_string();
    assert!(missing.contains("missing") && missing.contains("127.0.0.1"), "{missing}");
    let begun = Instant::now();
    let away = error("postgres://postgres:s3cret@127.0.0.1:1/chat").await.to_string();
    assert!(away.contains("chat") && away.contains("127.0.0.1:1"), "{away}");
    assert!(begun.elapsed() < Duration::from_secs(5));

    let client = client(&url).await;
    client.batch_execute("CREATE TABLE users (name text)").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Foreign(place) if place.contains(name)));
    client.batch_execute("DROP TABLE users").await.unwrap();
    soon(node(&url).await.close()).await;
    client.batch_execute("UPDATE horse_trust_schema SET version = 1000").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Newer { found: 1000, .. }));
}

/// Whatever is acknowledged is there, once, though connections break at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_connections_break() {
    let url = database().await;
    let node = node(&url).await;
    let conversation = open(&*node, "ann", "ben").await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (node, conversation) = (Arc::clone(&node), Arc::clone(&conversation));
            tokio::spawn(async move {
                let mut failures = 0;
                for number in 0..150 {
                    let name = format!("{writer}-{number}");
                    while send(&*node, message(&conversation, "ann", &name)).await.is_err() {
                        failures += 1;
                    }
                }
                failures
            })
        })
        .collect();
    let client = client(&url).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'horse-trust'";
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        client.query(sql, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let mut failures = 0;
    for writer in writers {
        failures += soon(writer).await.unwrap();
    }
    assert!(failures > 0, "no connection broke while something was sent");
    let stored = soon(async {
        loop {
            // The last of those that were broken may be one of the pool's.
            if let Ok(Some(summary)) = node.conversation_summary(conversation.key, &id("ben")).await {
                return summary;
            }
        }
    })
    .await;
    assert_eq!((stored.last_seq, stored.unread_count), (600, 600));
    assert_eq!(whole_history(&*node, &conversation).await, 600);
    soon(node.close()).await;
}

/// A node that can't write, with a conversation of one message, until the other connection's transaction ends.
async fn stuck() -> (Arc<dyn Store>, Arc<Conversation>, Client) {
    let url = database().await;
    let node = node(&url).await;
    let conversation = open(&*node, "ann", "ben").await;
    append(&*node, &conversation, "ann", "one").await.unwrap();
    let other = client(&url).await;
    other.batch_execute("BEGIN; SELECT lock_writes()").await.unwrap();
    (node, conversation, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_too_long_fails_and_works_again() {
    let (node, conversation, other) = stuck().await;
    let begun = Instant::now();
    assert!(append(&*node, &conversation, "ann", "stuck").await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let late = append(&*node, &conversation, "ann", "two");
    assert!(node.ping().await.is_err());
    // Reads do not wait for writes.
    assert_eq!(read_page(&*node, &conversation, 1, 30).await.len(), 1);
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(late.await.unwrap().seq, 2);
    node.ping().await.unwrap();
    soon(node.close()).await;
}

/// What was queued behind a batch that got no answer fails with it, not one batch after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_several_batches_that_fail() {
    let (node, conversation, other) = stuck().await;
    let begun = Instant::now();
    let sent: Vec<_> = (0..2000).map(|_| append(&*node, &conversation, "ann", "stuck")).collect();
    for result in sent {
        assert!(result.await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(append(&*node, &conversation, "ann", "two").await.unwrap().seq, 2);
    soon(node.close()).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_away_is_used_again() {
    let mut server = Server::start().await;
    let node = node(&server.url("postgres")).await;
    let conversation = open(&*node, "ann", "ben").await;
    append(&*node, &conversation, "ann", "one").await.unwrap();
    server.stop().await;
    let begun = Instant::now();
    assert!(append(&*node, &conversation, "ann", "lost").await.is_err());
    assert!(node.unread_count(&id("ben")).await.is_err());
    assert!(node.ping().await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.start_again().await;
    node.ping().await.unwrap();
    assert_eq!(append(&*node, &conversation, "ann", "two").await.unwrap().seq, 2);
    assert_eq!(node.unread_count(&id("ben")).await.unwrap(), 2);
    soon(node.close()).await;
}
