//! The SQL of messages: append, history, what is read, what was missed, what was changed.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::append_buffer;
use super::codec::{MessageId, count};
use super::conversations::{ConversationRow, read_conversation};
use super::deleted;
use super::memory::Context;
use super::message::MessageRow;
use crate::id::Id;
use crate::store::clock::is_within;
use crate::store::columns::{columns, sql};
use crate::store::types::{
    Change, Changed, Conversation, Delivered, History, Message, Missed, MissedMessage, Range, Read, Unread,
    UserPosition, integer,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// The greatest id in ObjectId's layout with a time before `seconds`.
pub(super) fn greatest_message_id(connection: &Connection, seconds: u32) -> Result<Option<Id>> {
    connection
        .query_row(
            "SELECT id FROM all_messages WHERE id >= x'' AND id < ?1 ORDER BY id DESC LIMIT 1",
            [seconds.to_be_bytes()],
            |row| row.get::<_, MessageId>(0),
        )
        .optional()
        .map(|id| id.map(|MessageId(id)| id))
}

/// The message of a sender's idempotency key.
pub(super) fn message_of_client(
    connection: &Connection,
    sender: &Id,
    client_id: &str,
) -> Result<(Arc<Conversation>, Message)> {
    let (key, seq) = connection
        .prepare_cached("SELECT conversation, seq FROM client_ids WHERE sender = ?1 AND client_id = ?2")?
        .query_row(params![sender, client_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let conversation = conversation_by_key(connection, key)?;
    let message = message_at(connection, &conversation, seq)?;
    Ok((conversation, message))
}

pub(super) fn conversation_by_key(connection: &Connection, key: i64) -> Result<Arc<Conversation>> {
    connection
        .prepare_cached(sql!("SELECT ", ConversationRow::COLUMNS, " FROM conversations c WHERE c.key = ?1"))?
        .query_row([key], read_conversation)
        .map(Arc::new)
}

/// The message with this id.
pub(super) fn message(connection: &Connection, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
    let place: Option<(i64, i64)> = connection
        .prepare_cached("SELECT conversation, seq FROM all_messages WHERE id = ?1")?
        .query_row([MessageId(id.clone())], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, seq)) = place else { return Ok(None) };
    let conversation = conversation_by_key(connection, key)?;
    let message = message_at(connection, &conversation, seq)?;
    Ok(Some((conversation, message)))
}

pub(super) fn message_at(connection: &Connection, conversation: &Conversation, seq: i64) -> Result<Message> {
    let read_seq = counts_of(connection, conversation.key)?.read_seq;
    connection
        .prepare_cached(sql!(SELECT, "m.seq = ?2"))?
        .query_row([conversation.key, seq], |row| MessageRow::read(row, 0))
        .map(|row| row.into_message(conversation, read_seq))
}

/// The messages of a conversation, as far as what follows says.
const SELECT: &str =
    sql!("SELECT ", MessageRow::COLUMNS, " FROM all_messages m WHERE m.conversation = ?1 AND ");
pub(super) const BETWEEN: &str = sql!(SELECT, "m.seq >= ?2 AND m.seq <= ?3 ORDER BY m.seq");
pub(super) const AFTER: &str = sql!(SELECT, "m.seq > ?2 ORDER BY m.seq LIMIT ?3");
pub(super) const BEFORE: &str = sql!(SELECT, "m.seq < ?2 ORDER BY m.seq DESC LIMIT ?3");

columns! {
    struct CountsRow of sqlite "c" { last_seq: i64, read_seq_a: i64, read_seq_b: i64, unread_a: i64, unread_b: i64 }
}

/// What a conversation's row says of its messages.
struct Counts {
    last_seq: i64,
    read_seq: [i64; 2],
    unread: [i64; 2],
}

fn counts_of(connection: &Connection, key: i64) -> Result<Counts> {
    connection
        .prepare_cached(sql!("SELECT ", CountsRow::COLUMNS, " FROM conversations c WHERE c.key = ?1"))?
        .query_row([key], |row| CountsRow::read(row, 0))
        .map(|row| Counts {
            last_seq: row.last_seq,
            read_seq: [row.read_seq_a, row.read_seq_b],
            unread: [row.unread_a, row.unread_b],
        })
}

pub(super) fn history(connection: &Connection, conversation: &Conversation, range: Range) -> Result<History> {
    let counts = counts_of(connection, conversation.key)?;
    let messages = match range {
        Range::Page(page) => {
            let mut messages = Vec::new();
            let parts = deleted::shown_page(connection, conversation.key, counts.last_seq, page.window())?;
            for part in parts.into_iter().rev() {
                messages.extend(select(connection, conversation, &counts, BETWEEN, [part.first, part.last])?);
            }
            messages
        }
        Range::After(seq, limit) => select(connection, conversation, &counts, AFTER, [seq, integer(limit)])?,
        Range::Before(seq, limit) => {
            let mut messages = select(connection, conversation, &counts, BEFORE, [seq, integer(limit)])?;
            messages.reverse();
            messages
        }
    };
    Ok(History { messages, last_seq: counts.last_seq, unread: counts.unread.map(count) })
}

/// The messages whose sequence numbers lie within `bounds`, both included.
pub(super) fn between(
    connection: &Connection,
    conversation: &Conversation,
    bounds: [i64; 2],
) -> Result<Vec<Message>> {
    let counts = counts_of(connection, conversation.key)?;
    select(connection, conversation, &counts, BETWEEN, bounds)
}

fn select(
    connection: &Connection,
    conversation: &Conversation,
    counts: &Counts,
    sql: &str,
    bounds: [i64; 2],
) -> Result<Vec<Message>> {
    connection
        .prepare_cached(sql)?
        .query_map([conversation.key, bounds[0], bounds[1]], |row| {
            Ok(MessageRow::read(row, 0)?.into_message(conversation, counts.read_seq))
        })?
        .collect()
}

columns! {
    /// Of a conversation how far it goes, and whether there are deleted messages in it.
    struct EndRow of sqlite "c" { last_seq: i64, has_deleted: bool = "c.deleted > 0" }
}

/// The conversations of a user that have messages, each once.
const OF_USER: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    EndRow::COLUMNS,
    " FROM conversations c WHERE c.user_a = ?1 AND c.last_seq > 0
     UNION ALL SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    EndRow::COLUMNS,
    " FROM conversations c WHERE c.user_b = ?1 AND c.user_a <> ?1 AND c.last_seq > 0"
);

fn conversations_of(connection: &Connection, user: &Id) -> Result<Vec<(Arc<Conversation>, EndRow)>> {
    connection
        .prepare_cached(OF_USER)?
        .query_map([user], |row| {
            Ok((Arc::new(read_conversation(row)?), EndRow::read(row, ConversationRow::COUNT)?))
        })?
        .collect()
}

/// What came after a message in a user's conversations. In the message's own conversation that is what has a
/// greater sequence number, in the others what has a greater id.
pub(super) fn missed(connection: &Connection, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed> {
    let place: Option<(i64, i64)> = match after {
        None => None,
        Some(id) => connection
            .prepare_cached("SELECT conversation, seq FROM all_messages WHERE id = ?1")?
            .query_row([MessageId(id.clone())], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?,
    };
    let mut missed = Missed::default();
    let mut newest_first = connection.prepare_cached(
        "SELECT id, seq FROM all_messages WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC",
    )?;
    for (conversation, EndRow { last_seq, has_deleted }) in conversations_of(connection, user)? {
        missed.last_seqs.push((conversation.key, last_seq));
        let own_place = place.filter(|(key, _)| *key == conversation.key).map(|(_, seq)| seq);
        let known = own_place.unwrap_or(0);
        let mut is_changed = false;
        let mut end = last_seq;
        // Part by part between the runs of deleted messages, the newest first.
        'parts: while end > known {
            let run =
                if has_deleted { deleted::run_before(connection, conversation.key, end)? } else { None };
            let begin = run.map_or(0, |run| run.last).max(known);
            let mut rows = newest_first.query([conversation.key, begin, end])?;
            while let Some(row) = rows.next()? {
                let MessageId(id) = row.get(0)?;
                if own_place.is_none() && after.is_some_and(|after| id <= *after) {
                    break 'parts;
                }
                is_changed = true;
                if missed.is_too_much {
                    break 'parts;
                }
                let conversation = Arc::clone(&conversation);
                missed.messages.push(MissedMessage { id, conversation, seq: row.get(1)? });
                missed.is_too_much = missed.messages.len() > limit;
            }
            end = run.map_or(0, |run| run.first - 1);
        }
        if is_changed {
            missed.changed.push((conversation.id.clone(), last_seq));
        }
    }
    if missed.is_too_much {
        missed.messages.clear();
    }
    missed.messages.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(missed)
}

/// See [`MessageStore::messages_at`](crate::store::traits::MessageStore::messages_at).
pub(super) fn messages_at(
    connection: &Connection,
    places: &[(Arc<Conversation>, i64)],
    max_bytes: usize,
) -> Result<Vec<Option<Message>>> {
    let mut messages = Vec::new();
    let mut bytes = 0;
    for (conversation, seq) in places {
        let message = message_at(connection, conversation, *seq).optional()?;
        bytes += message.as_ref().map_or(0, Message::bytes);
        if bytes > max_bytes && !messages.is_empty() {
            break;
        }
        messages.push(message);
    }
    Ok(messages)
}

/// How far the conversations of these users go.
pub(super) fn detailed_positions_of(connection: &Connection, users: &[Id]) -> Result<Vec<UserPosition>> {
    let mut positions = Vec::new();
    for user in users {
        let conversations = conversations_of(connection, user)?;
        let conversations: Vec<_> =
            conversations.into_iter().map(|(conversation, end)| (conversation, end.last_seq)).collect();
        let position = conversations.iter().map(|(_, seq)| seq).sum();
        positions.push(UserPosition { user: user.clone(), position, conversations });
    }
    Ok(positions)
}

/// The columns of one of the two.
const READ_SEQ: [&str; 2] = ["read_seq_a", "read_seq_b"];
const UNREAD: [&str; 2] = ["unread_a", "unread_b"];
const DELIVERED_SEQ: [&str; 2] = ["delivered_seq_a", "delivered_seq_b"];

pub(super) fn mark_read(
    context: &mut Context<'_>,
    conversation: &Conversation,
    side: usize,
    up_to: Option<i64>,
) -> Result<Read> {
    let key = conversation.key;
    let counts = counts_of(context.connection, key)?;
    let (before, read_before) = (counts.unread[side], counts.read_seq[side]);
    let target = up_to.unwrap_or(counts.last_seq).min(counts.last_seq);
    let is_further = target > read_before;
    let count_unread = |from, to| count_unread(context.connection, key, side, from, to);
    // What is newly read is counted, each message once ever; or what is left, if that is less.
    let left = if !is_further || before == 0 {
        before
    } else if target == counts.last_seq {
        0
    } else if target - read_before <= counts.last_seq - target {
        before - count_unread(read_before, target)?
    } else {
        count_unread(target, counts.last_seq)?
    };
    if is_further {
        let sql =
            format!("UPDATE conversations SET {} = ?2, {} = ?3 WHERE key = ?1", READ_SEQ[side], UNREAD[side]);
        context.connection.prepare_cached(&sql)?.execute([key, target, left])?;
    }
    let reader = &conversation.participants[side];
    let total = context.unread_changed((key, side), reader, before, left)?;
    Ok(Read {
        up_to_seq: target.max(counts.read_seq[side]),
        newly_read: count(before - left),
        unread: Unread { conversation: count(left), total: count(total) },
    })
}

/// How many messages behind `from` up to `to` one of the two has to read, all of which lie behind what was read before.
fn count_unread(connection: &Connection, key: i64, side: usize, from: i64, to: i64) -> Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM all_messages WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND sender <> ?4
                 AND is_read IS NULL AND deleted_at IS NULL",
        )?
        .query_row(params![key, from, to, side], |row| row.get(0))
}

pub(super) fn change_message(context: &mut Context<'_>, change: &Change) -> Result<Changed> {
    let conversation = &*change.conversation;
    let key = conversation.key;
    let connection = context.connection;
    let mut message = message_at(connection, conversation, change.seq)?;
    if message.deleted_at.is_some() {
        return Ok(Changed::Gone(message));
    }
    let now = Timestamp::now();
    if change.window.is_some_and(|window| !is_within(now, message.sent_at, window)) {
        return Ok(Changed::TooLate);
    }
    append_buffer::flush(connection, key, change.seq)?;
    connection
        .prepare_cached(
            "INSERT INTO withdrawn_texts (conversation, seq, withdrawn_at, is_deleted, text)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![key, change.seq, now.0, change.text.is_none(), message.text])?;
    let Some(text) = &change.text else {
        connection
            .prepare_cached(
                "UPDATE messages SET text = '', extras = NULL, deleted_at = ?3
                 WHERE conversation = ?1 AND seq = ?2",
            )?
            .execute([key, change.seq, now.0])?;
        message.text.clear();
        message.extras = None;
        message.deleted_at = Some(now);
        let unread = uncount(context, conversation, &message)?;
        return Ok(Changed::Done { message, unread });
    };
    connection
        .prepare_cached("UPDATE messages SET text = ?3, edited_at = ?4 WHERE conversation = ?1 AND seq = ?2")?
        .execute(params![key, change.seq, text, now.0])?;
    message.text.clone_from(text);
    message.edited_at = Some(now);
    Ok(Changed::Done { message, unread: None })
}

/// A message that is deleted counts as unread no more; answers what its one recipient has not read, if that changed.
pub(super) fn uncount(
    context: &mut Context<'_>,
    conversation: &Conversation,
    message: &Message,
) -> Result<Option<Unread>> {
    let key = conversation.key;
    context
        .connection
        .prepare_cached("UPDATE conversations SET deleted = deleted + 1 WHERE key = ?1")?
        .execute([key])?;
    deleted::note(context.connection, key, message.seq)?;
    if message.is_read {
        return Ok(None);
    }
    let counts = counts_of(context.connection, key)?;
    let mut unread = None;
    for (side, recipient) in conversation.recipients_of(&message.sender) {
        // Of a message of the platform one may have read it, and the other not.
        if message.seq <= counts.read_seq[side] {
            continue;
        }
        let before = counts.unread[side];
        let sql = format!("UPDATE conversations SET {0} = {0} - 1 WHERE key = ?1", UNREAD[side]);
        context.connection.prepare_cached(&sql)?.execute([key])?;
        let total = context.unread_changed((key, side), recipient, before, before - 1)?;
        unread = Some(Unread { conversation: count(before - 1), total: count(total) });
    }
    Ok(unread.filter(|_| message.sender != Id::SYSTEM))
}

pub(super) fn set_delivered(connection: &Connection, delivered: &[Delivered]) -> Result<()> {
    for Delivered { conversation, side, seq } in delivered {
        let column = DELIVERED_SEQ[*side];
        connection
            .prepare_cached(&format!("UPDATE conversations SET {column} = max({column}, ?2) WHERE key = ?1"))?
            .execute([conversation, seq])?;
    }
    Ok(())
}
