//! Delivery: idempotency keys, receipts, unread counts, what was missed.

use horse_trust::store::{Changed, Delivered, Read, StoreError, Unread};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store::{
    ALWAYS, AnyStore, append, change, id, list, mark, mark_read, open, read_page, say, send, soon,
};

/// A repeat is the same message: of the same sender, in the same conversation, with the same text.
pub(crate) async fn a_client_id_names_one_message(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let other = open(&*store, "ann", "cat").await;
    // All at once, so that they come into one batch.
    let first = send(&*store, &conversation, "ann", Some("1"));
    let repeat = send(&*store, &conversation, "ann", Some("1"));
    let elsewhere = send(&*store, &other, "ann", Some("1"));
    let another_text = say(&*store, &conversation, "ann", "another", Some("1"));
    let others = send(&*store, &conversation, "ben", Some("1"));
    let next = send(&*store, &conversation, "ann", Some("2"));
    let first = first.await.unwrap();
    assert_eq!(first.unread, Some(Unread { conversation: 1, total: 1 }));
    assert_eq!(first.message.client_id.as_deref(), Some("1"));
    let repeat = repeat.await.unwrap();
    assert_eq!(
        (&repeat.message, repeat.unread, &repeat.conversation.id),
        (&first.message, None, &conversation.id)
    );
    for refused in [elsewhere.await, another_text.await] {
        assert!(matches!(refused, Err(StoreError::ClientIdUsed)), "{refused:?}");
    }
    let (others, next) = (others.await.unwrap(), next.await.unwrap());
    assert_eq!((others.message.seq, next.message.seq), (2, 3));
    assert_eq!(next.unread, Some(Unread { conversation: 2, total: 2 }));
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), 2);
    assert_eq!(soon(store.unread_count(&id("cat"))).await.unwrap(), 0);
    let again = send(&*store, &conversation, "ben", Some("1")).await.unwrap();
    assert_eq!((again.message.id, again.unread), (others.message.id, None));
    assert_eq!(read_page(&*store, &conversation, 1, 100).await.len(), 3);
    assert!(read_page(&*store, &other, 1, 100).await.is_empty());
    // What was refused left nothing behind, of which the next message would know.
    let sent = send(&*store, &other, "ann", Some("3")).await.unwrap();
    assert_eq!((sent.message.seq, sent.unread), (1, Some(Unread { conversation: 1, total: 1 })));
}

/// What was edited or deleted meanwhile is no longer what was sent.
pub(crate) async fn a_repeat_of_a_changed_message_finds_it(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let other = open(&*store, "ann", "cat").await;
    for (client_id, change_to) in [("edited", Some("changed")), ("deleted", None)] {
        let sent = say(&*store, &conversation, "ann", "one", Some(client_id)).await.unwrap();
        change(&*store, &conversation, sent.message.seq, change_to, ALWAYS).await;
        for text in ["one", "two"] {
            let repeat = say(&*store, &conversation, "ann", text, Some(client_id)).await.unwrap();
            assert_eq!((&repeat.message.id, repeat.unread), (&sent.message.id, None));
            assert_eq!(repeat.message.text, change_to.unwrap_or_default());
            let elsewhere = say(&*store, &other, "ann", text, Some(client_id)).await;
            assert!(matches!(elsewhere, Err(StoreError::ClientIdUsed)), "{elsewhere:?}");
        }
    }
}

pub(crate) async fn unread_counts_follow_each_write(store: AnyStore) {
    let with_ann = open(&*store, "ann", "ben").await;
    let with_cat = open(&*store, "ben", "cat").await;
    let unread = |conversation, total| Some(Unread { conversation, total });
    for (conversation, sender, expected) in [
        (&with_ann, "ann", unread(1, 1)),
        (&with_cat, "cat", unread(1, 2)),
        (&with_ann, "ann", unread(2, 3)),
        (&with_ann, "ben", unread(1, 1)),
        (&with_ann, "ann", unread(3, 4)),
    ] {
        assert_eq!(send(&*store, conversation, sender, None).await.unwrap().unread, expected);
    }
    // 1 ann, 2 ann, 3 ben, 4 ann
    let read = mark(&*store, &with_ann, "ben", 1).await;
    let expected = Read { up_to_seq: 1, newly_read: 1, unread: Unread { conversation: 2, total: 3 } };
    assert_eq!(read, expected);
    assert_eq!(mark(&*store, &with_ann, "ben", 1).await, Read { newly_read: 0, ..expected });
    assert_eq!(mark(&*store, &with_ann, "ben", 0).await, Read { newly_read: 0, ..expected });
    let Changed::Done { message, unread: left } = change(&*store, &with_ann, 2, None, ALWAYS).await else {
        panic!("it can be deleted");
    };
    assert_eq!((message.text.as_str(), message.deleted_at.is_some()), ("", true));
    assert_eq!(left, unread(1, 2));
    // A message that is read already changes nothing.
    let Changed::Done { unread: left, .. } = change(&*store, &with_ann, 1, None, ALWAYS).await else {
        panic!("it can be deleted");
    };
    assert_eq!(left, None);
    assert_eq!(send(&*store, &with_ann, "ann", None).await.unwrap().unread, unread(2, 3));
    let read = mark(&*store, &with_ann, "ben", i64::MAX).await;
    assert_eq!((read.up_to_seq, read.newly_read), (5, 2));
    assert_eq!(read.unread, Unread { conversation: 0, total: 1 });
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), 1);
}

pub(crate) async fn reading_marks_what_the_other_wrote(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for (sender, text) in [("ann", "1"), ("ann", "2"), ("ben", "3")] {
        append(&*store, &conversation, sender, text).await.unwrap();
    }
    let unread = async |user: &str| soon(store.unread_count(&id(user))).await.unwrap();
    assert_eq!((unread("ann").await, unread("ben").await, unread("cat").await), (1, 2, 0));
    assert_eq!(mark_read(&*store, &conversation, "ben").await.unwrap(), 2);
    assert_eq!(mark_read(&*store, &conversation, "ben").await.unwrap(), 0);
    assert!(mark_read(&*store, &conversation, "cat").await.is_err());
    assert_eq!((unread("ann").await, unread("ben").await), (1, 0));
    append(&*store, &conversation, "ann", "4").await.unwrap();
    let history = read_page(&*store, &conversation, 1, 30).await;
    let read: Vec<_> = history.iter().map(|message| message.is_read).collect();
    assert_eq!(read, [true, true, false, false]);
    assert_eq!((unread("ann").await, unread("ben").await), (1, 1));
    let list = list(&*store, "ben").await;
    assert_eq!(list[0].unread_count, 1);
    assert!(!list[0].last_message.as_ref().unwrap().is_read);
    mark_read(&*store, &conversation, "ben").await.unwrap();
    let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
    assert!(summary.last_message.unwrap().is_read);
    assert_eq!(summary.unread_count, 1);
}

pub(crate) async fn receipts_never_go_back(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for _ in 0..3 {
        append(&*store, &conversation, "ann", "x").await.unwrap();
    }
    let delivered = |seq| vec![Delivered { conversation: conversation.key, side: 1, seq }];
    let ends = async || {
        let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
        (summary.sides[1].delivered_seq, summary.sides[1].read_seq)
    };
    assert_eq!(ends().await, (0, 0));
    soon(store.set_delivered(delivered(2))).await.unwrap();
    soon(store.set_delivered(delivered(1))).await.unwrap();
    assert_eq!(ends().await, (2, 0));
    mark_read(&*store, &conversation, "ben").await.unwrap();
    assert_eq!(ends().await, (3, 3));
    let seen = [5, 3].map(Timestamp);
    for at in seen {
        soon(store.set_last_seen(vec![(id("ben"), at)])).await.unwrap();
    }
    let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
    assert_eq!((summary.sides[0].last_seen, summary.sides[1].last_seen), (None, Some(Timestamp(5))));
    // More than are noted at once.
    let many: Vec<_> = (0..1201).map(|number| (id(&format!("user{number}")), Timestamp(7))).collect();
    soon(store.set_last_seen([many, vec![(id("ben"), Timestamp(9))]].concat())).await.unwrap();
    append(&*store, &conversation, "ann", "x").await.unwrap();
    soon(store.set_delivered([delivered(1).repeat(1201), delivered(4)].concat())).await.unwrap();
    let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
    assert_eq!((summary.sides[1].last_seen, summary.sides[1].delivered_seq), (Some(Timestamp(9)), 4));
}

pub(crate) async fn what_was_missed_is_known(store: AnyStore) {
    let [with_ben, with_cat, others] = [
        open(&*store, "ann", "ben").await,
        open(&*store, "cat", "ann").await,
        open(&*store, "ben", "cat").await,
    ];
    let mut sent = Vec::new();
    for (conversation, sender) in
        [(&with_ben, "ben"), (&with_cat, "cat"), (&others, "cat"), (&with_ben, "ann"), (&with_cat, "cat")]
    {
        sent.push(append(&*store, conversation, sender, "x").await.unwrap().id);
    }
    let missed = async |after: Option<usize>, limit| {
        let after = after.map(|index| sent[index].clone());
        soon(store.missed(&id("ann"), after.as_ref(), limit)).await.unwrap()
    };
    let ids = |missed: &horse_trust::store::Missed| {
        missed.messages.iter().map(|message| message.id.clone()).collect::<Vec<_>>()
    };
    let all = [&sent[0], &sent[1], &sent[3], &sent[4]].map(Clone::clone);
    assert_eq!(ids(&missed(None, 10).await), all);
    assert_eq!(ids(&missed(None, 4).await), all);
    for (after, expected) in [(0, &all[1..]), (1, &all[2..]), (2, &all[2..]), (3, &all[3..]), (4, &[])] {
        let missed = missed(Some(after), 10).await;
        assert_eq!(ids(&missed), expected, "after {after}");
        assert!(!missed.is_too_much);
        let mut last_seqs = missed.last_seqs.clone();
        last_seqs.sort_unstable();
        let mut expected = [(with_ben.key, 2), (with_cat.key, 2)];
        expected.sort_unstable();
        assert_eq!(last_seqs, expected);
    }
    let too_much = missed(Some(0), 2).await;
    assert!(too_much.is_too_much && too_much.messages.is_empty());
    let mut changed = too_much.changed;
    changed.sort();
    let mut expected = [(with_ben.id.clone(), 2), (with_cat.id.clone(), 2)];
    expected.sort();
    assert_eq!(changed, expected);
    change(&*store, &with_cat, 2, None, ALWAYS).await;
    assert_eq!(ids(&missed(Some(1), 10).await), &all[2..3]);
    assert_eq!(missed(Some(3), 10).await.changed, []);
}

pub(crate) async fn how_far_conversations_go_is_known(store: AnyStore) {
    let [with_ben, with_cat, _] = [
        open(&*store, "ann", "ben").await,
        open(&*store, "cat", "ann").await,
        open(&*store, "ben", "cat").await,
    ];
    let sent =
        [(&with_ben, "ben"), (&with_cat, "ann"), (&with_cat, "cat"), (&with_ben, "ben"), (&with_ben, "ann")]
            .map(|(conversation, sender)| send(&*store, conversation, sender, None));
    // Of each of the two, in the order of the participants.
    let expected = [[1, 1], [1, 2], [2, 3], [4, 2], [5, 3]];
    for (stored, expected) in sent.into_iter().zip(expected) {
        // A store that no other node uses need not count.
        if let Some(positions) = stored.await.unwrap().positions {
            assert_eq!(positions, expected);
        }
    }
    let mut positions = soon(store.positions_of(["ann", "ben", "dan"].map(id).to_vec())).await.unwrap();
    positions.retain(|(_, position)| *position > 0);
    positions.sort();
    assert_eq!(positions, [(id("ann"), 5), (id("ben"), 3)]);
    let mut ends = soon(store.detailed_positions_of(["ann", "ben", "dan"].map(id).to_vec())).await.unwrap();
    ends.retain(|end| !end.conversations.is_empty());
    ends.sort_by(|one, other| one.user.cmp(&other.user));
    let mut found = Vec::new();
    for mut end in ends {
        end.conversations.sort_by_key(|(conversation, _)| conversation.key);
        let conversations = end.conversations.iter().map(|(conversation, seq)| (conversation.key, *seq));
        found.push((end.user.to_string(), end.position, conversations.collect::<Vec<_>>()));
    }
    let expected = [
        ("ann".to_owned(), 5, vec![(with_ben.key, 3), (with_cat.key, 2)]),
        ("ben".to_owned(), 3, vec![(with_ben.key, 3)]),
    ];
    assert_eq!(found, expected);
}
