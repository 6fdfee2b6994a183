//! Lists of conversations over HTTP: who sees what, pages, and who may begin one.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::person::{CONVERSATIONS, Person, invalid, messages, open, refused, register};
use crate::fixture::server::{Server, Socket};

async fn listed(server: &Server, person: &Person, query: &str) -> Value {
    let answer = server.get(&format!("{CONVERSATIONS}{query}"), &person.token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|listed| listed["_id"].as_str().unwrap()).collect()
}

/// Conversations of `person` with others, each with a message of the other, oldest first.
async fn written_to(server: &Server, person: &Person, count: usize) -> Vec<String> {
    let other = register(server, "other").await;
    let mut made = Vec::new();
    for number in 0..count {
        let body = json!({"recipient_id": person.id, "horse_id": format!("horse{number}")});
        let opened = server.post(CONVERSATIONS, &other.token, body).await.json()["data"].take();
        made.push(opened["_id"].as_str().unwrap().to_owned());
        let sent =
            server.post(&messages(&made[number]), &other.token, json!({"text": "x".repeat(200)})).await;
        assert_eq!(sent.status, StatusCode::CREATED);
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_what_a_stranger_opened_and_never_wrote_in() {
    let server = Server::start().await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let mut watching = Socket::connect(&server, &bruno.token).await;
    let conversation = open(&server, &ana, &bruno).await;
    assert_eq!(ids(&listed(&server, &bruno, "").await), Vec::<&str>::new());
    assert_eq!(ids(&listed(&server, &bruno, "?filter=all").await), Vec::<&str>::new());
    let own = listed(&server, &ana, "").await;
    assert_eq!(ids(&own), [conversation.as_str()]);
    let bruno_is = |list: &Value| list["data"][0]["participant_states"][1]["online"].clone();
    assert_eq!(bruno_is(&own), false, "a stranger is not shown who is online");
    let sent = server.post(&messages(&conversation), &ana.token, json!({"text": "Hello"})).await;
    assert_eq!(sent.status, StatusCode::CREATED);
    assert_eq!(ids(&listed(&server, &bruno, "").await), [conversation.as_str()]);
    assert_eq!(bruno_is(&listed(&server, &ana, "").await), true);
    let before = watching.receive(r#"42["message_notification""#).await;
    assert_eq!(before.len(), 1, "nothing was sent before the message: {before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_comes_in_pages() {
    let server = Server::with(|config| config.message_rate = None).await;
    let ana = register(&server, "ana").await;
    let mut made = written_to(&server, &ana, 7).await;
    made.reverse();
    let first = listed(&server, &ana, "?limit=3").await;
    assert_eq!(ids(&first), made[..3]);
    let cursor = first["cursor"].as_str().unwrap();
    // What moves to the top meanwhile changes nothing in what follows.
    server.post(&messages(&made[1]), &ana.token, json!({"text": "Hello"})).await;
    let second = listed(&server, &ana, &format!("?limit=3&before={cursor}")).await;
    assert_eq!(ids(&second), made[3..6]);
    let cursor = second["cursor"].as_str().unwrap();
    let last = listed(&server, &ana, &format!("?before={cursor}")).await;
    assert_eq!((ids(&last), last.get("cursor")), (vec![made[6].as_str()], None));
    let exact = listed(&server, &ana, "?limit=7").await;
    assert_eq!((ids(&exact).len(), exact.get("cursor")), (7, None));

    server.get(&messages(&made[0]), &ana.token).await;
    let unread = listed(&server, &ana, "?filter=unread&limit=100").await;
    assert_eq!(ids(&unread), made[1..]);
    let archived = listed(&server, &ana, "?filter=archived").await;
    assert_eq!((&archived["data"], archived.get("cursor")), (&json!([]), None));
    let all = listed(&server, &ana, "?filter=all").await;
    assert_eq!(ids(&all).len(), 7);
    assert_eq!(all["data"], listed(&server, &ana, "").await["data"]);
    for (query, path) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=x", "limit"),
        ("?before=", "before"),
        ("?before=nonsense", "before"),
        ("?before=1_2_3", "before"),
        ("?before=%00", "before"),
        ("?filter=", "filter"),
        ("?filter=none", "filter"),
        ("?filter=archived&before=x", "before"),
    ] {
        let answer = server.get(&format!("{CONVERSATIONS}{query}"), &ana.token).await;
        invalid(&answer, "Validation error", &[path]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_whole_in_parts_and_compressed() {
    let server = Server::with(|config| config.message_rate = None).await;
    let ana = register(&server, "ana").await;
    let mut made = written_to(&server, &ana, 130).await;
    made.reverse();
    let whole = server.get(CONVERSATIONS, &ana.token).await;
    assert_eq!(ids(&whole.json()), made);
    assert_eq!(whole.header("content-type"), Some("application/json"));
    assert_eq!((whole.header("content-encoding"), whole.header("cache-control")), (None, Some("no-store")));
    for encoding in ["gzip", "br"] {
        let ask = async |path: &str| {
            let request = server.request(Method::GET, path).header("accept-encoding", encoding);
            server.send(request.header("authorization", format!("Bearer {}", ana.token)), "").await
        };
        let small = ask(CONVERSATIONS).await;
        assert_eq!(small.header("content-encoding"), Some(encoding));
        assert!(small.body.len() * 5 < whole.body.len(), "{} of {}", small.body.len(), whole.body.len());
        assert_eq!(ask("/api/auth/me").await.header("content-encoding"), None);
        assert_eq!(ask("/api/chat/unread-count").await.header("content-encoding"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_not_opened_under_a_block() {
    let server = Server::start().await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let blocked = server.post("/api/chat/blocks", &bruno.token, json!({"user_id": ana.id})).await;
    assert_eq!(blocked.status, StatusCode::CREATED);
    for horse in [json!(null), json!("horse1")] {
        let ask = async |one: &Person, body: Value| server.post(CONVERSATIONS, &one.token, body).await;
        let answer = ask(&ana, json!({"recipient_id": bruno.id, "horse_id": horse})).await;
        refused(&answer, 403, "You cannot message this user");
        let answer = ask(&bruno, json!({"recipient_id": ana.id, "horse_id": horse})).await;
        refused(&answer, 403, "You have blocked this user");
    }
    assert_eq!(ids(&listed(&server, &bruno, "").await), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_counts_as_a_message() {
    let server = Server::with(|config| config.message_rate = std::num::NonZeroU32::new(2)).await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let mut answers = Vec::new();
    for number in 0..30 {
        let body = json!({"recipient_id": bruno.id, "horse_id": format!("horse{number}")});
        answers.push(server.post(CONVERSATIONS, &ana.token, body).await);
    }
    let taken = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    let late = answers.last().unwrap();
    assert!((10..25).contains(&taken), "{taken}");
    let sent =
        server.post(&messages(&open(&server, &bruno, &ana).await), &ana.token, json!({"text": "x"})).await;
    assert_eq!(sent.status, StatusCode::CREATED, "messages have a rate beside it");
    assert_eq!((late.status.as_u16(), late.json()["message"].as_str()), (429, Some("Too many messages")));
    assert!(late.header("retry-after").is_some() && late.json()["retry_after"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_does_not_tell_whose_email_has_an_account() {
    let server = Server::start().await;
    let (ana, _) = (register(&server, "ana").await, register(&server, "bruno").await);
    for email in ["bruno@example.com", "BRUNO@EXAMPLE.COM", "nobody@example.com"] {
        for field in ["recipient_id", "recipient_email"] {
            let answer = server.post(CONVERSATIONS, &ana.token, json!({field: email})).await;
            refused(&answer, 400, "Invalid recipient ID");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_do_not_tell_which_ids_there_are() {
    let server = Server::start().await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let carla = register(&server, "carla").await;
    let shared = open(&server, &ana, &carla).await;
    server.post(&messages(&shared), &ana.token, json!({"text": "Hello"})).await;
    let mut watching = Socket::connect(&server, &ana.token).await;
    let _online = Socket::connect(&server, &bruno.token).await;
    let unknown = "65a50b5e9f1c2d3e4f506170";
    let answers = async |user: &str| {
        let made = server.post("/api/chat/blocks", &ana.token, json!({"user_id": user})).await;
        let path = format!("/api/chat/blocks/{user}");
        let request = server.request(Method::DELETE, &path);
        let ended = server.send(request.header("authorization", format!("Bearer {}", ana.token)), "").await;
        let again = server.post("/api/chat/blocks", &ana.token, json!({"user_id": user})).await;
        [made, ended, again].map(|answer| (answer.status.as_u16(), answer.json()))
    };
    assert_eq!(answers(unknown).await, answers(&bruno.id).await);
    answers(&carla.id).await;
    let listed = server.get("/api/chat/blocks", &ana.token).await.json()["data"].take();
    let name = |id: &str| {
        let found = listed.as_array().unwrap().iter().find(|listed| listed["_id"] == id);
        found.unwrap()["full_name"].clone()
    };
    assert_eq!((name(unknown), name(&bruno.id)), (Value::Null, Value::Null));
    assert_eq!(name(&carla.id), "carla");
    let last = format!(r#"42["user_blocked",{{"user_id":"{}"}}]"#, carla.id);
    watching.receive(&last).await;
    let seen = watching.receive(&last).await;
    let told = |id: &str| seen.iter().any(|packet| packet.contains("presence") && packet.contains(id));
    assert!(!told(&bruno.id), "a stranger's presence is not shown: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_unknown_events_have_rates() {
    let server = Server::with(|config| config.message_rate = std::num::NonZeroU32::new(1)).await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(server.get("/api/chat/unread-count", &ana.token).await.status.as_u16());
    }
    let taken = answers.iter().filter(|status| **status == 200).count();
    assert!((50..150).contains(&taken) && answers.contains(&429), "{taken}");
    assert_eq!(server.get(CONVERSATIONS, &bruno.token).await.status, StatusCode::OK);
    let mut socket = Socket::connect(&server, &bruno.token).await;
    let events: Vec<_> = (0..200).map(|number| format!(r#"42{number}["nonsense"]"#)).collect();
    socket.emit(&events.join("\x1e")).await;
    let answers = socket.receive("43199[").await;
    let unknown = answers.iter().filter(|answer| answer.contains("Unknown event")).count();
    assert!((40..150).contains(&unknown), "{unknown}");
    assert!(answers.last().unwrap().contains(r#""message":"Too many messages","retry_after":"#));
}
