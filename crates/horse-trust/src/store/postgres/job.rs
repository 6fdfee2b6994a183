//! What the writer is asked to do, the statements that do it, and what each tells.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::codec::{check_text, conversation_columns, count, message_columns, read_message};
use super::connection::Connection;
use super::messages::read_with_conversation;
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::error::{Result, StoreError};
use crate::store::types::{
    Change, Changed, Conversation, Done, MarkRead, Message, NewMessage, Read, Stored, Unread,
};
use crate::timestamp::Timestamp;

/// Tells one caller what came of a write.
pub(super) type Told = Box<dyn FnOnce() + Send>;

/// A write in its turn.
pub(super) enum Job {
    Append(NewMessage, Done<Stored>),
    MarkRead(MarkRead, Done<Read>),
    Change(Change, Done<Changed>),
    SetBlock {
        blocker: Id,
        other: Id,
        is_blocked: bool,
        done: Done<()>,
    },
    /// Commits something, to see whether that works.
    Touch(Done<()>),
    /// Writes nothing: has its caller told in its turn.
    Settle(Done<()>),
}

impl Job {
    /// Why it fails before it is tried, if it does.
    fn check(&self) -> Result<()> {
        match self {
            Self::Append(message, _) => {
                side_of(&message.conversation, &message.sender)?;
                check_text(&message.text)?;
                check_text(message.client_id.as_deref().unwrap_or_default())
            }
            Self::MarkRead(mark, _) => side_of(&mark.conversation, &mark.reader).map(drop),
            Self::Change(change, _) => check_text(change.text.as_deref().unwrap_or_default()),
            Self::SetBlock { .. } | Self::Touch(_) | Self::Settle(_) => Ok(()),
        }
    }

    pub(super) fn fail(self, error: StoreError) -> Told {
        match self {
            Self::Append(_, appended) => Box::new(move || appended(Err(error))),
            Self::MarkRead(_, done) => Box::new(move || done(Err(error))),
            Self::Change(_, done) => Box::new(move || done(Err(error))),
            Self::SetBlock { done, .. } | Self::Touch(done) | Self::Settle(done) => {
                Box::new(move || done(Err(error)))
            }
        }
    }
}

fn side_of(conversation: &Conversation, user: &Id) -> Result<usize> {
    conversation.side_of(user).ok_or_else(|| StoreError::Engine("the user takes no part".into()))
}

/// A part of a batch that is one statement.
pub(super) enum Request {
    /// Messages in a row, each with the side of its sender.
    Append(Vec<(NewMessage, Done<Stored>)>),
    /// Any other job.
    Single(Job),
    /// A job without a statement; its caller is told in its turn.
    Untried(Told),
}

/// The statements of a batch.
pub(super) fn requests(jobs: Vec<Job>) -> Vec<Request> {
    let mut requests = Vec::new();
    for job in jobs {
        match (job.check(), job) {
            (Err(error), job) => requests.push(Request::Untried(job.fail(error))),
            (Ok(()), Job::Append(message, appended)) => match requests.last_mut() {
                Some(Request::Append(messages)) => messages.push((message, appended)),
                _ => requests.push(Request::Append(vec![(message, appended)])),
            },
            (Ok(()), Job::Settle(done)) => requests.push(Request::Untried(Box::new(move || done(Ok(()))))),
            (Ok(()), job) => requests.push(Request::Single(job)),
        }
    }
    requests
}

const APPEND: &str = "SELECT place, id, seq, sent_at, unread, total, sender_position, recipient_position,
    refused_by FROM append_messages($1, $2, $3, $4)";
const MARK_READ: &str = "SELECT up_to_seq, newly_read, unread, total FROM mark_read($1, $2, $3)";
const CHANGE: &str = concat!(
    "SELECT a.outcome, a.unread, a.total, ",
    message_columns!(),
    " FROM apply_change($1, $2, $3, $4) a CROSS JOIN LATERAL (SELECT (a.message).*) m"
);
const BLOCK: &str = "SELECT set_block($1, $2, $3)";
const TOUCH: &str = "UPDATE message_ids SET last = last";
/// The messages that senders' names mean.
const REPEATED: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    ", ",
    message_columns!(),
    ", a.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (sender, client_id, place)
     JOIN client_ids k ON k.sender = a.sender AND k.client_id = a.client_id
     JOIN shown_messages m ON m.conversation = k.conversation AND m.seq = k.seq
     JOIN conversations c ON c.key = m.conversation"
);

/// A statement with its parameters.
pub(super) struct Statement<'a> {
    pub(super) sql: &'static str,
    parameters: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
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

impl Request {
    /// What is to be sent, if anything.
    pub(super) fn statement(&self) -> Option<Statement<'_>> {
        let side = |conversation: &Conversation, user| i16::from(conversation.side_of(user) == Some(1));
        let (sql, parameters) = match self {
            Self::Append(messages) => {
                let messages = || messages.iter().map(|(message, _)| message);
                let keys: Vec<_> = messages().map(|message| message.conversation.key).collect();
                let sides: Vec<_> =
                    messages().map(|message| side(&message.conversation, &message.sender)).collect();
                let texts: Vec<_> = messages().map(|message| message.text.as_str()).collect();
                let client_ids: Vec<_> = messages().map(|message| message.client_id.as_deref()).collect();
                (APPEND, parameters![keys, sides, texts, client_ids])
            }
            Self::Single(Job::MarkRead(mark, _)) => {
                let side = side(&mark.conversation, &mark.reader);
                (MARK_READ, parameters![mark.conversation.key, side, mark.up_to])
            }
            Self::Single(Job::Change(change, _)) => {
                let Change { conversation, seq, text, window } = change;
                (CHANGE, parameters![conversation.key, seq, text.as_deref(), milliseconds(*window)])
            }
            Self::Single(Job::SetBlock { blocker, other, is_blocked, .. }) => {
                (BLOCK, parameters![blocker, other, is_blocked])
            }
            Self::Single(Job::Touch(_)) => (TOUCH, Vec::new()),
            Self::Single(Job::Append(..) | Job::Settle(_)) | Self::Untried(_) => return None,
        };
        Some(Statement { sql, parameters })
    }

    pub(super) fn fail(self, error: &StoreError, told: &mut Vec<Told>) {
        match self {
            Self::Append(messages) => told.extend(
                messages
                    .into_iter()
                    .map(|(message, appended)| Job::Append(message, appended).fail(error.clone())),
            ),
            Self::Single(job) => told.push(job.fail(error.clone())),
            Self::Untried(refused) => told.push(refused),
        }
    }

    /// What is told, now that the rows are committed.
    pub(super) fn succeed(self, rows: &[Row], repeated: &Repeated, told: &mut Vec<Told>) {
        match self {
            Self::Append(messages) => {
                let mut outcomes: Vec<Option<&Row>> = vec![None; messages.len()];
                for row in rows {
                    if let Some(outcome) = place_of(row, 0).and_then(|place| outcomes.get_mut(place)) {
                        *outcome = Some(row);
                    }
                }
                for ((message, appended), row) in messages.into_iter().zip(outcomes) {
                    let stored = read_stored(&message, row, repeated);
                    told.push(Box::new(move || appended(stored)));
                }
            }
            Self::Single(Job::MarkRead(_, done)) => {
                let read = first(rows, "no such conversation").and_then(read_read);
                told.push(Box::new(move || done(read)));
            }
            Self::Single(Job::Change(change, done)) => {
                let changed = first(rows, "no such message").and_then(|row| read_changed(row, &change));
                told.push(Box::new(move || done(changed)));
            }
            Self::Single(Job::SetBlock { done, .. } | Job::Touch(done)) => {
                told.push(Box::new(move || done(Ok(()))));
            }
            Self::Single(job @ (Job::Append(..) | Job::Settle(_))) => {
                told.push(job.fail(StoreError::closed()));
            }
            Self::Untried(refused) => told.push(refused),
        }
    }
}

/// The first messages of those that were sent again, by sender and sender's name.
#[derive(Default)]
pub(super) struct Repeated(HashMap<(Id, String), (Arc<Conversation>, Message)>);

impl Repeated {
    /// Which messages of a batch that was stored are repeats.
    pub(super) fn names<'a>(requests: &'a [Request], rows: &[Vec<Row>]) -> Vec<(&'a Id, &'a str)> {
        let mut names = Vec::new();
        for (request, rows) in requests.iter().zip(rows) {
            let Request::Append(messages) = request else { continue };
            for row in rows {
                let is_absent = |column| matches!(row.try_get::<_, Option<&str>>(column), Ok(None));
                let is_repeat = is_absent(1) && is_absent(8);
                let message = place_of(row, 0).filter(|_| is_repeat).and_then(|place| messages.get(place));
                if let Some((NewMessage { sender, client_id: Some(client_id), .. }, _)) = message {
                    names.push((sender, client_id.as_str()));
                }
            }
        }
        names
    }

    /// Looks up the messages that these names mean.
    pub(super) async fn find(
        connection: &Connection,
        names: &[(&Id, &str)],
    ) -> std::result::Result<Result<Self>, Error> {
        let (senders, client_ids): (Vec<&Id>, Vec<&str>) = names.iter().copied().unzip();
        let rows = connection.query(REPEATED, &[&senders, &client_ids]).await?;
        let place_column = rows.first().map_or(0, |row| row.len() - 1);
        let read = |row: &Row| {
            let place = place_of(row, place_column).and_then(|place| names.get(place));
            let (sender, client_id) =
                place.ok_or_else(|| StoreError::Engine("an answer to nothing".into()))?;
            Ok((((*sender).clone(), (*client_id).to_owned()), read_with_conversation(row)?))
        };
        Ok(rows.iter().map(read).collect::<Result<_>>().map(Self))
    }
}

/// The index that a row's `place`, which counts from 1, stands for.
fn place_of(row: &Row, column: usize) -> Option<usize> {
    usize::try_from(row.try_get::<_, i64>(column).ok()?).ok()?.checked_sub(1)
}

fn first<'a>(rows: &'a [Row], otherwise: &'static str) -> Result<&'a Row> {
    rows.first().ok_or_else(|| StoreError::Engine(otherwise.into()))
}

fn read_stored(new: &NewMessage, row: Option<&Row>, repeated: &Repeated) -> Result<Stored> {
    let Some(row) = row else {
        return Err(StoreError::Engine("no such conversation".into()));
    };
    if let Some(refused_by) = row.try_get::<_, Option<&str>>(8)? {
        return Err(StoreError::Blocked { by_sender: refused_by == "sender" });
    }
    let Some(id) = row.try_get(1)? else {
        let client_id = new.client_id.clone().unwrap_or_default();
        let found = repeated.0.get(&(new.sender.clone(), client_id));
        let (conversation, message) =
            found.cloned().ok_or_else(|| StoreError::Engine("the first message was not found".into()))?;
        if !message.is_repeated_by(&conversation, new) {
            return Err(StoreError::ClientIdUsed);
        }
        return Ok(Stored { conversation, message, unread: None, positions: None });
    };
    let message = Message {
        id,
        seq: row.try_get(2)?,
        sender: new.sender.clone(),
        text: new.text.clone(),
        is_read: false,
        sent_at: Timestamp(row.try_get(3)?),
        client_id: new.client_id.clone(),
        edited_at: None,
        deleted_at: None,
    };
    let unread = Unread { conversation: count(row.try_get(4)?), total: count(row.try_get(5)?) };
    let [of_sender, of_recipient] = [row.try_get(6)?, row.try_get(7)?];
    let is_first = new.conversation.participants[0] == new.sender;
    let positions = Some(if is_first { [of_sender, of_recipient] } else { [of_recipient, of_sender] });
    Ok(Stored { conversation: Arc::clone(&new.conversation), message, unread: Some(unread), positions })
}

fn read_read(row: &Row) -> Result<Read> {
    Ok(Read {
        up_to_seq: row.try_get(0)?,
        newly_read: count(row.try_get(1)?),
        unread: Unread { conversation: count(row.try_get(2)?), total: count(row.try_get(3)?) },
    })
}

fn read_changed(row: &Row, change: &Change) -> Result<Changed> {
    let outcome = row.try_get(0)?;
    if let "refused by sender" | "refused by recipient" = outcome {
        return Err(StoreError::Blocked { by_sender: outcome == "refused by sender" });
    }
    let message = read_message(row, 3, &change.conversation.participants)?;
    let unread = match (row.try_get(1)?, row.try_get(2)?) {
        (Some(conversation), Some(total)) => {
            Some(Unread { conversation: count(conversation), total: count(total) })
        }
        _ => None,
    };
    Ok(match outcome {
        "gone" => Changed::Gone(message),
        "late" => Changed::TooLate,
        _ => Changed::Done { message, unread },
    })
}
