//! Edits and deletions.

use std::time::Duration;

use horse_trust::store::{Changed, Page};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store::{ALWAYS, AnyStore, append, change, id, open, read_page, soon};

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
