//! What every engine's store knows of whose tokens are accepted, and of what changes of users. Part of the suite in
//! [`crate::store`].

use std::sync::Arc;
use std::time::Duration;

use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{
    Actor, ChangeCursor, MAX_CHANGES, MAX_VOID_TOKENS, Revocation, Standing, Suspension, TokenId, User,
    UserChange, UserChanges, UserPatch, VoidToken,
};
use horse_trust::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::fixture::postgres::{client, database};
use crate::fixture::store::{AnyStore, id, soon, user};

/// What changed since `cursor`, which is moved on.
async fn changes(store: &AnyStore, cursor: &mut ChangeCursor) -> Option<Vec<UserChange>> {
    let UserChanges { cursor: next, changes } = soon(store.user_changes(Some(cursor))).await.unwrap();
    *cursor = next;
    changes
}

async fn block(store: &AnyStore, is_blocked: bool) {
    let (told, done) = oneshot::channel();
    store.set_block(&id("ann"), &id("ben"), is_blocked, Box::new(move |result| told.send(result).unwrap()));
    soon(done).await.unwrap().unwrap();
}

pub(crate) async fn revocations_count_by_the_store(store: AnyStore) {
    assert_eq!(soon(store.session_generation(&id("ann"))).await.unwrap(), 0);
    let before = Timestamp::now();
    let first = soon(store.revoke_tokens(&id("ann"))).await.unwrap();
    assert_eq!(first.generation, 1);
    assert!(first.not_before > before && first.not_before.0 <= Timestamp::now().0 + 1);
    let second = soon(store.revoke_tokens(&id("ann"))).await.unwrap();
    assert_eq!(second.generation, 2);
    assert!(second.not_before >= first.not_before);
    assert_eq!(soon(store.session_generation(&id("ann"))).await.unwrap(), 2);
    assert_eq!(soon(store.session_generation(&id("ben"))).await.unwrap(), 0);
}

pub(crate) async fn tokens_are_made_void_one_by_one(store: AnyStore) {
    let UserChanges { mut cursor, .. } = soon(store.user_changes(None)).await.unwrap();
    let now = Timestamp::now().0;
    let void = |user: &str, token: i64, expires_at: Option<i64>| VoidToken {
        user: id(user),
        token: TokenId(token),
        expires_at: expires_at.map(Timestamp),
    };
    let (endless, soon_over) = (void("ann", i64::MIN, None), void("ann", 7, Some(now + 1000)));
    // Another's with the same id, and one that is over, which is forgotten with the next.
    let (other, over) =
        (void("ben", 7, Some(i64::MAX)), void("ben", 8, Some(now - VoidToken::KEPT_AFTER_END - 9)));
    for token in [&endless, &soon_over, &other, &over, &endless] {
        assert_eq!(soon(store.void_token(token.clone())).await.unwrap(), None);
    }
    let changed = [&endless, &soon_over, &other, &over].map(|token| UserChange::TokenVoid(token.clone()));
    assert_eq!(changes(&store, &mut cursor).await, Some(changed.to_vec()), "each once");
    let known = async || {
        let mut known = soon(store.void_tokens()).await.unwrap();
        known.sort_by(|one, other| (&one.user, one.token.0).cmp(&(&other.user, other.token.0)));
        known
    };
    assert_eq!(known().await, [endless, soon_over, other.clone()]);

    // One more than are kept ends all sessions; what is void stays void.
    for token in 2..MAX_VOID_TOKENS {
        let token = void("ann", 1000 + i64::try_from(token).unwrap(), None);
        assert_eq!(soon(store.void_token(token)).await.unwrap(), None);
    }
    assert_eq!(soon(store.session_generation(&id("ann"))).await.unwrap(), 0);
    let last = void("ann", 5, None);
    let revocation = soon(store.void_token(last.clone())).await.unwrap().expect("all sessions are ended");
    assert_eq!(revocation.generation, 1);
    assert_eq!(soon(store.session_generation(&id("ann"))).await.unwrap(), 1);
    assert_eq!(known().await, [last.clone(), other]);
    let told = changes(&store, &mut cursor).await.unwrap();
    assert_eq!(told.len(), MAX_VOID_TOKENS - 2 + 2);
    assert!(told.contains(&UserChange::TokenVoid(last)));
    let standing = Standing { user: id("ann"), revocation: Some(revocation), suspension: None };
    assert!(told.contains(&UserChange::Account(standing)));
    assert_eq!(soon(store.void_token(void("ann", 6, None))).await.unwrap(), None);
}

pub(crate) async fn whose_tokens_are_not_accepted_is_known(store: AnyStore) {
    assert_eq!(soon(store.standings()).await.unwrap(), []);
    soon(store.create_user(user("active"))).await.unwrap();
    for name in ["ann", "ben"] {
        soon(store.create_user(User { is_active: false, ..user(name) })).await.unwrap();
    }
    let mut revoked = Vec::new();
    // Who has no account here can end all sessions, too.
    for name in ["ben", "stranger"] {
        revoked.push(soon(store.revoke_tokens(&id(name))).await.unwrap());
    }
    let mut standings = soon(store.standings()).await.unwrap();
    standings.sort_by(|one, other| one.user.cmp(&other.user));
    let standing = |user: &str, revocation: Option<Revocation>, is_suspended: bool| Standing {
        user: id(user),
        revocation,
        suspension: is_suspended.then(Suspension::default),
    };
    let expected = [
        standing("ann", None, true),
        standing("ben", Some(revoked[0]), true),
        standing("stranger", Some(revoked[1]), false),
    ];
    assert_eq!(standings, expected);
}

pub(crate) async fn changes_of_users_are_followed(store: AnyStore) {
    soon(store.create_user(user("before"))).await.unwrap();
    let UserChanges { mut cursor, changes: none } = soon(store.user_changes(None)).await.unwrap();
    assert_eq!(none, Some(Vec::new()));
    assert_eq!(changes(&store, &mut cursor).await, Some(Vec::new()));
    let active = |name: &str, revocation: Option<Revocation>| {
        UserChange::Account(Standing { user: id(name), revocation, suspension: None })
    };
    soon(store.create_user(User { is_active: false, ..user("ann") })).await.unwrap();
    let suspended = Standing { user: id("ann"), revocation: None, suspension: Some(Suspension::default()) };
    assert_eq!(changes(&store, &mut cursor).await, Some(vec![UserChange::Profile(suspended)]));
    // A hash is no part of a profile.
    soon(store.set_password_hash(&id("ann"), "new")).await.unwrap();
    assert_eq!(changes(&store, &mut cursor).await, Some(Vec::new()));
    let revocation = soon(store.revoke_tokens(&id("ben"))).await.unwrap();
    assert_eq!(changes(&store, &mut cursor).await, Some(vec![active("ben", Some(revocation))]));
    let revocation = soon(store.revoke_tokens(&id("ben"))).await.unwrap();
    assert_eq!(changes(&store, &mut cursor).await, Some(vec![active("ben", Some(revocation))]));
    for is_blocked in [true, false] {
        block(&store, is_blocked).await;
        let blocks = UserChange::Blocks([id("ann"), id("ben")]);
        assert_eq!(changes(&store, &mut cursor).await, Some(vec![blocks]));
    }
    // Too many to be told one by one, then again few; what was forgotten does not bring old numbers back.
    let made: Vec<_> = (0..=MAX_CHANGES).map(|number| UserPatch::new(id(&format!("user{number}")))).collect();
    for part in made.chunks(1000) {
        soon(store.set_users(part.to_vec(), Actor::Key(1))).await.unwrap();
    }
    assert_eq!(changes(&store, &mut cursor).await, None);
    assert_eq!(changes(&store, &mut cursor).await, Some(Vec::new()));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    soon(store.forget_user_changes(Duration::ZERO)).await.unwrap();
    let UserChanges { cursor: mut end, .. } = soon(store.user_changes(None)).await.unwrap();
    for cursor in [&mut cursor, &mut end] {
        assert_eq!(changes(&store, cursor).await, Some(Vec::new()));
    }
    soon(store.create_user(user("after"))).await.unwrap();
    for cursor in [&mut cursor, &mut end] {
        assert_eq!(
            changes(&store, cursor).await,
            Some(vec![UserChange::Profile(Standing {
                user: id("after"),
                revocation: None,
                suspension: None
            })])
        );
    }
}

/// Transactions get their numbers when they begin to write, and end in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_changes_are_followed_whatever_the_order_of_commits() {
    let url = database().await;
    let store: AnyStore = Arc::new(PostgresStore::open(&url).await.unwrap());
    let operator = client(&url).await;
    soon(store.create_user(user("early"))).await.unwrap();
    operator.batch_execute("BEGIN; UPDATE users SET full_name = 'New'").await.unwrap();
    let UserChanges { mut cursor, .. } = soon(store.user_changes(None)).await.unwrap();
    soon(store.create_user(user("late"))).await.unwrap();
    let changed = |name: &str| {
        Some(vec![UserChange::Profile(Standing { user: id(name), revocation: None, suspension: None })])
    };
    assert_eq!(changes(&store, &mut cursor).await, changed("late"));
    assert_eq!(changes(&store, &mut cursor).await, Some(Vec::new()));
    operator.batch_execute("COMMIT").await.unwrap();
    assert_eq!(changes(&store, &mut cursor).await, changed("early"));
    assert_eq!(changes(&store, &mut cursor).await, Some(Vec::new()));
}

/// While nodes are upgraded one by one, those of the version before store times without a number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_counts_revocations_of_nodes_that_know_no_number() {
    let url = database().await;
    let store: AnyStore = Arc::new(PostgresStore::open(&url).await.unwrap());
    let earlier_node = client(&url).await;
    for expected in 1..=3 {
        let sql = "INSERT INTO revocations (user_id, not_before) VALUES ('ann', now_ms() + 1)
            ON CONFLICT (user_id) DO UPDATE SET not_before = greatest(revocations.not_before, excluded.not_before)";
        earlier_node.batch_execute(sql).await.unwrap();
        assert_eq!(soon(store.session_generation(&id("ann"))).await.unwrap(), expected);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(soon(store.revoke_tokens(&id("ann"))).await.unwrap().generation, 4);
}
