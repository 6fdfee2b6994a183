//! Files of `mongoexport` into an empty store of every engine, in every form that it writes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use horse_trust::import::{Counts, ImportOptions, run};
use horse_trust::store::postgres::{PostgresImport, PostgresStore};
use horse_trust::store::sqlite::Database;
use horse_trust::store::{ImportTarget, LastMessage, Profile, Role, Store};
use horse_trust::timestamp::Timestamp;
use tempfile::TempDir;

use crate::postgres::sums_are_right;
use crate::store::{self, append, id, list, mark_read, read_page, soon};

const ANN: &str = "65a000000000000000000001";
const BEN: &str = "65a000000000000000000002";
const TALK: &str = "65b000000000000000000001";
const QUIET: &str = "65b000000000000000000002";

const USERS: &str = r#"
{"_id":{"$oid":"65a000000000000000000001"},"email":"Ann@Example.ORG","password_hash":"$2b$10$abc","role":"admin","full_name":"Ann","phone":"+5491112345678","profile_picture_url":"https://example.org/ann.jpg","is_active":false,"created_at":{"$date":"2024-01-15T10:30:00.123Z"},"updated_at":{"$date":"2024-01-16T10:30:00.123Z"},"seller_profile":{"rating":{"$numberDouble":"4.5"}},"__v":0}
{"_id":{"$oid":"65a000000000000000000002"},"email":"ben@example.org","full_name":null}
"#;

const CONVERSATIONS: &str = r#"[{"_id":{"$oid":"65b000000000000000000001"},"participants":[{"$oid":"65a000000000000000000001"},{"$oid":"65a000000000000000000002"}],"horse_id":{"$oid":"65c000000000000000000001"},"last_message":{"text":"old","sender_id":{"$oid":"65a000000000000000000001"},"sent_at":{"$date":"2024-02-01T00:00:00Z"},"is_read":true},"created_at":{"$date":{"$numberLong":"1705314600000"}},"updated_at":{"$date":{"$numberLong":"1705314600001"}},"__v":{"$numberInt":"0"}},
{"_id":{"$oid":"65b000000000000000000002"},"participants":[{"$oid":"65a000000000000000000002"},{"$oid":"65a000000000000000000001"}],"last_message":{"text":"kept","sender_id":{"$oid":"65a000000000000000000001"},"sent_at":{"$date":1706745600000},"is_read":true},"created_at":{"$date":"2024-01-15T07:30:00.000-03:00"},"updated_at":{"$date":"2024-01-15T10:30:00.009Z"}}]
"#;

/// A message of the talk, as a line.
fn message(number: u32, fields: &str) -> String {
    format!(
        r#"{{"_id":{{"$oid":"65d0000000000000{number:08}"}},"conversation_id":{{"$oid":"{TALK}"}},{fields}}}"#
    )
}

/// What is in the files, in an order other than that of time.
fn messages() -> String {
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

/// A folder with files, and a store.
struct Place {
    folder: TempDir,
    store: store::Place,
}

impl Place {
    async fn new(engine: &str) -> Self {
        Self { folder: TempDir::new().unwrap(), store: store::Place::new(engine).await }
    }

    /// Where the PostgreSQL is, if it is one.
    fn postgresql(&self) -> Option<&str> {
        match &self.store {
            store::Place::Folder(_) => None,
            store::Place::Database(url) => Some(url),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn import(
        &self,
        options: &ImportOptions,
    ) -> Result<Vec<(&'static str, Counts)>, Box<dyn Error + Send + Sync>> {
        let import = || {
            let mut target: Box<dyn ImportTarget> = match &self.store {
                store::Place::Folder(folder) => {
                    Box::new(Database::open(&folder.path().join("data/chat.db"))?)
                }
                store::Place::Database(url) => Box::new(PostgresImport::open(url)?),
            };
            Ok(run(options, &mut *target)?)
        };
        // It blocks, which is nothing for a thread of the runtime.
        std::thread::scope(|scope| scope.spawn(import).join().unwrap())
    }

    /// Imports the files, which have to be right; answers how many were imported and known in each.
    fn import_all(&self, users: &str, conversations: &str, messages: &str) -> Vec<(u64, u64)> {
        let options = ImportOptions {
            users: Some(self.file("users.json", users)),
            conversations: Some(self.file("conversations.json", conversations)),
            messages: Some(self.file("messages.json", messages)),
        };
        let report = self.import(&options).unwrap();
        report.into_iter().map(|(_, counts)| (counts.imported, counts.known)).collect()
    }

    /// Imports a file that has to be refused; answers the message, without the folder.
    fn refusal(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = Some(self.file(name, content));
        let mut options = ImportOptions::default();
        match name {
            "users.json" => options.users = path,
            "conversations.json" => options.conversations = path,
            _ => options.messages = path,
        }
        let message = self.import(&options).unwrap_err().to_string();
        let folder = format!("{}/", self.folder.path().display());
        message.strip_prefix(&folder).expect("the file is named").to_owned()
    }

    async fn store(&self) -> Arc<dyn Store> {
        let Some(url) = self.postgresql() else { return self.store.open().await };
        let store = PostgresStore::open(url).await.unwrap();
        assert!(store.register(true).await.unwrap());
        Arc::new(store)
    }
}

/// Checks that everything of the files above is there, as it was.
async fn check(store: &dyn Store) {
    let ann = soon(store.user_by_email("ann@example.org")).await.unwrap().unwrap();
    let profile = Profile {
        id: id(ANN),
        full_name: Some("Ann".to_owned()),
        profile_picture_url: Some("https://example.org/ann.jpg".to_owned()),
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

async fn everything_arrives_and_twice_changes_nothing(place: Place) {
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

async fn lines_and_arrays_are_alike(place: Place) {
    let array = |lines: &str| {
        let records: Vec<_> = lines.lines().filter(|line| !line.is_empty()).collect();
        format!("\u{feff} \n[\n{}\r\n]\n", records.join(",\r\n"))
    };
    let conversations = CONVERSATIONS.trim().trim_matches(['[', ']']).replace("},\n", "}\n");
    assert_eq!(
        place.import_all(&array(USERS), &conversations, &array(&messages())),
        [(2, 0), (2, 0), (5, 0)]
    );
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
}

/// A record a line, as `mongoexport --pretty` writes them, or older versions' spelling of values.
fn rewritten(lines: &str, write: impl Fn(serde_json::Value) -> String) -> String {
    let lines = lines.trim().trim_matches(['[', ']']).replace("},\n", "}\n");
    let records = lines.lines().map(|line| write(serde_json::from_str(line).unwrap()));
    records.collect::<Vec<_>>().join("\n")
}

async fn pretty_records_are_imported(place: Place) {
    let pretty = |lines: &str| {
        let records = rewritten(lines, |record| format!("{record:#}"));
        format!("\u{feff}{}\n", records.replace("  ", "\t")).replace('\n', "\r\n")
    };
    let files = (pretty(USERS), pretty(CONVERSATIONS), pretty(&messages()));
    assert_eq!(place.import_all(&files.0, &files.1, &files.2), [(2, 0), (2, 0), (5, 0)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
    // The line on which the record begins is the one that is named.
    let text = files.2.find("\"second\"").unwrap();
    let begin = files.2[..text].rfind("\n{").unwrap() + 1;
    let begins = files.2[..begin].matches('\n').count() + 1;
    assert!(begins > 5, "over several lines: {begins}");
    let refusal = place.refusal("messages.json", files.2.replacen("\"second\"", "7", 1));
    assert_eq!(refusal, format!("messages.json:{begins}: text: not a text"));
}

async fn only_what_is_read_has_to_be_right(place: Place) {
    let odd = |lines: &str| {
        rewritten(lines, |mut record| {
            record["rating"] = "RATING".into();
            let record = record.to_string();
            let record =
                record.replace("\"RATING\"", r#"NaN,"a":[-Infinity,undefined,"\ud800","NaN"],"2":1e999"#);
            // As older versions wrote dates.
            record.replace("Z\"}", "+0000\"}")
        })
    };
    let files = [odd(USERS), odd(CONVERSATIONS), odd(&messages())];
    assert!(files[2].contains(".000+0000\""), "{}", files[2]);
    assert_eq!(place.import_all(&files[0], &files[1], &files[2]), [(2, 0), (2, 0), (5, 0)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
    for (value, field) in [("NaN", "text"), ("-Infinity", "is_read"), ("undefined", "read_at")] {
        let record = message(
            7,
            &format!(
                r#""sender_id":"{ANN}","text":"x","is_read":false,"read_at":null,"sent_at":{{"$date":"2024-03-01T00:00:00Z"}}"#
            ),
        );
        let at = record.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
        let end = at + record[at..].find(',').unwrap();
        let refusal = place.refusal("messages.json", format!("{}{value}{}", &record[..at], &record[end..]));
        assert!(refusal.starts_with(&format!("messages.json:1: {field}: n")), "{refusal}");
    }
    let missing =
        message(7, r#""sender_id":"a","text":"x","sent_at":{"$date":"2024-02-30T00:00:00.000+0000"}"#);
    assert_eq!(place.refusal("messages.json", missing), "messages.json:1: sent_at: not a date");
}

async fn dates_in_the_future_are_brought_back(place: Place) {
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

async fn what_is_said_here_goes_on_behind_what_was_imported(place: Place) {
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
async fn what_is_twice_in_a_file_is_there_once(place: Place) {
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

async fn texts_and_ids_stay_as_they_are(place: Place) {
    // PostgreSQL can't store U+0000.
    let first = if place.postgresql().is_none() { [r"\u0000", "\0"] } else { ["-", "-"] };
    let texts = [first[0], r"\ud83d\udc34", "🐴", " ", r#"\"\\"#, &"é".repeat(5000)];
    let mut lines = String::new();
    for (number, text) in texts.iter().enumerate() {
        writeln!(
            lines,
            r#"{{"_id":"Own-Id_{number}","conversation_id":"{TALK}","sender_id":"{ANN}","text":"{text}","sent_at":{{"$date":"2024-03-01T00:00:0{number}Z"}}}}"#
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
    soon(store.close()).await;
}

async fn a_bad_record_is_named_and_nothing_of_its_file_stays(place: Place) {
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

async fn a_store_that_is_served_is_left_alone(place: Place) {
    let store = place.store().await;
    let options = ImportOptions { users: Some(place.file("users.json", USERS)), ..ImportOptions::default() };
    assert!(place.import(&options).unwrap_err().to_string().contains("in use"));
    soon(store.close()).await;
    assert_eq!(place.import(&options).unwrap()[0].1, Counts { imported: 2, ..Counts::default() });
}

async fn with_place<F: Future<Output = ()>>(engine: &str, check: impl FnOnce(Place) -> F) {
    check(Place::new(engine).await).await;
}

suite!(over [sqlite, postgresql], with with_place, [
    everything_arrives_and_twice_changes_nothing,
    lines_and_arrays_are_alike,
    pretty_records_are_imported,
    only_what_is_read_has_to_be_right,
    dates_in_the_future_are_brought_back,
    what_is_said_here_goes_on_behind_what_was_imported,
    texts_and_ids_stay_as_they_are,
    a_bad_record_is_named_and_nothing_of_its_file_stays,
    a_store_that_is_served_is_left_alone,
    what_is_twice_in_a_file_is_there_once,
]);
