//! The people and conversations that every server is given, and their tokens.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// The secret given to every server that this program starts.
pub(crate) const SECRET: &str = "the load generator signs its own tokens with this";

const DATE: &str = "2025-03-01T12:00:00.000Z";
const TOKEN_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What a rider writes: 70 characters, the length of a common chat message, and none that JSON escapes.
const SENTENCE: &str = "Is the grey mare still for sale, and may I see her on Saturday morning";

/// The id of a user: 24 hexadecimal digits.
pub(crate) fn user_id(index: usize) -> String {
    format!("65a1b2c3d4e5f6a7{index:08x}")
}

/// The id of the conversation between users `2 × index` and `2 × index + 1`.
pub(crate) fn conversation_id(index: usize) -> String {
    format!("65c1b2c3d4e5f6a7{index:08x}")
}

/// Message number `counter` of one side of a conversation.
pub(crate) fn message_text(side: char, counter: usize) -> String {
    format!("{side}{counter} {SENTENCE}")
}

/// Which side wrote this text, and its counter; the reverse of [`message_text`].
pub(crate) fn parse_text(text: &str) -> Option<(char, usize)> {
    let (head, _) = text.split_once(' ')?;
    let side = head.chars().next()?;
    Some((side, head[side.len_utf8()..].parse().ok()?))
}

/// A token as the platform issues it.
pub(crate) fn token(user: &str, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs();
    let claims = json!({ "userId": user, "role": "seller", "iat": now, "exp": now + TOKEN_LIFETIME_SECONDS });
    sign(&claims.to_string(), secret)
}

fn sign(claims: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The CONNECT packet's `auth` for a token.
pub(crate) fn auth(token: &str) -> String {
    format!("{{\"token\":\"{token}\"}}")
}

/// `auth` for each of the first `count` users.
pub(crate) fn auths(count: usize, secret: &str) -> Vec<String> {
    (0..count).map(|index| auth(&token(&user_id(index), secret))).collect()
}

/// Files as mongoexport writes them, for `horse-trust import` and for the peers.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) users: PathBuf,
    pub(crate) conversations: PathBuf,
}

impl Export {
    /// Writes `users` people, each with the neighbour in one conversation, into `folder`.
    pub(crate) fn write(folder: &Path, users: usize) -> Result<Self> {
        let export =
            Self { users: folder.join("users.jsonl"), conversations: folder.join("conversations.jsonl") };
        write_lines(&export.users, users, |index| {
            json!({
                "_id": { "$oid": user_id(index) },
                "email": format!("rider{index}@example.org"),
                // Of the right shape and of no password: nobody logs in here.
                "password_hash": format!("$2b$10${}", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"),
                "role": "seller",
                "full_name": format!("Rider {index}"),
                "is_active": true,
                "created_at": { "$date": DATE },
            })
        })?;
        write_lines(&export.conversations, users / 2, |index| {
            let participants = [user_id(2 * index), user_id(2 * index + 1)].map(|id| json!({ "$oid": id }));
            json!({
                "_id": { "$oid": conversation_id(index) },
                "participants": participants,
                "created_at": { "$date": DATE },
                "updated_at": { "$date": DATE },
            })
        })?;
        Ok(export)
    }
}

/// Writes `messages` messages for import, oldest first: a tenth of them in conversation 0, for a history that is
/// longer than the others', and the rest spread evenly. All but the last thousand have been read.
pub(crate) fn write_messages(path: &Path, messages: usize, conversations: usize) -> Result<()> {
    // One second apart, from the date on which the conversations were made.
    let start_milliseconds: u64 = 1_740_830_400_000;
    write_lines(path, messages, |index| {
        let conversation = conversation_of(index, conversations);
        let date = |index: usize| {
            let milliseconds = start_milliseconds + 1000 * index as u64;
            json!({ "$date": { "$numberLong": milliseconds.to_string() } })
        };
        let is_read = index + 1000 < messages;
        json!({
            "_id": { "$oid": format!("65e1b2c3d4e5f6a7{index:08x}") },
            "conversation_id": { "$oid": conversation_id(conversation) },
            // Runs of three by the same person, as people write.
            "sender_id": { "$oid": user_id(2 * conversation + index / 30 % 2) },
            "text": message_text('h', index),
            "is_read": is_read,
            "read_at": is_read.then(|| date(index + 60)),
            "sent_at": date(index),
        })
    })
}

fn conversation_of(message: usize, conversations: usize) -> usize {
    if message.is_multiple_of(10) || conversations == 1 { 0 } else { 1 + message % (conversations - 1) }
}

fn write_lines(path: &Path, count: usize, record: impl Fn(usize) -> serde_json::Value) -> Result<()> {
    let named = || format!("writing {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(named)?);
    for index in 0..count {
        writeln!(file, "{}", record(index)).with_context(named)?;
    }
    file.flush().with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_one_that_any_library_makes() {
        // From the debugger page of jwt.io, claims and secret as it shows them.
        let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert_eq!(
            sign(claims, "your-256-bit-secret"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
             eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.\
             SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }

    #[test]
    fn a_text_tells_its_side_and_counter() {
        assert_eq!(parse_text(&message_text('a', 1234)), Some(('a', 1234)));
        assert_eq!(parse_text("hello there"), None);
        assert_eq!(parse_text(""), None);
    }

    #[test]
    fn a_tenth_of_the_messages_is_in_one_conversation_and_the_rest_in_all_others() {
        let mut counts = [0; 7];
        for message in 0..6000 {
            counts[conversation_of(message, counts.len())] += 1;
        }
        assert_eq!(counts[0], 600);
        assert!(counts[1..].iter().all(|&count| count > 500), "{counts:?}");
    }

    #[test]
    fn ids_have_24_hexadecimal_digits() {
        for id in [user_id(0), user_id(9_999), conversation_id(4_999)] {
            assert_eq!(id.len(), 24);
            assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
