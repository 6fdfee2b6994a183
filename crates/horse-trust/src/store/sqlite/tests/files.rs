//! Files that are gone, foreign, damaged or old.

use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{append, id, open};
use crate::store::sqlite::checkpoint;
use crate::store::sqlite::database::OpenError;
use crate::store::sqlite::store::SqliteStore;
use crate::store::traits::{Lifecycle, ModerationStore};
use crate::store::types::ReportQuery;

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
async fn reports_that_were_kept_twice_stay() {
    let folder = TempDir::new().unwrap();
    let file = Connection::open(folder.path().join("chat.db")).unwrap();
    for migration in &crate::store::sqlite::schema::MIGRATIONS[..3] {
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
    assert_eq!(
        store.reports(ReportQuery { state: None, after: None, skip: 0, limit: 10 }).await.unwrap().len(),
        3
    );
    assert_eq!(store.report_by(&id("ben"), &id("m1")).await.unwrap(), Some(id("r1")));
}

#[tokio::test]
async fn a_log_is_emptied_when_nobody_reads_an_old_state() {
    let folder = TempDir::new().unwrap();
    let (store, conversation) = open(&folder).await;
    append(&store, &conversation, "one").await.unwrap().unwrap();
    let path = folder.path().join("chat.db");
    let log = || folder.path().join("chat.db-wal").metadata().unwrap().len();
    let mut reader = Connection::open(&path).unwrap();
    let old = reader.transaction().unwrap();
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM all_messages", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&old), 1);
    append(&store, &conversation, "two").await.unwrap().unwrap();
    assert!(!checkpoint::empty_log(&path).unwrap());
    assert!(log() > 0);
    assert_eq!(count(&old), 1, "the reader is not disturbed");
    drop(old);
    assert!(checkpoint::empty_log(&path).unwrap());
    assert_eq!((log(), count(&reader)), (0, 2));
    append(&store, &conversation, "three").await.unwrap().unwrap();
    assert_eq!(count(&reader), 3);
}
