//! The SQL that reads messages: history, what was missed, one by its id.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Row;

use super::codec::count;
use super::conversations::{ConversationRow, read_conversation};
use super::message::MessageRow;
use super::pool::Pool;
use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::types::{
    Conversation, Delivered, History, Message, Missed, MissedMessage, Range, UserPosition, integer,
};

columns! {
    struct HeadRow of postgres "c" { last_seq: i64, unread_a: i64, unread_b: i64 }
}

/// One statement each, so that the messages and what the conversation says of them are of one moment; a row without
/// a message if there is none.
const SELECT: &str =
    sql!("SELECT ", HeadRow::COLUMNS, ", ", MessageRow::COLUMNS, " FROM conversations c LEFT JOIN LATERAL (");
const OF_ONE: &str = ") m ON true WHERE c.key = $1 ORDER BY m.seq";
/// The messages in the parts of the page that have no deleted ones.
const PAGE: &str = sql!(
    SELECT,
    "SELECT s.* FROM shown_page(c.key, c.last_seq, $2, $3) p
     JOIN shown_messages s ON s.conversation = c.key AND s.seq >= p.first_seq AND s.seq <= p.last_seq",
    OF_ONE
);
const AFTER: &str = sql!(
    SELECT,
    "SELECT * FROM shown_messages s WHERE s.conversation = c.key AND s.seq > $2::bigint
     ORDER BY s.seq LIMIT $3::bigint",
    OF_ONE
);
const BEFORE: &str = sql!(
    SELECT,
    "SELECT * FROM shown_messages s WHERE s.conversation = c.key AND s.seq < $2::bigint
     ORDER BY s.seq DESC LIMIT $3::bigint",
    OF_ONE
);

pub(super) async fn history(pool: &Pool, conversation: &Conversation, range: Range) -> Result<History> {
    let (sql, start, limit) = match range {
        Range::Page(page) => {
            let [limit, skipped] = page.window();
            (PAGE, skipped, limit)
        }
        Range::After(seq, limit) => (AFTER, seq, integer(limit)),
        Range::Before(seq, limit) => (BEFORE, seq, integer(limit)),
    };
    let rows = pool.query(sql, &[&conversation.key, &start, &limit]).await?;
    let Some(first) = rows.first() else {
        return Err(StoreError::Engine("no such conversation".into()));
    };
    let head = HeadRow::read(first, 0)?;
    let has_messages = first.try_get::<_, Option<Id>>(HeadRow::COUNT)?.is_some();
    let read = |row| Ok(MessageRow::read(row, HeadRow::COUNT)?.into_message(conversation));
    let messages = rows.iter().filter(|_| has_messages).map(read).collect::<Result<_>>()?;
    Ok(History { messages, last_seq: head.last_seq, unread: [head.unread_a, head.unread_b].map(count) })
}

columns! {
    /// A message that a user missed, or, without an id, only that the conversation has messages.
    struct MissedRow of postgres "r" { key: i64 = "r.conversation", last_seq: i64, seq: Option<i64>, id: Option<Id> }
}

/// The conversation stands in the rows of messages alone.
const MISSED: &str = sql!(
    "SELECT ",
    MissedRow::COLUMNS,
    ", ",
    ConversationRow::COLUMNS,
    " FROM missed_since($1, $2, $3) r
     LEFT JOIN conversations c ON c.key = CASE WHEN r.seq IS NOT NULL THEN r.conversation END"
);

pub(super) async fn missed(pool: &Pool, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut missed = Missed::default();
    // The rows of one conversation follow one another.
    let mut current: Option<Arc<Conversation>> = None;
    for row in pool.query(MISSED, &[user, &after, &most]).await? {
        let MissedRow { key, last_seq, seq, id } = MissedRow::read(&row, 0)?;
        let is_first = missed.last_seqs.last().is_none_or(|(last, _)| *last != key);
        if is_first {
            missed.last_seqs.push((key, last_seq));
            current = None;
        }
        let Some((id, seq)) = id.zip(seq) else { continue };
        let conversation = match &current {
            Some(conversation) => Arc::clone(conversation),
            None => {
                let conversation =
                    Arc::new(Conversation::from(ConversationRow::read(&row, MissedRow::COUNT)?));
                missed.changed.push((conversation.id.clone(), last_seq));
                Arc::clone(current.insert(conversation))
            }
        };
        missed.messages.push(MissedMessage { id, conversation, seq });
    }
    missed.is_too_much = missed.messages.len() > limit;
    if missed.is_too_much {
        missed.messages.clear();
    }
    missed.messages.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(missed)
}

/// The bytes are counted in the database, so that no more than is wanted is sent.
const AT: &str = sql!(
    "SELECT ",
    MessageRow::COLUMNS,
    " FROM (SELECT m.*, p.place, sum(coalesce(octet_length(m.text), 0) + coalesce(octet_length(m.extras), 0)) OVER (ORDER BY p.place) AS bytes
     FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (conversation, seq, place)
     LEFT JOIN shown_messages m ON m.conversation = p.conversation AND m.seq = p.seq) m
     WHERE m.place = 1 OR m.bytes <= $3 ORDER BY m.place"
);

/// See [`Store::messages_at`](crate::store::Store::messages_at).
pub(super) async fn messages_at(
    pool: &Pool,
    places: &[(Arc<Conversation>, i64)],
    max_bytes: usize,
) -> Result<Vec<Option<Message>>> {
    let (keys, seqs): (Vec<_>, Vec<_>) =
        places.iter().map(|(conversation, seq)| (conversation.key, *seq)).unzip();
    let most = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    let rows = pool.query(AT, &[&keys, &seqs, &most]).await?;
    let read = |(row, (conversation, _)): (&Row, &(Arc<Conversation>, i64))| {
        let is_there = row.try_get::<_, Option<Id>>("id")?.is_some();
        is_there.then(|| Ok(MessageRow::read(row, 0)?.into_message(conversation))).transpose()
    };
    rows.iter().zip(places).map(read).collect()
}

/// How many messages the conversations of these users have.
pub(super) async fn positions_of(pool: &Pool, users: &[Id]) -> Result<Vec<(Id, i64)>> {
    let sql = "SELECT u.user_id, sum(c.last_seq)::bigint AS position FROM unnest($1::text[]) AS u (user_id)
        JOIN conversations c ON c.user_a = u.user_id OR c.user_b = u.user_id GROUP BY u.user_id";
    let rows = pool.query(sql, &[&users]).await?;
    rows.iter().map(|row| Ok((row.try_get("user_id")?, row.try_get("position")?))).collect()
}

const ENDS: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", c.last_seq, u.user_id FROM unnest($1::text[]) AS u (user_id)
     JOIN conversations c ON (c.user_a = u.user_id OR c.user_b = u.user_id) AND c.last_seq > 0"
);

/// How far the conversations of these users go.
pub(super) async fn detailed_positions_of(pool: &Pool, users: &[Id]) -> Result<Vec<UserPosition>> {
    let mut positions: HashMap<Id, UserPosition> = HashMap::new();
    for row in pool.query(ENDS, &[&users]).await? {
        let user: Id = row.try_get("user_id")?;
        let of_user = positions.entry(user.clone()).or_insert_with(|| UserPosition {
            user,
            position: 0,
            conversations: Vec::new(),
        });
        let last_seq: i64 = row.try_get("last_seq")?;
        of_user.position += last_seq;
        of_user.conversations.push((Arc::new(read_conversation(&row)?), last_seq));
    }
    Ok(positions.into_values().collect())
}

const MESSAGE: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    " FROM shown_messages m JOIN conversations c ON c.key = m.conversation WHERE m.id = $1"
);

pub(super) async fn message(pool: &Pool, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
    pool.query(MESSAGE, &[id]).await?.first().map(read_with_conversation).transpose()
}

/// Reads the columns of a conversation and, behind them, those of a message.
pub(super) fn read_with_conversation(row: &Row) -> Result<(Arc<Conversation>, Message)> {
    let conversation = read_conversation(row)?;
    let message = MessageRow::read(row, ConversationRow::COUNT)?.into_message(&conversation);
    Ok((Arc::new(conversation), message))
}

/// How many receipts one statement notes: all writes wait for it.
const NOTED_AT_ONCE: usize = 500;

pub(super) async fn set_delivered(pool: &Pool, delivered: &[Delivered]) -> Result<()> {
    for part in delivered.chunks(NOTED_AT_ONCE) {
        let keys: Vec<_> = part.iter().map(|delivered| delivered.conversation).collect();
        let sides: Vec<_> = part.iter().map(|delivered| i16::from(delivered.side == 1)).collect();
        let seqs: Vec<_> = part.iter().map(|delivered| delivered.seq).collect();
        pool.query("SELECT set_delivered($1, $2, $3)", &[&keys, &sides, &seqs]).await?;
    }
    Ok(())
}
