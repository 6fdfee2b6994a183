//! The SQL of conversations and of their lists.

use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::codec::count;
use super::message::sender_at;
use super::pool::Pool;
use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::outbox::OutboxPlan;
use crate::store::types::{
    Conversation, ConversationSettings, ConversationSummary, EventKind, LastMessage, NewConversation,
    Profile, SettingsChange, Side,
};
use crate::timestamp::Timestamp;

columns! {
    /// A conversation of `conversations c`.
    struct ConversationRow of postgres "c" {
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
pub(super) fn read_conversation(row: &Row) -> Result<Conversation> {
    Ok(ConversationRow::read(row, 0)?.into())
}

const CONVERSATION: &str = sql!("SELECT ", ConversationRow::COLUMNS, " FROM conversations c WHERE c.id = $1");

pub(super) async fn conversation(pool: &Pool, id: &Id) -> Result<Option<Conversation>> {
    pool.query(CONVERSATION, &[id]).await?.first().map(read_conversation).transpose()
}

const OPEN: &str = sql!("SELECT ", ConversationRow::COLUMNS, " FROM open_conversation($1, $2, $3, $4) c");

const OPEN_WITH_EVENT: &str =
    sql!("SELECT ", ConversationRow::COLUMNS, " FROM open_conversation_with_event($1, $2, $3, $4, $5) c");

pub(super) async fn find_or_insert(
    pool: &Pool,
    id: &Id,
    new: &NewConversation,
    plan: Option<&OutboxPlan>,
) -> Result<Conversation> {
    let [first, second] = &new.participants;
    let rows = match plan {
        None => pool.query(OPEN, &[id, first, second, &new.horse_id]).await?,
        Some(plan) => {
            let subscribers = plan.subscribers(EventKind::ConversationCreated);
            pool.query(OPEN_WITH_EVENT, &[id, first, second, &new.horse_id, &subscribers]).await?
        }
    };
    read_conversation(rows.first().ok_or_else(|| StoreError::Engine("no conversation".into()))?)
}

columns! {
    /// Everything that a list shows, with the last message that is not deleted; `a` and `b` are the two, `$1` asks.
    struct SummaryRow of postgres "c" {
        updated_at: Timestamp,
        last_seq: i64,
        read_seq_a: i64,
        read_seq_b: i64,
        delivered_seq_a: i64,
        delivered_seq_b: i64,
        unread: i64 = "CASE WHEN c.user_a = $1 THEN c.unread_a ELSE c.unread_b END",
        is_archived_a: bool = "coalesce(c.archived_seq_a >= c.last_seq, false)",
        is_archived_b: bool = "coalesce(c.archived_seq_b >= c.last_seq, false)",
        is_muted_a: bool,
        is_muted_b: bool,
        is_pinned_a: bool,
        is_pinned_b: bool,
        is_mutual: bool = "c.last_seq > 0 OR c.hidden_from IS NULL",
        listing: Option<String> = "CASE WHEN lc.number > lh.number OR lh.number IS NULL THEN lc.listing ELSE lh.listing END",
        id_a: Option<Id> = "a.id",
        full_name_a: Option<String> = "a.full_name",
        picture_a: Option<String> = "a.profile_picture_url",
        is_deleted_a: bool = "a.erased_at IS NOT NULL",
        id_b: Option<Id> = "b.id",
        full_name_b: Option<String> = "b.full_name",
        picture_b: Option<String> = "b.profile_picture_url",
        is_deleted_b: bool = "b.erased_at IS NOT NULL",
        last_seen_a: Option<Timestamp> = "sa.at",
        last_seen_b: Option<Timestamp> = "sb.at",
        has_blocked_a: bool = "ba.blocker IS NOT NULL",
        has_blocked_b: bool = "bb.blocker IS NOT NULL",
        sender: Option<i16> = "m.sender",
        sent_at: Option<Timestamp> = "m.sent_at",
        text: Option<String> = "m.text",
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
     LEFT JOIN last_seen sa ON sa.user_id = c.user_a
     LEFT JOIN last_seen sb ON sb.user_id = c.user_b
     LEFT JOIN listings lc ON lc.conversation = c.key
     LEFT JOIN listings lh ON lh.horse_id = c.horse_id
     LEFT JOIN blocks ba ON ba.blocker = c.user_a AND ba.blocked = c.user_b
     LEFT JOIN blocks bb ON bb.blocker = c.user_b AND bb.blocked = c.user_a
     LEFT JOIN users a ON a.id = c.user_a
     LEFT JOIN users b ON b.id = c.user_b
     LEFT JOIN deleted_runs d ON d.conversation = c.key AND d.last_seq = c.last_seq
     LEFT JOIN shown_messages m
         ON m.conversation = c.key AND m.seq = coalesce(d.first_seq - 1, c.last_seq)
     LEFT JOIN imported_last_messages i ON i.conversation = c.key AND c.last_seq = 0 WHERE "
);
const ONE: &str = sql!(SUMMARY, "c.key = $2");
const SEVERAL: &str = sql!(SUMMARY, "c.key = ANY($2) ORDER BY array_position($2, c.key)");

const LIST: &str = "
    SELECT l.key, l.updated_at FROM (
        SELECT key, updated_at, unread_a AS unread,
            coalesce(archived_seq_a >= last_seq, false) AS is_archived FROM conversations
        WHERE user_a = $1 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 0)
        UNION ALL
        SELECT key, updated_at, unread_b, coalesce(archived_seq_b >= last_seq, false) FROM conversations
        WHERE user_b = $1 AND user_a <> $1 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 1)) l
    WHERE (l.unread > 0 OR NOT $2) AND ($3::boolean IS NULL OR l.is_archived = $3)
        AND (l.updated_at, l.key) < ($4, $5)
    ORDER BY l.updated_at DESC, l.key DESC LIMIT $6";

pub(super) async fn summary(pool: &Pool, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
    pool.query(ONE, &[user, &key]).await?.first().map(read_summary).transpose()
}

pub(super) async fn summaries(pool: &Pool, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>> {
    pool.query(SEVERAL, &[user, &keys]).await?.iter().map(read_summary).collect()
}

pub(super) async fn list(pool: &Pool, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
    let (filter, [before, key]) = (query.filter, query.before());
    let rows = pool
        .query(LIST, &[user, &filter.only_unread(), &filter.archived(), &before, &key, &query.limit()])
        .await?;
    rows.iter()
        .map(|row| Ok(ListPlace { key: row.try_get("key")?, updated_at: row.try_get("updated_at")? }))
        .collect()
}

fn read_summary(row: &Row) -> Result<ConversationSummary> {
    let conversation = read_conversation(row)?;
    let row = SummaryRow::read(row, ConversationRow::COUNT)?;
    let last_message = match (row.sender, row.sent_at, row.text, row.is_read) {
        (Some(sender), Some(sent_at), Some(text), Some(is_read)) => {
            let sender_id = sender_at(&conversation, sender);
            Some(LastMessage { text, sender_id, sent_at, is_read })
        }
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
    Ok(ConversationSummary {
        profiles: [
            profile(row.id_a, row.full_name_a, row.picture_a, row.is_deleted_a),
            profile(row.id_b, row.full_name_b, row.picture_b, row.is_deleted_b),
        ],
        updated_at: row.updated_at,
        unread_count: count(row.unread),
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

pub(super) async fn change_settings(
    pool: &Pool,
    conversation: &Conversation,
    user: &Id,
    change: SettingsChange,
) -> Result<()> {
    let side = i16::from(conversation.require_side_of(user)? == 1);
    let SettingsChange { archived, muted, pinned } = change;
    let sql = "SELECT change_settings($1, $2, $3, $4, $5)";
    pool.query(sql, &[&conversation.key, &side, &archived, &muted, &pinned]).await.map(drop)
}

pub(super) async fn unread_count(pool: &Pool, user: &Id) -> Result<u64> {
    let rows = pool.query("SELECT unread FROM unread_totals WHERE user_id = $1", &[user]).await?;
    // Nobody has written yet to whom is not there.
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.map_or(0, count))
}
