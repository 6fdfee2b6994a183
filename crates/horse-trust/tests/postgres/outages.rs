//! Writes that fail: a message alone, connections that break, a database that is stuck or away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use horse_trust::store::{Conversation, Store};
use tokio_postgres::Client;

use super::node::{message, node, send, whole_history};
use crate::fixture::postgres::{Server, client, database};
use crate::fixture::store::{append, assert_within, id, mark_read, open, read_page, soon};

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
    assert_within(begun, Duration::from_secs(6));
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
    assert_within(begun, Duration::from_secs(7));
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(append(&*node, &conversation, "ann", "two").await.unwrap().seq, 2);
    soon(node.close()).await;
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
    assert_within(begun, Duration::from_secs(10));
    server.start_again().await;
    node.ping().await.unwrap();
    assert_eq!(append(&*node, &conversation, "ann", "two").await.unwrap().seq, 2);
    assert_eq!(node.unread_count(&id("ben")).await.unwrap(), 2);
    soon(node.close()).await;
}
