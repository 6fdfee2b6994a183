//! What the platform itself says: nobody's own, and for both to read.

use std::sync::Arc;

use horse_trust::id::Id;
use horse_trust::store::{Change, Changed, StoreError};
use tokio::sync::oneshot;

use crate::fixture::store::{
    ALWAYS, AnyStore, append, block, change, id, mark, new_message, open, read_page, say, soon,
};

pub(crate) async fn what_the_platform_says_is_for_both_to_read(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    append(&*store, &conversation, "ann", "one").await.unwrap();
    // No block stops the platform.
    block(&*store, "ben", "ann", true).await;
    let stored = say(&*store, &conversation, "system", "sold", Some("k")).await.unwrap();
    assert_eq!((stored.message.seq, &stored.message.sender, stored.is_new), (2, &Id::SYSTEM, true));
    if let Some(positions) = stored.positions {
        assert_eq!(positions, [2, 2]);
    }
    block(&*store, "ben", "ann", false).await;
    append(&*store, &conversation, "ann", "three").await.unwrap();
    let unread = async |user: &str| {
        let summary = soon(store.conversation_summary(conversation.key, &id(user))).await.unwrap().unwrap();
        let total = soon(store.unread_count(&id(user))).await.unwrap();
        assert_eq!(summary.unread_count, total, "of {user}");
        total
    };
    assert_eq!((unread("ann").await, unread("ben").await), (1, 3));

    let is_read = async || read_page(&*store, &conversation, 1, 9).await[1].is_read;
    assert_eq!(mark(&*store, &conversation, "ben", 2).await.newly_read, 2);
    assert!(!is_read().await, "only one of them has read it");
    assert_eq!((unread("ann").await, unread("ben").await), (1, 1));
    assert_eq!(mark(&*store, &conversation, "ann", 3).await.newly_read, 1);
    assert!(is_read().await);

    let repeat = say(&*store, &conversation, "system", "sold", Some("k")).await.unwrap();
    assert_eq!((repeat.message.id, repeat.is_new), (stored.message.id, false));
    let other = say(&*store, &conversation, "system", "sold again", Some("k")).await;
    assert!(matches!(other, Err(StoreError::ClientIdUsed)));
    say(&*store, &conversation, "ann", "mine", Some("k")).await.unwrap();
    assert!(append(&*store, &conversation, "eve", "x").await.is_err());
}

pub(crate) async fn what_the_platform_takes_back_is_unread_by_nobody(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for number in 1..=3 {
        say(&*store, &conversation, "system", &format!("{number}"), None).await.unwrap();
    }
    mark(&*store, &conversation, "ben", 1).await;
    let unread = async || {
        let mut counts = [0; 2];
        for (count, user) in counts.iter_mut().zip(["ann", "ben"]) {
            *count = soon(store.unread_count(&id(user))).await.unwrap();
        }
        counts
    };
    assert_eq!(unread().await, [3, 2]);
    for (seq, left) in [(1, [2, 2]), (3, [1, 1])] {
        let deleted = change(&*store, &conversation, seq, None, ALWAYS).await;
        assert!(matches!(deleted, Changed::Done { unread: None, .. }), "{deleted:?}");
        assert_eq!(unread().await, left);
    }
    let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
    let last = summary.last_message.unwrap();
    assert_eq!((last.text.as_str(), last.sender_id, last.is_read), ("2", Id::SYSTEM, false));
    // The next messages count on from there.
    let stored = say(&*store, &conversation, "ann", "hello", None).await.unwrap();
    assert_eq!(stored.unread.map(|unread| (unread.conversation, unread.total)), Some((2, 2)));
    assert_eq!(unread().await, [1, 2]);
}

pub(crate) async fn without_a_window_a_message_of_any_age_is_deleted(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    append(&*store, &conversation, "ann", "one").await.unwrap();
    let (sender, receiver) = oneshot::channel();
    let change = Change {
        conversation: Arc::clone(&conversation),
        seq: 1,
        text: None,
        window: None,
        is_erasure: false,
    };
    store.change_message(change, Box::new(move |changed| sender.send(changed).unwrap()));
    assert!(matches!(soon(receiver).await.unwrap().unwrap(), Changed::Done { .. }));
}

pub(crate) async fn a_batch_counts_what_each_has_to_read(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let senders = ["ann", "system", "ben", "ben", "system", "ann"];
    let sent: Vec<_> = senders
        .iter()
        .map(|sender| {
            let (told, result) = oneshot::channel();
            let message = new_message(&conversation, sender, "x");
            store.append_message(message, Box::new(move |stored| told.send(stored).unwrap()));
            result
        })
        .collect();
    let mut counts = Vec::new();
    for result in sent {
        let stored = soon(result).await.unwrap().unwrap();
        counts.push(stored.unread.map(|unread| (unread.conversation, unread.total)));
    }
    let expected = [(1, 1), (0, 0), (2, 2), (3, 3), (0, 0), (4, 4)];
    assert_eq!(counts, expected.map(|count| (count != (0, 0)).then_some(count)));
    for user in ["ann", "ben"] {
        assert_eq!(soon(store.unread_count(&id(user))).await.unwrap(), 4);
    }
}
