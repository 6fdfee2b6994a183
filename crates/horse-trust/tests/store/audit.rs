//! The audit.

use std::time::Duration;

use horse_trust::store::{Actor, NewAuditEntry};
use horse_trust::timestamp::Timestamp;
use serde_json::json;

use crate::fixture::store::{AnyStore, id, soon};

pub(crate) async fn what_admins_change_is_noted(store: AnyStore) {
    assert_eq!(soon(store.audit(None, 9)).await.unwrap(), []);
    let begun = Timestamp::now();
    let by_key =
        NewAuditEntry::new(Actor::Key(2), "user.set", Some(id("ann"))).with(&json!({"fields": ["role"]}));
    let by_admin = NewAuditEntry::new(Actor::User(id("eve")), "users.export", None);
    for entry in [&by_key, &by_admin, &by_key] {
        soon(store.note_audit(entry.clone())).await.unwrap();
    }
    let entries = soon(store.audit(None, 2)).await.unwrap();
    let [newest, second] = &entries[..] else { panic!("{entries:?}") };
    assert!(newest.number > second.number && newest.at >= second.at && second.at.0 >= begun.0 - 1000);
    assert_eq!((&newest.actor, newest.target.as_ref()), (&Some(Actor::Key(2)), Some(&id("ann"))));
    assert_eq!(
        (newest.action.as_str(), newest.details.as_deref()),
        ("user.set", Some(r#"{"fields":["role"]}"#))
    );
    assert_eq!((&second.actor, &second.target, &second.details), (&Some(by_admin.actor), &None, &None));
    let older = soon(store.audit(Some(second.number), 9)).await.unwrap();
    assert_eq!(older.len(), 1);
    assert!(older[0].number < second.number);
    soon(store.forget_audit(Duration::from_hours(1))).await.unwrap();
    assert_eq!(soon(store.audit(None, 9)).await.unwrap().len(), 3);
    while Timestamp::now() <= newest.at {
        tokio::task::yield_now().await;
    }
    soon(store.forget_audit(Duration::ZERO)).await.unwrap();
    assert_eq!(soon(store.audit(None, 9)).await.unwrap(), []);
}
