//! The SQL, one function a statement.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::codec::count;
use crate::id::Id;
use crate::store::types::{
    Conversation, ConversationSummary, LastMessage, NewConversation, Profile, Role, Side, User,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// Whether a statement failed because a value of `column` (`table.column`) has to be unique.
pub(super) fn is_taken(error: &rusqlite::Error, column: &str) -> bool {
    is_constraint_violation(error) && error.to_string().contains(column)
}

/// Whether a statement broke a constraint of the schema.
pub(super) fn is_constraint_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// Runs a statement without parameters.
pub(super) fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

pub(super) fn ping(connection: &Connection) -> Result<()> {
    connection.prepare_cached("SELECT count(*) FROM sqlite_schema")?.query_row([], |_| Ok(()))
}

/// Writes what is there already, so that the transaction has something to commit.
pub(super) fn touch(connection: &Connection) -> Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

// Users

const USER: &str =
    "id, email, password_hash, role, full_name, phone, profile_picture_url, is_active, created_at";

fn read_user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        profile: Profile { id: row.get(0)?, full_name: row.get(4)?, profile_picture_url: row.get(6)? },
        email: row.get(1)?,
        password_hash: row.get(2)?,
        role: Role::from_name(row.get_ref(3)?.as_str()?),
        phone: row.get(5)?,
        is_active: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
    })
}

/// Fails with a constraint violation if the id or the e-mail is taken.
pub(super) fn insert_user(connection: &Connection, user: &User) -> Result<()> {
    connection
        .prepare_cached(&format!("INSERT INTO users ({USER}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"))?
        .execute(params![
            user.profile.id,
            user.email,
            user.password_hash,
            user.role.name(),
            user.profile.full_name,
            user.phone,
            user.profile.profile_picture_url,
            user.is_active,
            user.created_at.0
        ])
        .map(drop)
}

pub(super) fn user(connection: &Connection, id: &Id) -> Result<Option<User>> {
    connection
        .prepare_cached(&format!("SELECT {USER} FROM users WHERE id = ?1"))?
        .query_row([id], read_user)
        .optional()
}

pub(super) fn user_by_email(connection: &Connection, email: &str) -> Result<Option<User>> {
    connection
        .prepare_cached(&format!("SELECT {USER} FROM users WHERE email = ?1"))?
        .query_row([email], read_user)
        .optional()
}

pub(super) fn set_password_hash(connection: &Connection, user: &Id, hash: &str) -> Result<()> {
    connection
        .prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?
        .execute(params![user, hash])
        .map(drop)
}

pub(super) fn profile(connection: &Connection, id: &Id) -> Result<Option<Profile>> {
    connection
        .prepare_cached("SELECT id, full_name, profile_picture_url FROM users WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(Profile { id: row.get(0)?, full_name: row.get(1)?, profile_picture_url: row.get(2)? })
        })
        .optional()
}

// Conversations

pub(super) const CONVERSATION: &str = "key, id, user_a, user_b, horse_id, created_at";

pub(super) fn read_conversation(row: &Row<'_>) -> Result<Conversation> {
    Ok(Conversation {
        key: row.get(0)?,
        id: row.get(1)?,
        participants: [row.get(2)?, row.get(3)?],
        horse_id: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
    })
}

pub(super) fn conversation(connection: &Connection, id: &Id) -> Result<Option<Conversation>> {
    connection
        .prepare_cached(&format!("SELECT {CONVERSATION} FROM conversations WHERE id = ?1"))?
        .query_row([id], read_conversation)
        .optional()
}

/// The oldest conversation of these two about that horse; an import may have brought several. The first of the two
/// opens it, and sees it from then on.
pub(super) fn find_or_insert_conversation(
    connection: &Connection,
    new: &NewConversation,
    new_id: impl FnOnce() -> Id,
) -> Result<Conversation> {
    let [first, second] = &new.participants;
    let found = connection
        .prepare_cached(&format!(
            "SELECT {CONVERSATION}, hidden_from IS (user_a <> ?1) FROM conversations
             WHERE ((user_a = ?1 AND user_b = ?2) OR (user_a = ?2 AND user_b = ?1)) AND horse_id IS ?3
             ORDER BY created_at, key LIMIT 1"
        ))?
        .query_row(params![first, second, new.horse_id], |row| Ok((read_conversation(row)?, row.get(6)?)))
        .optional()?;
    if let Some((conversation, is_hidden)) = found {
        if is_hidden {
            connection
                .prepare_cached("UPDATE conversations SET hidden_from = NULL WHERE key = ?1")?
                .execute([conversation.key])?;
        }
        return Ok(conversation);
    }
    let (id, created_at) = (new_id(), Timestamp::now());
    connection
        .prepare_cached(
            "INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at, hidden_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1)",
        )?
        .execute(params![id, first, second, new.horse_id, created_at.0])?;
    Ok(Conversation {
        key: connection.last_insert_rowid(),
        id,
        participants: new.participants.clone(),
        horse_id: new.horse_id.clone(),
        created_at,
    })
}

/// Everything that a list shows, with the last message that is not deleted.
const SUMMARY: &str = "
    SELECT c.key, c.id, c.user_a, c.user_b, c.horse_id, c.created_at, c.updated_at,
           c.read_seq_a, c.read_seq_b, c.unread_a, c.unread_b,
           a.id, a.full_name, a.profile_picture_url, b.id, b.full_name, b.profile_picture_url,
           coalesce(m.seq, ra.seq, rb.seq), coalesce(m.sender, ra.sender, rb.sender),
           coalesce(m.sent_at, ra.sent_at, rb.sent_at), coalesce(m.text, ra.text, rb.text), m.is_read,
           i.sender, i.sent_at, i.text, i.is_read,
           c.last_seq, c.delivered_seq_a, c.delivered_seq_b, sa.at, sb.at, ba.blocker NOT NULL, bb.blocker NOT NULL,
           c.last_seq > 0 OR c.hidden_from IS NULL
    FROM conversations c
    LEFT JOIN last_seen sa ON sa.user = c.user_a
    LEFT JOIN last_seen sb ON sb.user = c.user_b
    LEFT JOIN blocks ba ON ba.blocker = c.user_a AND ba.blocked = c.user_b
    LEFT JOIN blocks bb ON bb.blocker = c.user_b AND bb.blocked = c.user_a
    LEFT JOIN users a ON a.id = c.user_a
    LEFT JOIN users b ON b.id = c.user_b
    LEFT JOIN deleted_runs d ON d.conversation = c.key AND d.last_seq = c.last_seq
    LEFT JOIN recent_a ra ON ra.conversation = c.key AND ra.seq = coalesce(d.first_seq - 1, c.last_seq)
    LEFT JOIN recent_b rb ON rb.conversation = c.key AND rb.seq = coalesce(d.first_seq - 1, c.last_seq)
    LEFT JOIN messages m ON m.conversation = c.key AND m.seq = coalesce(d.first_seq - 1, c.last_seq)
    LEFT JOIN imported_last_messages i ON i.conversation = c.key AND c.last_seq = 0";

fn read_summary(row: &Row<'_>, user: &Id) -> Result<ConversationSummary> {
    let conversation = read_conversation(row)?;
    let profile = |at: usize| -> Result<Option<Profile>> {
        let Some(id) = row.get(at)? else { return Ok(None) };
        Ok(Some(Profile { id, full_name: row.get(at + 1)?, profile_picture_url: row.get(at + 2)? }))
    };
    let read_seq: [i64; 2] = [row.get(7)?, row.get(8)?];
    let unread: [i64; 2] = [row.get(9)?, row.get(10)?];
    let side = usize::from(conversation.participants[0] != *user);
    let last_message = if let Some(seq) = row.get::<_, Option<i64>>(17)? {
        let sender = row.get::<_, usize>(18)? & 1;
        let flag = row.get::<_, Option<bool>>(21)?.unwrap_or(false);
        Some(LastMessage {
            sender_id: conversation.participants[sender].clone(),
            sent_at: Timestamp(row.get(19)?),
            text: row.get(20)?,
            is_read: flag || seq <= read_seq[1 - sender],
        })
    } else if let Some(sender_id) = row.get(22)? {
        let sent_at = Timestamp(row.get(23)?);
        Some(LastMessage { sender_id, sent_at, text: row.get(24)?, is_read: row.get(25)? })
    } else {
        None
    };
    let side_of = |side: usize| -> Result<Side> {
        Ok(Side {
            read_seq: read_seq[side],
            delivered_seq: read_seq[side].max(row.get(27 + side)?),
            last_seen: row.get::<_, Option<i64>>(29 + side)?.map(Timestamp),
            has_blocked: row.get(31 + side)?,
        })
    };
    Ok(ConversationSummary {
        profiles: [profile(11)?, profile(14)?],
        updated_at: Timestamp(row.get(6)?),
        unread_count: count(unread[side]),
        last_message,
        last_seq: row.get(26)?,
        sides: [side_of(0)?, side_of(1)?],
        is_mutual: row.get(33)?,
        conversation,
    })
}

pub(super) fn conversation_summary(
    connection: &Connection,
    key: i64,
    user: &Id,
) -> Result<Option<ConversationSummary>> {
    connection
        .prepare_cached(&format!("{SUMMARY} WHERE c.key = ?1"))?
        .query_row([key], |row| read_summary(row, user))
        .optional()
}

/// The end of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub(super) seq: i64,
    pub(super) sent_at: Timestamp,
    /// How many messages each of the two has not read.
    pub(super) unread: [i64; 2],
}

/// The end of a conversation: sequence number 0 and the beginning of time if there is no message.
pub(super) fn last_of(connection: &Connection, key: i64) -> Result<Last> {
    connection
        .prepare_cached(
            "SELECT c.last_seq, c.unread_a, c.unread_b,
                 (SELECT sent_at FROM all_messages WHERE conversation = c.key AND seq = c.last_seq)
             FROM conversations c WHERE c.key = ?1",
        )?
        .query_row([key], |row| {
            let sent_at = row.get::<_, Option<i64>>(3)?.unwrap_or(i64::MIN);
            Ok(Last { seq: row.get(0)?, sent_at: Timestamp(sent_at), unread: [row.get(1)?, row.get(2)?] })
        })
}

/// Counts what each of the two added to a conversation; [`rusqlite::Error::QueryReturnedNoRows`] if it is gone.
pub(super) fn update_conversation(
    connection: &Connection,
    key: i64,
    last: Last,
    [by_a, by_b]: [i64; 2],
) -> Result<()> {
    let updated = connection
        .prepare_cached(
            "UPDATE conversations SET last_seq = ?2, updated_at = ?3,
                 unread_a = unread_a + ?4, unread_b = unread_b + ?5 WHERE key = ?1",
        )?
        .execute(params![key, last.seq, last.sent_at.0, by_b, by_a])?;
    if updated == 1 { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
}

/// How many messages `user` has not read, in all conversations.
pub(super) fn unread_count(connection: &Connection, user: &Id) -> Result<i64> {
    connection
        .prepare_cached(
            "SELECT (SELECT coalesce(sum(unread_a), 0) FROM conversations WHERE user_a = ?1)
                  + (SELECT coalesce(sum(unread_b), 0) FROM conversations WHERE user_b = ?1)",
        )?
        .query_row([user], |row| row.get(0))
}
