//! Conversations, and the lists of them.

use std::sync::Arc;
use std::time::Duration;

use horse_trust::store::{ListFilter, ListQuery, NewConversation, SettingsChange};

use crate::fixture::store::{AnyStore, append, id, list, mark_read, open, soon, user};

pub(crate) async fn the_list_has_the_newest_first(store: AnyStore) {
    soon(store.create_user(user("ben"))).await.unwrap();
    let with_ben = open(&*store, "ann", "ben").await;
    let with_cat = open(&*store, "cat", "ann").await;
    let with_dan = open(&*store, "ann", "dan").await;
    open(&*store, "ben", "cat").await;
    for conversation in [&with_cat, &with_dan, &with_ben] {
        // Dates count milliseconds; the order of these is what is tested.
        tokio::time::sleep(Duration::from_millis(2)).await;
        append(&*store, conversation, "ann", &format!("to {}", conversation.key)).await.unwrap();
    }
    let listed = list(&*store, "ann").await;
    let keys: Vec<_> = listed.iter().map(|summary| summary.conversation.key).collect();
    assert_eq!(keys, [with_ben.key, with_dan.key, with_cat.key]);
    assert_eq!(listed[0].conversation, *with_ben);
    assert_eq!(listed[0].profiles, [None, Some(user("ben").profile)]);
    let snapshot = listed[2].last_message.as_ref().unwrap();
    assert_eq!((&snapshot.text, &snapshot.sender_id), (&format!("to {}", with_cat.key), &id("ann")));
    assert_eq!(snapshot.sent_at, listed[2].updated_at);
    assert!(list(&*store, "eve").await.is_empty());
    let empty = open(&*store, "dan", "eve").await;
    let summary = soon(store.conversation_summary(empty.key, &id("eve"))).await.unwrap().unwrap();
    assert_eq!((summary.updated_at, summary.last_message), (empty.created_at, None));
    assert!(soon(store.conversation_summary(i64::MAX, &id("eve"))).await.unwrap().is_none());
}

pub(crate) async fn nobody_sees_what_the_other_opened_and_never_wrote_in(store: AnyStore) {
    let sees = async |user: &str| list(&*store, user).await.len();
    let partners = async |user: &str| soon(store.partners_of(vec![id(user)])).await.unwrap().remove(0);
    let with_ben = open(&*store, "ann", "ben").await;
    assert_eq!((sees("ann").await, sees("ben").await), (1, 0));
    assert!(!list(&*store, "ann").await[0].is_mutual);
    assert!(partners("ann").await.is_empty() && partners("ben").await.is_empty());
    open(&*store, "ann", "ben").await;
    assert_eq!((sees("ann").await, sees("ben").await), (1, 0), "asking twice does not show it");
    append(&*store, &with_ben, "ann", "Is it still there?").await.unwrap();
    assert_eq!((sees("ann").await, sees("ben").await), (1, 1));
    assert!(list(&*store, "ben").await[0].is_mutual);
    assert_eq!((partners("ann").await, partners("ben").await), (vec![id("ben")], vec![id("ann")]));

    open(&*store, "cat", "dan").await;
    assert_eq!((sees("cat").await, sees("dan").await), (1, 0));
    open(&*store, "dan", "cat").await;
    assert_eq!((sees("cat").await, sees("dan").await), (1, 1));
    assert_eq!(partners("dan").await, [id("cat")]);
}

pub(crate) async fn lists_come_in_pages(store: AnyStore) {
    let mut conversations = Vec::new();
    for number in 0..25 {
        let other = format!("other{number}");
        let [first, second] = if number % 2 == 0 { ["ann", &other] } else { [&other, "ann"] };
        let conversation = open(&*store, first, second).await;
        // Some of these have the same time.
        append(&*store, &conversation, if number % 5 == 0 { "ann" } else { &other }, "Hello").await.unwrap();
        conversations.push(conversation);
    }
    let page = async |query: ListQuery| soon(store.conversation_list(&id("ann"), query)).await.unwrap();
    let whole = page(ListQuery::default()).await;
    assert_eq!(whole.len(), 25);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let places = page(ListQuery { before, limit: Some(4), ..ListQuery::default() }).await;
        let Some(last) = places.last() else { break };
        before = Some(*last);
        paged.extend(places);
        // What moves to the top meanwhile comes neither twice nor in another's place.
        if paged.len() == 8 {
            let moved = conversations.iter().find(|other| other.key == paged[2].key).unwrap();
            append(&*store, moved, "ann", "again").await.unwrap();
        }
    }
    assert_eq!(paged, whole);
    let unread = page(ListQuery { filter: ListFilter::Unread, ..ListQuery::default() }).await;
    assert_eq!(unread.len(), 20);
    let keys: Vec<_> = unread.iter().map(|place| place.key).collect();
    let summaries = soon(store.conversation_summaries(&keys, &id("ann"))).await.unwrap();
    assert!(summaries.iter().all(|summary| summary.unread_count == 1));
    assert_eq!(summaries.iter().map(|summary| summary.conversation.key).collect::<Vec<_>>(), keys);
    assert!(page(ListQuery { limit: Some(0), ..ListQuery::default() }).await.is_empty());
}

pub(crate) async fn settings_are_each_participants_own(store: AnyStore) {
    let with_ben = open(&*store, "ann", "ben").await;
    let with_cat = open(&*store, "cat", "ann").await;
    append(&*store, &with_ben, "ben", "Hello").await.unwrap();
    append(&*store, &with_cat, "cat", "Hello").await.unwrap();
    let change = async |user: &str, [archived, muted, pinned]: [Option<bool>; 3]| {
        let change = SettingsChange { archived, muted, pinned };
        soon(store.change_settings(&with_ben, &id(user), change)).await.unwrap();
    };
    let settings = async |user: &str| {
        let summary = soon(store.conversation_summary(with_ben.key, &id(user))).await.unwrap().unwrap();
        let settings = summary.sides[with_ben.side_of(&id(user)).unwrap()].settings;
        [settings.is_archived, settings.is_muted, settings.is_pinned]
    };
    let listed = async |user: &str, filter: ListFilter| {
        let query = ListQuery { filter, ..ListQuery::default() };
        let places = soon(store.conversation_list(&id(user), query)).await.unwrap();
        places.iter().map(|place| place.key).collect::<Vec<_>>()
    };
    let (both, ben, cat) = (vec![with_cat.key, with_ben.key], vec![with_ben.key], vec![with_cat.key]);
    assert_eq!(settings("ann").await, [false; 3]);
    change("ann", [Some(true), None, Some(true)]).await;
    change("ann", [None, Some(true), None]).await;
    change("ann", [None, None, Some(false)]).await;
    assert_eq!(settings("ann").await, [true, true, false], "what is not named stays");
    assert_eq!(settings("ben").await, [false; 3], "they are ann's alone");
    for (filter, expected) in [
        (ListFilter::Current, &cat),
        (ListFilter::Unread, &cat),
        (ListFilter::Archived, &ben),
        (ListFilter::All, &both),
    ] {
        let mut keys = listed("ann", filter).await;
        keys.sort_unstable_by_key(|key| std::cmp::Reverse(*key));
        assert_eq!(&keys, expected, "{filter:?}");
    }
    assert_eq!(listed("ben", ListFilter::Current).await, ben);
    mark_read(&*store, &with_ben, "ann").await.unwrap();
    assert!(settings("ann").await[0], "reading leaves it archived");
    change("ben", [Some(true), None, None]).await;
    append(&*store, &with_ben, "ann", "Is it still there?").await.unwrap();
    assert_eq!((settings("ann").await, settings("ben").await), ([false, true, false], [false; 3]));
    assert_eq!(listed("ann", ListFilter::Archived).await, Vec::<i64>::new(), "a message has brought it back");
    change("ann", [Some(true), None, None]).await;
    change("ann", [Some(false), None, None]).await;
    assert!(!settings("ann").await[0]);

    let empty = open(&*store, "ann", "dan").await;
    let archive = SettingsChange { archived: Some(true), ..SettingsChange::default() };
    soon(store.change_settings(&empty, &id("ann"), archive)).await.unwrap();
    assert_eq!(listed("ann", ListFilter::Archived).await, [empty.key]);
    soon(store.change_settings(&empty, &id("eve"), archive)).await.unwrap_err();
}

pub(crate) async fn two_have_one_conversation_about_a_horse(store: AnyStore) {
    let ask = async |first: &str, second: &str, horse: Option<&str>| {
        let new = NewConversation { participants: [id(first), id(second)], horse_id: horse.map(id) };
        soon(store.open_conversation(new)).await.unwrap()
    };
    let plain = ask("ann", "ben", None).await;
    assert_eq!((&plain.participants, &plain.horse_id), (&[id("ann"), id("ben")], &None));
    assert_eq!(ask("ben", "ann", None).await, plain);
    let horse = ask("ben", "ann", Some("h1")).await;
    assert_eq!(ask("ann", "ben", Some("h1")).await, horse);
    assert_eq!(horse.horse_id, Some(id("h1")));
    let others = [ask("ann", "ben", Some("h2")).await, ask("ann", "cat", Some("h1")).await];
    assert!(others.iter().all(|other| other.key != horse.key && other.key != plain.key));
    assert_eq!(soon(store.conversation(&horse.id)).await.unwrap(), Some(horse));
    assert_eq!(soon(store.conversation(&id("unknown"))).await.unwrap(), None);

    let asked: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&store);
            let participants = if number % 2 == 0 { ["dan", "eve"] } else { ["eve", "dan"] }.map(id);
            tokio::spawn(async move {
                store.open_conversation(NewConversation { participants, horse_id: Some(id("h3")) }).await
            })
        })
        .collect();
    let mut keys = Vec::new();
    for answer in asked {
        keys.push(soon(answer).await.unwrap().unwrap().key);
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
}
