//! What the writes add to the outbox.

use rusqlite::{Connection, params};

use crate::store::outbox::OutboxPlan;
use crate::store::types::EventKind;
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// An event to add.
pub(super) struct NewEvent<'a> {
    pub(super) kind: EventKind,
    pub(super) lane: i64,
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) unread: Option<i64>,
    pub(super) detail: Option<&'a str>,
}

impl NewEvent<'_> {
    /// An event of a conversation without anything else.
    pub(super) fn new(kind: EventKind, conversation: i64, seq: i64, at: Timestamp) -> Self {
        Self { kind, lane: conversation, seq, at, unread: None, detail: None }
    }
}

/// Adds an event for each subscriber that wants it.
pub(super) fn add(connection: &Connection, plan: &OutboxPlan, event: &NewEvent<'_>) -> Result<()> {
    let subscribers = plan.subscribers(event.kind);
    if subscribers.is_empty() {
        return Ok(());
    }
    let NewEvent { kind, lane, seq, at, unread, detail } = event;
    let number = plan.next_number();
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (subscriber, number, lane, kind, seq, at, unread, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for subscriber in subscribers {
        statement.execute(params![subscriber, number, lane, kind.code(), seq, at.0, unread, detail])?;
    }
    plan.note_added();
    Ok(())
}
