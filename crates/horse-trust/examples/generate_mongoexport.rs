//! Writes `users.json`, `conversations.json` and `messages.json` as `mongoexport` does, to measure an import.
//!
//! `generate_mongoexport FOLDER [USERS [CONVERSATIONS [MESSAGES]]]`; the same numbers give the same files.
#![expect(clippy::print_stderr, reason = "a tool for the terminal")]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use horse_trust::timestamp::Timestamp;

/// 2024-01-01, when the first of everything was made.
const START: u64 = 1_704_067_200;

/// The kind of a record, in the middle of its id.
#[derive(Clone, Copy)]
enum Kind {
    User = 1,
    Conversation = 2,
    Message = 3,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        eprintln!("generate_mongoexport FOLDER [USERS [CONVERSATIONS [MESSAGES]]]");
        std::process::exit(2);
    };
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("{text}: not a number"))),
        None => Ok(default),
    };
    let (users, conversations, messages) = (number(100_000)?, number(50_000)?, number(1_000_000)?);
    if users < 3 || conversations == 0 {
        return Err(io::Error::other("at least three users and one conversation"));
    }
    std::fs::create_dir_all(&folder)?;
    write_all(&folder, "users.json", users, user)?;
    write_all(&folder, "conversations.json", conversations, |file, number| {
        conversation(file, number, users)
    })?;
    write_all(&folder, "messages.json", messages, |file, number| message(file, number, users, conversations))
}

fn write_all(
    folder: &Path,
    name: &str,
    count: u64,
    write: impl Fn(&mut BufWriter<File>, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(folder.join(name))?);
    for number in 0..count {
        write(&mut file, number)?;
    }
    file.flush()
}

/// An ObjectId whose time is that of the `number`th record.
fn object_id(kind: Kind, number: u64) -> String {
    format!("{:08x}{:010x}{:06x}", START + number / 100, kind as u8, number % 0x0100_0000)
}

fn date(number: u64) -> Timestamp {
    Timestamp(i64::try_from(START * 1000 + number * 10).expect("a date of this century"))
}

/// Spreads numbers, so that neighbours in a file belong to different conversations and people.
fn scatter(number: u64, below: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % below
}

fn participants(conversation: u64, users: u64) -> [u64; 2] {
    let first = scatter(conversation, users);
    [first, (first + 1 + scatter(conversation + 1, users - 1)) % users]
}

fn user(file: &mut BufWriter<File>, number: u64) -> io::Result<()> {
    writeln!(
        file,
        r#"{{"_id":{{"$oid":"{}"}},"email":"person.{number}@example.org","password_hash":"$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde","role":"seller","full_name":"Person {number}","phone":"+54911{number:08}","profile_picture_url":"https://pictures.example.org/{number}.jpg","is_active":true,"created_at":{{"$date":"{at}"}},"updated_at":{{"$date":"{at}"}},"__v":0}}"#,
        object_id(Kind::User, number),
        at = date(number),
    )
}

fn conversation(file: &mut BufWriter<File>, number: u64, users: u64) -> io::Result<()> {
    let [first, second] = participants(number, users).map(|user| object_id(Kind::User, user));
    writeln!(
        file,
        r#"{{"_id":{{"$oid":"{id}"}},"participants":[{{"$oid":"{first}"}},{{"$oid":"{second}"}}],"horse_id":{{"$oid":"{id}"}},"last_message":{{"text":"Hello, is this horse still available?","sender_id":{{"$oid":"{first}"}},"sent_at":{{"$date":"{at}"}},"is_read":false}},"created_at":{{"$date":"{at}"}},"updated_at":{{"$date":"{at}"}},"__v":0}}"#,
        id = object_id(Kind::Conversation, number),
        at = date(number),
    )
}

fn message(file: &mut BufWriter<File>, number: u64, users: u64, conversations: u64) -> io::Result<()> {
    let conversation = scatter(number, conversations);
    let sender = participants(conversation, users)[usize::from(scatter(number, 5) > 2)];
    let is_read = scatter(number, 10) > 0;
    let read_at =
        if is_read { format!(r#"{{"$date":"{}"}}"#, date(number + 500)) } else { "null".to_owned() };
    let deleted_at = if scatter(number, 97) == 0 {
        format!(r#"{{"$date":"{}"}}"#, date(number + 900))
    } else {
        "null".to_owned()
    };
    writeln!(
        file,
        r#"{{"_id":{{"$oid":"{}"}},"conversation_id":{{"$oid":"{}"}},"sender_id":{{"$oid":"{}"}},"text":"Message {number}: is the horse still available, and may I see it on Saturday?","is_read":{is_read},"read_at":{read_at},"deleted_at":{deleted_at},"sent_at":{{"$date":"{}"}},"__v":0}}"#,
        object_id(Kind::Message, number),
        object_id(Kind::Conversation, conversation),
        object_id(Kind::User, sender),
        date(number),
    )
}
