//! How many replays a user has at once, and how much each may have in its outbox.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::chat::{self, UserTurns};
use crate::contract::Refusal;
use crate::id::Id;

/// How many replays one user has at once; others wait for their turn.
const AT_ONCE: usize = 4;
/// For how many replays of one user the store looks at once for what was missed: that goes through all the user's
/// conversations.
const READ_AT_ONCE: usize = 1;
/// How many bytes of a replay the outbox holds at once; the rest of it is for live events.
const WAITING: usize = 128 * 1024;
/// How many bytes all replays may have in outboxes, as long as each has [`LEAST_WAITING`].
const WAITING_OF_ALL: usize = 32 * 1024 * 1024;
/// How many bytes each replay may have in its outbox, however many replays there are.
const LEAST_WAITING: usize = 8 * 1024;

/// The replays under way.
pub(super) struct Replays {
    turns: UserTurns,
    reads: UserTurns,
    count: AtomicUsize,
}

/// A replay under way.
pub(super) struct Turn<'a> {
    replays: &'a Replays,
    _turn: chat::Turn<'a>,
}

impl Default for Replays {
    fn default() -> Self {
        // As many wait as the user has sockets, which are bounded themselves.
        Self {
            turns: UserTurns::new(AT_ONCE, usize::MAX),
            reads: UserTurns::new(READ_AT_ONCE, usize::MAX),
            count: AtomicUsize::new(0),
        }
    }
}

impl Replays {
    /// Waits for the user's next turn.
    pub(super) async fn turn<'a>(&'a self, user: &'a Id) -> Result<Turn<'a>, Refusal> {
        let turn = self.turns.take(user).await?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(Turn { replays: self, _turn: turn })
    }

    /// Waits until the store may look for what the user missed.
    pub(super) async fn read_turn<'a>(&'a self, user: &'a Id) -> Result<chat::Turn<'a>, Refusal> {
        self.reads.take(user).await
    }

    /// How many bytes a replay may have in its outbox.
    pub(super) fn waiting(&self) -> usize {
        (WAITING_OF_ALL / self.count.load(Ordering::Relaxed).max(1)).clamp(LEAST_WAITING, WAITING)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.replays.count.fetch_sub(1, Ordering::Relaxed);
    }
}
