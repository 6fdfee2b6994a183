//! Who is let in to `/api/admin`.

use horse_trust::config::Secret;
use horse_trust::store::Role;

use super::person::{invalid, refused};
use crate::fixture::server::Server;
use crate::fixture::store::id;

const AUDIT: &str = "/api/admin/audit";
pub(crate) const KEYS: [&str; 2] =
    ["the-first-key-of-the-platform-in-tests", "the-second-key-of-the-platform-in-tests"];

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_is_let_in_by_any_of_its_keys_and_admins_by_their_tokens() {
    let server =
        Server::with(|config| config.api_keys = KEYS.map(|key| Secret::new(key.to_owned())).to_vec()).await;
    let [admin, seller] =
        [Role::Admin, Role::Seller].map(|role| server.tokens.issue(&id("eve"), role, 0).unwrap());
    for token in [KEYS[0], KEYS[1], &admin] {
        let answer = server.get(AUDIT, token).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, r#"{"data":[],"success":true}"#));
    }
    refused(&server.get(AUDIT, &seller).await, 403, "Admins only");
    refused(&server.get(AUDIT, "").await, 401, "No token provided");
    for token in ["garbage", &KEYS[0][1..], &format!("{}x", KEYS[0]), &format!("{admin}x"), &KEYS.join(",")] {
        refused(&server.get(AUDIT, token).await, 401, "Invalid or expired token");
    }
    // A key opens nothing else.
    refused(&server.get("/api/auth/me", KEYS[0]).await, 401, "Invalid or expired token");
    invalid(&server.get(&format!("{AUDIT}?limit=0&after=1"), KEYS[0]).await, "Validation error", &["limit"]);
    invalid(&server.get(&format!("{AUDIT}?after=x"), KEYS[0]).await, "Validation error", &["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_no_text_is_one() {
    let server = Server::start().await;
    for key in [KEYS[0], "x"] {
        refused(&server.get(AUDIT, key).await, 401, "Invalid or expired token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_of_keys_are_limited() {
    let server = Server::with(|config| config.api_keys = vec![Secret::new(KEYS[0].to_owned())]).await;
    for _ in 0..100 {
        assert_eq!(server.get(AUDIT, "a guess").await.status.as_u16(), 401);
    }
    for token in ["a guess", KEYS[0]] {
        let answer = server.get(AUDIT, token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["message"].as_str()),
            (429, Some("Too many attempts"))
        );
        assert!(answer.header("retry-after").is_some());
    }
    // An admin is no guess.
    let admin = server.tokens.issue(&id("eve"), Role::Admin, 0).unwrap();
    assert_eq!(server.get(AUDIT, &admin).await.status.as_u16(), 200);
}
