//! The SQL of reports.

use std::sync::Arc;

use tokio_postgres::Row;

use super::connection::Parameters;
use super::conversations::{ConversationRow, read_conversation};
use super::message::MessageRow;
use super::pool::Pool;
use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::outbox::OutboxPlan;
use crate::store::types::{
    Actor, EventKind, NewAuditEntry, NewReport, Report, ReportDecision, ReportQuery, ReportState,
    ReportsOfUser, Surroundings,
};
use crate::timestamp::Timestamp;

/// The report of this message by `reporter`.
pub(super) async fn report_by(pool: &Pool, reporter: &Id, message: &Id) -> Result<Option<Id>> {
    let sql = "SELECT id FROM reports WHERE reporter = $1 AND message_id = $2 AND NOT is_repeat";
    pool.query(sql, &[reporter, message]).await?.first().map(|row| Ok(row.try_get(0)?)).transpose()
}

const REPORT: &str = "
    INSERT INTO reports (id, reporter, reason, reported_at, message_id, conversation_id, sender, seq, sent_at, text)
    SELECT $1, $2, $3, now_ms(), m.id, c.id, CASE m.sender WHEN 0 THEN c.user_a WHEN 1 THEN c.user_b ELSE 'system' END, m.seq,
        m.sent_at, coalesce(CASE WHEN m.deleted_at IS NOT NULL THEN (
            SELECT w.text FROM withdrawn_texts w WHERE w.conversation = m.conversation AND w.seq = m.seq
            ORDER BY w.key DESC LIMIT 1) END, m.text)
    FROM messages m JOIN conversations c ON c.key = m.conversation
    WHERE m.conversation = $4 AND m.seq = $5 ON CONFLICT DO NOTHING RETURNING id";
const REPORT_WITH_EVENT: &str =
    sql!("WITH kept AS (", REPORT, ") SELECT id, add_report_to_outbox($6, id, $4, $5) FROM kept");

/// Stores a report, unless the user has reported the message before; of a message that was deleted, with the
/// text that it had. Answers the id of what is kept.
pub(super) async fn insert_report(
    pool: &Pool,
    id: Id,
    report: &NewReport,
    plan: Option<&OutboxPlan>,
) -> Result<Id> {
    let NewReport { conversation, seq, reporter, reason, .. } = report;
    let kept = match plan {
        None => pool.query(REPORT, &[&id, reporter, reason, &conversation.key, seq]).await?,
        Some(plan) => {
            let subscribers = plan.subscribers(EventKind::ReportCreated);
            let parameters: Parameters<'_> = &[&id, reporter, reason, &conversation.key, seq, &subscribers];
            pool.query(REPORT_WITH_EVENT, parameters).await?
        }
    };
    if !kept.is_empty() {
        return Ok(id);
    }
    // A statement does not see what another has just committed; the next one does.
    let sql = "SELECT r.id FROM messages m JOIN reports r ON r.message_id = m.id AND r.reporter = $1 AND NOT r.is_repeat
        WHERE m.conversation = $2 AND m.seq = $3";
    let known = pool.query(sql, &[&report.reporter, &report.conversation.key, &report.seq]).await?;
    let known = known.first().ok_or_else(|| StoreError::Engine("no such message".into()))?;
    Ok(known.try_get(0)?)
}

columns! {
    /// A report.
    struct ReportRow of postgres "reports" {
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

fn read_report(row: &Row) -> Result<Report> {
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
const NEWEST: &str = " reports.key < $1 ORDER BY reports.key DESC LIMIT $2 OFFSET $3";
const OF_ALL: &str = sql!(SELECT, NEWEST);
const OF_STATE: &str = sql!(SELECT, "reports.state = $4 AND", NEWEST);

pub(super) async fn reports(pool: &Pool, query: ReportQuery) -> Result<Vec<Report>> {
    let [before, limit, offset] = query.window();
    let rows = match query.state {
        None => pool.query(OF_ALL, &[&before, &limit, &offset]).await?,
        Some(state) => pool.query(OF_STATE, &[&before, &limit, &offset, &state.name()]).await?,
    };
    rows.iter().map(read_report).collect()
}

const WITH_ID: &str = sql!(SELECT, "reports.id = $1");

pub(super) async fn report(pool: &Pool, id: &Id) -> Result<Option<Report>> {
    pool.query(WITH_ID, &[id]).await?.first().map(read_report).transpose()
}

const DECIDE: &str = sql!(
    "WITH decided AS (
         UPDATE reports SET state = $2, note = CASE WHEN $3 THEN $4 ELSE note END, decided_at = now_ms(),
             decided_by = $5
         WHERE id = $1 RETURNING *
     ), noted AS (
         INSERT INTO audit (actor, action, target, details) SELECT $5, $6, id, $7 FROM decided
     )
     SELECT ",
    ReportRow::COLUMNS,
    " FROM decided AS reports"
);

/// Notes a decision, and who made it in the audit; answers the report as it then is.
pub(super) async fn decide(
    pool: &Pool,
    id: &Id,
    decision: &ReportDecision,
    entry: &NewAuditEntry,
) -> Result<Option<Report>> {
    let ReportDecision { state, note } = decision;
    let text = note.as_ref().and_then(Option::as_ref);
    let (actor, details) = (entry.actor.to_column(), entry.details.as_deref());
    let rows = pool
        .query(DECIDE, &[id, &state.name(), &note.is_some(), &text, &actor, &entry.action, &details])
        .await?;
    rows.first().map(read_report).transpose()
}

/// One statement for all places, so that a page of reports costs one round trip.
const AROUND: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", ",
    MessageRow::COLUMNS,
    ", p.place FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS p (conversation_id, seq, place)
     JOIN conversations c ON c.id = p.conversation_id
     LEFT JOIN LATERAL (
         SELECT * FROM shown_messages s
         WHERE s.conversation = c.key AND s.seq >= p.seq - $3 AND s.seq <= p.seq + $3 ORDER BY s.seq
     ) m ON true ORDER BY p.place, m.seq"
);

/// See [`ModerationStore::surroundings`](crate::store::traits::ModerationStore::surroundings).
pub(super) async fn surroundings(
    pool: &Pool,
    places: &[(Id, i64)],
    reach: u32,
) -> Result<Vec<Option<Surroundings>>> {
    let (conversations, seqs): (Vec<_>, Vec<_>) = places.iter().map(|(id, seq)| (id, *seq)).unzip();
    let mut found: Vec<Option<Surroundings>> = vec![None; places.len()];
    for row in pool.query(AROUND, &[&conversations, &seqs, &i64::from(reach)]).await? {
        let place: i64 = row.try_get("place")?;
        let place = usize::try_from(place).ok().and_then(|place| found.get_mut(place.wrapping_sub(1)));
        let place = place.ok_or_else(|| StoreError::Engine("a place that was not asked for".into()))?;
        let (conversation, messages) = match place {
            Some(known) => known,
            None => place.insert((Arc::new(read_conversation(&row)?), Vec::new())),
        };
        if row.try_get::<_, Option<Id>>(ConversationRow::COUNT)?.is_some() {
            let message = MessageRow::read(&row, ConversationRow::COUNT)?;
            messages.push(message.into_message(conversation));
        }
    }
    Ok(found)
}

/// A row without a report if there is none of the user among those that were looked at.
const OF_USER: &str = sql!(
    "SELECT ",
    ReportRow::COLUMNS,
    ", l.last FROM (SELECT max(key) AS last FROM (
        SELECT key FROM reports WHERE key > $1::bigint ORDER BY key LIMIT $2::bigint) looked) l
    LEFT JOIN reports ON reports.key > $1 AND reports.key <= l.last
        AND (reports.reporter = $3 OR reports.sender = $3)
    ORDER BY reports.key"
);

/// See [`ExportStore::reports_of`](crate::store::traits::ExportStore::reports_of).
pub(super) async fn reports_of(pool: &Pool, user: &Id, after: i64, looked_at: u32) -> Result<ReportsOfUser> {
    let rows = pool.query(OF_USER, &[&after, &i64::from(looked_at), user]).await?;
    let mut found = ReportsOfUser::default();
    for row in &rows {
        found.next = row.try_get("last")?;
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            found.reports.push(read_report(row)?);
        }
    }
    Ok(found)
}
