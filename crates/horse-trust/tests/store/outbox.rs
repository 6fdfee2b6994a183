//! The outbox: what the writes add, what becomes of it, and how much may wait.

use std::time::Duration;

use horse_trust::store::{
    EventKind, NewSubscriber, OutboxBatch, OutboxEvent, OutboxSettings, Settlement, SubscriberId,
};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store::{AnyStore, append, open, soon};

/// A time that nothing in these tests is older than.
const LONG: Duration = Duration::from_hours(24);

async fn subscribe(store: &AnyStore) -> SubscriberId {
    let settings = OutboxSettings {
        subscribers: vec![NewSubscriber { digest: "d".to_owned(), origin: "https://example.com".to_owned() }],
        kinds: [EventKind::MessageCreated].into_iter().collect(),
        unseen_after: LONG,
    };
    soon(store.open_outbox(settings)).await.unwrap().subscribers[0]
}

async fn batch(store: &AnyStore, subscriber: SubscriberId) -> OutboxBatch {
    soon(store.outbox_batch(subscriber, 0, 100, 100)).await.unwrap()
}

/// The sequence numbers of new events, and of those that wait and are due.
fn seqs(batch: &OutboxBatch) -> (Vec<i64>, Vec<i64>) {
    let new = batch.new.iter().map(|(event, _)| event.seq);
    (new.collect(), batch.due.iter().map(|event| event.seq).collect())
}

async fn settle(store: &AnyStore, subscriber: SubscriberId, events: Vec<(OutboxEvent, Settlement)>) {
    soon(store.settle_outbox(subscriber, events)).await.unwrap();
}

pub(crate) async fn events_behind_one_that_failed_wait_for_it(store: AnyStore) {
    let subscriber = subscribe(&store).await;
    let conversation = open(&*store, "ann", "ben").await;
    for text in ["one", "two", "three"] {
        append(&*store, &conversation, "ann", text).await.unwrap();
    }
    let loaded = batch(&store, subscriber).await;
    assert_eq!(seqs(&loaded), (vec![1, 2, 3], vec![]));
    assert!(loaded.new.iter().all(|(event, is_behind)| event.lane == conversation.key && !is_behind));
    let mut events = loaded.new.into_iter().map(|(event, _)| event);
    let (first, second) = (events.next().unwrap(), events.next().unwrap());
    let failed = Settlement::Retry(Duration::ZERO, "500".to_owned());
    settle(&store, subscriber, vec![(first, failed), (second, Settlement::Behind)]).await;
    let loaded = batch(&store, subscriber).await;
    assert_eq!(seqs(&loaded), (vec![3], vec![1]));
    assert!(loaded.new[0].1, "the third is behind those that wait");
    let first = loaded.due[0].clone();
    assert_eq!((first.attempts, first.is_waiting), (1, true));
    settle(&store, subscriber, vec![(first, Settlement::Done)]).await;
    assert_eq!(seqs(&batch(&store, subscriber).await), (vec![3], vec![2]), "the next one is due then");
}

pub(crate) async fn beyond_a_bound_the_oldest_events_are_given_up(store: AnyStore) {
    let subscriber = subscribe(&store).await;
    let conversation = open(&*store, "ann", "ben").await;
    for number in 1..=9 {
        append(&*store, &conversation, "ann", &number.to_string()).await.unwrap();
    }
    let tidy = async |most| soon(store.tidy_outbox(&[subscriber], LONG, most)).await.unwrap();
    let counts = async || soon(store.outbox_counts(subscriber)).await.unwrap();
    let mut new = batch(&store, subscriber).await.new.into_iter().map(|(event, _)| event);
    let (first, second, third) = (new.next().unwrap(), new.next().unwrap(), new.next().unwrap());
    let failed = || Settlement::Retry(LONG, "500".to_owned());
    settle(&store, subscriber, vec![(first, failed()), (second, Settlement::Behind)]).await;
    assert_eq!((tidy(9).await, tidy(8).await), (0, 1), "those that wait to be tried again go first");
    // New ones can be too many alone, as while a receiver hangs.
    assert_eq!(tidy(4).await, 4);
    assert_eq!((counts().await.waiting, counts().await.given_up), (4, 5));
    assert_eq!(seqs(&batch(&store, subscriber).await).0, [6, 7, 8, 9]);
    // It was under way meanwhile, and does not come back.
    settle(&store, subscriber, vec![(third, failed())]).await;
    assert_eq!((counts().await.waiting, counts().await.given_up), (4, 5));
}

pub(crate) async fn what_was_given_up_is_listed_and_tried_anew(store: AnyStore) {
    let subscriber = subscribe(&store).await;
    let conversation = open(&*store, "ann", "ben").await;
    for text in ["one", "two", "three"] {
        append(&*store, &conversation, "ann", text).await.unwrap();
    }
    let new = batch(&store, subscriber).await.new.into_iter();
    let give_up = |(event, _)| (event, Settlement::GiveUp("410".to_owned()));
    settle(&store, subscriber, new.map(give_up).collect()).await;
    let listed = async |after, limit| soon(store.given_up(after, limit)).await.unwrap();
    let all = listed(None, 10).await;
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|event| event.kind == Some(EventKind::MessageCreated) && event.attempts == 1));
    assert!(all.iter().all(|event| event.origin == "https://example.com" && event.error == "410"));
    assert_eq!(listed(Some(all[0].key), 1).await, all[1..2]);

    let retry = async |event| soon(store.retry_given_up(event)).await.unwrap();
    assert_eq!(retry(Some((all[1].key.1, Timestamp(1)))).await, 0, "no event of that time has the number");
    assert_eq!(retry(Some((all[1].key.1, all[1].at))).await, 1);
    let due = batch(&store, subscriber).await.due;
    assert_eq!((due[0].seq, due[0].attempts, due[0].is_waiting), (2, 0, true));
    assert_eq!((retry(None).await, retry(None).await), (2, 0));
    assert_eq!(listed(None, 10).await, []);
    let due = batch(&store, subscriber).await.due;
    assert_eq!(due.len(), 3);
    settle(&store, subscriber, due.into_iter().map(|event| (event, Settlement::Done)).collect()).await;
    assert_eq!(soon(store.outbox_counts(subscriber)).await.unwrap().waiting, 0);
}
