//! What the writer remembers of the file, so that a message costs no look at it. Nobody else writes.

use std::collections::HashMap;

use rusqlite::Connection;

use super::conversations::{self, Last};
use crate::id::Id;

/// How many conversations, and how many users, are remembered.
const REMEMBERED: usize = 50_000;

/// Of conversations written to lately their end, of users how many messages they have not read in all.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) last: HashMap<i64, Last>,
    totals: HashMap<Id, i64>,
    /// What the write that runs has changed of the two.
    changed: Vec<(i64, Id)>,
}

/// What a write works with. The rows of conversations are up to date.
pub(super) struct Context<'a> {
    pub(super) connection: &'a Connection,
    pub(super) memory: &'a mut Memory,
}

impl Memory {
    /// Forgets everything: what was remembered may not be what the file has.
    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.totals.clear();
    }

    /// Another write begins.
    pub(super) fn begin(&mut self) {
        self.changed.clear();
    }

    /// Forgets what the write that began last has changed: it was rolled back.
    pub(super) fn roll_back(&mut self) {
        for (conversation, user) in self.changed.drain(..) {
            self.last.remove(&conversation);
            self.totals.remove(&user);
        }
    }

    /// Makes room.
    pub(super) fn trim(&mut self) {
        if self.last.len() > REMEMBERED {
            self.last.clear();
        }
        if self.totals.len() > REMEMBERED {
            self.totals.clear();
        }
    }

    /// The total of `user`, changed by `change`; `None` if it is not remembered.
    pub(super) fn change_total(&mut self, user: &Id, change: i64) -> Option<i64> {
        let total = self.totals.get_mut(user)?;
        *total += change;
        Some(*total)
    }

    /// Remembers the total of `user` as the file has it: a sum over the user's conversations, the first time after a
    /// start, about 7 µs each where they are scattered over the file. It is not kept in the file, because each batch
    /// would then write to a page more for each of its recipients.
    pub(super) fn read_total(&mut self, connection: &Connection, user: &Id) -> rusqlite::Result<i64> {
        let total = conversations::unread_count(connection, user)?;
        self.totals.insert(user.clone(), total);
        Ok(total)
    }
}

impl Context<'_> {
    /// Notes that the unread messages of one of the two in a conversation went from `before` to `after`, which the
    /// file knows already; answers the total of that `user`.
    pub(super) fn unread_changed(
        &mut self,
        (conversation, side): (i64, usize),
        user: &Id,
        before: i64,
        after: i64,
    ) -> rusqlite::Result<i64> {
        self.memory.changed.push((conversation, user.clone()));
        if let Some(last) = self.memory.last.get_mut(&conversation) {
            last.unread[side] = after;
        }
        match self.memory.change_total(user, after - before) {
            Some(total) => Ok(total),
            None => self.memory.read_total(self.connection, user),
        }
    }
}
