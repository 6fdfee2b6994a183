//! What every engine's store does for delivery: names of senders, slices, receipts, what was missed, changes,
//! blocks, complaints. Part of the suite in [`crate::store`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use horse_trust::store::{
    Change, Changed, Conversation, Delivered, MarkRead, Message, NewMessage, NewReport, Page, Range, Read,
    Result, Store, StoreError, Stored, Unread,
};
use horse_trust::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::store::{AnyStore, append, id, mark_read, open, read_page, soon};

/// Appends with the sender's own id.
fn send(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    sender: &str,
    client_id: Option<&str>,
) -> impl Future<Output = Result<Stored>> + use<> {
    say(store, conversation, sender, &format!("from {sender}"), client_id)
}

/// Appends a text with the sender's own id.
fn say(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    sender: &str,
    text: &str,
    client_id: Option<&str>,
) -> impl Future<Output = Result<Stored>> + use<> {
    let (told, result) = oneshot::channel();
    let message = NewMessage {
        conversation: Arc::clone(conversation),
        sender: id(sender),
        text: text.to_owned(),
        client_id: client_id.map(str::to_owned),
    };
    store.append_message(
        message,
        Box::new(move |result| told.send(result.map(|(_, stored)| stored)).unwrap()),
    );
    async { soon(result).await.unwrap() }
}

pub(crate) async fn mark(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    reader: &str,
    up_to: i64,
) -> Read {
    let (told, result) = oneshot::channel();
    let mark = MarkRead { conversation: Arc::clone(conversation), reader: id(reader), up_to: Some(up_to) };
    store.mark_read(mark, Box::new(move |read| told.send(read).unwrap()));
    soon(result).await.unwrap().unwrap()
}

async fn change(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    seq: i64,
    text: Option<&str>,
    window: Duration,
) -> Changed {
    try_change(store, conversation, seq, text, window).await.unwrap()
}

pub(crate) async fn try_change(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    seq: i64,
    text: Option<&str>,
    window: Duration,
) -> Result<Changed> {
    let (told, result) = oneshot::channel();
    let change =
        Change { conversation: Arc::clone(conversation), seq, text: text.map(str::to_owned), window };
    store.change_message(change, Box::new(move |changed| told.send(changed).unwrap()));
    soon(result).await.unwrap()
}

/// Has the one block the other, or no longer.
pub(crate) async fn block(store: &dyn Store, blocker: &str, other: &str, is_blocked: bool) {
    let (told, result) = oneshot::channel::<Result<()>>();
    store.set_block(&id(blocker), &id(other), is_blocked, Box::new(move |done| told.send(done).unwrap()));
    soon(result).await.unwrap().unwrap();
}

fn seqs(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.seq).collect()
}

/// Everything may be changed.
pub(crate) const ALWAYS: Duration = Duration::MAX;

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

pub(crate) async fn slices_have_no_holes(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for _ in 0..10 {
        append(&*store, &conversation, "ann", "x").await.unwrap();
    }
    change(&*store, &conversation, 5, None, ALWAYS).await;
    let slice = async |range| {
        let history = soon(store.history(&conversation, range)).await.unwrap();
        assert_eq!((history.last_seq, history.unread), (10, [0, 9]));
        seqs(&history.messages)
    };
    assert_eq!(slice(Range::After(0, 3)).await, [1, 2, 3]);
    assert_eq!(slice(Range::After(3, 100)).await, [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(slice(Range::After(10, 100)).await, [0_i64; 0]);
    assert_eq!(slice(Range::Before(7, 3)).await, [4, 5, 6]);
    assert_eq!(slice(Range::Before(i64::MAX, 2)).await, [9, 10]);
    assert_eq!(slice(Range::Before(1, 100)).await, [0_i64; 0]);
    assert_eq!(slice(Range::Page(Page { number: 1, limit: 100 })).await, [1, 2, 3, 4, 6, 7, 8, 9, 10]);
    assert_eq!(slice(Range::Page(Page { number: 2, limit: 5 })).await, [1, 2, 3, 4]);
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

pub(crate) async fn messages_are_read_by_pages_of_bounded_bytes(store: AnyStore) {
    let [with_ben, with_cat] = [open(&*store, "ann", "ben").await, open(&*store, "cat", "ann").await];
    let text = "x".repeat(100);
    for conversation in [&with_ben, &with_cat, &with_ben] {
        append(&*store, conversation, "ann", &text).await.unwrap();
    }
    let places = [(&with_cat, 1), (&with_ben, 2), (&with_ben, 7), (&with_ben, 1)];
    let page = async |begin: usize, max_bytes| {
        let places =
            places[begin..].iter().map(|(conversation, seq)| (Arc::clone(conversation), *seq)).collect();
        let page = soon(store.messages_at(places, max_bytes)).await.unwrap();
        page.into_iter().map(|message| message.map(|message| message.seq)).collect::<Vec<_>>()
    };
    let all = [Some(1), Some(2), None, Some(1)];
    assert_eq!(page(0, 1000).await, all);
    assert_eq!(page(0, 300).await, all);
    assert_eq!(page(0, 299).await, all[..3]);
    assert_eq!(page(1, 99).await, all[1..2]);
    // One is read, however long it is.
    assert_eq!(page(3, 1).await, all[3..]);
}

pub(crate) async fn what_was_committed_before_was_told(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let told = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..20 {
        let told = Arc::clone(&told);
        let conversation = Arc::clone(&conversation);
        let message = NewMessage { conversation, sender: id("ann"), text: "x".to_owned(), client_id: None };
        store.append_message(
            message,
            Box::new(move |_| _ = told.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
        );
    }
    soon(store.settled()).await.unwrap();
    assert_eq!(told.load(std::sync::atomic::Ordering::SeqCst), 20);
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
    let mut ends = soon(store.ends_of(["ann", "ben", "dan"].map(id).to_vec())).await.unwrap();
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

pub(crate) async fn messages_can_be_edited_and_deleted_for_some_time(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let message = append(&*store, &conversation, "ann", "first").await.unwrap();
    while Timestamp::now() == message.sent_at {
        tokio::task::yield_now().await;
    }
    assert_eq!(change(&*store, &conversation, 1, Some("late"), Duration::ZERO).await, Changed::TooLate);
    let Changed::Done { message: edited, unread } =
        change(&*store, &conversation, 1, Some("second"), Duration::from_mins(1)).await
    else {
        panic!("it is young enough");
    };
    assert_eq!((edited.text.as_str(), unread, edited.edited_at.is_some()), ("second", None, true));
    assert_eq!((&edited.id, edited.seq, edited.sent_at), (&message.id, 1, message.sent_at));
    let found = soon(store.message(&message.id)).await.unwrap().unwrap();
    assert_eq!((&found.1, &found.0.id), (&edited, &conversation.id));
    let Changed::Done { message: deleted, .. } = change(&*store, &conversation, 1, None, ALWAYS).await else {
        panic!("it can be deleted");
    };
    for text in [None, Some("third")] {
        assert_eq!(change(&*store, &conversation, 1, text, ALWAYS).await, Changed::Gone(deleted.clone()));
    }
    assert!(read_page(&*store, &conversation, 1, 30).await.is_empty());
    let summary = soon(store.conversation_summary(conversation.key, &id("ben"))).await.unwrap().unwrap();
    assert_eq!((summary.last_message, summary.last_seq, summary.unread_count), (None, 1, 0));
    let texts = async |conversation: Option<&str>| {
        let conversation = conversation.map(id);
        let page = Page { number: 1, limit: 10 };
        let withdrawn = soon(store.withdrawn(conversation.as_ref(), page)).await.unwrap();
        withdrawn.into_iter().map(|text| (text.text, text.is_deleted)).collect::<Vec<_>>()
    };
    let expected = [("second".to_owned(), true), ("first".to_owned(), false)];
    assert_eq!(texts(None).await, expected);
    assert_eq!(texts(Some(conversation.id.as_str())).await, expected);
    assert_eq!(texts(Some("other")).await, []);
    for kept in [Duration::MAX, Duration::from_mins(1)] {
        assert_eq!(soon(store.forget_withdrawn(kept)).await.unwrap(), 0);
    }
    let begun = Timestamp::now();
    while Timestamp::now() == begun {
        tokio::task::yield_now().await;
    }
    assert_eq!(soon(store.forget_withdrawn(Duration::ZERO)).await.unwrap(), 2);
    assert_eq!(texts(None).await, []);
    assert!(soon(store.message(&id("unknown"))).await.unwrap().is_none());
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
}

pub(crate) async fn blocks_go_one_way_and_hide_both(store: AnyStore) {
    let (ann, ben) = (id("ann"), id("ben"));
    let conversation = open(&*store, "ann", "ben").await;
    append(&*store, &conversation, "ann", "Hello").await.unwrap();
    open(&*store, "cat", "ann").await;
    open(&*store, "ann", "cat").await;
    let partners = async || {
        let mut found = soon(store.partners_of(vec![id("ann"), id("nobody"), id("ben")])).await.unwrap();
        for partners in &mut found {
            partners.sort();
        }
        found
    };
    assert_eq!(partners().await, [vec![id("ben"), id("cat")], vec![], vec![id("ann")]]);
    block(&*store, "ben", "ann", true).await;
    block(&*store, "ben", "ann", true).await;
    assert_eq!(soon(store.blocks_between(&ann, &ben)).await.unwrap(), [false, true]);
    assert_eq!(soon(store.blocks_between(&ben, &ann)).await.unwrap(), [true, false]);
    assert_eq!(partners().await, [vec![id("cat")], vec![], vec![]]);
    assert_eq!(soon(store.blocked_by(&ben)).await.unwrap(), [(id("ann"), None)]);
    assert_eq!(soon(store.blocked_by(&ann)).await.unwrap(), []);
    let summary = soon(store.conversation_summary(conversation.key, &ann)).await.unwrap().unwrap();
    assert_eq!(summary.sides.map(|side| side.has_blocked), [false, true]);
    let shared = async |user, other, limit| -> Vec<i64> {
        soon(store.shared_conversations(&id(user), &id(other), limit)).await.unwrap()
    };
    assert_eq!(shared("ann", "ben", 10).await, [conversation.key]);
    assert_eq!(shared("ben", "ann", 10).await, [conversation.key]);
    assert!(shared("ben", "cat", 10).await.is_empty());
    assert!(shared("ann", "cat", 0).await.is_empty());
    assert_eq!(shared("ann", "cat", 1).await, shared("cat", "ann", 10).await);
    let unwritten = open(&*store, "ann", "dan").await;
    assert_eq!(shared("ann", "dan", 10).await, [unwritten.key]);
    assert!(shared("dan", "ann", 10).await.is_empty(), "dan has not seen it yet");
    block(&*store, "ben", "ann", false).await;
    assert_eq!(soon(store.blocks_between(&ann, &ben)).await.unwrap(), [false, false]);
    assert_eq!(partners().await[2], [id("ann")]);
}

pub(crate) async fn complaints_keep_what_was_said(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for text in ["kept", "deleted"] {
        append(&*store, &conversation, "ann", text).await.unwrap();
    }
    change(&*store, &conversation, 2, None, ALWAYS).await;
    let report = |seq, reason: &str| {
        let report = NewReport {
            conversation: Arc::clone(&conversation),
            seq,
            reporter: id("ben"),
            reason: reason.to_owned(),
        };
        soon(store.report(report))
    };
    let first = report(1, "reason 1").await.unwrap();
    // At once, over whatever connections: one of them is kept.
    let all = join_all((0..6).map(|_| report(2, "reason 2"))).await;
    let second = all[0].as_ref().unwrap();
    assert!(all.iter().all(|report| report.as_ref().unwrap() == second), "{all:?}");
    assert_eq!(report(1, "another").await.unwrap(), first);
    let message = read_page(&*store, &conversation, 1, 10).await[0].id.clone();
    assert_eq!(soon(store.report_by(&id("ben"), &message)).await.unwrap(), Some(first.clone()));
    assert_eq!(soon(store.report_by(&id("ann"), &message)).await.unwrap(), None);
    assert!(matches!(report(3, "nothing").await, Err(StoreError::Engine(_))));
    let reports = soon(store.reports(Page { number: 1, limit: 10 })).await.unwrap();
    let found: Vec<_> =
        reports.iter().map(|report| (&report.id, report.text.as_str(), report.reason.as_str())).collect();
    assert_eq!(found, [(second, "deleted", "reason 2"), (&first, "kept", "reason 1")]);
    assert_eq!((&reports[0].sender, &reports[0].reporter, reports[0].seq), (&id("ann"), &id("ben"), 2));
    assert_eq!(soon(store.reports(Page { number: 2, limit: 1 })).await.unwrap()[0].id, first);
}
