//! What every engine's store shows of horses. Part of the suite in [`crate::store`].

use horse_trust::store::{ListQuery, NewConversation};

use crate::fixture::store::{AnyStore, id, soon};

/// What `user` is shown of a conversation's horse.
async fn shown(store: &AnyStore, key: i64, user: &str) -> Option<String> {
    let summary = soon(store.conversation_summary(key, &id(user))).await.unwrap().unwrap();
    summary.listing.map(|listing| listing.get().to_owned())
}

pub(crate) async fn the_newer_listing_of_a_conversation_and_its_horse_counts(store: AnyStore) {
    let put = async |users: [&str; 2], horse: &str| {
        let new = NewConversation { participants: users.map(id), horse_id: Some(id(horse)) };
        soon(store.put_conversation(new)).await.unwrap()
    };
    let (one, is_new) = put(["ann", "ben"], "luna").await;
    assert!(is_new);
    assert_eq!(put(["ben", "ann"], "luna").await, (one.clone(), false));
    let (two, _) = put(["ann", "cat"], "luna").await;
    let (other, _) = put(["ann", "ben"], "sol").await;
    for user in ["ann", "ben"] {
        let list = soon(store.conversation_list(&id(user), ListQuery::default())).await.unwrap();
        assert!(list.iter().any(|place| place.key == one.key), "{user} sees it");
        assert_eq!(shown(&store, one.key, user).await, None);
    }
    let set = async |listing: Option<&str>| {
        soon(store.set_listing(&one, listing.map(str::to_owned))).await.unwrap();
    };
    let set_all = async |listing: &str| {
        soon(store.set_horse_listing(&id("luna"), listing.to_owned())).await.unwrap();
    };
    let all = async || [shown(&store, one.key, "ben").await, shown(&store, two.key, "ann").await];
    let text = |listing: &str| Some(listing.to_owned());

    set(Some(r#"{"title":"1"}"#)).await;
    assert_eq!(all().await, [text(r#"{"title":"1"}"#), None]);
    set_all(r#"{"title":"2"}"#).await;
    assert_eq!(all().await, [text(r#"{"title":"2"}"#), text(r#"{"title":"2"}"#)]);
    set(Some(r#"{"title":"3"}"#)).await;
    assert_eq!(all().await, [text(r#"{"title":"3"}"#), text(r#"{"title":"2"}"#)]);
    set(None).await;
    assert_eq!(all().await, [None, text(r#"{"title":"2"}"#)]);
    set_all(r#"{"title":"4"}"#).await;
    assert_eq!(all().await, [text(r#"{"title":"4"}"#), text(r#"{"title":"4"}"#)]);
    assert_eq!(shown(&store, other.key, "ann").await, None);

    let about = async |before| soon(store.conversations_about(&id("luna"), before, 1)).await.unwrap();
    assert_eq!(about(None).await, std::slice::from_ref(&two));
    assert_eq!(about(Some(two.key)).await, std::slice::from_ref(&one));
    assert_eq!(about(Some(one.key)).await, []);
    assert_eq!(soon(store.count_about(&id("luna"))).await.unwrap(), 2);
    assert_eq!(soon(store.count_about(&id("nobody"))).await.unwrap(), 0);
}
