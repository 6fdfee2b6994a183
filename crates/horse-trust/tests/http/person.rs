//! People with accounts, and answers as the contract has them.

use http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::server::{Answer, Server};

pub(crate) const CONVERSATIONS: &str = "/api/chat/conversations";

/// A registered user.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
}

pub(crate) async fn register(server: &Server, name: &str) -> Person {
    let body =
        json!({"email": format!("{name}@example.com"), "password": "correct horse", "full_name": name});
    let answer = server.post("/api/auth/register", "", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let answer = answer.json();
    Person { id: text(&answer["user"]["id"]), token: text(&answer["token"]) }
}

pub(crate) async fn login(server: &Server, email: &str, password: &str) -> Answer {
    server.post("/api/auth/login", "", json!({"email": email, "password": password})).await
}

pub(crate) async fn open(server: &Server, one: &Person, other: &Person) -> String {
    let answer = server.post(CONVERSATIONS, &one.token, json!({"recipient_id": other.id})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["data"]["_id"].as_str().unwrap().to_owned()
}

pub(crate) fn messages(conversation: &str) -> String {
    format!("{CONVERSATIONS}/{conversation}/messages")
}

/// The answer is an error of this kind, and has no fields but these.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, message: &str) {
    let expected = json!({"success": false, "message": message});
    assert_eq!((answer.status.as_u16(), answer.json()), (status, expected));
}

/// The answer is a 422 that names these fields.
#[track_caller]
pub(crate) fn invalid(answer: &Answer, message: &str, paths: &[&str]) {
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), body["message"].as_str()), (422, Some(message)), "{body}");
    let errors = body["errors"].as_array().unwrap();
    let mut named: Vec<_> = errors.iter().map(|error| error["path"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, paths);
    assert!(errors.iter().all(|error| !error["msg"].as_str().unwrap().is_empty()));
}
