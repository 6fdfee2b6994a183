//! The SQL of the outbox beside the writes that add to it: what may be sent, and what becomes of it.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codec::count;
use super::conversations;
use super::messages;
use crate::store::clock::milliseconds;
use crate::store::types::{
    EventKind, GivenUp, GivenUpKey, NewSubscriber, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSubject,
    Settlement, SubjectQuery, integer,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// The numbers of the subscribers, and the greatest number of an event.
pub(super) fn subscribe(connection: &Connection, subscribers: &[NewSubscriber]) -> Result<(Vec<i16>, i64)> {
    let numbers = subscribers
        .iter()
        .map(|subscriber| {
            connection.query_row(
                "INSERT INTO outbox_subscribers (digest, origin) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET origin = excluded.origin RETURNING id",
                params![subscriber.digest, subscriber.origin],
                |row| row.get(0),
            )
        })
        .collect::<Result<_>>()?;
    let last = connection.query_row(
        "SELECT max(coalesce((SELECT max(number) FROM outbox), 0),
             coalesce((SELECT max(number) FROM outbox_waiting), 0),
             coalesce((SELECT max(number) FROM outbox_given_up), 0))",
        [],
        |row| row.get(0),
    )?;
    Ok((numbers, last))
}

/// The columns of an event, in the order of [`read_event`].
const EVENT: &str = "number, lane, kind, seq, at, unread, detail";

fn read_event(row: &Row<'_>, attempts: u32, is_waiting: bool) -> Result<OutboxEvent> {
    let code: i16 = row.get(2)?;
    let kind = EventKind::from_code(code)
        .ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(2, i64::from(code)))?;
    Ok(OutboxEvent {
        number: row.get(0)?,
        lane: row.get(1)?,
        kind,
        seq: row.get(3)?,
        at: row.get(4)?,
        unread: row.get::<_, Option<i64>>(5)?.map(count),
        detail: row.get(6)?,
        attempts,
        is_waiting,
    })
}

/// How many milliseconds there are from `now` to `at`; none if that was before.
fn until(now: Timestamp, at: i64) -> Duration {
    Duration::from_millis(count(at - now.0))
}

pub(super) fn batch(
    connection: &Connection,
    subscriber: i16,
    after: i64,
    [limit, limit_due]: [usize; 2],
) -> Result<OutboxBatch> {
    let now = Timestamp::now();
    let new = connection
        .prepare_cached(&format!(
            "SELECT {EVENT}, EXISTS (
                 SELECT 1 FROM outbox_waiting w WHERE w.subscriber = o.subscriber AND w.lane = o.lane)
             FROM outbox o WHERE subscriber = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
        ))?
        .query_map(params![subscriber, after, limit], |row| Ok((read_event(row, 0, false)?, row.get(7)?)))?
        .collect::<Result<_>>()?;
    let due = connection
        .prepare_cached(&format!(
            "SELECT {EVENT}, attempts FROM outbox_waiting
             WHERE subscriber = ?1 AND due_at <= ?2 ORDER BY due_at, number LIMIT ?3"
        ))?
        .query_map(params![subscriber, now.0, limit_due], |row| read_event(row, row.get(7)?, true))?
        .collect::<Result<_>>()?;
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(due_at) FROM outbox_waiting WHERE subscriber = ?1 AND due_at > ?2")?
        .query_row(params![subscriber, now.0], |row| row.get(0))?;
    Ok(OutboxBatch { new, due, next_due: next.map(|at| until(now, at)) })
}

pub(super) fn subjects(
    connection: &Connection,
    queries: &[SubjectQuery],
) -> Result<Vec<Option<OutboxSubject>>> {
    queries.iter().map(|query| subject(connection, query)).collect()
}

fn subject(connection: &Connection, query: &SubjectQuery) -> Result<Option<OutboxSubject>> {
    let Some(conversation) = messages::conversation_by_key(connection, query.conversation).optional()? else {
        return Ok(None);
    };
    let message = if query.seq == 0 {
        None
    } else {
        messages::message_at(connection, &conversation, query.seq).optional()?
    };
    let recipient = message.as_ref().and_then(|message| conversation.other(&message.sender));
    let viewer = query.viewer.as_ref().or(recipient).unwrap_or(&conversation.participants[0]);
    let summary = conversations::conversation_summary(connection, conversation.key, viewer)?;
    Ok(summary.map(|conversation| OutboxSubject { conversation, message }))
}

/// Stores what became of events.
pub(super) fn settle(
    connection: &Connection,
    subscriber: i16,
    events: &[(OutboxEvent, Settlement)],
) -> Result<()> {
    let now = Timestamp::now();
    let mut freed = Vec::new();
    for (event, settlement) in events {
        let is_new_end = matches!(settlement, Settlement::Done | Settlement::GiveUp(_)) && event.is_waiting;
        if is_new_end {
            freed.push(event.lane);
        }
        if !remove(connection, subscriber, event)? {
            // It was given up while it was sent: too many waited.
            continue;
        }
        match settlement {
            Settlement::Done => {}
            Settlement::Behind => wait(connection, subscriber, event, event.attempts, None, None)?,
            Settlement::Retry(delay, error) => {
                let due_at = now.0.saturating_add(milliseconds(*delay));
                wait(connection, subscriber, event, event.attempts + 1, Some(due_at), Some(error))?;
            }
            Settlement::GiveUp(error) => give_up(connection, subscriber, event, now, error)?,
        }
    }
    for lane in freed {
        connection
            .prepare_cached(
                "UPDATE outbox_waiting SET due_at = ?3 WHERE subscriber = ?1 AND lane = ?2 AND due_at IS NULL
                     AND number = (SELECT min(number) FROM outbox_waiting WHERE subscriber = ?1 AND lane = ?2)",
            )?
            .execute(params![subscriber, lane, now.0])?;
    }
    Ok(())
}

/// Answers whether the event was there.
fn remove(connection: &Connection, subscriber: i16, event: &OutboxEvent) -> Result<bool> {
    let removed = if event.is_waiting {
        connection
            .prepare_cached("DELETE FROM outbox_waiting WHERE subscriber = ?1 AND lane = ?2 AND number = ?3")?
            .execute(params![subscriber, event.lane, event.number])
    } else {
        connection
            .prepare_cached("DELETE FROM outbox WHERE subscriber = ?1 AND number = ?2")?
            .execute(params![subscriber, event.number])
    };
    removed.map(|rows| rows > 0)
}

fn wait(
    connection: &Connection,
    subscriber: i16,
    event: &OutboxEvent,
    attempts: u32,
    due_at: Option<i64>,
    error: Option<&str>,
) -> Result<()> {
    let OutboxEvent { number, lane, kind, seq, at, unread, detail, .. } = event;
    connection
        .prepare_cached(
            "INSERT INTO outbox_waiting (subscriber, lane, number, kind, seq, at, unread, detail, attempts, due_at, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            subscriber,
            lane,
            number,
            kind.code(),
            seq,
            at.0,
            unread.map(integer),
            detail,
            attempts,
            due_at,
            error
        ])
        .map(drop)
}

fn give_up(
    connection: &Connection,
    subscriber: i16,
    event: &OutboxEvent,
    now: Timestamp,
    error: &str,
) -> Result<()> {
    let OutboxEvent { number, lane, kind, seq, at, unread, detail, attempts, .. } = event;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outbox_given_up
                 (subscriber, number, lane, kind, seq, at, unread, detail, attempts, given_up_at, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            subscriber,
            number,
            lane,
            kind.code(),
            seq,
            at.0,
            unread.map(integer),
            detail,
            attempts + 1,
            now.0,
            error
        ])
        .map(drop)
}

pub(super) fn counts(connection: &Connection, subscriber: i16) -> Result<OutboxCounts> {
    let now = Timestamp::now();
    connection.query_row(
        "SELECT n.waiting + w.waiting, min(coalesce(n.at, w.at), coalesce(w.at, n.at)), g.given_up FROM
             (SELECT count(*) AS waiting, min(at) AS at FROM outbox WHERE subscriber = ?1) n,
             (SELECT count(*) AS waiting, min(at) AS at FROM outbox_waiting WHERE subscriber = ?1) w,
             (SELECT count(*) AS given_up FROM outbox_given_up WHERE subscriber = ?1) g",
        [subscriber],
        |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok(OutboxCounts {
                waiting: count(row.get(0)?),
                oldest: oldest.map(|at| Duration::from_millis(count(now.0 - at))),
                given_up: count(row.get(2)?),
            })
        },
    )
}

/// How many rows one transaction removes, gives up, or has tried anew at most.
pub(super) const TIDIED_AT_ONCE: u64 = 500;

pub(super) fn given_up(
    connection: &Connection,
    after: Option<GivenUpKey>,
    limit: usize,
) -> Result<Vec<GivenUp>> {
    let GivenUpKey(subscriber, number) = after.unwrap_or(GivenUpKey(i16::MIN, 0));
    connection
        .prepare_cached(
            "SELECT g.subscriber, g.number, s.origin, g.kind, g.at, g.attempts, g.given_up_at, g.error
             FROM outbox_given_up g JOIN outbox_subscribers s ON s.id = g.subscriber
             WHERE (g.subscriber, g.number) > (?1, ?2) ORDER BY g.subscriber, g.number LIMIT ?3",
        )?
        .query_map(params![subscriber, number, limit], |row| {
            Ok(GivenUp {
                key: GivenUpKey(row.get(0)?, row.get(1)?),
                origin: row.get(2)?,
                kind: EventKind::from_code(row.get(3)?),
                at: row.get(4)?,
                attempts: row.get(5)?,
                given_up_at: row.get(6)?,
                error: row.get(7)?,
            })
        })?
        .collect()
}

/// Has one event, or some of those that were given up until `before`, tried anew; answers how many. All are due at once:
/// later events of their lanes may have been received long ago.
pub(super) fn retry_given_up(
    connection: &Connection,
    event: Option<(i64, Timestamp)>,
    before: Timestamp,
) -> Result<u64> {
    let now = Timestamp::now();
    let (number, at) = event.map(|(number, at)| (number, at.0)).unzip();
    let chosen = if event.is_some() {
        "number = ?1 AND at = ?2 AND subscriber IN (SELECT id FROM outbox_subscribers) LIMIT ?4"
    } else {
        "?1 IS NULL AND ?2 IS NULL AND given_up_at <= ?3 ORDER BY given_up_at, number LIMIT ?4"
    };
    let events: Vec<(i16, OutboxEvent)> = connection
        .prepare_cached(&format!("SELECT {EVENT}, subscriber FROM outbox_given_up WHERE {chosen}"))?
        .query_map(params![number, at, before.0, TIDIED_AT_ONCE], |row| {
            Ok((row.get(7)?, read_event(row, 0, true)?))
        })?
        .collect::<Result<_>>()?;
    for (subscriber, event) in &events {
        connection
            .prepare_cached("DELETE FROM outbox_given_up WHERE subscriber = ?1 AND number = ?2")?
            .execute(params![subscriber, event.number])?;
        wait(connection, *subscriber, event, 0, Some(now.0), None)?;
    }
    Ok(events.len() as u64)
}

/// Removes some of what was given up before this time, and of what waits since then for other subscribers; answers whether
/// there may be more. Looks at [`TIDIED_AT_ONCE`] rows of a table at most: all other writes wait meanwhile.
pub(super) fn forget(connection: &Connection, subscribers: &[i16], before: Timestamp) -> Result<bool> {
    let mut removed = vec![connection.execute(
        "DELETE FROM outbox_given_up WHERE (subscriber, number) IN (
             SELECT subscriber, number FROM outbox_given_up WHERE given_up_at < ?1 LIMIT ?2)",
        params![before.0, TIDIED_AT_ONCE],
    )?];
    let all: Vec<i16> = connection
        .prepare_cached("SELECT id FROM outbox_subscribers")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for subscriber in all.iter().filter(|id| !subscribers.contains(id)) {
        for (table, key) in [("outbox", "subscriber, number"), ("outbox_waiting", "subscriber, lane, number")]
        {
            let sql = format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM (
                     SELECT {key}, at FROM {table} WHERE subscriber = ?3 ORDER BY {key} LIMIT ?2) WHERE at < ?1)"
            );
            removed.push(connection.execute(&sql, params![before.0, TIDIED_AT_ONCE, subscriber])?);
        }
    }
    Ok(removed.into_iter().any(|rows| rows as u64 == TIDIED_AT_ONCE))
}

/// Gives up the oldest events that wait, up to `surplus`: of those that are put aside, and of new ones if none is. Answers how
/// many.
pub(super) fn give_up_oldest(connection: &Connection, subscriber: i16, surplus: u64) -> Result<u64> {
    let sql = [
        (
            true,
            "SELECT number, lane, kind, seq, at, unread, detail, attempts FROM outbox_waiting WHERE subscriber = ?1 ORDER BY number LIMIT ?2",
        ),
        (
            false,
            "SELECT number, lane, kind, seq, at, unread, detail, 0 FROM outbox WHERE subscriber = ?1 ORDER BY number LIMIT ?2",
        ),
    ];
    for (is_waiting, sql) in sql {
        let oldest: Vec<(OutboxEvent, Settlement)> = connection
            .prepare_cached(sql)?
            .query_map(params![subscriber, surplus.min(TIDIED_AT_ONCE)], |row| {
                let event = read_event(row, row.get(7)?, is_waiting)?;
                Ok((event, Settlement::GiveUp("too many events wait".to_owned())))
            })?
            .collect::<Result<_>>()?;
        if !oldest.is_empty() {
            settle(connection, subscriber, &oldest)?;
            return Ok(oldest.len() as u64);
        }
    }
    Ok(0)
}
