//! Stores that are closed, or crash.

use std::sync::Arc;

use tempfile::TempDir;

use crate::fixture::store::{AnyStore, append, id, open, open_sqlite, page, soon};

pub(crate) async fn after_the_close_appends_fail(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let sent: Vec<_> = (0..100).map(|_| append(&*store, &conversation, "ann", "last")).collect();
    soon(store.ping()).await.unwrap();
    soon(store.close()).await;
    for result in sent {
        result.await.unwrap();
    }
    assert!(append(&*store, &conversation, "ann", "late").await.is_err());
}

/// The database and its log, copied while the server writes, are what a power cut would leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_what_it_told_through_a_crash() {
    let folder = TempDir::new().unwrap();
    let store = open_sqlite(folder.path());
    let conversation = open(&*store, "ann", "ben").await;
    let writer = {
        let (store, conversation) = (Arc::clone(&store), Arc::clone(&conversation));
        tokio::spawn(async move {
            let mut told = 0;
            loop {
                let batch: Vec<_> =
                    (0..20).map(|_| append(&*store, &conversation, "ann", "Is it still there?")).collect();
                for result in batch {
                    match result.await {
                        Ok(_) => told += 1,
                        Err(_) => return told,
                    }
                }
            }
        })
    };
    for round in 0..5 {
        let told = soon(async {
            loop {
                let told = soon(store.unread_count(&id("ben"))).await.unwrap();
                if told > round * 100 {
                    return told;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        let crashed = TempDir::new().unwrap();
        std::fs::create_dir(crashed.path().join("data")).unwrap();
        for file in ["data/chat.db", "data/chat.db-wal"] {
            std::fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
        }
        let copy = open_sqlite(crashed.path());
        let found = soon(copy.unread_count(&id("ben"))).await.unwrap();
        assert!(found >= told, "{found} of {told}");
        let next = append(&*copy, &conversation, "ben", "yes").await.unwrap();
        assert_eq!(next.seq, i64::try_from(found).unwrap() + 1);
        let last = page(&*copy, &conversation, 1, 100).await;
        assert_eq!(last, (1.max(next.seq - 99)..=next.seq).collect::<Vec<_>>());
        soon(copy.close()).await;
    }
    soon(store.close()).await;
    let told: u64 = soon(writer).await.unwrap();
    drop(store);
    assert_eq!(soon(open_sqlite(folder.path()).unread_count(&id("ben"))).await.unwrap(), told);
}
