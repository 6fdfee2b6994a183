//! Deleted messages that lie next to each other: what shows messages passes over them at once.

use rusqlite::{Connection, OptionalExtension, params};

type Result<T> = rusqlite::Result<T>;

/// Sequence numbers from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A message was deleted: it joins the runs before and behind it.
pub(super) fn note(connection: &Connection, conversation: i64, seq: i64) -> Result<()> {
    let before: Option<i64> = connection
        .prepare_cached(
            "DELETE FROM deleted_runs WHERE conversation = ?1 AND last_seq = ?2 RETURNING first_seq",
        )?
        .query_row([conversation, seq - 1], |row| row.get(0))
        .optional()?;
    let first = before.unwrap_or(seq);
    let behind = connection
        .prepare_cached(
            "SELECT first_seq, last_seq FROM deleted_runs WHERE conversation = ?1 AND last_seq > ?2
             ORDER BY last_seq LIMIT 1",
        )?
        .query_row([conversation, seq], |row| {
            Ok(Span { first: row.get("first_seq")?, last: row.get("last_seq")? })
        })
        .optional()?;
    let last = behind.filter(|behind| behind.first == seq + 1).map_or(seq, |behind| behind.last);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO deleted_runs (conversation, first_seq, last_seq) VALUES (?1, ?2, ?3)",
        )?
        .execute([conversation, first, last])?;
    Ok(())
}

/// Finds the runs of the conversations of which an import brought deleted messages, as `staged` has them.
pub(super) const FIND_OF_STAGED: &str = "
    DELETE FROM deleted_runs WHERE conversation IN (SELECT conversation FROM staged WHERE deleted_at IS NOT NULL);
    INSERT INTO deleted_runs (conversation, first_seq, last_seq)
    SELECT conversation, min(seq), max(seq) FROM (
        SELECT conversation, seq, seq - row_number() OVER (PARTITION BY conversation ORDER BY seq) AS run
        FROM messages
        WHERE conversation IN (SELECT conversation FROM staged WHERE deleted_at IS NOT NULL)
            AND deleted_at IS NOT NULL
    ) GROUP BY conversation, run;";

/// Where the messages of a page lie, counted from the newest and without deleted ones, newest first.
pub(super) fn shown_page(
    connection: &Connection,
    conversation: i64,
    newest: i64,
    [limit, skipped]: [i64; 2],
) -> Result<Vec<Span>> {
    let mut statement = connection.prepare_cached(
        "SELECT first_seq, last_seq FROM deleted_runs WHERE conversation = ?1 ORDER BY last_seq DESC",
    )?;
    let mut runs = statement.query([conversation])?;
    let mut page = Page { skipped, missing: limit, parts: Vec::new() };
    let mut end = newest;
    while page.missing > 0
        && let Some(run) = runs.next()?
    {
        page.add(Span { first: run.get::<_, i64>("last_seq")? + 1, last: end });
        end = run.get::<_, i64>("first_seq")? - 1;
    }
    page.add(Span { first: 1, last: end });
    Ok(page.parts)
}

/// A page while it is filled, from the newest on.
struct Page {
    /// How many newer messages are passed over.
    skipped: i64,
    missing: i64,
    parts: Vec<Span>,
}

impl Page {
    /// Takes from messages that are all shown what is not passed over, and still missing.
    fn add(&mut self, Span { first, last }: Span) {
        let size = last - first + 1;
        if self.skipped >= size {
            self.skipped -= size.max(0);
            return;
        }
        let last = last - std::mem::take(&mut self.skipped);
        let first = first.max(last - self.missing + 1);
        if first <= last {
            self.missing -= last - first + 1;
            self.parts.push(Span { first, last });
        }
    }
}

/// The run that ends nearest to `seq`, at or before it.
pub(super) fn run_before(connection: &Connection, conversation: i64, seq: i64) -> Result<Option<Span>> {
    connection
        .prepare_cached(
            "SELECT first_seq, last_seq FROM deleted_runs WHERE conversation = ?1 AND last_seq <= ?2
             ORDER BY last_seq DESC LIMIT 1",
        )?
        .query_row(params![conversation, seq], |row| {
            Ok(Span { first: row.get("first_seq")?, last: row.get("last_seq")? })
        })
        .optional()
}
