//! Bodies that are none, and a store that fails at everything.

use std::sync::Arc;

use axum::body::Bytes;
use http::{Method, StatusCode};
use serde_json::json;

use super::broken_store::Broken;
use super::person::{CONVERSATIONS, messages, refused};
use crate::fixture::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none() {
    let server = Server::start().await;
    let token = server.token("u");
    let deep = format!(r#"{{"text":{}"#, "[".repeat(50_000));
    for body in ["{", "[]", "7", "null", "\"x\"", r#"{"text":"x"} y"#, &deep] {
        let answer = server.post(&messages("x"), &token, body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["success"]), (400, &json!(false)), "{body:.40}");
    }
    let request = server.request(Method::POST, "/api/auth/login");
    let answer = server.send(request, Bytes::from_static(b"{\"email\":\"\xff\"}")).await;
    refused(&answer, 400, "The body is not UTF-8");
    for bytes in [100_001, 1_000_000, 10_000_000] {
        let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes - 11));
        let answer = server.post("/api/auth/login", "", body).await;
        refused(&answer, 413, "Request body is too large");
    }
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000 - 11));
    refused(&server.post(&messages("x"), &token, body).await, 404, "Conversation not found");
}

/// Whatever asks the store is answered with `Server error`, and the server lives on.
async fn failures_are_hidden(panics: bool) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(Arc::new(Broken { panics }), folder, |_| {}).await;
    let token = server.token("ana");
    for path in [
        "/api/auth/me",
        CONVERSATIONS,
        &messages("c"),
        &(messages("c") + "?after_seq=0"),
        "/api/chat/unread-count",
        "/api/chat/blocks",
    ] {
        refused(&server.get(path, &token).await, 500, "Server error");
    }
    for (path, body) in [
        ("/api/auth/login", json!({"email": "ana@example.com", "password": "correct horse"})),
        (
            "/api/auth/register",
            json!({"email": "ana@example.com", "password": "correct horse", "full_name": "Ana"}),
        ),
        (CONVERSATIONS, json!({"recipient_id": "bruno"})),
        (&messages("c"), json!({"text": "x"})),
        ("/api/chat/conversations/c/read", json!({})),
        ("/api/chat/blocks", json!({"user_id": "bruno"})),
        ("/api/chat/reports", json!({"message_id": "m", "reason": "x"})),
        ("/api/auth/logout", json!({})),
        ("/api/auth/logout-everywhere", json!({})),
    ] {
        refused(&server.post(path, &token, body).await, 500, "Server error");
    }
    assert_eq!(server.get("/health", "").await.status, StatusCode::OK);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_hidden_and_shows_in_its_health() {
    let server = failures_are_hidden(false).await;
    let health = server.get("/health/db", "").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (503, &json!("error")));
    let working = Server::start().await;
    let health = working.get("/health/db", "").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("ok")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_of_ours_is_answered() {
    failures_are_hidden(true).await.stop().await;
}
