//! Accounts and blocks.

use horse_trust::store::{Role, StoreError, User};

use crate::fixture::store::{AnyStore, append, block, id, open, soon, user};

pub(crate) async fn accounts_have_an_email_each(store: AnyStore) {
    let ann = user("ann");
    soon(store.create_user(ann.clone())).await.unwrap();
    let twin = User { email: ann.email.clone(), ..user("twin") };
    assert!(matches!(soon(store.create_user(twin)).await, Err(StoreError::EmailTaken)));
    let admin = User { role: Role::Admin, is_active: false, phone: None, ..user("boss") };
    soon(store.create_user(admin)).await.unwrap();
    let both = [
        soon(store.user(&id("ann"))).await.unwrap().unwrap(),
        soon(store.user_by_email("ann@example.org")).await.unwrap().unwrap(),
    ];
    for found in both {
        assert_eq!((&found.profile, &found.email), (&ann.profile, &ann.email));
        assert_eq!((&found.password_hash, &found.phone), (&ann.password_hash, &ann.phone));
        assert_eq!((found.role, found.is_active, found.created_at), (Role::Seller, true, ann.created_at));
    }
    let boss = soon(store.user(&id("boss"))).await.unwrap().unwrap();
    assert_eq!((boss.role, boss.is_active, boss.phone), (Role::Admin, false, None));
    soon(store.set_password_hash(&id("ann"), "new")).await.unwrap();
    assert_eq!(soon(store.user(&id("ann"))).await.unwrap().unwrap().password_hash, "new");
    assert_eq!(soon(store.profile(&id("ann"))).await.unwrap(), Some(ann.profile));
    assert_eq!(soon(store.profile(&id("twin"))).await.unwrap(), None);
    assert!(soon(store.user_by_email("twin@example.org")).await.unwrap().is_none());
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
