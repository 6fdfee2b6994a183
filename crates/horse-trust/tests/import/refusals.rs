//! What an import refuses, and leaves nothing of.

use horse_trust::import::{Counts, ImportOptions};

use super::files::{ANN, BEN, CONVERSATIONS, TALK, USERS, message, messages};
use super::place::Place;
use crate::fixture::store::{id, read_page, soon};

pub(crate) async fn a_bad_record_is_named_and_nothing_of_its_file_stays(place: Place) {
    place.import_all(USERS, CONVERSATIONS, "");
    let bad = |fields: &str| format!("{}\n{}\n{}\n", messages(), message(7, fields), message(8, fields));
    let right = format!(r#""sender_id":"{ANN}","sent_at":{{"$date":"2024-03-01T00:00:00Z"}}"#);
    for (content, expected) in [
        (
            bad(&format!(r#""sender_id":"{ANN}","text":"x","sent_at":"soon""#)),
            "messages.json:6: sent_at: not a date",
        ),
        (bad(&format!(r#"{right},"text":7"#)), "messages.json:6: text: not a text"),
        (bad(&right), "messages.json:6: text: missing"),
        (
            bad(&format!(r#"{right},"text":"x","custom":7"#)),
            "messages.json:6: custom: not an object of at most 2048 bytes as JSON",
        ),
        (
            bad(&format!(r#"{right},"text":"x","is_read":"maybe""#)),
            "messages.json:6: is_read: neither true nor false",
        ),
        (
            bad(r#""sender_id":"eve","text":"x","sent_at":{"$date":"2024-03-01T00:00:00Z"}"#),
            "messages.json:6: sender_id: takes no part in the conversation",
        ),
        (bad(&format!(r#"{right},"text":"x"#)), "messages.json:6: not JSON: "),
        (
            bad(&right)
                .replace(&format!(r#"{TALK}"}},{right}"#), &format!(r#"nowhere"}},{right},"text":"x""#)),
            "messages.json:6: conversation_id: no such conversation",
        ),
        (format!("{}\n7\n", messages()), "messages.json:6: not a JSON object"),
        (format!("[{},\n7]", messages().replace('\n', ",\n")), "messages.json:6: not a JSON object"),
        (
            format!("[{},\n{{\"_id\":\"x\",\n\"text\":true}}]", messages().replace('\n', ",\n")),
            "messages.json:6: conversation_id: missing",
        ),
        (format!("[{}", messages().replace('\n', ",\n")), "messages.json:5: the array does not end"),
    ] {
        let message = place.refusal("messages.json", content);
        assert!(message.starts_with(expected), "{message} / {expected}");
        assert!(!message.contains('\n'), "{message}");
    }
    assert!(place.refusal("messages.json", b"{\"_id\":\"\xff\"}").starts_with("messages.json:1: not JSON"));
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(place.refusal("messages.json", deep).starts_with("messages.json:1: not JSON"));

    for (line, expected) in [
        (r#"{"_id":"u","email":"ANN@example.org"}"#, "email: belongs to another user"),
        (r#"{"_id":"u","email":"u@example.org","role":"king"}"#, "role: neither seller nor admin"),
        (r#"{"_id":"u"}"#, "email: missing"),
        (r#"{"_id":"u v","email":"u@example.org"}"#, "_id: not an id"),
        (r#"{"_id":"u","email":"u@example.org","is_active":2}"#, "is_active: neither true nor false"),
        (r#"{"_id":"u","email":"u@example.org","is_active":null}"#, "is_active: neither true nor false"),
    ] {
        let content = format!("{{\"_id\":\"new\",\"email\":\"new@example.org\"}}\n\n{line}\n");
        assert_eq!(place.refusal("users.json", content), format!("users.json:3: {expected}"));
    }
    for (line, expected) in [
        (r#"{"_id":"c","participants":["a"]}"#, "participants: not two ids"),
        (r#"{"_id":"c","participants":["a","b","c"]}"#, "participants: not two ids"),
        (r#"{"_id":"c","participants":["a","a"]}"#, "participants: twice the same"),
        (r#"{"_id":"c","participants":["a","b"],"horse_id":[]}"#, "horse_id: not an id"),
        (
            r#"{"_id":"c","participants":["a","b"],"last_message":{"text":1}}"#,
            "last_message.text: not a text",
        ),
    ] {
        let content = format!("[{{\"_id\":\"new\",\"participants\":[\"a\",\"b\"]}},\n{line}]\n");
        assert_eq!(place.refusal("conversations.json", content), format!("conversations.json:2: {expected}"));
    }
    let missing =
        ImportOptions { users: Some(place.folder.path().join("absent.json")), ..ImportOptions::default() };
    assert!(place.import(&missing).unwrap_err().to_string().contains("absent.json: "));

    let store = place.store().await;
    assert!(soon(store.user(&id("new"))).await.unwrap().is_none());
    assert!(soon(store.conversation(&id("new"))).await.unwrap().is_none());
    let talk = soon(store.conversation(&id(TALK))).await.unwrap().unwrap();
    assert!(read_page(&*store, &talk, 1, 30).await.is_empty());
    assert_eq!(soon(store.unread_count(&id(BEN))).await.unwrap(), 0);
    soon(store.close()).await;
}

pub(crate) async fn a_store_that_is_served_is_left_alone(place: Place) {
    let store = place.store().await;
    let options = ImportOptions { users: Some(place.file("users.json", USERS)), ..ImportOptions::default() };
    assert!(place.import(&options).unwrap_err().to_string().contains("in use"));
    soon(store.close()).await;
    assert_eq!(place.import(&options).unwrap()[0].1, Counts { imported: 2, ..Counts::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_refuses_u0000_by_line_and_field() {
    let place = Place::new("postgresql").await;
    place.import_all(USERS, CONVERSATIONS, "");
    for (name, record, field) in [
        (
            "users.json",
            r#"{"_id":"u","email":"u@example.org","full_name":"a\u0000b"}"#.to_owned(),
            "full_name",
        ),
        ("conversations.json", CONVERSATIONS.replace("old", r"\u0000"), "last_message.text"),
        (
            "messages.json",
            message(1, &format!(r#""sender_id":"{ANN}","text":"\u0000","sent_at":"2024-03-01T00:00:00Z""#)),
            "text",
        ),
    ] {
        let expected = format!("{name}:1: {field}: U+0000 in a text, which PostgreSQL can't store");
        assert_eq!(place.refusal(name, record), expected);
    }
}
