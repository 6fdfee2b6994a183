//! Counts, after many have written and read at once.

use std::sync::Arc;

use crate::fixture::store::{Place, append, id, mark_read, open, read_page, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_counts_right_after_writers_and_readers_at_once() {
    counts_are_right_after_writers_and_readers_at_once("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_counts_right_after_writers_and_readers_at_once() {
    counts_are_right_after_writers_and_readers_at_once("postgresql").await;
}

/// Writers and readers at once, in no order that a test could foresee: in the end a recount agrees.
async fn counts_are_right_after_writers_and_readers_at_once(engine: &str) {
    let place = Place::new(engine).await;
    let store = place.open().await;
    let conversation = open(&*store, "ann", "ben").await;
    let tasks: Vec<_> = ["ann", "ben"]
        .into_iter()
        .flat_map(|name| {
            let (to_write, to_read) = (Arc::clone(&store), Arc::clone(&store));
            let (written, read) = (Arc::clone(&conversation), Arc::clone(&conversation));
            let writer = tokio::spawn(async move {
                for _ in 0..40 {
                    let sent: Vec<_> = (0..10).map(|_| append(&*to_write, &written, name, "Hello")).collect();
                    for result in sent {
                        result.await.unwrap();
                    }
                }
                0
            });
            let reader = tokio::spawn(async move {
                let mut marked = 0;
                for _ in 0..100 {
                    marked += mark_read(&*to_read, &read, name).await.unwrap();
                }
                marked
            });
            [writer, reader]
        })
        .collect();
    let mut marked = 0;
    for task in tasks {
        marked += soon(task).await.unwrap();
    }
    let mut unread = [0_u64; 2];
    for number in 1..=8 {
        for message in read_page(&*store, &conversation, number, 100).await {
            if !message.is_read {
                unread[usize::from(message.sender == conversation.participants[0])] += 1;
            }
        }
    }
    assert_eq!(marked + unread[0] + unread[1], 800);
    assert_eq!(soon(store.unread_count(&id("ann"))).await.unwrap(), unread[0]);
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), unread[1]);
}
