//! Databases that are new, of an earlier version, or none of ours.

use std::time::{Duration, Instant};

use horse_trust::store::Changed;
use horse_trust::store::postgres::{OpenError, PostgresStore};
use tokio_postgres::Client;

use super::node::node;
use crate::fixture::postgres::{client, database};
use crate::fixture::store::{
    ALWAYS, all_reports, append, assert_within, block, id, mark_read, open, read_page, soon, try_change,
};

/// As the first versions kept them, which did not know repeats.
const REPORTED_TWICE: &str = "INSERT INTO reports
    (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq, sent_at, text)
    SELECT 'r' || n, 'ben', 'rude', n, 'm1', 'c1', 'ann', 1, 0, 'words' FROM generate_series(1, 3) n";

/// Everything of a schema but its rows, a line each.
const SHAPE: &str = "
    SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT 'view ' || viewname || definition FROM pg_views WHERE schemaname = current_schema()
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws(' ', 'column', table_name, column_name, data_type, collation_name, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = current_schema()
    ORDER BY 1";

/// The functions that were not made or replaced together with the last change of the schema's row.
const NOT_APPLIED: &str = "SELECT p.oid::regprocedure::text FROM pg_proc p, horse_trust_schema s
    WHERE p.pronamespace = current_schema()::regnamespace AND p.xmin <> s.xmin";

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The migrations as they were released, in their order.
fn migrations() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// A database with the schema of that version, as its program left it.
async fn database_of(version: usize) -> String {
    let url = database().await;
    let client = client(&url).await;
    for (migration, version) in migrations().iter().zip(1..=version) {
        let sql = format!("BEGIN; {migration}; UPDATE horse_trust_schema SET version = {version}; COMMIT");
        client.batch_execute(&sql).await.unwrap();
    }
    url
}

/// Whatever version a database is of, it becomes what a new one is, and works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_any_version_is_brought_to_the_present() {
    let new = database().await;
    soon(node(&new).await.close()).await;
    let shape = texts(&client(&new).await, SHAPE).await;
    for version in 1..=migrations().len() {
        let url = database_of(version).await;
        let client = client(&url).await;
        if version < 5 {
            client.batch_execute(REPORTED_TWICE).await.unwrap();
        }
        let node = node(&url).await;
        assert_eq!(texts(&client, SHAPE).await, shape, "from version {version}");
        assert_eq!(texts(&client, NOT_APPLIED).await, [""; 0], "from version {version}");
        if version < 5 {
            assert_eq!(soon(node.reports(all_reports(10))).await.unwrap().len(), 3);
            assert_eq!(soon(node.report_by(&id("ben"), &id("m1"))).await.unwrap(), Some(id("r1")));
        }
        let conversation = open(&*node, "ann", "ben").await;
        for text in ["one", "two"] {
            append(&*node, &conversation, "ann", text).await.unwrap();
        }
        assert_eq!(mark_read(&*node, &conversation, "ben").await.unwrap(), 2);
        let edited = try_change(&*node, &conversation, 1, Some("edited"), ALWAYS).await.unwrap();
        assert!(matches!(&edited, Changed::Done { message, .. } if message.text == "edited"), "{edited:?}");
        let deleted = try_change(&*node, &conversation, 2, None, ALWAYS).await.unwrap();
        assert!(matches!(deleted, Changed::Done { .. }), "{deleted:?}");
        assert_eq!(read_page(&*node, &conversation, 1, 10).await.len(), 1);
        block(&*node, "ben", "ann", true).await;
        assert!(append(&*node, &conversation, "ann", "three").await.is_err());
        soon(node.close()).await;
    }
}

/// Nodes of two versions that start in turns end with the newer functions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_newer_functions_are_applied() {
    let url = database().await;
    soon(node(&url).await.close()).await;
    let client = client(&url).await;
    let ours = texts(&client, SHAPE).await;
    // A function that is not ours shows whether the others were applied.
    let change =
        "CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT 1::bigint'";
    for (set, is_applied) in [
        ("functions_version = functions_version", false),
        ("functions_version = functions_version + 1, functions_checksum = 'newer'", false),
        ("functions_version = 0", true),
        ("functions_checksum = 'another text of the same version'", true),
    ] {
        client
            .batch_execute(&format!("BEGIN; {change}; UPDATE horse_trust_schema SET {set}; COMMIT"))
            .await
            .unwrap();
        soon(node(&url).await.close()).await;
        assert_eq!(texts(&client, SHAPE).await == ours, is_applied, "{set}");
        let restored = "UPDATE horse_trust_schema SET functions_version = 0";
        client.batch_execute(restored).await.unwrap();
        soon(node(&url).await.close()).await;
        assert_eq!(texts(&client, SHAPE).await, ours);
    }
}

/// While nodes are upgraded one by one, those of the version before call functions by the names that they know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_the_version_before_go_on() {
    let url = database().await;
    let node = node(&url).await;
    let conversation = open(&*node, "ann", "ben").await;
    append(&*node, &conversation, "ann", "one").await.unwrap();
    let earlier_node = client(&url).await;
    let sql = "SELECT m.outcome, m.unread, m.total, m.id, m.seq, m.sender, m.text, m.is_read, m.sent_at, m.client_id,
        m.edited_at, m.deleted_at FROM change_message_within($1, $2, $3, $4) m";
    let row =
        earlier_node.query_one(sql, &[&conversation.key, &1_i64, &"edited", &60_000_i64]).await.unwrap();
    assert_eq!((row.get("outcome"), row.get("text")), ("done", "edited"));
    assert_eq!(read_page(&*node, &conversation, 1, 10).await[0].text, "edited");
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
    assert_within(begun, Duration::from_secs(5));

    let client = client(&url).await;
    client.batch_execute("CREATE TABLE users (name text)").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Foreign(place) if place.contains(name)));
    client.batch_execute("DROP TABLE users").await.unwrap();
    soon(node(&url).await.close()).await;
    client.batch_execute("UPDATE horse_trust_schema SET version = 1000").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Newer { found: 1000, .. }));
}
