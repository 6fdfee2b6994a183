//! The SQL of reports.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codec::MessageId;
use super::outbox_rows::{self, NewEvent};
use super::{audit, conversations, messages};
use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::outbox::OutboxPlan;
use crate::store::types::{
    Actor, EventKind, NewAuditEntry, NewReport, Report, ReportDecision, ReportQuery, ReportState,
    ReportsOfUser, Surroundings,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// The report of this message by `reporter`.
pub(super) fn report_by(connection: &Connection, reporter: &Id, message: &Id) -> Result<Option<Id>> {
    connection
        .prepare_cached("SELECT id FROM reports WHERE reporter = ?1 AND message_id = ?2 AND is_repeat = 0")?
        .query_row([reporter, message], |row| row.get(0))
        .optional()
}

/// Stores a report, unless the user has reported the message before; of a message that was deleted, with the
/// text that it had. Answers the id of what is kept.
pub(super) fn insert_report(
    connection: &Connection,
    id: Id,
    report: &NewReport,
    plan: Option<&OutboxPlan>,
) -> Result<Id> {
    let key = report.conversation.key;
    let (message, sender, sent_at, text, is_deleted): (MessageId, usize, i64, String, bool) = connection
        .prepare_cached(
            "SELECT id, sender, sent_at, text, deleted_at IS NOT NULL FROM all_messages
             WHERE conversation = ?1 AND seq = ?2",
        )?
        .query_row([key, report.seq], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
    if let Some(known) = report_by(connection, &report.reporter, &message.0)? {
        return Ok(known);
    }
    let withdrawn: Option<String> = if is_deleted {
        connection
            .prepare_cached(
                "SELECT text FROM withdrawn_texts WHERE conversation = ?1 AND seq = ?2 ORDER BY key DESC LIMIT 1",
            )?
            .query_row([key, report.seq], |row| row.get(0))
            .optional()?
    } else {
        None
    };
    let now = Timestamp::now();
    connection
        .prepare_cached(
            "INSERT INTO reports (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq,
                 sent_at, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id,
            report.reporter,
            report.reason,
            now.0,
            message.0,
            report.conversation.id,
            report.conversation.sender_at(sender),
            report.seq,
            sent_at,
            withdrawn.unwrap_or(text)
        ])?;
    if let Some(plan) = plan {
        let event = NewEvent::new(EventKind::ReportCreated, key, report.seq, now);
        outbox_rows::add(connection, plan, &NewEvent { detail: Some(id.as_str()), ..event })?;
    }
    Ok(id)
}

columns! {
    /// A report.
    struct ReportRow of sqlite "reports" {
        key: i64,
        id: Id,
        reporter: Id,
        reason: String,
        reported_at: Timestamp,
        message_id: Id,
        conversation_id: Id,
        sender: Id,
        seq: i64,
        sent_at: Timestamp,
        text: String,
        state: String,
        note: Option<String>,
        decided_at: Option<Timestamp>,
        decided_by: Option<String>,
    }
}

fn read_report(row: &Row<'_>) -> Result<Report> {
    let row = ReportRow::read(row, 0)?;
    Ok(Report {
        key: row.key,
        id: row.id,
        reporter: row.reporter,
        reason: row.reason,
        reported_at: row.reported_at,
        message_id: row.message_id,
        conversation_id: row.conversation_id,
        sender: row.sender,
        seq: row.seq,
        sent_at: row.sent_at,
        text: row.text,
        state: ReportState::from_column(&row.state),
        note: row.note,
        decided_at: row.decided_at,
        decided_by: row.decided_by.as_deref().and_then(Actor::from_column),
    })
}

const SELECT: &str = sql!("SELECT ", ReportRow::COLUMNS, " FROM reports WHERE ");
const NEWEST: &str = " reports.key < ?1 ORDER BY reports.key DESC LIMIT ?2 OFFSET ?3";
const OF_ALL: &str = sql!(SELECT, NEWEST);
const OF_STATE: &str = sql!(SELECT, "reports.state = ?4 AND", NEWEST);

pub(super) fn reports(connection: &Connection, query: ReportQuery) -> Result<Vec<Report>> {
    let [before, limit, offset] = query.window();
    match query.state {
        None => connection
            .prepare_cached(OF_ALL)?
            .query_map(params![before, limit, offset], read_report)?
            .collect(),
        Some(state) => connection
            .prepare_cached(OF_STATE)?
            .query_map(params![before, limit, offset, state.name()], read_report)?
            .collect(),
    }
}

pub(super) fn report(connection: &Connection, id: &Id) -> Result<Option<Report>> {
    connection.prepare_cached(sql!(SELECT, "reports.id = ?1"))?.query_row([id], read_report).optional()
}

/// Notes a decision; answers the report as it then is.
pub(super) fn decide(
    connection: &Connection,
    id: &Id,
    decision: &ReportDecision,
    entry: &NewAuditEntry,
) -> Result<Option<Report>> {
    let ReportDecision { state, note } = decision;
    let decided = connection
        .prepare_cached(
            "UPDATE reports SET state = ?2, note = iif(?3, ?4, note), decided_at = ?5, decided_by = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            state.name(),
            note.is_some(),
            note.as_ref().and_then(Option::as_ref),
            Timestamp::now().0,
            entry.actor.to_column()
        ])?;
    if decided == 0 {
        return Ok(None);
    }
    audit::insert(connection, entry)?;
    report(connection, id)
}

/// See [`ModerationStore::surroundings`](crate::store::traits::ModerationStore::surroundings).
pub(super) fn surroundings(
    connection: &Connection,
    places: &[(Id, i64)],
    reach: u32,
) -> Result<Vec<Option<Surroundings>>> {
    let reach = i64::from(reach);
    let around = |(conversation, seq): &(Id, i64)| {
        let Some(conversation) = conversations::conversation(connection, conversation)? else {
            return Ok(None);
        };
        let messages = messages::between(connection, &conversation, [seq - reach, seq + reach])?;
        Ok(Some((Arc::new(conversation), messages)))
    };
    places.iter().map(around).collect()
}

const OF_USER: &str = sql!(
    SELECT,
    "reports.key > ?1 AND reports.key <= ?2 AND (reports.reporter = ?3 OR reports.sender = ?3) ORDER BY reports.key"
);

/// See [`ExportStore::reports_of`](crate::store::traits::ExportStore::reports_of).
pub(super) fn reports_of(
    connection: &Connection,
    user: &Id,
    after: i64,
    looked_at: u32,
) -> Result<ReportsOfUser> {
    let next: Option<i64> = connection
        .prepare_cached(
            "SELECT max(key) FROM (SELECT key FROM reports WHERE key > ?1 ORDER BY key LIMIT ?2)",
        )?
        .query_row(params![after, looked_at], |row| row.get(0))?;
    let Some(last) = next else { return Ok(ReportsOfUser::default()) };
    let reports = connection
        .prepare_cached(OF_USER)?
        .query_map(params![after, last, user], read_report)?
        .collect::<Result<_>>()?;
    Ok(ReportsOfUser { reports, next })
}
