//! Batches, jobs and reads that fail.

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::fixture::{append, hold_writer, id, open, queued, texts};
use crate::store::error::{Result, StoreError};
use crate::store::sqlite::store::{PING_TIMEOUT, READERS};
use crate::store::traits::{ConversationStore, Lifecycle, MessageStore};
use crate::store::types::{Conversation, NewConversation, NewMessage};

#[tokio::test]
async fn of_a_transaction_that_fails_nothing_is_stored() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let store = Arc::new(store);
    append(&store, &conversation, "before").await.unwrap().unwrap();
    let limit = |pages: u32| {
        move |connection: &Connection| {
            connection.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0)).and_then(
                |count| connection.pragma_update_and_check(None, "max_page_count", count + pages, |_| Ok(())),
            )?;
            Ok(())
        }
    };
    store.write(limit(3)).await.unwrap();

    let release = hold_writer(&store).await;
    let big = "x".repeat(6000);
    let results: Vec<_> = (0..50).map(|_| append(&store, &conversation, &big)).collect();
    drop(release);
    for result in results {
        let error = result.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
    }
    assert_eq!(texts(&store, &conversation).await, [(1, "before".to_owned())]);
    assert_eq!(store.unread_count(&id("ben")).await.unwrap(), 1);

    store.write(limit(100_000)).await.unwrap();
    append(&store, &conversation, "after").await.unwrap().unwrap();
    assert_eq!(texts(&store, &conversation).await, [(1, "before".to_owned()), (2, "after".to_owned())]);
}

#[tokio::test]
async fn a_job_that_fails_alone_leaves_the_others_of_its_batch() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let store = Arc::new(store);
    let unknown = Arc::new(Conversation { key: 99, ..conversation.as_ref().clone() });
    let stranger = Arc::new(Conversation { participants: [id("cat"), id("ben")], ..(*conversation).clone() });
    let release = hold_writer(&store).await;
    let first = append(&store, &conversation, "one");
    let nowhere = append(&store, &unknown, "nowhere");
    let strange = append(&store, &stranger, "strange");
    let half_done = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let work = |connection: &Connection| {
                connection.execute("UPDATE conversations SET unread_b = 7", [])?;
                Err::<(), _>(StoreError::EmailTaken)
            };
            store.write(work).await
        })
    };
    queued(&store, 4).await;
    let second = append(&store, &conversation, "two");
    drop(release);
    assert_eq!(first.await.unwrap().unwrap().seq, 1);
    assert!(nowhere.await.unwrap().is_err());
    assert!(strange.await.unwrap().is_err());
    assert!(matches!(half_done.await.unwrap(), Err(StoreError::EmailTaken)));
    assert_eq!(second.await.unwrap().unwrap().seq, 2);
    assert_eq!(store.unread_count(&id("ben")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_panic_fails_its_batch_and_no_other() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let store = Arc::new(store);
    let release = hold_writer(&store).await;
    let lost = append(&store, &conversation, "lost");
    let panicking = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.write(|_| -> Result<()> { panic!("on purpose") }).await })
    };
    queued(&store, 2).await;
    drop(release);
    assert!(panicking.await.unwrap().is_err());
    assert!(lost.await.unwrap().is_err());
    let kept = append(&store, &conversation, "kept").await.unwrap().unwrap();
    assert_eq!((kept.seq, texts(&store, &conversation).await), (1, vec![(1, "kept".to_owned())]));

    let (sender, told) = oneshot::channel::<()>();
    let message = NewMessage::new(&conversation, id("ann"), "boom");
    store.append_message(
        message,
        Box::new(move |_| {
            drop(sender);
            panic!("on purpose")
        }),
    );
    assert!(told.await.is_err());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_query_that_panics_costs_no_connection() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder).await;
    for _ in 0..2 * READERS {
        let result = store.readers.read(|_| -> rusqlite::Result<()> { panic!("on purpose") }).await;
        assert!(result.is_err());
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_ping_does_not_wait_for_ever() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder).await;
    store.ping().await.unwrap();
    let other = Connection::open(folder.path().join("chat.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = std::time::Instant::now();
    assert!(store.ping().await.is_err());
    assert!(begun.elapsed() < 10 * PING_TIMEOUT, "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn after_the_close_everything_fails_and_is_told() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let last: Vec<_> = (0..1000).map(|_| append(&store, &conversation, "last")).collect();
    store.close().await;
    for mut result in last {
        assert!(result.try_recv().unwrap().is_ok());
    }
    assert!(append(&store, &conversation, "late").await.unwrap().is_err());
    let new = NewConversation { participants: [id("ann"), id("cat")], horse_id: None };
    assert!(store.open_conversation(new).await.is_err());
    store.close().await;
    assert_eq!(std::fs::metadata(folder.path().join("chat.db-wal")).map_or(0, |file| file.len()), 0);
    drop(store);
    let (store, conversation) = open(&folder).await;
    assert_eq!(append(&store, &conversation, "next").await.unwrap().unwrap().seq, 1001);
}
