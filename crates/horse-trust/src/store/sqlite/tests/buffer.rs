//! The append buffer, the log, and what a page reads.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{append, change, id, open, texts};
use crate::store::traits::{ConversationStore, Lifecycle, MessageStore};
use crate::store::types::{Changed, NewConversation, Range};

/// Messages go through two tables before they lie by conversation; wherever they are, they read the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recent_messages_are_moved_and_none_is_missing_meanwhile() {
    let folder = TempDir::new().unwrap();
    let (store, first) = open(&folder).await;
    let mut conversations = vec![first];
    for other in ["cat", "dan", "eve"] {
        let new = NewConversation { participants: [id("ann"), id(other)], horse_id: None };
        conversations.push(Arc::new(store.open_conversation(new).await.unwrap()));
    }
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    let count = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let mut expected: Vec<Vec<(i64, String)>> = vec![Vec::new(); conversations.len()];
    let mut most = [0; 3];
    for round in 0..400 {
        let batch: Vec<_> = (0..14)
            .map(|number| {
                let place = (round + number * number) % conversations.len();
                let text = format!("{round} {number}");
                (place, append(&store, &conversations[place], &text), text)
            })
            .collect();
        for (place, appended, text) in batch {
            let message = appended.await.unwrap().unwrap();
            assert_eq!(message.seq, expected[place].last().map_or(1, |(seq, _)| seq + 1));
            expected[place].push((message.seq, text));
        }
        for (at, table) in ["recent_a", "recent_b", "messages"].into_iter().enumerate() {
            most[at] = most[at].max(count(table));
        }
        assert_eq!(count("all_messages"), i64::try_from(14 * (round + 1)).unwrap());
        let place = round % conversations.len();
        let conversation = &conversations[place];
        if round % 60 == 7 {
            let at = expected[place].len() - 1 - (round % 2) * 5;
            let (seq, text) = &mut expected[place][at];
            *text = format!("{text}, changed");
            let changed = change(&store, conversation, *seq, text, Duration::MAX).await;
            assert!(matches!(changed, Changed::Done { .. }));
        }
        let newest = &expected[place][expected[place].len().saturating_sub(100)..];
        assert_eq!(texts(&store, conversation).await, newest);
        let history = store.history(conversation, Range::After(0, 10_000)).await.unwrap();
        let read: Vec<_> =
            history.messages.iter().map(|message| (message.seq, message.text.clone())).collect();
        assert_eq!(read, expected[place]);
        let last = history.messages.last().unwrap();
        assert_eq!(store.message(&last.id).await.unwrap().unwrap().1, *last);
        let summary = store.conversation_summary(conversation.key, &id("ann")).await.unwrap().unwrap();
        assert_eq!(summary.last_message.unwrap().text, last.text);
    }
    assert!(most[0] > 512 && most[1] > 512 && most[2] > 3000, "each table was used: {most:?}");

    // As after a crash: a copy of the files while they are open.
    let copy = TempDir::new().unwrap();
    for name in ["chat.db", "chat.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let (copied, _) = open(&copy).await;
    store.close().await;
    assert_eq!(count("messages"), 400 * 14, "a store that is closed has them in their place");
    for store in [&copied, &open(&folder).await.0] {
        for (conversation, expected) in conversations.iter().zip(&expected) {
            let history = store.history(conversation, Range::After(0, 10_000)).await.unwrap();
            let read: Vec<_> =
                history.messages.into_iter().map(|message| (message.seq, message.text)).collect();
            assert_eq!(read, *expected);
        }
    }
}

#[tokio::test]
async fn no_page_of_history_reads_more_than_it_shows() {
    let folder = TempDir::new().unwrap();
    let _store = open(&folder).await;
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    for sql in [
        crate::store::sqlite::messages::BETWEEN,
        crate::store::sqlite::messages::AFTER,
        crate::store::sqlite::messages::BEFORE,
        "SELECT conversation, seq FROM all_messages WHERE id = x'00'",
        "SELECT count(*) FROM all_messages WHERE conversation = 1 AND seq > 9 AND sender = 1 AND is_read IS NULL",
    ] {
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // What its parameters are does not matter.
        let mut plan = statement.raw_query();
        while let Some(row) = plan.next().unwrap() {
            let step: String = row.get("detail").unwrap();
            let is_whole =
                step.contains("TEMP B-TREE") || ["messages", "r"].contains(&step.trim_start_matches("SCAN "));
            assert!(!is_whole, "{sql}: {step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_short_while_messages_come() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let log = || std::fs::metadata(folder.path().join("chat.db-wal")).unwrap().len();
    let text = "x".repeat(20_000);
    let mut longest = 0;
    // Some 40 000 pages, or 160 MB: five times what begins a checkpoint, as a slow disk takes long for one.
    for _ in 0..200 {
        let results: Vec<_> = (0..40).map(|_| append(&store, &conversation, &text)).collect();
        for result in results {
            result.await.unwrap().unwrap();
        }
        longest = longest.max(log());
    }
    assert!((20_000_000..130_000_000).contains(&longest), "{longest}");

    // Somebody who reads an old state keeps the log from beginning anew, but nobody from writing.
    let reader = Connection::open(folder.path().join("chat.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    let results: Vec<_> = (0..1500).map(|_| append(&store, &conversation, &text)).collect();
    for result in results {
        result.await.unwrap().unwrap();
    }
    store.close().await;
    reader.execute_batch("COMMIT").unwrap();
    drop((store, reader));
    let (store, conversation) = open(&folder).await;
    assert_eq!(append(&store, &conversation, "next").await.unwrap().unwrap().seq, 9501);
}
