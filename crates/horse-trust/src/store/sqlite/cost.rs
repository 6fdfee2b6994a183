//! What the writer's statements cost: all other writes wait for them, so it has to be in proportion to what is new.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Database, SqliteStore};
use crate::id::Id;
use crate::store::{Conversation, MarkRead, NewConversation, Read, Store};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// A new store, and what its writer has done so far, in hundreds of SQLite's instructions.
fn open(folder: &TempDir) -> (SqliteStore, Arc<AtomicU64>) {
    let mut database = Database::open(&folder.path().join("chat.db")).unwrap();
    let work = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&work);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    database.connection.progress_handler(100, Some(count)).unwrap();
    (SqliteStore::start(database).unwrap(), work)
}

/// A conversation of ann and another, with that many messages of ann that are not read.
async fn filled(store: &SqliteStore, other: &str, messages: i64) -> Arc<Conversation> {
    let new = NewConversation { participants: [id("ann"), id(other)], horse_id: None };
    let conversation = Arc::new(store.open_conversation(new).await.unwrap());
    let key = conversation.key;
    store
        .write(move |connection| {
            connection.execute(
                "WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?2)
                 INSERT INTO messages (conversation, seq, id, sender, sent_at, text)
                 SELECT ?1, seq, ?1 || '-' || seq, 0, 1705314600000 + seq, 'Is it still there?' FROM n",
                [key, messages],
            )?;
            let sql = "UPDATE conversations SET last_seq = ?2, unread_b = ?2 WHERE key = ?1";
            connection.execute(sql, [key, messages])?;
            Ok(())
        })
        .await
        .unwrap();
    conversation
}

async fn mark(store: &SqliteStore, conversation: &Arc<Conversation>, up_to: i64) -> Read {
    let (sender, receiver) = oneshot::channel();
    let reader = conversation.participants[1].clone();
    let mark = MarkRead { conversation: Arc::clone(conversation), reader, up_to: Some(up_to) };
    store.mark_read(mark, Box::new(move |read| sender.send(read).unwrap()));
    receiver.await.unwrap().unwrap()
}

/// What is left unread costs nothing, and no message is counted twice, in whatever steps it is read.
#[tokio::test]
async fn reading_costs_what_is_newly_read() {
    const MANY: i64 = 20_000;
    let folder = TempDir::new().unwrap();
    let (store, work) = open(&folder);
    let (few, many) = (filled(&store, "ben", 220).await, filled(&store, "cat", MANY).await);
    let one_by_one = async |conversation: &Arc<Conversation>| {
        work.store(0, Ordering::Relaxed);
        for up_to in 1..=200 {
            assert_eq!(mark(&store, conversation, up_to).await.newly_read, 1);
        }
        work.load(Ordering::Relaxed)
    };
    let (of_few, of_many) = (one_by_one(&few).await, one_by_one(&many).await);
    assert!(of_many <= of_few + of_few / 10, "{of_many} of many, {of_few} of few");

    // Forth and to the end: each time the smaller part is counted.
    let steps = [MANY / 2, MANY / 2 + 1, MANY - 5000, MANY - 4999, MANY - 2, MANY - 1, MANY];
    work.store(0, Ordering::Relaxed);
    let mut before = 200;
    for up_to in steps {
        let read = mark(&store, &many, up_to).await;
        assert_eq!(read.newly_read, (up_to - before).unsigned_abs());
        assert_eq!(read.unread.conversation, (MANY - up_to).unsigned_abs());
        before = up_to;
    }
    let work = work.load(Ordering::Relaxed);
    // Some thirty instructions a message, each message once.
    assert!(work < MANY.unsigned_abs() * 35 / 100, "{work}");
}
