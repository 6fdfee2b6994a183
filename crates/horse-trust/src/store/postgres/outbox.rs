//! The SQL of the outbox beside the writes that add to it: what may be sent, and what becomes of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;

use super::codec::count;
use super::conversations::{self, ConversationRow, read_conversation};
use super::messages;
use super::pool::Pool;
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::outbox::OutboxPlan;
use crate::store::types::{
    Conversation, EventKind, GivenUp, GivenUpKey, NewSubscriber, OutboxBatch, OutboxCounts, OutboxEvent,
    OutboxSubject, Settlement, SubjectQuery, UnseenDue, UnseenOutcome,
};
use crate::timestamp::Timestamp;

/// The number of a subscriber.
pub(super) async fn subscribe(pool: &Pool, subscriber: &NewSubscriber) -> Result<i16> {
    let sql = "INSERT INTO outbox_subscribers (digest, origin) VALUES ($1, $2)
        ON CONFLICT (digest) DO UPDATE SET origin = excluded.origin RETURNING id";
    let rows = pool.query(sql, &[&subscriber.digest, &subscriber.origin]).await?;
    first(&rows)?.try_get(0).map_err(StoreError::from)
}

fn first(rows: &[Row]) -> Result<&Row> {
    rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))
}

pub(super) async fn take_lease(pool: &Pool, name: &str, holder: &str, time: Duration) -> Result<bool> {
    let rows = pool.query("SELECT take_lease($1, $2, $3)", &[&name, &holder, &milliseconds(time)]).await?;
    Ok(first(&rows)?.try_get(0)?)
}

pub(super) async fn release_leases(pool: &Pool, holder: &str) -> Result<()> {
    pool.query("DELETE FROM outbox_leases WHERE holder = $1", &[&holder]).await.map(drop)
}

columns! {
    struct EventRow of postgres "o" {
        number: i64,
        lane: i64,
        kind: i16,
        seq: i64,
        at: Timestamp,
        unread: Option<i64>,
        detail: Option<String>,
    }
}

impl EventRow {
    fn into_event(self, attempts: i32, is_waiting: bool) -> Result<OutboxEvent> {
        let kind = EventKind::from_code(self.kind)
            .ok_or_else(|| StoreError::Engine("an event of a newer version".into()))?;
        Ok(OutboxEvent {
            number: self.number,
            lane: self.lane,
            kind,
            seq: self.seq,
            at: self.at,
            unread: self.unread.map(count),
            detail: self.detail,
            attempts: u32::try_from(attempts).unwrap_or(0),
            is_waiting,
        })
    }
}

const NEW: &str = sql!(
    "SELECT ",
    EventRow::COLUMNS,
    ", EXISTS (SELECT 1 FROM outbox_waiting w WHERE w.subscriber = o.subscriber AND w.lane = o.lane)
     FROM outbox o WHERE o.subscriber = $1 AND o.number > $2 ORDER BY o.number LIMIT $3"
);
const DUE: &str = sql!(
    "SELECT ",
    EventRow::COLUMNS,
    ", o.attempts FROM outbox_waiting o WHERE o.subscriber = $1 AND o.due_at <= now_ms() ORDER BY o.due_at, o.number LIMIT $2"
);
const NEXT_DUE: &str = "SELECT min(due_at) - now_ms() FROM outbox_waiting
    WHERE subscriber = $1 AND due_at > now_ms()";

pub(super) async fn batch(
    pool: &Pool,
    subscriber: i16,
    after: i64,
    [limit, limit_due]: [i64; 2],
) -> Result<OutboxBatch> {
    let new = pool.query(NEW, &[&subscriber, &after, &limit]).await?;
    let new = new.iter().map(|row| {
        let is_behind = row.try_get(EventRow::COUNT)?;
        Ok((EventRow::read(row, 0)?.into_event(0, false)?, is_behind))
    });
    let due = pool.query(DUE, &[&subscriber, &limit_due]).await?;
    let due = due.iter().map(|row| {
        let attempts = row.try_get(EventRow::COUNT)?;
        EventRow::read(row, 0)?.into_event(attempts, true)
    });
    let next = pool.query(NEXT_DUE, &[&subscriber]).await?;
    let next: Option<i64> = first(&next)?.try_get(0)?;
    Ok(OutboxBatch {
        new: new.collect::<Result<_>>()?,
        due: due.collect::<Result<_>>()?,
        next_due: next.map(|milliseconds| Duration::from_millis(count(milliseconds))),
    })
}

const BY_KEYS: &str =
    sql!("SELECT ", ConversationRow::COLUMNS, " FROM conversations c WHERE c.key = ANY($1)");

/// What events are about: the conversations and messages of all in a statement each, the summaries in one for each viewer.
pub(super) async fn subjects(pool: &Pool, queries: &[SubjectQuery]) -> Result<Vec<Option<OutboxSubject>>> {
    let keys: Vec<_> = queries.iter().map(|query| query.conversation).collect();
    let rows = pool.query(BY_KEYS, &[&keys]).await?;
    let known: Vec<Arc<Conversation>> =
        rows.iter().map(|row| read_conversation(row).map(Arc::new)).collect::<Result<_>>()?;
    let known: HashMap<i64, Arc<Conversation>> =
        known.into_iter().map(|conversation| (conversation.key, conversation)).collect();
    let places: Vec<(usize, Arc<Conversation>, i64)> = queries
        .iter()
        .enumerate()
        .filter_map(|(index, query)| Some((index, known.get(&query.conversation)?.clone(), query.seq)))
        .collect();
    let at: Vec<_> = places.iter().map(|(_, conversation, seq)| (Arc::clone(conversation), *seq)).collect();
    let found = if at.is_empty() { Vec::new() } else { messages::messages_at(pool, &at, usize::MAX).await? };
    let mut subjects: Vec<Option<OutboxSubject>> = queries.iter().map(|_| None).collect();
    let mut by_viewer: HashMap<Id, Vec<i64>> = HashMap::new();
    let mut wanted = Vec::new();
    for ((index, conversation, _), message) in places.into_iter().zip(found) {
        let recipient = message.as_ref().and_then(|message| conversation.other(&message.sender));
        let viewer = queries[index].viewer.as_ref().or(recipient).unwrap_or(&conversation.participants[0]);
        by_viewer.entry(viewer.clone()).or_default().push(conversation.key);
        wanted.push((index, viewer.clone(), conversation.key, message));
    }
    let mut summaries = HashMap::new();
    for (viewer, keys) in by_viewer {
        for summary in conversations::summaries(pool, &keys, &viewer).await? {
            summaries.insert((viewer.clone(), summary.conversation.key), summary);
        }
    }
    for (index, viewer, key, message) in wanted {
        let summary = summaries.get(&(viewer, key)).cloned();
        subjects[index] = summary.map(|conversation| OutboxSubject { conversation, message });
    }
    Ok(subjects)
}

pub(super) async fn settle(pool: &Pool, subscriber: i16, events: &[(OutboxEvent, Settlement)]) -> Result<()> {
    let column = |settlement: &Settlement| match settlement {
        Settlement::Done => (0_i16, 0, None),
        Settlement::Behind => (1, 0, None),
        Settlement::Retry(delay, error) => (2, milliseconds(*delay), Some(error.clone())),
        Settlement::GiveUp(error) => (3, 0, Some(error.clone())),
    };
    let numbers: Vec<_> = events.iter().map(|(event, _)| event.number).collect();
    let lanes: Vec<_> = events.iter().map(|(event, _)| event.lane).collect();
    let are_waiting: Vec<_> = events.iter().map(|(event, _)| event.is_waiting).collect();
    let outcomes: Vec<_> = events.iter().map(|(_, settlement)| column(settlement).0).collect();
    let delays: Vec<i64> = events.iter().map(|(_, settlement)| column(settlement).1).collect();
    let errors: Vec<_> = events.iter().map(|(_, settlement)| column(settlement).2).collect();
    pool.query(
        "SELECT settle_outbox($1, $2, $3, $4, $5, $6, $7)",
        &[&subscriber, &numbers, &lanes, &are_waiting, &outcomes, &delays, &errors],
    )
    .await
    .map(drop)
}

const COUNTS: &str = "
    SELECT n.waiting + w.waiting AS waiting, now_ms() - least(n.at, w.at) AS oldest, g.given_up FROM
        (SELECT count(*) AS waiting, min(at) AS at FROM outbox WHERE subscriber = $1) n,
        (SELECT count(*) AS waiting, min(at) AS at FROM outbox_waiting WHERE subscriber = $1) w,
        (SELECT count(*) AS given_up FROM outbox_given_up WHERE subscriber = $1) g";

pub(super) async fn counts(pool: &Pool, subscriber: i16) -> Result<OutboxCounts> {
    let rows = pool.query(COUNTS, &[&subscriber]).await?;
    let row = first(&rows)?;
    let oldest: Option<i64> = row.try_get("oldest")?;
    Ok(OutboxCounts {
        waiting: count(row.try_get("waiting")?),
        oldest: oldest.map(|milliseconds| Duration::from_millis(count(milliseconds))),
        given_up: count(row.try_get("given_up")?),
    })
}

/// How many rows one statement removes, gives up, or has tried anew at most.
const TIDIED_AT_ONCE: i64 = 500;

const GIVEN_UP: &str = "
    SELECT g.subscriber, g.number, s.origin, g.kind, g.at, g.attempts, g.given_up_at, g.error
    FROM outbox_given_up g JOIN outbox_subscribers s ON s.id = g.subscriber
    WHERE (g.subscriber, g.number) > ($1, $2) ORDER BY g.subscriber, g.number LIMIT $3";

pub(super) async fn given_up(pool: &Pool, after: Option<GivenUpKey>, limit: i64) -> Result<Vec<GivenUp>> {
    let GivenUpKey(subscriber, number) = after.unwrap_or(GivenUpKey(i16::MIN, 0));
    let rows = pool.query(GIVEN_UP, &[&subscriber, &number, &limit]).await?;
    let read = |row: &Row| {
        Ok(GivenUp {
            key: GivenUpKey(row.try_get("subscriber")?, row.try_get("number")?),
            origin: row.try_get("origin")?,
            kind: EventKind::from_code(row.try_get("kind")?),
            at: row.try_get("at")?,
            attempts: u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or(0),
            given_up_at: row.try_get("given_up_at")?,
            error: row.try_get("error")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The parameters are the event's number and time, or else until when it was given up, and how many at most.
const RETRY: &str = "
    WITH chosen AS (
        SELECT subscriber, number FROM outbox_given_up
        WHERE CASE WHEN $1::bigint IS NULL THEN given_up_at <= $3::bigint ELSE number = $1 AND at = $2::bigint END
        ORDER BY given_up_at, number LIMIT $4::bigint
    ), gone AS (
        DELETE FROM outbox_given_up g USING chosen c WHERE g.subscriber = c.subscriber AND g.number = c.number RETURNING g.*
    ), moved AS (
        INSERT INTO outbox_waiting (subscriber, lane, number, kind, seq, at, unread, detail, attempts, due_at)
        SELECT subscriber, lane, number, kind, seq, at, unread, detail, 0, now_ms() FROM gone RETURNING 1
    ) SELECT count(*) FROM moved";

/// Has one event, or all that were given up until now, tried anew; answers how many. All are due at once: later events of
/// their lanes may have been received long ago.
pub(super) async fn retry_given_up(pool: &Pool, event: Option<(i64, Timestamp)>) -> Result<u64> {
    let before: i64 = first(&pool.query("SELECT now_ms()", &[]).await?)?.try_get(0)?;
    let (number, at) = event.map(|(number, at)| (number, at.0)).unzip();
    let mut retried = 0;
    loop {
        let rows = pool.query(RETRY, &[&number, &at, &before, &TIDIED_AT_ONCE]).await?;
        let part: i64 = first(&rows)?.try_get(0)?;
        retried += count(part);
        if part < TIDIED_AT_ONCE {
            return Ok(retried);
        }
    }
}

/// Removes what is older than `kept`: what was given up, and what waits for others than these.
pub(super) async fn forget(pool: &Pool, subscribers: &[i16], kept: Duration) -> Result<()> {
    let kept = milliseconds(kept);
    for sql in [
        "WITH gone AS (DELETE FROM outbox_given_up WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox_given_up
             WHERE given_up_at < now_ms() - $1 AND $2::smallint[] IS NOT NULL LIMIT $3)) RETURNING 1)
         SELECT count(*) FROM gone",
        "WITH gone AS (DELETE FROM outbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox
             WHERE at < now_ms() - $1 AND subscriber <> ALL ($2::smallint[]) LIMIT $3)) RETURNING 1)
         SELECT count(*) FROM gone",
        "WITH gone AS (DELETE FROM outbox_waiting WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox_waiting
             WHERE at < now_ms() - $1 AND subscriber <> ALL ($2::smallint[]) LIMIT $3)) RETURNING 1)
         SELECT count(*) FROM gone",
    ] {
        loop {
            let rows = pool.query(sql, &[&kept, &subscribers, &TIDIED_AT_ONCE]).await?;
            if first(&rows)?.try_get::<_, i64>(0)? < TIDIED_AT_ONCE {
                break;
            }
        }
    }
    Ok(())
}

/// Gives up the oldest events that wait beyond `most`; answers how many.
pub(super) async fn give_up_surplus(pool: &Pool, subscriber: i16, most: u64) -> Result<u64> {
    let surplus = counts(pool, subscriber).await?.waiting.saturating_sub(most);
    let mut left = i64::try_from(surplus).unwrap_or(i64::MAX);
    let mut given_up = 0;
    while left > 0 {
        let part = left.min(TIDIED_AT_ONCE);
        let rows = pool.query("SELECT give_up_oldest($1, $2)", &[&subscriber, &part]).await?;
        let found: i64 = first(&rows)?.try_get(0)?;
        if found == 0 {
            break;
        }
        given_up += count(found);
        left -= found;
    }
    Ok(given_up)
}

const UNSEEN: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    ", d.side, d.first_seq, d.first_ago, d.seen_ago FROM unseen_due($1) d
     JOIN conversations c ON c.key = d.conversation"
);
const UNSEEN_NEXT: &str = "SELECT min(due_at) - now_ms() FROM unseen WHERE due_at > now_ms()";

pub(super) async fn unseen_due(pool: &Pool, limit: i64) -> Result<(Vec<UnseenDue>, Option<Duration>)> {
    let rows = pool.query(UNSEEN, &[&limit]).await?;
    let ago = |milliseconds: i64| Duration::from_millis(count(milliseconds));
    let read = |row: &Row| {
        let first: Option<i64> = row.try_get("first_seq")?;
        let first_ago: Option<i64> = row.try_get("first_ago")?;
        Ok(UnseenDue {
            conversation: Arc::new(read_conversation(row)?),
            side: usize::from(row.try_get::<_, i16>("side")? == 1),
            first_unread: first.zip(first_ago).map(|(seq, milliseconds)| (seq, ago(milliseconds))),
            last_seen: row.try_get::<_, Option<i64>>("seen_ago")?.map(ago),
        })
    };
    let due = rows.iter().map(read).collect::<Result<_>>()?;
    let rows = pool.query(UNSEEN_NEXT, &[]).await?;
    Ok((due, first(&rows)?.try_get::<_, Option<i64>>(0)?.map(ago)))
}

pub(super) async fn settle_unseen(
    pool: &Pool,
    plan: &OutboxPlan,
    outcomes: &[(i64, usize, Id, UnseenOutcome)],
) -> Result<()> {
    let keys: Vec<_> = outcomes.iter().map(|(key, ..)| *key).collect();
    let sides: Vec<_> = outcomes.iter().map(|(_, side, ..)| i16::from(*side == 1)).collect();
    let recipients: Vec<_> = outcomes.iter().map(|(_, _, recipient, _)| recipient).collect();
    let notified = |outcome: &UnseenOutcome| match outcome {
        UnseenOutcome::Notify(seq) => Some(*seq),
        UnseenOutcome::Forget | UnseenOutcome::Wait(_) => None,
    };
    let delay = |outcome: &UnseenOutcome| match outcome {
        UnseenOutcome::Wait(time) => Some(milliseconds(*time)),
        UnseenOutcome::Forget | UnseenOutcome::Notify(_) => None,
    };
    let notified: Vec<_> = outcomes.iter().map(|(.., outcome)| notified(outcome)).collect();
    let delays: Vec<_> = outcomes.iter().map(|(.., outcome)| delay(outcome)).collect();
    let subscribers = plan.subscribers(EventKind::MessageUnseen);
    pool.query(
        "SELECT settle_unseen($1, $2, $3, $4, $5, $6)",
        &[&subscribers, &keys, &sides, &recipients, &notified, &delays],
    )
    .await
    .map(drop)
}
