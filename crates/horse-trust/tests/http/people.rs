//! The platform's people.

use horse_trust::config::Secret;
use serde_json::{Value, json};

use super::admin::KEYS;
use super::person::{invalid, refused, register};
use crate::fixture::server::Server;

const KEY: &str = KEYS[0];
const ANA: &str = "/api/admin/users/ana";

async fn start() -> Server {
    Server::with(|config| config.api_keys = vec![Secret::new(KEY.to_owned())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_made_and_changed_and_what_is_not_named_stays() {
    let server = start().await;
    refused(&server.get(ANA, KEY).await, 404, "User not found");
    let made = server
        .put(ANA, KEY, json!({"full_name": " Ana ", "email": "ANA@example.com", "role": "admin"}))
        .await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let changed = server.put(ANA, KEY, json!({"full_name": "Ana B", "role": null})).await;
    assert_eq!(changed.status.as_u16(), 200);
    let mut data = changed.json()["data"].clone();
    assert!(data.as_object_mut().unwrap().remove("created_at").is_some());
    let expected = json!({"_id": "ana", "full_name": "Ana B", "email": "ana@example.com", "role": "seller",
        "is_active": true});
    assert_eq!(data, expected);
    let taken_away =
        server.put(ANA, KEY, json!({"full_name": null, "email": null})).await.json()["data"].clone();
    assert_eq!((&taken_away["full_name"], taken_away.get("email")), (&Value::Null, None));
    // Two without an e-mail do not have the same.
    assert_eq!(server.put("/api/admin/users/bea", KEY, json!({"email": null})).await.status.as_u16(), 201);
    assert_eq!(server.put(ANA, KEY, json!({"email": "a@example.com"})).await.status.as_u16(), 200);
    refused(
        &server.put("/api/admin/users/bea", KEY, json!({"email": "A@example.com"})).await,
        409,
        "Email already registered",
    );
    let wrong = json!({"full_name": "", "email": "x", "phone": 7, "profile_picture_url": "x", "role": "x", "is_active": 1});
    let all = ["email", "full_name", "is_active", "phone", "profile_picture_url", "role"];
    invalid(&server.put(ANA, KEY, wrong).await, "Validation error", &all);
    for id in ["no%20id", "system"] {
        invalid(
            &server.put(&format!("/api/admin/users/{id}"), KEY, "{}").await,
            "Validation error",
            &["_id"],
        );
    }
    // Each change is in the audit, without a name or an e-mail.
    let audit = server.get("/api/admin/audit", KEY).await;
    assert_eq!(audit.json()["data"].as_array().unwrap().len(), 5, "{audit:?}");
    assert!(!audit.text().contains("example.com") && !audit.text().contains("Ana"));
    let first = &audit.json()["data"][4];
    assert_eq!((&first["action"], &first["by"]), (&json!("user.create"), &json!({"key": 1})));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_each_user_is_by_itself() {
    let server = start().await;
    let users = json!({"users": [
        {"_id": "a", "email": "a@example.com", "full_name": "Á first"}, {"_id": "b", "email": "a@example.com"}, {"_id": "no id"}, 7,
        {"_id": "c", "email": "no email"}, {"_id": "a", "full_name": "Ann Second"}, {"_id": "d"},
    ]});
    let answer = server.post("/api/admin/users/batch", KEY, &users).await;
    let data = answer.json()["data"].as_array().unwrap().clone();
    let seen: Vec<_> = data
        .iter()
        .map(|one| {
            (one["_id"].as_str(), one["created"].as_bool().unwrap(), one["errors"][0]["path"].as_str())
        })
        .collect();
    let expected = [
        (Some("a"), true, None),
        (Some("b"), false, Some("email")),
        (Some("no id"), false, Some("_id")),
        (None, false, Some("_id")),
        (Some("c"), false, Some("email")),
        (Some("a"), false, None),
        (Some("d"), true, None),
    ];
    assert_eq!(seen, expected);
    let many = json!({"users": vec![json!({"_id": "x"}); 1001]});
    for wrong in [json!({}), json!({"users": {}}), many] {
        invalid(&server.post("/api/admin/users/batch", KEY, wrong).await, "Validation error", &["users"]);
    }
    let ids = |answer: Value| -> Vec<String> {
        answer["data"].as_array().unwrap().iter().map(|one| one["_id"].as_str().unwrap().to_owned()).collect()
    };
    let page = server.get("/api/admin/users?limit=1", KEY).await.json();
    assert_eq!((ids(page.clone()), &page["cursor"]), (vec!["a".to_owned()], &json!("a")));
    let rest = server.get("/api/admin/users?after=a", KEY).await.json();
    assert!(rest.get("cursor").is_none());
    assert_eq!(ids(rest), ["d"]);
    for (query, found) in
        [("email=A@example.com", vec!["a"]), ("query=SECOND", vec!["a"]), ("query=nobody", vec![])]
    {
        assert_eq!(ids(server.get(&format!("/api/admin/users?{query}"), KEY).await.json()), found, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_may_not_be_used_until_it_ends() {
    let server = start().await;
    let ana = register(&server, "ana").await;
    let path = format!("/api/admin/users/{}/suspension", ana.id);
    refused(&server.put("/api/admin/users/no.id/suspension", KEY, "{}").await, 404, "User not found");
    // Without an account here, as the users of a platform may be.
    let stranger = server.token("stranger");
    assert_eq!(server.get("/api/chat/conversations", &stranger).await.status.as_u16(), 200);
    assert_eq!(server.put("/api/admin/users/stranger/suspension", KEY, "{}").await.status.as_u16(), 200);
    refused(&server.get("/api/chat/conversations", &stranger).await, 403, "Account suspended");
    assert_eq!(server.delete("/api/admin/users/stranger/suspension", KEY).await.status.as_u16(), 200);
    assert_eq!(server.get("/api/chat/conversations", &stranger).await.status.as_u16(), 200);
    invalid(&server.put(&path, KEY, json!({"until": "soon"})).await, "Validation error", &["until"]);
    let answer = server.put(&path, KEY, json!({"reason": "spam", "until": "2999-01-01T00:00:00.000Z"})).await;
    let expected = json!({"until": "2999-01-01T00:00:00.000Z", "reason": "spam"});
    assert_eq!(answer.json()["data"], expected);
    refused(&server.get("/api/auth/me", &ana.token).await, 403, "Account suspended");
    let person = server.get(&format!("/api/admin/users/{}", ana.id), KEY).await.json()["data"].clone();
    assert_eq!(person["suspension"], expected);
    assert_eq!(server.delete(&path, KEY).await.status.as_u16(), 200);
    assert_eq!(server.get("/api/auth/me", &ana.token).await.status.as_u16(), 200);
    let soon = horse_trust::timestamp::Timestamp(horse_trust::timestamp::Timestamp::now().0 + 1500);
    server.put(&path, KEY, json!({"until": soon})).await;
    refused(&server.get("/api/auth/me", &ana.token).await, 403, "Account suspended");
    while server.get("/api/auth/me", &ana.token).await.status.as_u16() == 403 {
        assert!(horse_trust::timestamp::Timestamp::now().0 < soon.0 + 5000);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let user = format!("/api/admin/users/{}", ana.id);
    server.put(&user, KEY, json!({"is_active": false})).await;
    refused(&server.get("/api/auth/me", &ana.token).await, 403, "Account suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_has_tokens_issued() {
    let server = start().await;
    refused(&server.post("/api/admin/users/ana/token", KEY, "{}").await, 404, "User not found");
    server.put(ANA, KEY, json!({"full_name": "Ana"})).await;
    let answer = server.post("/api/admin/users/ana/token", KEY, json!({"expires_in": "15m"})).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/api/auth/me", &token).await.json()["user"]["full_name"], "Ana");
    assert!(answer.json()["expires_at"].as_str().is_some());
    let wrong = server.post("/api/admin/users/ana/token", KEY, json!({"expires_in": 0})).await;
    invalid(&wrong, "Validation error", &["expires_in"]);
}
