//! Some files of `mongoexport`, and what is in the store after their import.

use horse_trust::store::{LastMessage, Profile, Role, Store};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store::{id, list, read_page, soon};
pub(crate) const ANN: &str = "65a000000000000000000001";
pub(crate) const BEN: &str = "65a000000000000000000002";
pub(crate) const TALK: &str = "65b000000000000000000001";

pub(crate) const QUIET: &str = "65b000000000000000000002";

pub(crate) const USERS: &str = r#"
{"_id":{"$oid":"65a000000000000000000001"},"email":"Ann@Example.ORG","password_hash":"$2b$10$abc","role":"admin","full_name":"Ann","phone":"+5491112345678","profile_picture_url":"https://example.org/ann.jpg","is_active":false,"created_at":{"$date":"2024-01-15T10:30:00.123Z"},"updated_at":{"$date":"2024-01-16T10:30:00.123Z"},"seller_profile":{"rating":{"$numberDouble":"4.5"}},"__v":0}
{"_id":{"$oid":"65a000000000000000000002"},"email":"ben@example.org","full_name":null}
"#;

pub(crate) const CONVERSATIONS: &str = r#"[{"_id":{"$oid":"65b000000000000000000001"},"participants":[{"$oid":"65a000000000000000000001"},{"$oid":"65a000000000000000000002"}],"horse_id":{"$oid":"65c000000000000000000001"},"last_message":{"text":"old","sender_id":{"$oid":"65a000000000000000000001"},"sent_at":{"$date":"2024-02-01T00:00:00Z"},"is_read":true},"created_at":{"$date":{"$numberLong":"1705314600000"}},"updated_at":{"$date":{"$numberLong":"1705314600001"}},"__v":{"$numberInt":"0"}},
{"_id":{"$oid":"65b000000000000000000002"},"participants":[{"$oid":"65a000000000000000000002"},{"$oid":"65a000000000000000000001"}],"last_message":{"text":"kept","sender_id":{"$oid":"65a000000000000000000001"},"sent_at":{"$date":1706745600000},"is_read":true},"created_at":{"$date":"2024-01-15T07:30:00.000-03:00"},"updated_at":{"$date":"2024-01-15T10:30:00.009Z"}}]
"#;

/// A message of the talk, as a line.
pub(crate) fn message(number: u32, fields: &str) -> String {
    format!(
        r#"{{"_id":{{"$oid":"65d0000000000000{number:08}"}},"conversation_id":{{"$oid":"{TALK}"}},{fields}}}"#
    )
}

/// What is in the files, in an order other than that of time.
pub(crate) fn messages() -> String {
    let by = |user: &str, text: &str, at: u32| {
        format!(
            r#""sender_id":{{"$oid":"{user}"}},"text":"{text}","sent_at":{{"$date":"2024-03-01T00:00:0{at}.000Z"}}"#
        )
    };
    [
        message(9, &format!(r#"{},"is_read":false"#, by(BEN, "last", 5))),
        message(
            2,
            &format!(
                r#"{},"is_read":true,"read_at":{{"$date":"2024-03-02T00:00:00Z"}}"#,
                by(ANN, "second", 1)
            ),
        ),
        message(1, &format!(r#"{},"is_read":false,"read_at":null"#, by(ANN, "first", 1))),
        message(4, &format!(r#"{},"deleted_at":{{"$date":"2024-03-02T00:00:00Z"}}"#, by(ANN, "gone", 3))),
        message(3, &by(BEN, "", 2)),
    ]
    .join("\n")
}

/// Checks that everything of the files above is there, as it was.
pub(crate) async fn check(store: &dyn Store) {
    let ann = soon(store.user_by_email("ann@example.org")).await.unwrap().unwrap();
    let profile = Profile {
        id: id(ANN),
        full_name: Some("Ann".to_owned()),
        profile_picture_url: Some("https://example.org/ann.jpg".to_owned()),
        is_deleted: false,
    };
    assert_eq!((&ann.profile, ann.password_hash.as_str(), ann.role), (&profile, "$2b$10$abc", Role::Admin));
    assert_eq!((ann.phone.as_deref(), ann.is_active), (Some("+5491112345678"), false));
    assert_eq!(ann.created_at, Timestamp(1_705_314_600_123));
    let ben = soon(store.user(&id(BEN))).await.unwrap().unwrap();
    assert_eq!((ben.password_hash.as_str(), ben.role, ben.is_active), ("", Role::Seller, true));
    assert_eq!(ben.profile.full_name, None);

    let talk = soon(store.conversation(&id(TALK))).await.unwrap().unwrap();
    assert_eq!(
        (&talk.participants, talk.horse_id),
        (&[id(ANN), id(BEN)], Some(id("65c000000000000000000001")))
    );
    let list = list(store, BEN).await;
    assert_eq!(
        list.iter().map(|summary| summary.conversation.id.as_str()).collect::<Vec<_>>(),
        [QUIET, TALK]
    );
    assert_eq!(
        (list[1].conversation.created_at.0, list[1].updated_at.0),
        (1_705_314_600_000, 1_705_314_600_001)
    );
    assert_eq!(
        (list[0].conversation.created_at.0, list[0].updated_at.0),
        (1_705_314_600_000, 1_705_314_600_009)
    );
    let kept = LastMessage {
        text: "kept".to_owned(),
        sender_id: id(ANN),
        sent_at: Timestamp(1_706_745_600_000),
        is_read: true,
    };
    assert_eq!((&list[0].last_message, list[0].unread_count), (&Some(kept), 0));
    assert_eq!(list[1].last_message.as_ref().unwrap().text, "last");

    let talk = soon(store.conversation(&id(TALK))).await.unwrap().unwrap();
    let history = read_page(store, &talk, 1, 30).await;
    let seen: Vec<_> = history
        .iter()
        .map(|message| (message.seq, message.text.as_str(), message.sender.as_str(), message.is_read))
        .collect();
    // By time, then by id; what was deleted is not shown but has its number.
    assert_eq!(
        seen,
        [(1, "first", ANN, false), (2, "second", ANN, true), (3, "", BEN, false), (5, "last", BEN, false)]
    );
    assert_eq!(history[0].id, id("65d000000000000000000001"));
    assert_eq!(history[0].sent_at, Timestamp::parse("2024-03-01T00:00:01Z").unwrap());
    let newest = read_page(store, &talk, 1, 2).await;
    assert_eq!(newest.iter().map(|message| message.seq).collect::<Vec<_>>(), [3, 5]);
    let older = read_page(store, &talk, 2, 2).await;
    assert_eq!(older.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(soon(store.unread_count(&id(ANN))).await.unwrap(), 2);
    assert_eq!(soon(store.unread_count(&id(BEN))).await.unwrap(), 1);
}

/// A record a line, as `mongoexport --pretty` writes them, or older versions' spelling of values.
pub(crate) fn rewritten(lines: &str, write: impl Fn(serde_json::Value) -> String) -> String {
    let lines = lines.trim().trim_matches(['[', ']']).replace("},\n", "}\n");
    let records = lines.lines().map(|line| write(serde_json::from_str(line).unwrap()));
    records.collect::<Vec<_>>().join("\n")
}
