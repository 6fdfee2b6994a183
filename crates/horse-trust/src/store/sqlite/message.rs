//! The columns of a message. A new one is named here, and in a migration for the four places where messages are:
//! `messages`, `recent_a`, `recent_b` and the view `all_messages`. An optional part that no statement looks into needs none
//! of this: it is a field of [`MessageExtras`].

use rusqlite::{Connection, params};

use super::codec::MessageId;
use crate::store::columns::{columns, sql};
use crate::store::types::{Conversation, Message, MessageExtras, Quote};
use crate::timestamp::Timestamp;

columns! {
    /// A message as `all_messages m` has it. The sequence number has to be in it, or SQLite sorts whole conversations.
    struct MessageRow of sqlite "m" {
        id: MessageId,
        seq: i64,
        sender: usize,
        text: String,
        is_read: Option<bool>,
        sent_at: Timestamp,
        client_id: Option<String>,
        reply_to: Option<i64>,
        quoted_id: Option<MessageId> = "CASE WHEN m.reply_to NOT NULL THEN (SELECT q.id FROM all_messages q
            WHERE q.conversation = m.conversation AND q.seq = m.reply_to) END",
        quoted_sender: Option<usize> = "CASE WHEN m.reply_to NOT NULL THEN (SELECT q.sender FROM all_messages q
            WHERE q.conversation = m.conversation AND q.seq = m.reply_to) END",
        quoted_text: Option<String> = "CASE WHEN m.reply_to NOT NULL THEN (SELECT iif(q.deleted_at IS NULL, q.text, '') FROM all_messages q
            WHERE q.conversation = m.conversation AND q.seq = m.reply_to) END",
        extras: Option<MessageExtras>,
        edited_at: Option<Timestamp>,
        deleted_at: Option<Timestamp>,
    }
}

impl MessageRow {
    /// `read_seq` is up to where each of the two has read.
    pub(super) fn into_message(self, conversation: &Conversation, read_seq: [i64; 2]) -> Message {
        let reply_to = match (self.reply_to, self.quoted_id, self.quoted_sender, self.quoted_text) {
            (Some(seq), Some(MessageId(id)), Some(sender), Some(text)) => {
                Some(Quote { id, seq, sender: conversation.sender_at(sender), text })
            }
            _ => None,
        };
        Message {
            id: self.id.0,
            seq: self.seq,
            sender: conversation.sender_at(self.sender),
            // An import brings deleted messages with what they said.
            text: if self.deleted_at.is_some() { String::new() } else { self.text },
            is_read: self.is_read.unwrap_or(false) || self.seq <= read_by_recipients(self.sender, read_seq),
            sent_at: self.sent_at,
            client_id: self.client_id,
            reply_to,
            extras: self.extras.filter(|_| self.deleted_at.is_none()).map(Box::new),
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
        }
    }
}

/// Up to where the recipients of what a sender sends have read it, by up to where each of the two has read.
pub(super) fn read_by_recipients(sender: usize, [by_a, by_b]: [i64; 2]) -> i64 {
    match sender {
        0 => by_b,
        1 => by_a,
        _ => by_a.min(by_b),
    }
}

/// The columns that a message has from the beginning on; all others are empty until it is changed.
pub(super) const STORED: &str = "conversation, seq, id, sender, sent_at, text, client_id, reply_to, extras";

/// Into the two tables of messages that came lately; the parameters are those of [`STORED`].
const INSERT: [&str; 2] = [
    sql!("INSERT INTO recent_a (", STORED, ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
    sql!("INSERT INTO recent_b (", STORED, ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
];

/// Stores a message in one of the two tables of those that came lately.
pub(super) fn insert(
    connection: &Connection,
    table: usize,
    conversation: i64,
    sender: u8,
    message: &Message,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(INSERT[table])?
        .execute(params![
            conversation,
            message.seq,
            MessageId(message.id.clone()),
            sender,
            message.sent_at.0,
            message.text,
            message.client_id,
            message.reply_to.as_ref().map(|quote| quote.seq),
            message.extras.as_deref()
        ])
        .map(drop)
}
