//! The SQL of conversations and of their lists.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;

use super::codec::count;
use super::message::read_by_recipients;
use super::outbox_rows::{self as outbox, NewEvent};
use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::outbox::OutboxPlan;
use crate::store::types::{
    Conversation, ConversationSettings, ConversationSummary, EventKind, LastMessage, NewConversation,
    Profile, SettingsChange, Side,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

columns! {
    /// A conversation of `conversations c`.
    struct ConversationRow of sqlite "c" {
        key: i64,
        id: Id,
        user_a: Id,
        user_b: Id,
        horse_id: Option<Id>,
        created_at: Timestamp,
    }
}

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        let ConversationRow { key, id, user_a, user_b, horse_id, created_at } = row;
        Self { key, id, participants: [user_a, user_b], horse_id, created_at }
    }
}

/// Reads a conversation from the first columns of a row.
pub(super) fn read_conversation(row: &Row<'_>) -> Result<Conversation> {
    ConversationRow::read(row, 0).map(Conversation::from)
}

pub(super) fn conversation(connection: &Connection, id: &Id) -> Result<Option<Conversation>> {
    connection
        .prepare_cached(sql!("SELECT ", ConversationRow::COLUMNS, " FROM conversations c WHERE c.id = ?1"))?
        .query_row([id], read_conversation)
        .optional()
}

/// The oldest conversation of these two about that horse; an import may have brought several. The first of the two
/// opens it, and sees it from then on.
pub(super) fn find_or_insert_conversation(
    connection: &Connection,
    new: &NewConversation,
    plan: Option<&OutboxPlan>,
    new_id: impl FnOnce() -> Id,
) -> Result<Conversation> {
    let [first, second] = &new.participants;
    let oldest = |user_a, user_b| {
        connection
            .prepare_cached(sql!(
                "SELECT ",
                ConversationRow::COLUMNS,
                ", c.hidden_from IS (c.user_a <> ?4) FROM conversations c
                 WHERE c.user_a = ?1 AND c.user_b = ?2 AND c.horse_id IS ?3 ORDER BY c.created_at, c.key LIMIT 1"
            ))?
            .query_row(params![user_a, user_b, new.horse_id, first], |row| {
                Ok((read_conversation(row)?, row.get(ConversationRow::COUNT)?))
            })
            .optional()
    };
    let found: [Option<(Conversation, bool)>; 2] = [oldest(first, second)?, oldest(second, first)?];
    let found = found.into_iter().flatten().min_by_key(|(found, _)| (found.created_at, found.key));
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
    let key = connection.last_insert_rowid();
    if let Some(plan) = plan {
        outbox::add(connection, plan, &NewEvent::new(EventKind::ConversationCreated, key, 0, created_at))?;
    }
    Ok(Conversation {
        key,
        id,
        participants: new.participants.clone(),
        horse_id: new.horse_id.clone(),
        created_at,
    })
}

columns! {
    /// Everything that a list shows, with the last message that is not deleted; `a` and `b` are the two.
    struct SummaryRow of sqlite "c" {
        updated_at: Timestamp,
        last_seq: i64,
        read_seq_a: i64,
        read_seq_b: i64,
        unread_a: i64,
        unread_b: i64,
        delivered_seq_a: i64,
        delivered_seq_b: i64,
        is_archived_a: bool = "ifnull(c.archived_seq_a >= c.last_seq, 0)",
        is_archived_b: bool = "ifnull(c.archived_seq_b >= c.last_seq, 0)",
        is_muted_a: bool,
        is_muted_b: bool,
        is_pinned_a: bool,
        is_pinned_b: bool,
        is_mutual: bool = "c.last_seq > 0 OR c.hidden_from IS NULL",
        listing: Option<String> = "CASE WHEN lc.number > lh.number OR lh.number IS NULL THEN lc.listing ELSE lh.listing END",
        id_a: Option<Id> = "a.id",
        full_name_a: Option<String> = "a.full_name",
        picture_a: Option<String> = "a.profile_picture_url",
        is_deleted_a: bool = "a.erased_at NOT NULL",
        id_b: Option<Id> = "b.id",
        full_name_b: Option<String> = "b.full_name",
        picture_b: Option<String> = "b.profile_picture_url",
        is_deleted_b: bool = "b.erased_at NOT NULL",
        last_seen_a: Option<Timestamp> = "sa.at",
        last_seen_b: Option<Timestamp> = "sb.at",
        has_blocked_a: bool = "ba.blocker NOT NULL",
        has_blocked_b: bool = "bb.blocker NOT NULL",
        shown_seq: Option<i64> = "coalesce(m.seq, ra.seq, rb.seq)",
        sender: Option<usize> = "coalesce(m.sender, ra.sender, rb.sender)",
        sent_at: Option<Timestamp> = "coalesce(m.sent_at, ra.sent_at, rb.sent_at)",
        text: Option<String> = "coalesce(m.text, ra.text, rb.text)",
        is_read: Option<bool> = "m.is_read",
        imported_sender: Option<Id> = "i.sender",
        imported_at: Option<Timestamp> = "i.sent_at",
        imported_text: Option<String> = "i.text",
        imported_is_read: Option<bool> = "i.is_read",
    }
}

const SUMMARY: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    SummaryRow::COLUMNS,
    " FROM conversations c
     LEFT JOIN last_seen sa ON sa.user = c.user_a
     LEFT JOIN last_seen sb ON sb.user = c.user_b
     LEFT JOIN listings lc ON lc.conversation = c.key
     LEFT JOIN listings lh ON lh.horse_id = c.horse_id
     LEFT JOIN blocks ba ON ba.blocker = c.user_a AND ba.blocked = c.user_b
     LEFT JOIN blocks bb ON bb.blocker = c.user_b AND bb.blocked = c.user_a
     LEFT JOIN users a ON a.id = c.user_a
     LEFT JOIN users b ON b.id = c.user_b
     LEFT JOIN deleted_runs d ON d.conversation = c.key AND d.last_seq = c.last_seq
     LEFT JOIN recent_a ra ON ra.conversation = c.key AND ra.seq = coalesce(d.first_seq - 1, c.last_seq)
     LEFT JOIN recent_b rb ON rb.conversation = c.key AND rb.seq = coalesce(d.first_seq - 1, c.last_seq)
     LEFT JOIN messages m ON m.conversation = c.key AND m.seq = coalesce(d.first_seq - 1, c.last_seq)
     LEFT JOIN imported_last_messages i ON i.conversation = c.key AND c.last_seq = 0
     WHERE c.key = ?1"
);

fn read_summary(row: &Row<'_>, user: &Id) -> Result<ConversationSummary> {
    let conversation = read_conversation(row)?;
    let row = SummaryRow::read(row, ConversationRow::COUNT)?;
    let read_seq = [row.read_seq_a, row.read_seq_b];
    let last_message = match (row.shown_seq, row.sender, row.sent_at, row.text) {
        (Some(seq), Some(sender), Some(sent_at), Some(text)) => Some(LastMessage {
            text,
            sender_id: conversation.sender_at(sender),
            sent_at,
            is_read: row.is_read.unwrap_or(false) || seq <= read_by_recipients(sender, read_seq),
        }),
        _ => match (row.imported_sender, row.imported_at, row.imported_text, row.imported_is_read) {
            (Some(sender_id), Some(sent_at), Some(text), Some(is_read)) => {
                Some(LastMessage { text, sender_id, sent_at, is_read })
            }
            _ => None,
        },
    };
    let profile = |id: Option<Id>, full_name, profile_picture_url, is_deleted| {
        id.map(|id| Profile { id, full_name, profile_picture_url, is_deleted })
    };
    let settings =
        |is_archived, is_muted, is_pinned| ConversationSettings { is_archived, is_muted, is_pinned };
    let settings_a = settings(row.is_archived_a, row.is_muted_a, row.is_pinned_a);
    let settings_b = settings(row.is_archived_b, row.is_muted_b, row.is_pinned_b);
    let side = |read_seq: i64, delivered_seq, last_seen, has_blocked, settings| Side {
        read_seq,
        delivered_seq: read_seq.max(delivered_seq),
        last_seen,
        has_blocked,
        settings,
    };
    let is_first = conversation.participants[0] == *user;
    Ok(ConversationSummary {
        profiles: [
            profile(row.id_a, row.full_name_a, row.picture_a, row.is_deleted_a),
            profile(row.id_b, row.full_name_b, row.picture_b, row.is_deleted_b),
        ],
        updated_at: row.updated_at,
        unread_count: count(if is_first { row.unread_a } else { row.unread_b }),
        last_message,
        last_seq: row.last_seq,
        sides: [
            side(row.read_seq_a, row.delivered_seq_a, row.last_seen_a, row.has_blocked_a, settings_a),
            side(row.read_seq_b, row.delivered_seq_b, row.last_seen_b, row.has_blocked_b, settings_b),
        ],
        is_mutual: row.is_mutual,
        listing: row.listing.and_then(|json| RawValue::from_string(json).ok()),
        conversation,
    })
}

pub(super) fn conversation_summary(
    connection: &Connection,
    key: i64,
    user: &Id,
) -> Result<Option<ConversationSummary>> {
    connection.prepare_cached(SUMMARY)?.query_row([key], |row| read_summary(row, user)).optional()
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
                 (SELECT sent_at FROM all_messages WHERE conversation = c.key AND seq = c.last_seq) AS sent_at
             FROM conversations c WHERE c.key = ?1",
        )?
        .query_row([key], |row| {
            let sent_at = row.get::<_, Option<Timestamp>>("sent_at")?.unwrap_or(Timestamp(i64::MIN));
            Ok(Last {
                seq: row.get("last_seq")?,
                sent_at,
                unread: [row.get("unread_a")?, row.get("unread_b")?],
            })
        })
}

/// Counts what was added to a conversation, and of that what each of the two has to read; [`rusqlite::Error::QueryReturnedNoRows`] if it is gone.
pub(super) fn update_conversation(
    connection: &Connection,
    key: i64,
    last: Last,
    [for_a, for_b]: [i64; 2],
) -> Result<()> {
    let updated = connection
        .prepare_cached(
            "UPDATE conversations SET last_seq = ?2, updated_at = ?3,
                 unread_a = unread_a + ?4, unread_b = unread_b + ?5 WHERE key = ?1",
        )?
        .execute(params![key, last.seq, last.sent_at.0, for_a, for_b])?;
    if updated == 1 { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
}

/// Changes what one of the two, by the index in `participants`, has set for a conversation. An archived conversation keeps
/// up to where it was archived, so a message that is stored later brings it back by itself.
pub(super) fn change_settings(
    connection: &Connection,
    key: i64,
    side: usize,
    change: SettingsChange,
) -> Result<()> {
    let sql = if side == 0 {
        "UPDATE conversations SET
             archived_seq_a = CASE ?2 WHEN TRUE THEN last_seq WHEN FALSE THEN NULL ELSE archived_seq_a END,
             is_muted_a = ifnull(?3, is_muted_a), is_pinned_a = ifnull(?4, is_pinned_a) WHERE key = ?1"
    } else {
        "UPDATE conversations SET
             archived_seq_b = CASE ?2 WHEN TRUE THEN last_seq WHEN FALSE THEN NULL ELSE archived_seq_b END,
             is_muted_b = ifnull(?3, is_muted_b), is_pinned_b = ifnull(?4, is_pinned_b) WHERE key = ?1"
    };
    let SettingsChange { archived, muted, pinned } = change;
    connection.prepare_cached(sql)?.execute(params![key, archived, muted, pinned]).map(drop)
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

/// The places of the conversations that `user` sees, newest first. It reads a few integers of each, and sorts them: the
/// rest is read by [`summaries`] for what is shown.
pub(super) fn list(connection: &Connection, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
    let (filter, [before, key]) = (query.filter, query.before());
    connection
        .prepare_cached(
            "SELECT key, updated_at FROM (
                 SELECT key, updated_at, unread_a AS unread,
                     ifnull(archived_seq_a >= last_seq, 0) AS is_archived FROM conversations
                 WHERE user_a = ?1 AND (last_seq > 0 OR hidden_from IS NOT 0)
                 UNION ALL
                 SELECT key, updated_at, unread_b, ifnull(archived_seq_b >= last_seq, 0) FROM conversations
                 WHERE user_b = ?1 AND user_a <> ?1 AND (last_seq > 0 OR hidden_from IS NOT 1))
             WHERE (unread > 0 OR NOT ?2) AND (?3 IS NULL OR is_archived = ?3) AND (updated_at, key) < (?4, ?5)
             ORDER BY updated_at DESC, key DESC LIMIT ?6",
        )?
        .query_map(
            params![user, filter.only_unread(), filter.archived(), before, key, query.limit()],
            |row| Ok(ListPlace { key: row.get("key")?, updated_at: row.get("updated_at")? }),
        )?
        .collect()
}

/// These conversations as `user`'s list shows them, in the order of `keys`; what is gone is left out.
pub(super) fn summaries(
    connection: &Connection,
    keys: &[i64],
    user: &Id,
) -> Result<Vec<ConversationSummary>> {
    let each = keys.iter().map(|key| conversation_summary(connection, *key, user));
    each.filter_map(Result::transpose).collect()
}
