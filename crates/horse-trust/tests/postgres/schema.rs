//! Databases that are new, of an earlier version, or none of ours.

use std::time::{Duration, Instant};

use horse_trust::store::Page;
use horse_trust::store::postgres::{OpenError, PostgresStore};

use super::node::node;
use crate::fixture::postgres::{client, database};
use crate::fixture::store::{append, block, id, open, soon};

/// As a version kept it that did not know repeats.
const REPORTED_TWICE: &str = "INSERT INTO reports
    (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq, sent_at, text)
    SELECT 'r' || n, 'ben', 'rude', n, 'm1', 'c1', 'ann', 1, 0, 'words' FROM generate_series(1, 3) n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_first_version_is_brought_to_the_present() {
    let url = database().await;
    let first = include_str!("../../migrations/postgres/0001_initial.sql");
    let client = client(&url).await;
    client.batch_execute(&format!("{first}; UPDATE horse_trust_schema SET version = 1")).await.unwrap();
    client.batch_execute(REPORTED_TWICE).await.unwrap();
    let node = node(&url).await;
    assert_eq!(soon(node.reports(Page { number: 1, limit: 10 })).await.unwrap().len(), 3);
    assert_eq!(soon(node.report_by(&id("ben"), &id("m1"))).await.unwrap(), Some(id("r1")));
    let conversation = open(&*node, "ann", "ben").await;
    assert_eq!(append(&*node, &conversation, "ann", "one").await.unwrap().seq, 1);
    block(&*node, "ben", "ann", true).await;
    assert!(append(&*node, &conversation, "ann", "two").await.is_err());
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
    assert!(begun.elapsed() < Duration::from_secs(5));

    let client = client(&url).await;
    client.batch_execute("CREATE TABLE users (name text)").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Foreign(place) if place.contains(name)));
    client.batch_execute("DROP TABLE users").await.unwrap();
    soon(node(&url).await.close()).await;
    client.batch_execute("UPDATE horse_trust_schema SET version = 1000").await.unwrap();
    assert!(matches!(error(&url).await, OpenError::Newer { found: 1000, .. }));
}
