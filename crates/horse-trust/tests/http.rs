//! The contract's routes, each with its answers and its errors, on a real server.

use axum::body::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Server, Socket};
use crate::store::id;

const CONVERSATIONS: &str = "/api/chat/conversations";

/// A registered user.
struct Person {
    id: String,
    token: String,
}

async fn register(server: &Server, name: &str) -> Person {
    let body =
        json!({"email": format!("{name}@example.com"), "password": "correct horse", "full_name": name});
    let answer = server.post("/api/auth/register", "", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let answer = answer.json();
    Person { id: text(&answer["user"]["id"]), token: text(&answer["token"]) }
}

async fn login(server: &Server, email: &str, password: &str) -> Answer {
    server.post("/api/auth/login", "", json!({"email": email, "password": password})).await
}

async fn open(server: &Server, one: &Person, other: &Person) -> String {
    let answer = server.post(CONVERSATIONS, &one.token, json!({"recipient_id": other.id})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["data"]["_id"].as_str().unwrap().to_owned()
}

fn messages(conversation: &str) -> String {
    format!("{CONVERSATIONS}/{conversation}/messages")
}

/// The answer is an error of this kind, and has no fields but these.
#[track_caller]
fn refused(answer: &Answer, status: u16, message: &str) {
    let expected = json!({"success": false, "message": message});
    assert_eq!((answer.status.as_u16(), answer.json()), (status, expected));
}

/// The answer is a 422 that names these fields.
#[track_caller]
fn invalid(answer: &Answer, message: &str, paths: &[&str]) {
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), body["message"].as_str()), (422, Some(message)), "{body}");
    let errors = body["errors"].as_array().unwrap();
    let mut named: Vec<_> = errors.iter().map(|error| error["path"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, paths);
    assert!(errors.iter().all(|error| !error["msg"].as_str().unwrap().is_empty()));
}

mod accounts {
    use std::net::Ipv4Addr;
    use std::thread::available_parallelism;
    use std::time::{Duration, Instant};

    use horse_trust::id::Id;
    use horse_trust::store::{Profile, Role, User};
    use horse_trust::timestamp::Timestamp;

    use super::*;

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
            let mut body =
                json!({"email": "ana@example.com", "password": "correct horse", "full_name": "Ana"});
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
                },
                email: format!("{name}@example.com"),
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
        refused(&gone, 403, "Account is deactivated");
        for email in ["old@example.com", "gone@example.com", "bare@example.com"] {
            refused(&login(&server, email, "").await, 401, "Invalid credentials");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn guessing_ends_also_all_at_once() {
        let server = Server::with(|flags| flags.trusted_proxies = Some("127.0.0.1".into())).await;
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
        let elsewhere = Ipv4Addr::new(192, 0, 2, 2).to_string();
        assert_eq!(try_from(&elsewhere, "correct horse").await.status, StatusCode::OK);
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
    async fn every_route_behind_a_token_wants_a_right_one() {
        let server = Server::start().await;
        let old = server.tokens.issue_for(&Id::parse("u").unwrap(), Role::Admin, Duration::ZERO);
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
}

mod chat {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn there_is_one_conversation_of_two_about_a_horse() {
        let server = Server::start().await;
        let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
        let (first, second) = tokio::join!(open(&server, &ana, &bruno), open(&server, &bruno, &ana));
        assert_eq!(first, second);
        let body = json!({"recipient_id": bruno.id, "horse_id": "horse_1"});
        let about = server.post(CONVERSATIONS, &ana.token, body).await.json()["data"].take();
        assert_ne!(about["_id"], first);
        assert_eq!(about["horse_id"], "horse_1");
        assert_eq!(about["last_message"], Value::Null);
        assert_eq!(
            about["participants"],
            json!([{"_id": ana.id, "full_name": "ana"}, {"_id": bruno.id, "full_name": "bruno"}])
        );
        for (body, status, message) in [
            (json!({}), 400, "Invalid recipient ID"),
            (json!({"recipient_id": "a b"}), 400, "Invalid recipient ID"),
            (json!({"recipient_id": {"$ne": null}}), 400, "Invalid recipient ID"),
            (json!({"recipient_id": ana.id}), 400, "Cannot message yourself"),
            (json!({"recipient_id": "nobody"}), 404, "User not found"),
            (json!({"recipient_id": bruno.id, "horse_id": "a b"}), 400, "Invalid horse ID"),
            (json!({"recipient_id": bruno.id, "horse_id": 7}), 400, "Invalid horse ID"),
        ] {
            refused(&server.post(CONVERSATIONS, &ana.token, body).await, status, message);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn messages_are_paged_read_and_counted() {
        let server = Server::with(|flags| flags.message_rate = Some("0".into())).await;
        let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
        let carla = register(&server, "carla").await;
        let (older, newer) = (open(&server, &ana, &bruno).await, open(&server, &ana, &carla).await);
        for number in 1..=65 {
            let body = json!({"text": number.to_string()});
            let sent = server.post(&messages(&older), &ana.token, body).await;
            assert_eq!(sent.status, StatusCode::CREATED);
            let message = sent.json()["data"].take();
            assert_eq!(message["sender_id"], json!({"_id": ana.id, "full_name": "ana"}));
            assert_eq!(message["text"], number.to_string());
            assert_eq!((&message["conversation_id"], &message["is_read"]), (&json!(older), &json!(false)));
        }
        let unread = async |person: &Person| server.get("/api/chat/unread-count", &person.token).await.json();
        assert_eq!(unread(&bruno).await, json!({"success": true, "unread_count": 65}));
        assert_eq!(unread(&ana).await, json!({"success": true, "unread_count": 0}));
        let listed = server.get(CONVERSATIONS, &ana.token).await.json()["data"].take();
        let ids: Vec<_> = listed.as_array().unwrap().iter().map(|listed| &listed["_id"]).collect();
        assert_eq!(ids, [&older, &newer], "the newest message comes first");
        let last = &listed[0]["last_message"];
        assert_eq!(
            *last,
            json!({"text": "65", "sender_id": ana.id, "sent_at": last["sent_at"], "is_read": false})
        );

        let texts = async |person: &Person, query: &str| -> Vec<u32> {
            let answer = server.get(&format!("{}{query}", messages(&older)), &person.token).await.json();
            let data = answer["data"].as_array().unwrap();
            data.iter().map(|message| message["text"].as_str().unwrap().parse().unwrap()).collect()
        };
        for (query, range) in [
            ("", 36..66),
            ("?page=2", 6..36),
            ("?page=3", 1..6),
            ("?page=2&limit=10", 46..56),
            ("?limit=100", 1..66),
            ("?page=1000000", 0..0),
        ] {
            assert_eq!(texts(&ana, query).await, range.collect::<Vec<_>>(), "{query}");
        }
        for (query, path) in [
            ("?page=0", "page"),
            ("?page=-1", "page"),
            ("?page=x", "page"),
            ("?page", "page"),
            ("?page=1000001", "page"),
            ("?limit=0", "limit"),
            ("?limit=101", "limit"),
            ("?limit=1.5", "limit"),
            ("?limit=99999999999999999999", "limit"),
        ] {
            let answer = server.get(&format!("{}{query}", messages(&older)), &ana.token).await;
            invalid(&answer, "Validation error", &[path]);
        }
        assert_eq!(unread(&bruno).await["unread_count"], 65, "nobody reads for another");
        texts(&bruno, "?limit=1").await;
        assert_eq!(unread(&bruno).await["unread_count"], 0);
        let listed = server.get(CONVERSATIONS, &ana.token).await.json()["data"].take();
        assert_eq!(listed[0]["last_message"]["is_read"], true);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_posted_is_emitted_as_send_message_does() {
        let server = Server::start().await;
        let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
        let conversation = open(&server, &ana, &bruno).await;
        let mut socket = Socket::connect(&server, &bruno.token).await;
        socket.emit(&format!(r#"421["join_conversation","{conversation}"]"#)).await;
        assert_eq!(socket.receive("431").await, [r#"431[{"success":true}]"#]);
        let text = format!("{} the end", "x".repeat(60));
        let sent = server.post(&messages(&conversation), &ana.token, json!({"text": text})).await;
        let data = sent.text().strip_prefix(r#"{"success":true,"data":"#).unwrap();
        let data = data.strip_suffix('}').unwrap();
        let preview = "x".repeat(60);
        assert_eq!(
            socket.receive(r#"42["message_notification""#).await,
            [
                format!(r#"42["new_message",{data}]"#),
                format!(
                    r#"42["message_notification",{{"conversation_id":"{conversation}","sender":"{}","preview":"{preview}"}}]"#,
                    ana.id
                ),
            ]
        );
        server.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_can_not_be_sent() {
        let server = Server::start().await;
        let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
        let carla = register(&server, "carla").await;
        let conversation = open(&server, &ana, &bruno).await;
        let path = messages(&conversation);
        for (body, message) in [
            (json!({}), "Message text is required"),
            (json!({"text": null}), "Message text is required"),
            (json!({"text": " \u{feff}\n"}), "Message text is required"),
            (json!({"text": "x".repeat(2001)}), "Message is too long (maximum 2000 characters)"),
            (json!({"text": "a\0b"}), "Invalid message"),
            (json!({"text": ["x"]}), "Invalid message"),
        ] {
            invalid(&server.post(&path, &ana.token, body).await, message, &["text"]);
        }
        let lone = server.post(&path, &ana.token, r#"{"text":"\ud800"}"#).await;
        assert_eq!(lone.json()["data"]["text"], "\u{fffd}");
        for path in [&path, &messages("unknown"), &messages("a%20b"), &messages("%ff")] {
            for body in [json!({"text": "x"}), json!({}), json!({"text": 7})] {
                if path.contains(&conversation) && body != json!({"text": "x"}) {
                    continue;
                }
                refused(&server.post(path, &carla.token, body).await, 404, "Conversation not found");
            }
            refused(&server.get(path, &carla.token).await, 404, "Conversation not found");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn too_many_messages_are_told_when_to_come_back() {
        let server = Server::with(|flags| flags.message_rate = Some("1".into())).await;
        let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
        let path = messages(&open(&server, &ana, &bruno).await);
        let body = json!({"text": "x"});
        let mut answer = server.post(&path, &ana.token, &body).await;
        for _ in 0..100 {
            if answer.status != StatusCode::CREATED {
                break;
            }
            answer = server.post(&path, &ana.token, &body).await;
        }
        let refusal = answer.json();
        assert_eq!((answer.status.as_u16(), &refusal["message"]), (429, &json!("Too many messages")));
        assert_eq!(answer.header("retry-after"), Some(refusal["retry_after"].to_string().as_str()));
        assert_eq!(server.post(&path, &bruno.token, &body).await.status, StatusCode::CREATED);
    }
}

mod bad_weather {
    use std::sync::Arc;

    use horse_trust::id::Id;
    use horse_trust::store::{
        Appended, Change, Changed, Conversation, ConversationSummary, Delivered, Done, Ends, History,
        MarkRead, Message, Missed, NewConversation, NewMessage, NewReport, Page, Profile, Range, Read,
        Report, Result, Store, StoreError, User, Withdrawn,
    };
    use horse_trust::timestamp::Timestamp;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn bodies_that_are_none() {
        let server = Server::start().await;
        let token = server.token("u");
        let deep = format!(r#"{{"text":{}"#, "[".repeat(50_000));
        for body in ["{", "[]", "7", "null", "\"x\"", r#"{"text":"x"} y"#, &deep] {
            let answer = server.post(&messages("x"), &token, body).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["success"]),
                (400, &json!(false)),
                "{body:.40}"
            );
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

    /// A store that fails at everything.
    struct Broken {
        panics: bool,
    }

    impl Broken {
        fn fail<T>(&self) -> Result<T> {
            assert!(!self.panics, "a mistake");
            Err(StoreError::Engine("the cause".into()))
        }
    }

    #[async_trait::async_trait]
    impl Store for Broken {
        fn append_message(&self, _: NewMessage, appended: Appended) {
            appended(self.fail());
        }
        async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
            let participants = [super::id("ana"), super::id("bruno")];
            let created_at = Timestamp::now();
            Ok(Some(Conversation { key: 1, id: id.clone(), participants, horse_id: None, created_at }))
        }
        async fn open_conversation(&self, _: NewConversation) -> Result<Conversation> {
            self.fail()
        }
        async fn conversations_of(&self, _: &Id) -> Result<Vec<ConversationSummary>> {
            self.fail()
        }
        async fn conversation_summary(&self, _: i64, _: &Id) -> Result<Option<ConversationSummary>> {
            self.fail()
        }
        async fn history(&self, _: &Conversation, _: Range) -> Result<History> {
            self.fail()
        }
        async fn missed(&self, _: &Id, _: Option<&Id>, _: usize) -> Result<Missed> {
            self.fail()
        }
        async fn ends_of(&self, _: Vec<Id>) -> Result<Vec<Ends>> {
            self.fail()
        }
        fn mark_read(&self, _: MarkRead, done: Done<Read>) {
            done(self.fail());
        }
        fn change_message(&self, _: Change, done: Done<Changed>) {
            done(self.fail());
        }
        async fn set_delivered(&self, _: Vec<Delivered>) -> Result<()> {
            self.fail()
        }
        async fn message(&self, _: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
            self.fail()
        }
        async fn partners_of(&self, _: Vec<Id>) -> Result<Vec<Vec<Id>>> {
            self.fail()
        }
        async fn set_last_seen(&self, _: Vec<(Id, Timestamp)>) -> Result<()> {
            self.fail()
        }
        fn set_block(&self, _: &Id, _: &Id, _: bool, done: Done<()>) {
            done(self.fail());
        }
        async fn blocks_between(&self, _: &Id, _: &Id) -> Result<[bool; 2]> {
            Ok([false; 2])
        }
        async fn blocked_by(&self, _: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
            self.fail()
        }
        async fn report(&self, _: NewReport) -> Result<Id> {
            self.fail()
        }
        async fn reports(&self, _: Page) -> Result<Vec<Report>> {
            self.fail()
        }
        async fn withdrawn(&self, _: Option<&Id>, _: Page) -> Result<Vec<Withdrawn>> {
            self.fail()
        }
        async fn forget_withdrawn(&self, _: Timestamp) -> Result<u64> {
            Err(StoreError::Engine("the cause".into()))
        }
        async fn revoke_tokens(&self, _: &Id, _: Timestamp) -> Result<()> {
            self.fail()
        }
        async fn revocations(&self) -> Result<Vec<(Id, Timestamp)>> {
            Ok(Vec::new())
        }
        async fn unread_count(&self, _: &Id) -> Result<u64> {
            self.fail()
        }
        async fn profile(&self, _: &Id) -> Result<Option<Profile>> {
            Ok(None)
        }
        async fn create_user(&self, _: User) -> Result<()> {
            self.fail()
        }
        async fn user_by_email(&self, _: &str) -> Result<Option<User>> {
            self.fail()
        }
        async fn user(&self, _: &Id) -> Result<Option<User>> {
            self.fail()
        }
        async fn set_password_hash(&self, _: &Id, _: &str) -> Result<()> {
            self.fail()
        }
        async fn ping(&self) -> Result<()> {
            self.fail()
        }
        async fn close(&self) {}
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
}

mod beside_the_chat {
    use std::path::Path;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_route() {
        let server = Server::start().await;
        for (method, path) in [
            (Method::GET, "/nowhere"),
            (Method::GET, "/socket.io/nothing.js"),
            (Method::POST, "/api/x"),
            (Method::DELETE, "/api/auth/me"),
            (Method::GET, "/api/auth/login"),
            (Method::PUT, "/health"),
            (Method::POST, "/"),
        ] {
            refused(&server.send(server.request(method, path), "").await, 404, "Route not found");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_page() {
        let server = Server::start().await;
        let page = server.get("/", "").await;
        assert!(page.text().contains("socket.io-client"));
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn browsers_of_the_named_origins_may_call() {
        let server =
            Server::with(|flags| flags.cors_origins = Some("https://a.example,https://b.example".into()))
                .await;
        let from = async |server: &Server, origin: &str, path: &str| {
            server.send(server.request(Method::GET, path).header("origin", origin), "").await
        };
        for path in ["/health", "/nowhere", "/api/auth/me", "/socket.io/?EIO=4&transport=polling"] {
            let allowed = from(&server, "https://b.example", path).await;
            assert_eq!(allowed.header("access-control-allow-origin"), Some("https://b.example"), "{path}");
            assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
            let other = from(&server, "https://c.example", path).await;
            assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
        }
        let preflight = server
            .request(Method::OPTIONS, "/api/auth/login")
            .header("origin", "https://a.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-custom");
        let preflight = server.send(preflight, "").await;
        assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization,x-custom"));
        let methods = preflight.header("access-control-allow-methods").unwrap();
        assert_eq!(methods, "GET,HEAD,PUT,PATCH,POST,DELETE");

        let any = Server::with(|flags| flags.cors_origins = Some("*".into())).await;
        let allowed = from(&any, "https://c.example", "/health").await;
        assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_client_bundle() {
        let server = Server::start().await;
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/node_modules/socket.io-client");
        for name in ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"] {
            for (name, kind) in [(name.to_owned(), "javascript"), (format!("{name}.map"), "json")] {
                let path = format!("/socket.io/{name}");
                let plain = server.get(&path, "").await;
                if !package.exists() {
                    assert_eq!(plain.status, StatusCode::NOT_FOUND);
                    assert!(plain.json()["message"].as_str().unwrap().contains("make build"));
                    continue;
                }
                assert_eq!(plain.body, std::fs::read(package.join("dist").join(&name)).unwrap(), "{name}");
                let content_type = format!("application/{kind}; charset=utf-8");
                assert_eq!(plain.header("content-type"), Some(content_type.as_str()));
                assert_eq!(plain.header("cache-control"), Some("public, max-age=0"));
                let tag = plain.header("etag").unwrap().to_owned();
                assert!(tag.starts_with("\"4."), "{tag}");

                for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
                    let request = server.request(Method::GET, &path).header("if-none-match", known);
                    let again = server.send(request, "").await;
                    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
                    assert_eq!(again.header("etag"), Some(tag.as_str()));
                }
                let request = server.request(Method::GET, &path).header("if-none-match", "\"0\"");
                assert_eq!(server.send(request, "").await.status, StatusCode::OK);

                let head = server.send(server.request(Method::HEAD, &path), "").await;
                assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
                assert_eq!(head.header("content-length"), Some(plain.body.len().to_string().as_str()));
                for encoding in ["gzip", "br"] {
                    let request = server.request(Method::GET, &path).header("accept-encoding", encoding);
                    let packed = server.send(request, "").await;
                    assert_eq!(packed.header("content-encoding"), Some(encoding));
                    assert!(packed.body.len() < plain.body.len() / 2, "{name} {encoding}");
                }
            }
        }
    }
}
