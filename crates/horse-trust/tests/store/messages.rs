//! Messages: stored as they were written, in one order, read by pages.

use std::sync::{Arc, Mutex};

use horse_trust::store::{NewMessage, Page, Range};
use horse_trust::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::fixture::store::{
    ALWAYS, AnyStore, append, change, id, new_message, open, page, read_page, seqs, soon,
};

pub(crate) async fn messages_come_back_as_they_were_stored(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let odd = "\u{1}\u{feff}🐴\r\n\"'\\ \u{2028}".to_owned() + &"é".repeat(2000);
    let before = Timestamp::now();
    let mut stored = Vec::new();
    for (sender, text) in [("ann", "Hello"), ("ben", &odd), ("ben", " ")] {
        stored.push(append(&*store, &conversation, sender, text).await.unwrap());
    }
    let after = Timestamp::now();
    assert!(stored.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at));
    assert!(stored.iter().all(|message| (before..=after).contains(&message.sent_at)));
    let read = read_page(&*store, &conversation, 1, 30).await;
    for (index, (read, stored)) in read.iter().zip(&stored).enumerate() {
        assert_eq!(read.seq, i64::try_from(index).unwrap() + 1);
        assert_eq!((&read.id, read.seq, &read.sender), (&stored.id, stored.seq, &stored.sender));
        assert_eq!((&read.text, read.sent_at, read.is_read), (&stored.text, stored.sent_at, false));
    }
    assert_eq!((read.len(), read[1].text.as_str(), read[1].sender.as_str()), (3, odd.as_str(), "ben"));
}

/// PostgreSQL can't store U+0000: such a text, which the chat refuses before, fails and takes no other with it.
pub(crate) async fn a_text_with_u0000_is_kept_or_fails_alone(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let texts = ["before", "with \0", "after"];
    let sent: Vec<_> = texts.map(|text| append(&*store, &conversation, "ann", text)).into_iter().collect();
    let mut kept = Vec::new();
    for (text, result) in texts.into_iter().zip(sent) {
        match result.await {
            Ok(message) => kept.push((message.seq, text.to_owned())),
            Err(_) => assert_eq!(text, texts[1]),
        }
    }
    let history = read_page(&*store, &conversation, 1, 30).await;
    let read: Vec<_> = history.into_iter().map(|message| (message.seq, message.text)).collect();
    assert_eq!(read, kept);
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), kept.len() as u64);
}

pub(crate) async fn pages_count_from_the_newest(store: AnyStore) {
    const NONE: [i64; 0] = [];
    let conversation = open(&*store, "ann", "ben").await;
    let other = open(&*store, "ann", "cat").await;
    let sent: Vec<_> = (0..25)
        .flat_map(|_| {
            [append(&*store, &conversation, "ann", "here"), append(&*store, &other, "ann", "elsewhere")]
        })
        .collect();
    for result in sent {
        result.await.unwrap();
    }
    assert_eq!(page(&*store, &conversation, 1, 10).await, (16..=25).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 3, 10).await, (1..=5).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 1, 100).await, (1..=25).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 4, 10).await, NONE);
    assert_eq!(page(&*store, &conversation, u64::MAX, 100).await, NONE);
    let empty = open(&*store, "ben", "cat").await;
    assert_eq!(page(&*store, &empty, 1, 30).await, NONE);
}

pub(crate) async fn what_is_sent_without_waiting_keeps_its_order(store: AnyStore) {
    const MESSAGES: i64 = 3000;
    let conversations = [
        open(&*store, "ann", "ben").await,
        open(&*store, "ann", "cat").await,
        open(&*store, "ben", "cat").await,
    ];
    let told = Arc::new(Mutex::new(Vec::new()));
    let (done, all_done) = oneshot::channel();
    let mut done = Some(done);
    for number in 0..MESSAGES {
        let conversation = &conversations[usize::try_from(number % 3).unwrap()];
        let sender = conversation.participants[usize::try_from(number % 2).unwrap()].clone();
        let message = NewMessage::new(conversation, sender, number.to_string());
        let told = Arc::clone(&told);
        let done = if number == MESSAGES - 1 { done.take() } else { None };
        store.append_message(
            message,
            Box::new(move |result| {
                let message = result.unwrap().message;
                told.lock().unwrap().push((message.text.parse::<i64>().unwrap(), message.seq, message.id));
                if let Some(done) = done {
                    done.send(()).unwrap();
                }
            }),
        );
    }
    soon(all_done).await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 3000);
    for (index, (number, seq, _)) in (0..).zip(told.iter()) {
        assert_eq!((*number, *seq), (index, index / 3 + 1));
    }
    assert!(told.windows(2).all(|pair| pair[0].2 < pair[1].2));
}

pub(crate) async fn two_who_write_at_once_see_one_order(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let writers = ["ann", "ben"].map(|sender| {
        let (store, conversation) = (Arc::clone(&store), Arc::clone(&conversation));
        tokio::spawn(async move {
            for number in 0..50 {
                append(&*store, &conversation, sender, &number.to_string()).await.unwrap();
            }
        })
    });
    for writer in writers {
        soon(writer).await.unwrap();
    }
    let history = read_page(&*store, &conversation, 1, 100).await;
    assert_eq!(history.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    for sender in ["ann", "ben"] {
        let theirs = history.iter().filter(|message| message.sender == id(sender));
        let numbers: Vec<_> = theirs.map(|message| message.text.parse::<i64>().unwrap()).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }
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
        let message = new_message(&conversation, "ann", "x");
        store.append_message(
            message,
            Box::new(move |_| _ = told.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
        );
    }
    soon(store.flush()).await.unwrap();
    assert_eq!(told.load(std::sync::atomic::Ordering::SeqCst), 20);
}
