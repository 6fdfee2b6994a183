//! Conversations and their messages over HTTP.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::person::{CONVERSATIONS, Person, invalid, messages, open, refused, register};
use crate::fixture::server::{Server, Socket};

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
    let server = Server::with(|config| config.message_rate = None).await;
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
    let server = Server::with(|config| config.message_rate = std::num::NonZeroU32::new(1)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_unknown_counts_as_the_known_does() {
    let server = Server::with(|config| config.message_rate = std::num::NonZeroU32::new(1)).await;
    for (event, burst) in [
        (r#"["send_message",{"conversation_id":"unknown","text":"x"}]"#, 5),
        (r#"["mark_read",{"conversation_id":"unknown"}]"#, 50),
        (r#"["typing","unknown"]"#, 100),
        (r#"["join_conversation","unknown"]"#, 50),
    ] {
        let user = server.token(&format!("user_{burst}_{}", event.len()));
        let mut socket = Socket::connect(&server, &user).await;
        let packets: Vec<_> = (1..=200).map(|id| format!("42{id}{event}")).collect();
        socket.emit(&packets.join("\u{1e}")).await;
        let mut answers = String::new();
        for id in 1..=200 {
            answers += &socket.receive(&format!("43{id}[")).await.concat();
        }
        let unknown = answers.matches("Conversation not found").count();
        // More than the burst, by what a slow machine's time allows again.
        assert!((burst..150).contains(&unknown), "{event}: {unknown} were looked up");
        assert_eq!(unknown + answers.matches("Too many messages").count(), 200, "{event}");
    }
    let path = messages("unknown");
    let user = server.token("writer");
    let mut answer = server.post(&path, &user, json!({"text": "x"})).await;
    for _ in 0..100 {
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        refused(&answer, 404, "Conversation not found");
        answer = server.post(&path, &user, json!({"text": "x"})).await;
    }
    panic!("a hundred messages to nowhere were taken at one a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_is_what_was_returned() {
    let server = Server::with(|config| config.message_rate = None).await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let conversation = open(&server, &ana, &bruno).await;
    for number in 1..=6 {
        let sent =
            server.post(&messages(&conversation), &ana.token, json!({"text": number.to_string()})).await;
        assert_eq!(sent.status, StatusCode::CREATED);
    }
    let path = messages(&conversation);
    let unread = async || {
        let answer = server.get("/api/chat/unread-count", &bruno.token).await.json();
        answer["unread_count"].as_u64().unwrap()
    };
    for query in
        ["?page=99", "?page=2&limit=6", "?after_seq=6", "?after_seq=100", "?before_seq=1", "?before_seq=0"]
    {
        assert_eq!(
            server.get(&format!("{path}{query}"), &bruno.token).await.json()["data"],
            json!([]),
            "{query}"
        );
        assert_eq!(unread().await, 6, "{query}");
    }
    for query in ["", "?limit=1", "?after_seq=0"] {
        let request = server.request(Method::HEAD, &format!("{path}{query}"));
        let answer =
            server.send(request.header("authorization", format!("Bearer {}", bruno.token)), "").await;
        assert_eq!(
            (answer.status, answer.body.len(), unread().await),
            (StatusCode::OK, 0, 6),
            "HEAD {query}"
        );
    }
    for (query, left) in [
        ("?page=6&limit=1", 5),
        ("?after_seq=0&limit=2", 4),
        ("?before_seq=4", 3),
        ("?page=2&limit=2", 2),
        ("", 0),
    ] {
        server.get(&format!("{path}{query}"), &bruno.token).await;
        assert_eq!(unread().await, left, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_are_taken_in_any_spelling() {
    let server = Server::start().await;
    let (ana, bruno) = (register(&server, "ana").await, register(&server, "bruno").await);
    let conversation = open(&server, &ana, &bruno).await;
    for text in ["1", "2", "3"] {
        server.post(&messages(&conversation), &ana.token, json!({"text": text})).await;
    }
    let read = format!("{CONVERSATIONS}/{conversation}/read");
    for (number, read_up_to) in [("-0", 0), ("1.0", 1), ("2e0", 2), ("0.03E+2", 3)] {
        let answer = server.post(&read, &bruno.token, format!(r#"{{"up_to_seq":{number}}}"#)).await;
        assert_eq!(answer.json()["data"]["up_to_seq"], read_up_to, "{number}");
    }
    for number in ["1.5", "-1", "1e400", "1e-1", "\"1\"", "1e99999999999999999999"] {
        let answer = server.post(&read, &bruno.token, format!(r#"{{"up_to_seq":{number}}}"#)).await;
        invalid(&answer, "Validation error", &["up_to_seq"]);
    }
    let mut socket = Socket::connect(&server, &bruno.token).await;
    for (number, limit) in [("30.0", "3"), ("2e0", "2"), ("10E-1", "1")] {
        socket
            .emit(&format!(
                r#"421["fetch_messages",{{"conversation_id":"{conversation}","limit":{number}}}]"#
            ))
            .await;
        let answer = socket.receive("431").await.pop().unwrap();
        assert_eq!(answer.matches(r#""text":"#).count().to_string(), limit, "{answer}");
    }
    for number in ["30.5", "0", "-0.0", "1e400"] {
        socket
            .emit(&format!(
                r#"421["fetch_messages",{{"conversation_id":"{conversation}","limit":{number}}}]"#
            ))
            .await;
        let refused = r#"431[{"success":false,"message":"Invalid request"}]"#;
        assert_eq!(socket.receive("431").await.pop().unwrap(), refused, "{number}");
    }
}
