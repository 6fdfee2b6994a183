//! Registering, logging in, and who has a token.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use horse_trust::id::Id;
use horse_trust::store::{Profile, Role, User};
use horse_trust::timestamp::Timestamp;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::person::{CONVERSATIONS, invalid, login, refused, register};
use crate::fixture::server::Server;
use crate::fixture::store::id;

#[tokio::test(flavor = "multi_thread")]
async fn register_login_me() {
    let server = Server::start().await;
    let body = json!({
        "email": " Ana@Example.com ", "password": "correct horse", "full_name": " Ana ",
        "phone": "+5491112345678", "role": "seller",
    });
    let made = server.post("/api/auth/register", "", body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.json();
    let user = &made["user"];
    let id = user["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({"success": true, "token": made["token"], "user": {
            "id": id, "email": "ana@example.com", "full_name": "Ana", "role": "seller",
            "phone": "+5491112345678",
        }})
    );
    let claims = server.tokens.verify(made["token"].as_str().unwrap()).unwrap();
    assert_eq!((claims.user.as_str(), claims.role), (id, Role::Seller));

    let logged_in = login(&server, "ANA@example.com", "correct horse").await;
    assert_eq!(logged_in.status, StatusCode::OK);
    let logged_in = logged_in.json();
    assert_eq!(logged_in["user"], *user);
    let me = server.get("/api/auth/me", logged_in["token"].as_str().unwrap()).await;
    assert_eq!((me.status, me.json()), (StatusCode::OK, json!({"success": true, "user": user})));
    assert!(!me.text().contains("argon2"));
    refused(&server.get("/api/auth/me", &server.token("nobody")).await, 404, "User not found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_registered() {
    let server = Server::start().await;
    let register = async |field: &str, value: Value| {
        let mut body = json!({"email": "ana@example.com", "password": "correct horse", "full_name": "Ana"});
        body[field] = value;
        server.post("/api/auth/register", "", body).await
    };
    refused(&register("role", json!("admin")).await, 403, "Cannot register as admin");
    let nothing = server.post("/api/auth/register", "", json!({})).await;
    invalid(&nothing, "Validation error", &["email", "full_name", "password"]);
    for (field, value) in [
        ("email", json!("no address")),
        ("email", json!(format!("{}@example.com", "x".repeat(254)))),
        ("email", json!(["ana@example.com"])),
        ("password", json!("1234567")),
        ("password", json!("x".repeat(1025))),
        ("password", json!(12_345_678)),
        ("full_name", json!(" ")),
        ("full_name", json!("x".repeat(101))),
        ("email", json!("ana@example.com\u{200b}")),
        ("full_name", json!("\u{200b}")),
        ("full_name", json!("Ana \u{202e}")),
        ("full_name", json!("Ana\nBruno")),
        ("phone", json!("5491112345678")),
        ("phone", json!("+0123456789")),
        ("role", json!("buyer")),
        ("role", json!({"$ne": "seller"})),
    ] {
        invalid(&register(field, value).await, "Validation error", &[field]);
    }
    assert_eq!(register("password", json!("12345678")).await.status, StatusCode::CREATED);
    refused(&register("email", json!("ANA@example.com")).await, 409, "Email already registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_e_mails_and_passwords_are_the_same_from_any_keyboard() {
    let server = Server::start().await;
    let body = json!({
        "email": "jos\u{e9}@example.com", "password": "contrase\u{f1}a", "full_name": "Jose\u{301}",
    });
    let made = server.post("/api/auth/register", "", body).await;
    assert_eq!((made.status, &made.json()["user"]["full_name"]), (StatusCode::CREATED, &json!("Jos\u{e9}")));
    for (email, password) in
        [("jos\u{e9}@example.com", "contrasen\u{303}a"), ("Jose\u{301}@example.com", "contrase\u{f1}a")]
    {
        assert_eq!(login(&server, email, password).await.status, StatusCode::OK, "{email:?} {password:?}");
    }
    refused(&login(&server, "jos\u{e9}@example.com", "contrasena").await, 401, "Invalid credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_tells_nothing() {
    let server = Server::start().await;
    register(&server, "ana").await;
    let mut answers = Vec::new();
    for email in ["ana@example.com", "nobody@example.com"] {
        let begin = Instant::now();
        let answer = login(&server, email, "wrong password").await;
        assert!(begin.elapsed() >= Duration::from_millis(400), "{email}: {:?}", begin.elapsed());
        refused(&answer, 401, "Invalid credentials");
        let mut headers = answer.headers;
        headers.remove("date");
        headers.remove("x-request-id");
        answers.push(headers);
    }
    assert_eq!(answers[0], answers[1]);
    let body = json!({"email": "ana@example.com", "password": {"$ne": ""}});
    invalid(&server.post("/api/auth/login", "", body).await, "Validation error", &["password"]);
    invalid(&server.post("/api/auth/login", "", "{}").await, "Validation error", &["email", "password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_accounts_log_in() {
    let server = Server::start().await;
    let hash = bcrypt::hash("correct horse", 4).unwrap();
    for (name, password_hash, is_active) in [
        ("old", hash.replacen("$2b$", "$2a$", 1), true),
        ("gone", hash, false),
        ("bare", String::new(), true),
    ] {
        let user = User {
            profile: Profile {
                id: id(name),
                full_name: None,
                profile_picture_url: Some("/a.png".into()),
                is_deleted: false,
            },
            email: Some(format!("{name}@example.com")),
            password_hash,
            role: Role::Admin,
            phone: None,
            is_active,
            created_at: Timestamp::now(),
        };
        server.store.create_user(user).await.unwrap();
    }
    for _ in 0..2 {
        let answer = login(&server, "old@example.com", "correct horse").await;
        assert_eq!(
            answer.json()["user"],
            json!({"id": "old", "email": "old@example.com", "full_name": null, "role": "admin",
                "profile_picture_url": "/a.png"})
        );
        let stored = server.store.user(&id("old")).await.unwrap().unwrap().password_hash;
        assert!(stored.starts_with("$argon2id$"), "{stored}");
    }
    let gone = login(&server, "gone@example.com", "correct horse").await;
    refused(&gone, 403, "Account suspended");
    for email in ["old@example.com", "gone@example.com", "bare@example.com"] {
        refused(&login(&server, email, "").await, 401, "Invalid credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_also_all_at_once() {
    let server = Server::with(|config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await;
    register(&server, "ana").await;
    let try_from = async |address: &str, password: &str| {
        let request = server.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address);
        let body = json!({"email": "ana@example.com", "password": password});
        server.send(request, body.to_string()).await
    };
    let guesses = (0..60).map(|_| try_from("192.0.2.1", "wrong password"));
    let answers = all(guesses).await;
    let wrong = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    let cores = available_parallelism().unwrap().get();
    assert!((20..20 + cores).contains(&wrong), "{wrong} guesses were answered");
    let last = try_from("192.0.2.1", "correct horse").await;
    let body = last.json();
    assert_eq!((last.status.as_u16(), &body["message"]), (429, &json!("Too many attempts")));
    assert_eq!(last.header("retry-after"), Some(body["retry_after"].to_string().as_str()));
    // The proxy writes the port, too: still the one who guessed, and still nobody else.
    assert_eq!(try_from("192.0.2.1:51008", "correct horse").await.status, StatusCode::TOO_MANY_REQUESTS);
    for elsewhere in ["192.0.2.2", "203.0.113.9:51008", "[2001:db8::1]:443", "unknown"] {
        assert_eq!(try_from(elsewhere, "correct horse").await.status, StatusCode::OK, "{elsewhere}");
    }
}

/// Runs all at once.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(result) = future.as_mut().poll(context)
            {
                *output = Some(result);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_makes_one_token_void() {
    let server = Server::start().await;
    let ana = register(&server, "ana").await;
    let again = login(&server, "ana@example.com", "correct horse").await.json();
    let [other, platform] = [again["token"].as_str().unwrap(), &server.token(&ana.id)];
    for (token, kept) in [(&*ana.token, vec![other, platform]), (platform, vec![other]), (other, vec![])] {
        let answer = server.post("/api/auth/logout", token, "").await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"success": true})));
        refused(&server.get("/api/auth/me", token).await, 401, "Invalid or expired token");
        refused(&server.post("/api/auth/logout", token, "").await, 401, "Invalid or expired token");
        for token in kept {
            assert_eq!(server.get("/api/auth/me", token).await.status, StatusCode::OK);
        }
    }
    refused(&server.post("/api/auth/logout", "", "").await, 401, "No token provided");
    assert_eq!(login(&server, "ana@example.com", "correct horse").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_behind_a_token_wants_a_right_one() {
    let server = Server::start().await;
    let old = server.tokens.issue_for(&Id::parse("u").unwrap(), Role::Admin, Duration::ZERO, None).unwrap();
    for (method, path) in [
        (Method::GET, "/api/auth/me"),
        (Method::GET, CONVERSATIONS),
        (Method::POST, CONVERSATIONS),
        (Method::GET, "/api/chat/conversations/x/messages"),
        (Method::POST, "/api/chat/conversations/x/messages"),
        (Method::GET, "/api/chat/unread-count"),
    ] {
        for (value, message) in [
            ("", "No token provided"),
            ("Bearer", "No token provided"),
            ("Bearer ", "No token provided"),
            ("Basic dTpw", "No token provided"),
            ("Bearer garbage", "Invalid or expired token"),
            (&format!("Bearer {old}"), "Invalid or expired token"),
        ] {
            let request = server.request(method.clone(), path).header("authorization", value);
            refused(&server.send(request, " ".repeat(90_000)).await, 401, message);
        }
        refused(&server.send(server.request(method, path), "").await, 401, "No token provided");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_makes_so_many_accounts_and_no_more() {
    let server = Server::start().await;
    let ask = async |number: usize, password: &str| {
        let email = format!("{number}@example.com");
        let body = json!({"email": email, "password": password, "full_name": "x"});
        server.post("/api/auth/register", "", body).await
    };
    for number in 0..20 {
        assert_eq!(ask(number, "short").await.status.as_u16(), 422, "what is not right is not counted");
    }
    let mut made = 0;
    let refused = loop {
        let answer = ask(made, "correct horse").await;
        if answer.status != StatusCode::CREATED {
            break answer;
        }
        made += 1;
    };
    assert!((100..130).contains(&made), "{made}");
    assert_eq!(
        (refused.status.as_u16(), refused.json()["message"].as_str()),
        (429, Some("Too many attempts"))
    );
    let wait = refused.json()["retry_after"].as_u64().unwrap();
    assert!((1..=6).contains(&wait) && refused.header("retry-after") == Some(&wait.to_string()));
    assert_eq!(login(&server, "0@example.com", "correct horse").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_that_wait_hold_up_no_login() {
    let server = std::sync::Arc::new(Server::with(|config| config.message_rate = None).await);
    register(&server, "ana").await;
    let registering: Vec<_> = (0..260)
        .map(|number| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                let email = format!("{number}@example.com");
                let body = json!({"email": email, "password": "correct horse", "full_name": "x"});
                server.post("/api/auth/register", "", body).await.status.as_u16()
            })
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(login(&server, "ana@example.com", "correct horse").await.status, StatusCode::OK);
    }
    let finished = registering.iter().filter(|task| task.is_finished()).count();
    assert!(finished < 150, "logins went first: {finished} registrations were done before them");
    registering.iter().for_each(tokio::task::JoinHandle::abort);
}
