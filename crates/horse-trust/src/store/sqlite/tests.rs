//! What only this engine can show: a full disk, a panic, a file in use, a file that is none of ours.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::database::OpenError;
use super::store::{PING_TIMEOUT, READERS, SqliteStore};
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::traits::{ConversationStore, Lifecycle, MessageStore, ModerationStore};
use crate::store::types::{Change, Changed, Conversation, Message, NewConversation, NewMessage, Page, Range};
use crate::timestamp::Timestamp;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

async fn open(folder: &TempDir) -> (SqliteStore, Arc<Conversation>) {
    let store = SqliteStore::open(&folder.path().join("chat.db")).unwrap();
    let new = NewConversation { participants: [id("ann"), id("ben")], horse_id: None };
    let conversation = store.open_conversation(new).await.unwrap();
    (store, Arc::new(conversation))
}

/// Appends without waiting.
fn append(
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

async fn texts(store: &SqliteStore, conversation: &Conversation) -> Vec<(i64, String)> {
    let page = Range::Page(Page { number: 1, limit: 100 });
    let history = store.history(conversation, page).await.unwrap();
    history.messages.into_iter().map(|message| (message.seq, message.text)).collect()
}

/// Keeps the writer busy until the answer is dropped, so that what is queued meanwhile is one batch.
async fn hold_writer(store: &Arc<SqliteStore>) -> std::sync::mpsc::Sender<()> {
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
async fn queued(store: &SqliteStore, count: usize) {
    while store.writes.waiting() < count {
        tokio::task::yield_now().await;
    }
}

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
async fn what_is_gone_under_a_running_server_is_an_error() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    append(&store, &conversation, "one").await.unwrap().unwrap();
    let other = Connection::open(folder.path().join("chat.db")).unwrap();
    other.execute("DELETE FROM conversations", []).unwrap();
    assert!(append(&store, &conversation, "two").await.unwrap().is_err());
    assert!(append(&store, &conversation, "three").await.unwrap().is_err());
    let messages: i64 = other.query_row("SELECT count(*) FROM all_messages", [], |row| row.get(0)).unwrap();
    assert_eq!(messages, 1);
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

async fn change(
    store: &SqliteStore,
    conversation: &Arc<Conversation>,
    seq: i64,
    text: &str,
    window: Duration,
) -> Changed {
    let (sender, receiver) = oneshot::channel();
    let change = Change { conversation: Arc::clone(conversation), seq, text: Some(text.to_owned()), window };
    store.change_message(change, Box::new(move |changed| sender.send(changed).unwrap()));
    receiver.await.unwrap().unwrap()
}

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
        super::messages::BETWEEN,
        super::messages::AFTER,
        super::messages::BEFORE,
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

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let folder = TempDir::new().unwrap();
    let message = |path: &str| {
        let path = folder.path().join(path);
        let Err(error) = SqliteStore::open(&path) else { panic!("{} was opened", path.display()) };
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()) && !message.contains('\n'), "{message}");
        message
    };
    let (store, _) = open(&folder).await;
    assert!(message("chat.db").contains("in use"));
    store.close().await;
    drop(store);

    std::fs::write(
        folder.path().join("note.txt"),
        "this is no database, but long enough to look like one".repeat(40),
    )
    .unwrap();
    assert!(message("note.txt").contains("not a database"));

    std::fs::create_dir(folder.path().join("folder")).unwrap();
    message("folder");
    let Err(error) = SqliteStore::open(&folder.path().join("note.txt/chat.db")) else { panic!("opened") };
    assert!(error.to_string().contains("note.txt"), "{error}");

    let other = Connection::open(folder.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    assert!(message("other.db").contains("another program"));

    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    file.pragma_update(None, "user_version", 1000).unwrap();
    drop(file);
    assert!(message("chat.db").contains("newer version"));
    assert!(matches!(
        SqliteStore::open(&folder.path().join("chat.db")),
        Err(OpenError::Newer { found: 1000, .. })
    ));
}

#[tokio::test]
async fn reports_that_were_kept_twice_stay() {
    let folder = TempDir::new().unwrap();
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    for migration in &super::schema::MIGRATIONS[..3] {
        file.execute_batch(migration).unwrap();
    }
    file.execute_batch(
        "PRAGMA application_id = 0x48735472;
         PRAGMA user_version = 3;
         INSERT INTO reports (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq, sent_at, text)
         SELECT 'r' || value, 'ben', 'rude', value, 'm1', 'c1', 'ann', 1, 0, 'words' FROM json_each('[1, 2, 3]')",
    )
    .unwrap();
    drop(file);
    let (store, _) = open(&folder).await;
    assert_eq!(store.reports(Page { number: 1, limit: 10 }).await.unwrap().len(), 3);
    assert_eq!(store.report_by(&id("ben"), &id("m1")).await.unwrap(), Some(id("r1")));
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
