//! What an import brings is in the store, once.

use std::fmt::Write as _;
use std::sync::Arc;

use horse_trust::import::ImportOptions;
use horse_trust::timestamp::Timestamp;

use super::files::{ANN, BEN, CONVERSATIONS, QUIET, TALK, USERS, check, message, messages};
use super::place::Place;
use crate::fixture::store::{append, id, list, mark_read, read_page, soon};
use crate::postgres::sums_are_right;

pub(crate) async fn everything_arrives_and_twice_changes_nothing(place: Place) {
    assert_eq!(place.import_all(USERS, CONVERSATIONS, &messages()), [(2, 0), (2, 0), (5, 0)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
    drop(store);
    assert_eq!(place.import_all(USERS, CONVERSATIONS, &messages()), [(0, 2), (0, 2), (0, 5)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
}

pub(crate) async fn dates_in_the_future_are_brought_back(place: Place) {
    place.import_all(USERS, CONVERSATIONS, &messages());
    let begun = Timestamp::now();
    let ahead = |days: i64| Timestamp(begun.0 + days * 86_400_000);
    let from_ann = |number: u32, text: &str, sent_at: Timestamp| {
        message(number, &format!(r#""sender_id":"{ANN}","text":"{text}","sent_at":{{"$date":"{sent_at}"}}"#))
    };
    // The ids are in another order than the dates.
    let late = [
        from_ann(30, "first", ahead(400)),
        from_ann(20, "second", ahead(401)),
        from_ann(10, "third", ahead(20_000)),
        from_ann(40, "before", ahead(-1)),
    ]
    .join("\n");
    let user =
        format!(r#"{{"_id":"late","email":"late@example.org","created_at":{{"$date":"{}"}}}}"#, ahead(400));
    let conversation = format!(
        r#"{{"_id":"late","participants":["late","{ANN}"],"created_at":{{"$date":"{0}"}},"updated_at":{{"$date":"{0}"}},"last_message":{{"text":"x","sender_id":"late","sent_at":{{"$date":"{0}"}}}}}}"#,
        ahead(400)
    );
    let options = ImportOptions {
        users: Some(place.file("users.json", user)),
        conversations: Some(place.file("conversations.json", conversation)),
        messages: Some(place.file("messages.json", late)),
    };
    let report = place.import(&options).unwrap();
    let brought_back: Vec<_> =
        report.iter().map(|(_, counts)| (counts.imported, counts.brought_back)).collect();
    assert_eq!(brought_back, [(1, 1), (1, 3), (4, 3)]);
    let ended = Timestamp::now();
    let again = place.import(&options).unwrap();
    assert!(again.iter().all(|(_, counts)| (counts.imported, counts.brought_back) == (0, 0)), "{again:?}");

    let store = place.store().await;
    let talk = Arc::new(soon(store.conversation(&id(TALK))).await.unwrap().unwrap());
    let history = read_page(&*store, &talk, 1, 4).await;
    let texts: Vec<_> = history.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["before", "first", "second", "third"]);
    assert_eq!(history[0].sent_at, ahead(-1));
    let during = begun..=ended;
    assert!(history[1..].iter().all(|message| during.contains(&message.sent_at)), "{history:?}");
    let user = soon(store.user(&id("late"))).await.unwrap().unwrap();
    assert!(during.contains(&user.created_at));
    let list = list(&*store, "late").await;
    let found = &list[0];
    let dates =
        [found.conversation.created_at, found.updated_at, found.last_message.as_ref().unwrap().sent_at];
    assert!(dates.iter().all(|date| during.contains(date)), "{dates:?}");
    // What is written now is of now.
    let next = append(&*store, &talk, BEN, "now").await.unwrap();
    assert!((begun.0..ended.0 + 60_000).contains(&next.sent_at.0), "{}", next.sent_at);
    soon(store.close()).await;
}

pub(crate) async fn what_is_said_here_goes_on_behind_what_was_imported(place: Place) {
    place.import_all(USERS, CONVERSATIONS, &messages());
    let store = place.store().await;
    let talk = Arc::new(soon(store.conversation(&id(TALK))).await.unwrap().unwrap());
    let next = append(&*store, &talk, ANN, "here").await.unwrap();
    assert_eq!(next.seq, 6);
    assert!(next.id > id("65d000000000000000000009"));
    assert_eq!(mark_read(&*store, &talk, BEN).await.unwrap(), 2);
    let quiet = Arc::new(soon(store.conversation(&id(QUIET))).await.unwrap().unwrap());
    append(&*store, &quiet, BEN, "news").await.unwrap();
    let list = list(&*store, ANN).await;
    assert_eq!(list[0].last_message.as_ref().unwrap().text, "news");
    soon(store.close()).await;
    drop(store);

    // What the old server said meanwhile comes behind, whatever its date.
    let late = message(
        5,
        &format!(r#""sender_id":"{BEN}","text":"late","sent_at":{{"$date":"2020-01-01T00:00:00Z"}}"#),
    );
    assert_eq!(
        place.import_all(USERS, CONVERSATIONS, &(messages() + "\n" + &late)),
        [(0, 2), (0, 2), (1, 5)]
    );
    let store = place.store().await;
    let history = read_page(&*store, &talk, 1, 2).await;
    let seen: Vec<_> = history.iter().map(|message| (message.seq, message.text.as_str())).collect();
    assert_eq!(seen, [(6, "here"), (7, "late")]);
    assert_eq!(append(&*store, &talk, ANN, "on").await.unwrap().seq, 8);
    soon(store.close()).await;
    if let Some(url) = place.postgresql() {
        assert!(sums_are_right(url).await);
    }
}

/// Within one part of a file and over several, of which each is given to the store at once.
pub(crate) async fn what_is_twice_in_a_file_is_there_once(place: Place) {
    let many = 1200;
    let users: Vec<_> =
        (0..many).map(|n| format!(r#"{{"_id":"u{n}","email":"u{n}@example.org"}}"#)).collect();
    let conversations: Vec<_> =
        (0..many).map(|n| format!(r#"{{"_id":"c{n}","participants":["u{n}","u0{n}"]}}"#)).collect();
    let messages: Vec<_> = (0..many)
        .map(|n| {
            let sent_at = r#"{"$date":"2024-03-01T00:00:00Z"}"#;
            format!(
                r#"{{"_id":"m{n:04}","conversation_id":"c1","sender_id":"u1","text":"{n}","sent_at":{sent_at}}}"#
            )
        })
        .collect();
    let twice = |lines: &[String]| [&lines[..1], lines, &lines[many - 1..], lines].concat().join("\n");
    let known = many as u64 + 2;
    let counts = place.import_all(&twice(&users), &twice(&conversations), &twice(&messages));
    assert_eq!(counts, [(many as u64, known); 3]);
    let store = place.store().await;
    let talk = soon(store.conversation(&id("c1"))).await.unwrap().unwrap();
    let first = read_page(&*store, &talk, 12, 100).await;
    assert_eq!((first[0].seq, first[0].id.as_str(), first[99].seq), (1, "m0000", 100));
    assert_eq!(soon(store.unread_count(&id("u01"))).await.unwrap(), many as u64);
    soon(store.close()).await;

    // Of several that are wrong the first is named, whatever is wrong with it.
    let wrong = [
        (1100, r#"{"_id":"v","email":"u7@example.org"}"#, "email: belongs to another user"),
        (1150, "7", "not a JSON object"),
        (1190, r#"{"_id":"w","email":"u8@example.org"}"#, "email: belongs to another user"),
    ];
    for first in 0..wrong.len() {
        let mut lines = users.clone();
        for (line, text, _) in &wrong[first..] {
            (*text).clone_into(&mut lines[line - 1]);
        }
        let (line, _, problem) = wrong[first];
        assert_eq!(place.refusal("users.json", lines.join("\n")), format!("users.json:{line}: {problem}"));
    }
}

pub(crate) async fn texts_and_ids_stay_as_they_are(place: Place) {
    // PostgreSQL can't store U+0000.
    let first = if place.postgresql().is_none() { [r"\u0000", "\0"] } else { ["-", "-"] };
    let texts = [first[0], r"\ud83d\udc34", "🐴", " ", r#"\"\\"#, &"é".repeat(5000)];
    let mut lines = String::new();
    for (number, text) in texts.iter().enumerate() {
        writeln!(
            lines,
            r#"{{"_id":"Own-Id_{number}","conversation_id":"{TALK}","sender_id":"{ANN}","text":"{text}","custom":{{"n":{{"$numberInt":"{number}"}}}},"sent_at":{{"$date":"2024-03-01T00:00:0{number}Z"}}}}"#
        )
        .unwrap();
    }
    place.import_all(USERS, CONVERSATIONS, &lines);
    let store = place.store().await;
    let talk = soon(store.conversation(&id(TALK))).await.unwrap().unwrap();
    let history = read_page(&*store, &talk, 1, 30).await;
    let found: Vec<_> = history.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(found, [first[1], "🐴", "🐴", " ", "\"\\", &"é".repeat(5000)]);
    assert_eq!(history[3].id, id("Own-Id_3"));
    let extras = history[3].extras.as_ref().unwrap();
    assert_eq!(extras.custom.as_ref().unwrap().as_str(), r#"{"n":3}"#);
    soon(store.close()).await;
}
