//! Edits and deletions.

use std::sync::Arc;
use std::time::Duration;

use horse_trust::contract::Custom;
use horse_trust::store::{Changed, MessageExtras, Page, Quote, Range};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store::{ALWAYS, AnyStore, append, change, id, new_message, open, read_page, soon};

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

pub(crate) async fn a_reply_shows_what_its_message_now_says(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let asked = append(&*store, &conversation, "ann", "Is she for sale?").await.unwrap();
    let quote = |text: &str| {
        let text = text.to_owned();
        Some(Quote { id: asked.id.clone(), seq: asked.seq, sender: asked.sender.clone(), text })
    };
    let mut reply = new_message(&conversation, "ben", "She is");
    reply.client_id = Some("1".to_owned());
    reply.reply_to = quote("Is she for sale?");
    let (sender, receiver) = tokio::sync::oneshot::channel();
    store.append_message(reply, Box::new(move |stored| sender.send(stored).unwrap()));
    let stored = soon(receiver).await.unwrap().unwrap().message;
    assert_eq!((stored.seq, &stored.reply_to), (2, &quote("Is she for sale?")));
    for (text, said) in [(Some("Is the mare for sale?"), "Is the mare for sale?"), (None, "")] {
        change(&*store, &conversation, 1, text, ALWAYS).await;
        let everywhere = [
            soon(store.history(&conversation, Range::After(1, 9))).await.unwrap().messages.remove(0),
            read_page(&*store, &conversation, 1, 9).await.pop().unwrap(),
            soon(store.message(&stored.id)).await.unwrap().unwrap().1,
            soon(store.messages_at(vec![(Arc::clone(&conversation), 2)], 999))
                .await
                .unwrap()
                .remove(0)
                .unwrap(),
        ];
        for read in everywhere {
            assert_eq!((read.seq, read.text.as_str(), read.reply_to), (2, "She is", quote(said)));
        }
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut again = new_message(&conversation, "ben", "She is");
    again.client_id = Some("1".to_owned());
    store.append_message(again, Box::new(move |stored| sender.send(stored).unwrap()));
    let repeat = soon(receiver).await.unwrap().unwrap();
    assert_eq!((repeat.message.seq, repeat.message.reply_to, repeat.unread), (2, quote(""), None));
    let Changed::Done { message: edited, .. } =
        change(&*store, &conversation, 2, Some("She was"), ALWAYS).await
    else {
        panic!("it can be edited");
    };
    assert_eq!((edited.text.as_str(), edited.reply_to), ("She was", quote("")));
}

pub(crate) async fn what_the_platform_keeps_with_a_message_stays_until_it_is_deleted(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    append(&*store, &conversation, "ann", "plain").await.unwrap();
    let custom = Custom::parse(r#"{"offer":7,"text":"\u0000🐴"}"#).unwrap();
    let mut message = new_message(&conversation, "ann", "an offer");
    message.extras = MessageExtras { custom: Some(custom) }.if_any();
    let given = message.extras.clone();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    store.append_message(message, Box::new(move |stored| sender.send(stored).unwrap()));
    let stored = soon(receiver).await.unwrap().unwrap().message;
    assert_eq!(stored.extras, given);
    let Changed::Done { message: edited, .. } =
        change(&*store, &conversation, 2, Some("another"), ALWAYS).await
    else {
        panic!("it can be edited");
    };
    assert_eq!((edited.text.as_str(), &edited.extras), ("another", &given));
    let places = [1, 2].map(|seq| (Arc::clone(&conversation), seq)).to_vec();
    let read = async |most| -> Vec<_> { soon(store.messages_at(places.clone(), most)).await.unwrap() };
    assert_eq!(
        read(999).await.into_iter().flatten().map(|message| message.extras).collect::<Vec<_>>(),
        [None, given.clone()]
    );
    assert_eq!(read("plain".len() + "another".len()).await.len(), 1, "its bytes count");
    assert_eq!(read_page(&*store, &conversation, 1, 9).await[1].extras, given);
    let Changed::Done { message: deleted, .. } = change(&*store, &conversation, 2, None, ALWAYS).await else {
        panic!("it can be deleted");
    };
    assert_eq!(deleted.extras, None);
    assert_eq!(soon(store.message(&stored.id)).await.unwrap().unwrap().1, deleted);
}
