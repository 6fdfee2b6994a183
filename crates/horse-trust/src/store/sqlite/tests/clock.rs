//! Ids and times when the clock is wrong.

use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{append, change, id, open};
use crate::store::traits::{ConversationStore, Lifecycle};
use crate::store::types::Changed;
use crate::timestamp::Timestamp;

#[tokio::test]
async fn ids_go_on_behind_those_in_the_file() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    append(&store, &conversation, "one").await.unwrap().unwrap();
    store.close().await;
    drop(store);
    // As if the clock had been a year ahead; the other two ids tell nothing of a clock.
    let ahead = format!("{:08x}0000000000000000", seconds_now() + 365 * 24 * 60 * 60);
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    for (seq, value) in
        [(2, format!("x'{ahead}'")), (3, "x'ffffffffffffffffffffffff'".into()), (4, "'zzz'".into())]
    {
        file.execute_batch(&format!(
            "INSERT INTO messages (conversation, seq, id, sender, sent_at, text)
             SELECT conversation, {seq}, {value}, 0, 5, '' FROM messages WHERE seq = 1;
             UPDATE conversations SET last_seq = {seq};"
        ))
        .unwrap();
    }
    drop(file);
    let (store, conversation) = open(&folder).await;
    let next = append(&store, &conversation, "two").await.unwrap().unwrap();
    assert!(next.id > id(&ahead) && next.id < id("f"), "{}", next.id);
    assert_eq!(next.seq, 5);
}

fn seconds_now() -> i64 {
    crate::timestamp::Timestamp::now().0 / 1000
}

#[tokio::test]
async fn time_does_not_run_backwards_in_a_conversation() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    let first = append(&store, &conversation, "one").await.unwrap().unwrap();
    store.close().await;
    drop(store);
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    file.execute("UPDATE messages SET sent_at = sent_at + 4000", []).unwrap();
    drop(file);
    let (store, conversation) = open(&folder).await;
    let second = append(&store, &conversation, "two").await.unwrap().unwrap();
    assert_eq!(second.sent_at.0, first.sent_at.0 + 4_000);
}

/// A date of a year ahead, as an import or a wrong clock leaves it, is not passed on, and permits no change.
#[tokio::test]
async fn a_time_far_ahead_is_not_passed_on_and_permits_nothing() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    append(&store, &conversation, "one").await.unwrap().unwrap();
    store.close().await;
    drop(store);
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    file.execute_batch(
        "UPDATE messages SET sent_at = sent_at + 34560000000;
         UPDATE conversations SET updated_at = updated_at + 34560000000;",
    )
    .unwrap();
    drop(file);
    let (store, conversation) = open(&folder).await;
    assert_eq!(change(&store, &conversation, 1, "changed", Duration::MAX).await, Changed::TooLate);
    let before = Timestamp::now();
    let second = append(&store, &conversation, "two").await.unwrap().unwrap();
    assert!((before..=Timestamp::now()).contains(&second.sent_at), "{}", second.sent_at);
    let summary = store.conversation_summary(conversation.key, &id("ann")).await.unwrap().unwrap();
    assert_eq!(summary.updated_at, second.sent_at);
    let changed = change(&store, &conversation, 2, "changed", Duration::from_mins(1)).await;
    assert!(matches!(changed, Changed::Done { .. }), "{changed:?}");
}
