//! What the writer's statements cost: all other writes wait for them, so it has to be in proportion to what is new.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::database::Database;
use super::store::SqliteStore;
use super::{conversations, deleted, messages};
use crate::id::Id;
use crate::store::error::Result;
use crate::store::standing::{MAX_VOID_TOKENS, TokenId, VoidToken};
use crate::store::traits::{
    AccountStore, ConversationStore, DeliveryStore, Lifecycle, MessageStore, ModerationStore, StandingStore,
};
use crate::store::types::{
    Actor, Change, Conversation, Delivered, MarkRead, NewAuditEntry, NewConversation, NewMessage, NewReport,
    Page, Profile, Range, Read, ReportDecision, ReportState, Role, SettingsChange, User,
};
use crate::timestamp::Timestamp;

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

/// Deletes the messages of a conversation from one on, as an import that brings them deleted.
async fn delete_from(store: &SqliteStore, conversation: &Conversation, from: i64) {
    let key = conversation.key;
    store
        .write(move |connection| {
            let deleted =
                "UPDATE messages SET deleted_at = 1, text = '' WHERE conversation = ?1 AND seq >= ?2";
            let count = connection.execute(deleted, [key, from])?;
            connection
                .execute("UPDATE conversations SET deleted = ?2 WHERE key = ?1", params![key, count])?;
            connection.execute(
                "CREATE TEMP TABLE staged AS SELECT * FROM messages WHERE conversation = ?1",
                [key],
            )?;
            connection.execute_batch(deleted::FIND_OF_STAGED)?;
            Ok(connection.execute_batch("DROP TABLE staged")?)
        })
        .await
        .unwrap();
}

/// What is not shown costs nothing: neither a page, nor the list, nor what was missed.
#[tokio::test]
async fn deleted_messages_cost_nothing() {
    const MANY: i64 = 20_000;
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder);
    let conversation = filled(&store, "ben", MANY).await;
    delete_from(&store, &conversation, 101).await;
    let mut reader = Connection::open(folder.path().join("chat.db")).unwrap();
    let work = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&work);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    reader.progress_handler(100, Some(count)).unwrap();
    for (number, expected) in [(1, 71..101), (4, 1..11), (5, 0..0), (u64::MAX, 0..0)] {
        let page = Range::Page(Page { number, limit: 30 });
        let history = messages::history(&reader, &conversation, page).unwrap();
        let seqs: Vec<_> = history.messages.iter().map(|message| message.seq).collect();
        assert_eq!(seqs, expected.collect::<Vec<_>>());
    }
    let missed = messages::missed(&reader, &id("ben"), None, 1000).unwrap();
    assert_eq!(missed.messages.len(), 100);
    let summary =
        conversations::conversation_summary(&reader, conversation.key, &id("ben")).unwrap().unwrap();
    assert_eq!(summary.last_message.unwrap().sent_at, Timestamp(1_705_314_600_100));
    let work = work.load(Ordering::Relaxed);
    assert!(work < 200, "{work} hundred instructions for some 140 messages");
}

/// To find a conversation, or that there is none, costs the same however many the two have.
#[tokio::test]
async fn opening_costs_the_same_however_many_a_pair_has() {
    let folder = TempDir::new().unwrap();
    let (store, work) = open(&folder);
    store
        .write(|connection| {
            Ok(connection.execute_batch(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
                 INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
                 SELECT 'c' || n, 'ann', 'cat', CASE n % 2 WHEN 0 THEN 'one' ELSE 'h' || n END, n, n FROM n",
            )?)
        })
        .await
        .unwrap();
    work.store(0, Ordering::Relaxed);
    for (first, second, horse, expected) in [
        ("ann", "cat", Some("one"), Some("c2")),
        ("cat", "ann", Some("h77"), Some("c77")),
        ("cat", "ann", None, None),
        ("cat", "ann", Some("unknown"), None),
    ] {
        let new = NewConversation { participants: [id(first), id(second)], horse_id: horse.map(id) };
        let found = store.open_conversation(new).await.unwrap().id;
        assert!(expected.is_none_or(|expected| found.as_str() == expected), "{horse:?}: {found}");
    }
    let work = work.load(Ordering::Relaxed);
    assert!(work < 100, "{work} hundred instructions to open four conversations");
}

/// Every statement that the writer runs looks up what it needs, by an index.
#[tokio::test]
async fn no_write_reads_a_table_whole() {
    let folder = TempDir::new().unwrap();
    let mut database = Database::open(&folder.path().join("chat.db")).unwrap();
    let run = Arc::new(Mutex::new(BTreeSet::new()));
    let noted = Arc::clone(&run);
    let note = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            noted.lock().unwrap().insert(sql.to_owned());
        }
    };
    database.connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).unwrap();
    let store = SqliteStore::start(database).unwrap();
    write_everything(&store).await;
    store.close().await;
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    let statements = run.lock().unwrap().clone();
    let written = [
        "messages",
        "recent_a",
        "recent_b",
        "conversations",
        "client_ids",
        "withdrawn_texts",
        "blocks",
        "reports",
        "deleted_runs",
        "revocations",
        "last_seen",
        "users",
    ];
    for table in written {
        assert!(
            statements.iter().any(|sql| sql.contains(&format!("INTO {table} "))),
            "nothing was put into {table}"
        );
    }
    for sql in statements {
        if !["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.trim_start().starts_with(verb)) {
            continue;
        }
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // What its parameters are does not matter.
        let mut plan = statement.raw_query();
        while let Some(row) = plan.next().unwrap() {
            let step: String = row.get("detail").unwrap();
            // One of the two is emptied, or moved, at the end: it has some thousand messages at most.
            let is_small = step.contains("recent_") || step == "SCAN r" || step == "SCAN CONSTANT ROW";
            // What was made within the statement has the rows that it asked for; its parts are steps, too.
            let is_own =
                step.contains("SUBQUERY") || ["SCAN all_messages", "SCAN sqlite_schema"].contains(&&*step);
            assert!(!step.starts_with("SCAN") || is_small || is_own, "{sql}: {step}");
        }
    }
}

/// Has the writer do each thing that it does, to full tables.
async fn write_everything(store: &SqliteStore) {
    let conversation = filled(store, "ben", 100).await;
    let append = async |text: &str, client_id: Option<&str>| {
        let (sender, receiver) = oneshot::channel();
        let mut message = NewMessage::new(&conversation, id("ann"), text);
        message.client_id = client_id.map(str::to_owned);
        store.append_message(message, Box::new(move |sent| sender.send(sent.is_ok()).unwrap()));
        receiver.await.unwrap()
    };
    for round in 0..40 {
        let sent = join_all((0..64).map(|_| append("text", None))).await;
        assert!(sent.iter().all(|is_sent| *is_sent));
        assert!(append("text", Some(&round.to_string())).await);
    }
    assert!(append("text", Some("1")).await && !append("other", Some("1")).await);
    for up_to in [1, 60, 2000, i64::MAX] {
        mark(store, &conversation, up_to).await;
    }
    for (seq, text) in [(2690, Some("edited")), (2690, None), (5, None), (7, None), (6, None)] {
        let (sender, receiver) = oneshot::channel();
        let (conversation, text) = (Arc::clone(&conversation), text.map(str::to_owned));
        let change = Change { conversation, seq, text, window: None, is_erasure: false };
        store.change_message(change, Box::new(move |changed| sender.send(changed).unwrap()));
        let changed = receiver.await.unwrap();
        // The last of those that were sent, or somewhere before.
        assert!(changed.is_ok() || seq == 2690, "{changed:?}");
    }
    for is_blocked in [true, false] {
        let (sender, receiver) = oneshot::channel::<Result<()>>();
        store.set_block(&id("ann"), &id("ben"), is_blocked, Box::new(move |done| sender.send(done).unwrap()));
        receiver.await.unwrap().unwrap();
    }
    let delivered = Delivered { conversation: conversation.key, side: 1, seq: 7 };
    store.set_delivered(vec![delivered]).await.unwrap();
    store.set_last_seen(vec![(id("ben"), Timestamp(7))]).await.unwrap();
    for seq in [5, 8, 8] {
        let (conversation, reporter) = (Arc::clone(&conversation), id("ben"));
        let report = NewReport { conversation, seq, reporter, reason: "rude".to_owned() };
        let report = store.report(report).await.unwrap();
        let decision = ReportDecision { state: ReportState::Resolved, note: None };
        let entry = NewAuditEntry::new(Actor::Key(1), "report.decide", Some(report.clone()));
        assert!(store.decide_report(&report, decision, entry).await.unwrap().is_some());
    }
    store.forget_withdrawn(Duration::MAX).await.unwrap();
    store.revoke_tokens(&id("ann")).await.unwrap();
    for token in 0..=MAX_VOID_TOKENS {
        let token = TokenId(i64::try_from(token).unwrap());
        store.void_token(VoidToken { user: id("ann"), token, expires_at: Some(Timestamp(7)) }).await.unwrap();
    }
    store.forget_user_changes(Duration::MAX).await.unwrap();
    for (user, horse_id) in [("ann", None), ("ben", Some(id("h1")))] {
        let new = NewConversation { participants: [id(user), id("cat")], horse_id };
        store.open_conversation(new).await.unwrap();
    }
    let profile = Profile { id: id("ann"), full_name: None, profile_picture_url: None, is_deleted: false };
    for user in ["ann", "ben"] {
        let change = SettingsChange { archived: Some(true), muted: Some(true), pinned: None };
        store.change_settings(&conversation, &id(user), change).await.unwrap();
    }
    let user = User {
        profile,
        email: Some("ann@example.org".to_owned()),
        password_hash: String::new(),
        role: Role::Seller,
        phone: None,
        is_active: true,
        created_at: Timestamp(7),
    };
    store.create_user(user).await.unwrap();
    store.set_password_hash(&id("ann"), "new").await.unwrap();
    store.ping().await.unwrap();
}
