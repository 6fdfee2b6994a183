//! Erasure of users. Part of the suite in [`crate::store`]; `e2e/tests/erasure.test.js` looks at all that is left.

use std::slice;
use std::sync::Arc;

use horse_trust::store::{
    Actor, Change, Changed, Conversation, Erasure, ErasurePart, Message, NewAuditEntry, Page, Revocation,
};
use horse_trust::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::fixture::store::{
    ALWAYS, AnyStore, append, block, change, id, list, open, read_page, say, soon, user,
};

async fn begin(store: &AnyStore, name: &str, with_messages: bool) -> bool {
    let entry = NewAuditEntry::new(Actor::Key(1), "user.erase", Some(id(name)));
    soon(store.begin_erasure(&id(name), with_messages, entry)).await.unwrap()
}

async fn the_erasure(store: &AnyStore) -> Erasure {
    let [erasure] = soon(store.erasures()).await.unwrap().try_into().expect("there is one");
    erasure
}

async fn erase_message(store: &AnyStore, conversation: &Arc<Conversation>, seq: i64) -> Changed {
    let (told, result) = oneshot::channel();
    let conversation = Arc::clone(conversation);
    let change = Change { conversation, seq, text: None, window: None, is_erasure: true };
    store.change_message(change, Box::new(move |changed| told.send(changed).unwrap()));
    soon(result).await.unwrap().unwrap()
}

pub(crate) async fn an_erasure_takes_all_and_can_be_repeated(store: AnyStore) {
    assert!(!begin(&store, "ann", true).await, "nobody");
    for name in ["ann", "ben"] {
        soon(store.create_user(user(name))).await.unwrap();
    }
    let conversation = open(&*store, "ann", "ben").await;
    for text in ["one", "two", "three"] {
        say(&*store, &conversation, "ann", text, Some(text)).await.unwrap();
    }
    append(&*store, &conversation, "ben", "of ben").await.unwrap();
    change(&*store, &conversation, 1, Some("edited"), ALWAYS).await;
    change(&*store, &conversation, 2, None, ALWAYS).await;
    block(&*store, "ann", "ben", true).await;
    assert_eq!(list(&*store, "ben").await[0].unread_count, 2);

    // Without the messages.
    assert!(begin(&store, "ann", false).await);
    let keep = the_erasure(&store).await;
    assert_eq!((&keep.user, keep.with_messages, keep.is_done), (&id("ann"), false, false));
    let profile = soon(store.profile(&id("ann"))).await.unwrap().unwrap();
    assert!(profile.is_deleted && profile.full_name.is_none());
    let account = soon(store.user(&id("ann"))).await.unwrap().unwrap();
    assert_eq!((account.email, account.phone, &*account.password_hash), (None, None, ""));
    assert!(soon(store.user_by_email("ann@example.org")).await.unwrap().is_none());
    let standing = soon(store.standing(&id("ann"))).await.unwrap();
    assert!(matches!(standing.revocation, Some(Revocation { generation: 1, .. })));
    assert_eq!(
        soon(store.all_conversations_of(&id("ann"))).await.unwrap(),
        slice::from_ref(&conversation.id)
    );
    let part = soon(store.erase_part(&conversation, 0, &keep)).await.unwrap();
    assert_eq!(part, ErasurePart::default());
    let all = Page { number: 1, limit: 9 };
    assert!(soon(store.withdrawn(None, all)).await.unwrap().is_empty());
    while soon(store.erase_rows(&keep)).await.unwrap() {}
    assert_eq!(soon(store.blocks_between(&id("ann"), &id("ben"))).await.unwrap(), [false, false]);
    assert!(soon(store.finish_erasures(slice::from_ref(&keep))).await.unwrap());
    assert_eq!(soon(store.erasures()).await.unwrap(), []);
    let texts = |messages: Vec<Message>| messages.into_iter().map(|one| one.text).collect::<Vec<_>>();
    assert_eq!(texts(read_page(&*store, &conversation, 1, 9).await), ["edited", "three", "of ben"]);

    // And with them, of an erasure that was begun twice.
    assert!(begin(&store, "ann", true).await);
    assert!(begin(&store, "ann", false).await);
    let delete = the_erasure(&store).await;
    assert_eq!((&delete.user, delete.with_messages), (&id("ann"), true));
    // A new account with the same id has written what came later.
    let earlier = Erasure { begun_at: Timestamp(0), ..delete.clone() };
    assert_eq!(soon(store.erase_part(&conversation, 0, &earlier)).await.unwrap(), ErasurePart::default());
    let part = soon(store.erase_part(&conversation, 0, &delete)).await.unwrap();
    assert_eq!((&*part.messages, part.next), (&[1, 2, 3][..], None), "of the second its key is left");
    for seq in part.messages {
        let changed = erase_message(&store, &conversation, seq).await;
        assert_eq!(matches!(changed, Changed::Gone(_)), seq == 2, "{changed:?}");
    }
    assert_eq!(soon(store.erase_part(&conversation, 0, &delete)).await.unwrap(), ErasurePart::default());
    assert_eq!(texts(read_page(&*store, &conversation, 1, 9).await), ["of ben"]);
    assert_eq!(list(&*store, "ben").await[0].unread_count, 0);
    assert!(soon(store.withdrawn(None, all)).await.unwrap().is_empty());
    assert!(soon(store.finish_erasures(&[keep])).await.unwrap());
    assert_eq!(
        soon(store.erasures()).await.unwrap(),
        slice::from_ref(&delete),
        "one that was extended goes on"
    );
    assert!(soon(store.finish_erasures(&[delete])).await.unwrap());
    assert_eq!(soon(store.erasures()).await.unwrap(), []);
}
