//! The SQL of conversations and of their lists.

use tokio_postgres::Row;

use super::codec::{conversation_columns, count, optional_time, read_conversation, read_profile, time};
use super::pool::Pool;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::types::{Conversation, ConversationSummary, LastMessage, NewConversation, Side};

const CONVERSATION: &str =
    concat!("SELECT ", conversation_columns!(), " FROM conversations c WHERE c.id = $1");

pub(super) async fn conversation(pool: &Pool, id: &Id) -> Result<Option<Conversation>> {
    pool.query(CONVERSATION, &[id]).await?.first().map(read_conversation).transpose()
}

const OPEN: &str = concat!("SELECT ", conversation_columns!(), " FROM open_conversation($1, $2, $3, $4) c");

pub(super) async fn find_or_insert(pool: &Pool, id: &Id, new: &NewConversation) -> Result<Conversation> {
    let [first, second] = &new.participants;
    let rows = pool.query(OPEN, &[id, first, second, &new.horse_id]).await?;
    read_conversation(rows.first().ok_or_else(|| StoreError::Engine("no conversation".into()))?)
}

/// Everything that a list shows, with the last message that is not deleted.
macro_rules! summary {
    ($which:literal) => {
        concat!(
            "SELECT ",
            conversation_columns!(),
            ", c.updated_at, c.last_seq,
                 CASE WHEN c.user_a = $1 THEN c.unread_a ELSE c.unread_b END,
                 a.id, a.full_name, a.profile_picture_url, b.id, b.full_name, b.profile_picture_url,
                 m.sender, m.sent_at, m.text, m.is_read, i.sender, i.sent_at, i.text, i.is_read,
                 c.read_seq_a, greatest(c.read_seq_a, c.delivered_seq_a), sa.at, ba.blocker IS NOT NULL,
                 c.read_seq_b, greatest(c.read_seq_b, c.delivered_seq_b), sb.at, bb.blocker IS NOT NULL,
                 c.last_seq > 0 OR c.hidden_from IS NULL
             FROM conversations c
             LEFT JOIN last_seen sa ON sa.user_id = c.user_a
             LEFT JOIN last_seen sb ON sb.user_id = c.user_b
             LEFT JOIN blocks ba ON ba.blocker = c.user_a AND ba.blocked = c.user_b
             LEFT JOIN blocks bb ON bb.blocker = c.user_b AND bb.blocked = c.user_a
             LEFT JOIN users a ON a.id = c.user_a
             LEFT JOIN users b ON b.id = c.user_b
             LEFT JOIN deleted_runs d ON d.conversation = c.key AND d.last_seq = c.last_seq
             LEFT JOIN shown_messages m
                 ON m.conversation = c.key AND m.seq = coalesce(d.first_seq - 1, c.last_seq)
             LEFT JOIN imported_last_messages i ON i.conversation = c.key AND c.last_seq = 0 WHERE ",
            $which
        )
    };
}

const ONE: &str = summary!("c.key = $2");
const SEVERAL: &str = summary!("c.key = ANY($2) ORDER BY array_position($2, c.key)");

const LIST: &str = "
    SELECT l.key, l.updated_at FROM (
        SELECT key, updated_at, unread_a AS unread FROM conversations
        WHERE user_a = $1 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 0)
        UNION ALL
        SELECT key, updated_at, unread_b FROM conversations
        WHERE user_b = $1 AND user_a <> $1 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 1)) l
    WHERE (l.unread > 0 OR NOT $2) AND (l.updated_at, l.key) < ($3, $4)
    ORDER BY l.updated_at DESC, l.key DESC LIMIT $5";

pub(super) async fn summary(pool: &Pool, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
    pool.query(ONE, &[user, &key]).await?.first().map(read_summary).transpose()
}

pub(super) async fn summaries(pool: &Pool, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>> {
    pool.query(SEVERAL, &[user, &keys]).await?.iter().map(read_summary).collect()
}

pub(super) async fn list(pool: &Pool, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
    let [before, key] = query.before();
    let rows = pool.query(LIST, &[user, &query.only_unread, &before, &key, &query.limit()]).await?;
    rows.iter().map(|row| Ok(ListPlace { key: row.try_get(0)?, updated_at: time(row, 1)? })).collect()
}

fn read_summary(row: &Row) -> Result<ConversationSummary> {
    let conversation = read_conversation(row)?;
    let last_message = if let Some(sender) = row.try_get::<_, Option<i16>>(15)? {
        Some(LastMessage {
            sender_id: conversation.participants[usize::from(sender == 1)].clone(),
            sent_at: time(row, 16)?,
            text: row.try_get(17)?,
            is_read: row.try_get(18)?,
        })
    } else if let Some(sender_id) = row.try_get(19)? {
        let sent_at = time(row, 20)?;
        Some(LastMessage { sender_id, sent_at, text: row.try_get(21)?, is_read: row.try_get(22)? })
    } else {
        None
    };
    let side = |at: usize| -> Result<Side> {
        Ok(Side {
            read_seq: row.try_get(at)?,
            delivered_seq: row.try_get(at + 1)?,
            last_seen: optional_time(row, at + 2)?,
            has_blocked: row.try_get(at + 3)?,
        })
    };
    Ok(ConversationSummary {
        profiles: [read_profile(row, 9)?, read_profile(row, 12)?],
        updated_at: time(row, 6)?,
        last_seq: row.try_get(7)?,
        unread_count: count(row.try_get(8)?),
        last_message,
        sides: [side(23)?, side(27)?],
        is_mutual: row.try_get(31)?,
        conversation,
    })
}

pub(super) async fn unread_count(pool: &Pool, user: &Id) -> Result<u64> {
    let rows = pool.query("SELECT unread FROM unread_totals WHERE user_id = $1", &[user]).await?;
    // Nobody has written yet to whom is not there.
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.map_or(0, count))
}
