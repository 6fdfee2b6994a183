//! Keeps the write-ahead log short without holding up the writer.
//!
//! A checkpoint copies pages from the log into the database file and syncs that, which takes tens of
//! milliseconds when every message went to another page. A thread of its own does it, while the writer
//! goes on at the log's end; so the writer has to copy only what came meanwhile, after which SQLite begins
//! the log anew.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema;

/// How many pages of 4 kB the log may hold before it is copied: rarely, as each time makes some commits slow,
/// but little enough that the log of a server that was killed is read in a moment.
const PAGES: u32 = 8000;

/// The writer's side.
pub(super) struct Checkpoints {
    /// Of the log, as of the last commit.
    pages: Arc<AtomicU32>,
    /// At how many pages the next checkpoint begins.
    next: u32,
    /// Whether the thread was asked and the log is not finished since.
    is_asked: bool,
    is_copied: Arc<AtomicBool>,
    /// `None` once it is closed.
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Checkpoints {
    /// Starts the thread and has `connection` count.
    pub(super) fn start(path: &Path, connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&pages);
        // This takes the place of SQLite's own automatic checkpoints.
        connection.wal_hook(Some(move |_: &mut _, count| {
            counted.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let own = Connection::open_with_flags(path, flags)?;
        schema::configure_checkpointer(&own)?;
        let (ask, asked) = mpsc::channel();
        let is_copied = Arc::new(AtomicBool::new(false));
        let copied = Arc::clone(&is_copied);
        let thread = std::thread::Builder::new()
            .name("store-copier".to_owned())
            .spawn(move || {
                while let Ok(()) = asked.recv() {
                    // Twice, as the first takes long enough for the log to grow by a lot.
                    passive(&own);
                    passive(&own);
                    copied.store(true, Ordering::Release);
                }
            })
            .expect("the system starts a thread");
        Ok(Self { pages, next: PAGES, is_asked: false, is_copied, thread: Some((ask, thread)) })
    }

    /// To be called after each commit.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if self.is_asked {
            if self.is_copied.swap(false, Ordering::Acquire) {
                self.is_asked = false;
                passive(connection);
                // If the log can't begin anew because somebody still reads an old state, it is tried again
                // when as much has come again.
                self.next = pages.saturating_add(PAGES);
            }
        } else if pages >= self.next {
            self.is_asked = self.thread.as_ref().is_some_and(|(ask, _)| ask.send(()).is_ok());
        } else if pages < PAGES {
            self.next = PAGES;
        }
    }

    /// Ends the thread.
    pub(super) fn close(&mut self) {
        if let Some((ask, thread)) = self.thread.take() {
            drop(ask);
            if thread.join().is_err() {
                tracing::error!("the thread that copies the store's log ended in a panic");
            }
        }
    }
}

/// How often the log is tried to be emptied, about a second apart.
const TRIES: u32 = 5;
/// How long one try waits, with all writes behind it, for those who read an old state.
const TRY_TIMEOUT: Duration = Duration::from_millis(20);

/// Copies all of the log and empties it, so that nothing of what was deleted is left there. Blocks; the writer waits for the
/// last part alone. `false` if somebody reads an old state for longer than some seconds.
pub(super) fn empty_log(path: &Path) -> rusqlite::Result<bool> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    schema::configure_checkpointer(&connection)?;
    connection.busy_timeout(TRY_TIMEOUT)?;
    for number in 1..=TRIES {
        passive(&connection);
        let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !is_busy {
            return Ok(true);
        }
        if number < TRIES {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(false)
}

/// Copies what can be copied without waiting for anybody.
fn passive(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the store's log was not copied; it grows until that works");
    }
}
