//! What these tests have in common.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::sqlite::store::SqliteStore;
use crate::store::traits::{ConversationStore, MessageStore};
use crate::store::types::{Change, Changed, Conversation, Message, NewConversation, NewMessage, Page, Range};

pub(super) fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

pub(super) async fn open(folder: &TempDir) -> (SqliteStore, Arc<Conversation>) {
    let store = SqliteStore::open(&folder.path().join("chat.db")).unwrap();
    let new = NewConversation { participants: [id("ann"), id("ben")], horse_id: None };
    let conversation = store.open_conversation(new).await.unwrap();
    (store, Arc::new(conversation))
}

/// Appends without waiting.
pub(super) fn append(
    store: &SqliteStore,
    conversation: &Arc<Conversation>,
    text: &str,
) -> oneshot::Receiver<Result<Message>> {
    let (sender, receiver) = oneshot::channel();
    let message = NewMessage::new(conversation, id("ann"), text);
    store.append_message(
        message,
        Box::new(move |result| drop(sender.send(result.map(|stored| stored.message)))),
    );
    receiver
}

pub(super) async fn texts(store: &SqliteStore, conversation: &Conversation) -> Vec<(i64, String)> {
    let page = Range::Page(Page { number: 1, limit: 100 });
    let history = store.history(conversation, page).await.unwrap();
    history.messages.into_iter().map(|message| (message.seq, message.text)).collect()
}

/// Keeps the writer busy until the answer is dropped, so that what is queued meanwhile is one batch.
pub(super) async fn hold_writer(store: &Arc<SqliteStore>) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (sender, receiver) = oneshot::channel();
    let writer = Arc::clone(store);
    tokio::spawn(async move {
        let wait = move |_: &Connection| {
            sender.send(()).unwrap();
            assert!(held.recv().is_err(), "nothing is ever sent");
            Ok(())
        };
        writer.write(wait).await
    });
    receiver.await.unwrap();
    release
}

/// Waits until that many jobs are queued behind what the writer does.
pub(super) async fn queued(store: &SqliteStore, count: usize) {
    while store.writes.waiting() < count {
        tokio::task::yield_now().await;
    }
}

pub(super) async fn change(
    store: &SqliteStore,
    conversation: &Arc<Conversation>,
    seq: i64,
    text: &str,
    window: Duration,
) -> Changed {
    let (sender, receiver) = oneshot::channel();
    let change = Change {
        conversation: Arc::clone(conversation),
        seq,
        text: Some(text.to_owned()),
        window: Some(window),
        is_erasure: false,
    };
    store.change_message(change, Box::new(move |changed| sender.send(changed).unwrap()));
    receiver.await.unwrap().unwrap()
}
