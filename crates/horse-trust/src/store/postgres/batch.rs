//! The statements of a batch, and what their rows say of each write.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::codec::{check_text, count};
use super::connection::Connection;
use super::conversations::ConversationRow;
use super::message::{self, MessageRow};
use super::messages::read_with_conversation;
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::group_commit;
use crate::store::outbox::{OutboxPlan, lane_of_pair};
use crate::store::types::{
    Change, Changed, Conversation, EventKind, Message, NewMessage, Read, Stored, Unread,
};
use crate::timestamp::Timestamp;

/// A write in its turn; single writes go over the pool.
pub(super) type Write = group_commit::Write<Infallible>;

columns! {
    /// What became of a message of a batch; without an id nothing was stored.
    struct AppendedRow of postgres "a" {
        id: Option<Id>,
        seq: i64,
        sent_at: Timestamp,
        unread: i64,
        total: i64,
        sender_position: i64,
        recipient_position: i64,
        refused_by: Option<String>,
    }
}

columns! {
    struct ReadRow of postgres "r" { up_to_seq: i64, newly_read: i64, unread: i64, total: i64 }
}

columns! {
    struct ChangedRow of postgres "a" { outcome: String, unread: Option<i64>, total: Option<i64> }
}

const APPEND: &str = sql!("SELECT ", AppendedRow::COLUMNS, ", a.place FROM ", message::APPEND, " a");
/// As [`APPEND`], with the events of the messages, in their order.
const APPEND_WITH_EVENT: &str = sql!(
    "SELECT ",
    AppendedRow::COLUMNS,
    ", a.place, CASE WHEN a.id IS NOT NULL THEN add_message_to_outbox(
         $7, $8, ($1::bigint[])[a.place], ($2::smallint[])[a.place], a.seq, a.sent_at, a.unread, a.total) END
     FROM (SELECT * FROM ",
    message::APPEND,
    " ORDER BY place) a"
);
const _: () =
    assert!(message::APPEND_PARAMETERS == 6, "the events of messages have the two parameters behind those");
const MARK_READ: &str = sql!("SELECT ", ReadRow::COLUMNS, " FROM mark_read($1, $2, $3) r");
const CHANGE: &str = sql!(
    "SELECT ",
    ChangedRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    " FROM apply_change($1, $2, $3, $4) a CROSS JOIN LATERAL (SELECT (a.message).*) m"
);
const ERASE: &str = sql!(
    "SELECT ",
    ChangedRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    " FROM erase_message($1, $2) a CROSS JOIN LATERAL (SELECT (a.message).*) m"
);
const MARK_READ_AND_WATCH: &str = sql!(
    "SELECT ",
    ReadRow::COLUMNS,
    ", CASE WHEN r.newly_read > 0 AND r.unread > 0 THEN watch_unread($1, $2, $4) END FROM mark_read($1, $2, $3) r"
);
const CHANGE_WITH_EVENT: &str = sql!(
    "SELECT ",
    ChangedRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    ", CASE WHEN a.outcome = 'done' THEN add_to_outbox(
         $5, $6::smallint, $1, $2, coalesce(m.deleted_at, m.edited_at, m.sent_at), a.total, NULL) END
     FROM apply_change($1, $2, $3, $4) a CROSS JOIN LATERAL (SELECT (a.message).*) m"
);
const BLOCK_WITH_EVENT: &str = "SELECT set_block_with_event($1, $2, $3, $4, $5, $6)";
const BLOCK: &str = "SELECT set_block($1, $2, $3)";
const TOUCH: &str = "UPDATE message_ids SET last = last";
/// The messages that have these senders and idempotency keys.
const REPEATED: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    ", a.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (sender, client_id, place)
     JOIN client_ids k ON k.sender = a.sender AND k.client_id = a.client_id
     JOIN shown_messages m ON m.conversation = k.conversation AND m.seq = k.seq
     JOIN conversations c ON c.key = m.conversation"
);

/// A statement with its parameters.
pub(super) struct Statement<'a> {
    pub(super) sql: &'static str,
    parameters: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
    /// The writes that it does, by their place in the batch.
    pub(super) writes: Vec<usize>,
}

impl Statement<'_> {
    /// Is sent at the first poll, if it is prepared.
    pub(super) async fn send(&self, connection: &Connection) -> std::result::Result<Vec<Row>, Error> {
        let parameters: Vec<_> =
            self.parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
        connection.query(self.sql, &parameters).await
    }
}

/// A list of parameters of any types.
macro_rules! parameters {
    ($($parameter:expr),* $(,)?) => { vec![$(Box::new($parameter) as Box<dyn ToSql + Sync + Send + '_>),*] };
}

/// Resolves the writes that need no statement: those that can't be done, and flushes.
pub(super) fn resolve_early(writes: &mut [Write]) {
    for write in writes {
        if let Write::Flush(flush) = write {
            flush.resolve(Ok(()));
        } else if let Err(error) = check(write) {
            write.fail(&error);
        }
    }
}

/// Why a write fails before it is tried, if it does.
fn check(write: &Write) -> Result<()> {
    match write {
        Write::Append(append) => message::check(&append.input),
        Write::MarkRead(mark) => mark.input.conversation.require_side_of(&mark.input.reader).map(drop),
        Write::Change(change) => check_text(change.input.text.as_deref().unwrap_or_default()),
        Write::SetBlock(_) | Write::Touch(_) | Write::Flush(_) | Write::Custom(_) => Ok(()),
    }
}

/// The statements of a batch, in its order; messages in a row are one. What is resolved is left out.
pub(super) fn statements<'a>(writes: &'a [Write], plan: Option<&'a OutboxPlan>) -> Vec<Statement<'a>> {
    let mut statements = Vec::new();
    let mut messages = Vec::new();
    for (place, write) in writes.iter().enumerate() {
        let (sql, parameters) = match write {
            Write::Append(append) if !append.is_resolved() => {
                messages.push((place, &append.input));
                continue;
            }
            Write::MarkRead(mark) if !mark.is_resolved() => {
                let mark = &mark.input;
                let side = side(&mark.conversation, &mark.reader);
                match plan {
                    None => (MARK_READ, parameters![mark.conversation.key, side, mark.up_to]),
                    Some(plan) => (
                        MARK_READ_AND_WATCH,
                        parameters![mark.conversation.key, side, mark.up_to, plan.unseen_after()],
                    ),
                }
            }
            Write::Change(change) if !change.is_resolved() => {
                let Change { conversation, seq, text, window, is_erasure } = &change.input;
                let mut parameters =
                    parameters![conversation.key, seq, text.as_deref(), window.map(milliseconds)];
                match plan {
                    _ if *is_erasure => {
                        parameters.truncate(2);
                        (ERASE, parameters)
                    }
                    None => (CHANGE, parameters),
                    Some(plan) => {
                        let kind = match text {
                            Some(_) => EventKind::MessageUpdated,
                            None => EventKind::MessageDeleted,
                        };
                        parameters.extend(parameters![plan.subscribers(kind), kind.code()]);
                        (CHANGE_WITH_EVENT, parameters)
                    }
                }
            }
            Write::SetBlock(block) => {
                let block = &block.input;
                let mut parameters = parameters![&block.blocker, &block.blocked, block.is_blocked];
                match plan {
                    None => (BLOCK, parameters),
                    Some(plan) => {
                        parameters.extend(parameters![
                            lane_of_pair(&block.blocker, &block.blocked),
                            plan.subscribers(EventKind::UserBlocked),
                            plan.subscribers(EventKind::UserUnblocked),
                        ]);
                        (BLOCK_WITH_EVENT, parameters)
                    }
                }
            }
            Write::Touch(_) => (TOUCH, Vec::new()),
            Write::Append(_) | Write::MarkRead(_) | Write::Change(_) | Write::Flush(_) => continue,
            Write::Custom(never) => match *never {},
        };
        statements.extend(append(std::mem::take(&mut messages), plan));
        statements.push(Statement { sql, parameters, writes: vec![place] });
    }
    statements.extend(append(messages, plan));
    statements
}

fn append<'a>(messages: Vec<(usize, &'a NewMessage)>, plan: Option<&'a OutboxPlan>) -> Option<Statement<'a>> {
    if messages.is_empty() {
        return None;
    }
    let (writes, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    let mut parameters = message::append_parameters(&messages);
    let Some(plan) = plan else { return Some(Statement { sql: APPEND, parameters, writes }) };
    parameters.extend(parameters![plan.subscribers(EventKind::MessageCreated), plan.unseen_after()]);
    Some(Statement { sql: APPEND_WITH_EVENT, parameters, writes })
}

fn side(conversation: &Conversation, user: &Id) -> i16 {
    i16::from(conversation.side_of(user) == Some(1))
}

/// Resolves the writes of one statement, whose rows are committed.
pub(super) fn resolve(writes: &mut [Write], places: &[usize], rows: &[Row], repeated: &Repeated) {
    let mut by_place: Vec<Option<&Row>> = vec![None; places.len()];
    if let Some(Write::Append(_)) = places.first().map(|place| &writes[*place]) {
        for row in rows {
            if let Some(found) = place_of(row).and_then(|place| by_place.get_mut(place)) {
                *found = Some(row);
            }
        }
    }
    for (place, row) in places.iter().zip(by_place) {
        match &mut writes[*place] {
            Write::Append(append) => {
                let stored = read_stored(&append.input, row, repeated);
                append.resolve(stored);
            }
            Write::MarkRead(mark) => mark.resolve(first(rows, "no such conversation").and_then(read_read)),
            Write::Change(change) => {
                let changed = first(rows, "no such message").and_then(|row| read_changed(row, &change.input));
                change.resolve(changed);
            }
            Write::SetBlock(block) => block.resolve(Ok(())),
            Write::Touch(pending) | Write::Flush(pending) => pending.resolve(Ok(())),
            Write::Custom(never) => match *never {},
        }
    }
}

/// The first messages of those that were sent again, by sender and idempotency key.
#[derive(Default)]
pub(super) struct Repeated(HashMap<(Id, String), (Arc<Conversation>, Message)>);

impl Repeated {
    /// Which messages of a batch that was stored are repeats, as sender and idempotency key.
    pub(super) fn keys<'a>(
        writes: &'a [Write],
        places: &[Vec<usize>],
        rows: &[Vec<Row>],
    ) -> Vec<(&'a Id, &'a str)> {
        let mut keys = Vec::new();
        for (places, rows) in places.iter().zip(rows) {
            let Some(Write::Append(_)) = places.first().map(|place| &writes[*place]) else { continue };
            for row in rows {
                let is_absent = |column| matches!(row.try_get::<_, Option<&str>>(column), Ok(None));
                let is_repeat = is_absent("id") && is_absent("refused_by");
                let place = place_of(row).filter(|_| is_repeat).and_then(|place| places.get(place));
                if let Some(Write::Append(append)) = place.map(|place| &writes[*place])
                    && let Some(client_id) = &append.input.client_id
                {
                    keys.push((&append.input.sender, client_id.as_str()));
                }
            }
        }
        keys
    }

    /// Looks up the messages that have these keys.
    pub(super) async fn find(
        connection: &Connection,
        keys: &[(&Id, &str)],
    ) -> std::result::Result<Result<Self>, Error> {
        let (senders, client_ids): (Vec<&Id>, Vec<&str>) = keys.iter().copied().unzip();
        let rows = connection.query(REPEATED, &[&senders, &client_ids]).await?;
        let read = |row: &Row| {
            let place = place_of(row).and_then(|place| keys.get(place));
            let (sender, client_id) =
                place.ok_or_else(|| StoreError::Engine("an answer to nothing".into()))?;
            Ok((((*sender).clone(), (*client_id).to_owned()), read_with_conversation(row)?))
        };
        Ok(rows.iter().map(read).collect::<Result<_>>().map(Self))
    }
}

/// The index that a row's `place`, which counts from 1, stands for.
fn place_of(row: &Row) -> Option<usize> {
    usize::try_from(row.try_get::<_, i64>("place").ok()?).ok()?.checked_sub(1)
}

fn first<'a>(rows: &'a [Row], otherwise: &'static str) -> Result<&'a Row> {
    rows.first().ok_or_else(|| StoreError::Engine(otherwise.into()))
}

fn read_stored(new: &NewMessage, row: Option<&Row>, repeated: &Repeated) -> Result<Stored> {
    let Some(row) = row else {
        return Err(StoreError::Engine("no such conversation".into()));
    };
    let row = AppendedRow::read(row, 0)?;
    if let Some(refused_by) = row.refused_by {
        return Err(StoreError::Blocked { by_sender: refused_by == "sender" });
    }
    let Some(id) = row.id else {
        let client_id = new.client_id.clone().unwrap_or_default();
        let found = repeated.0.get(&(new.sender.clone(), client_id));
        let (conversation, message) =
            found.cloned().ok_or_else(|| StoreError::Engine("the first message was not found".into()))?;
        if !message.is_repeated_by(&conversation, new) {
            return Err(StoreError::ClientIdUsed);
        }
        return Ok(Stored { conversation, message, is_new: false, unread: None, positions: None });
    };
    let message = new.stored_as(id, row.seq, row.sent_at);
    let unread = Unread { conversation: count(row.unread), total: count(row.total) };
    // Of a message of the platform the first participant's position is in the sender's place.
    let positions = if new.conversation.participants[1] == new.sender {
        [row.recipient_position, row.sender_position]
    } else {
        [row.sender_position, row.recipient_position]
    };
    Ok(Stored {
        conversation: Arc::clone(&new.conversation),
        message,
        is_new: true,
        unread: Some(unread).filter(|_| new.sender != Id::SYSTEM),
        positions: Some(positions),
    })
}

fn read_read(row: &Row) -> Result<Read> {
    let row = ReadRow::read(row, 0)?;
    let unread = Unread { conversation: count(row.unread), total: count(row.total) };
    Ok(Read { up_to_seq: row.up_to_seq, newly_read: count(row.newly_read), unread })
}

fn read_changed(row: &Row, change: &Change) -> Result<Changed> {
    let ChangedRow { outcome, unread, total } = ChangedRow::read(row, 0)?;
    if let "refused by sender" | "refused by recipient" = &*outcome {
        return Err(StoreError::Blocked { by_sender: outcome == "refused by sender" });
    }
    let message = MessageRow::read(row, ChangedRow::COUNT)?.into_message(&change.conversation);
    let unread = unread
        .zip(total)
        .map(|(conversation, total)| Unread { conversation: count(conversation), total: count(total) });
    Ok(match &*outcome {
        "gone" => Changed::Gone(message),
        "late" => Changed::TooLate,
        _ => Changed::Done { message, unread },
    })
}
