//! Turns of users: each user has a few pieces of a kind of work in progress at once, and their others wait. So whoever asks
//! for much waits for themselves, and not the others for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::contract::Refusal;
use crate::id::Id;

/// The turns of all users for one kind of work.
pub struct UserTurns {
    at_once: usize,
    max_waiting: usize,
    users: Mutex<HashMap<Id, Line>>,
}

/// The line of one user; gone when nobody is in it.
struct Line {
    turns: Arc<Semaphore>,
    /// Those that have a turn or wait for one.
    count: usize,
}

/// A place in a user's line, given up when it is dropped.
struct Place<'a> {
    turns: &'a UserTurns,
    user: &'a Id,
}

/// A turn, given to the next in the user's line when it is dropped.
pub struct Turn<'a> {
    _permit: Option<OwnedSemaphorePermit>,
    _place: Place<'a>,
}

impl UserTurns {
    /// Each user has `at_once` turns, and at most `max_waiting` that wait for one.
    pub fn new(at_once: usize, max_waiting: usize) -> Self {
        Self { at_once, max_waiting, users: Mutex::default() }
    }

    /// Waits for the user's next turn; refused if too many of theirs wait already.
    pub async fn take<'a>(&'a self, user: &'a Id) -> Result<Turn<'a>, Refusal> {
        let turns = {
            let mut users = self.users.lock();
            let line = users
                .entry(user.clone())
                .or_insert_with(|| Line { turns: Arc::new(Semaphore::new(self.at_once)), count: 0 });
            if line.count.saturating_sub(self.at_once) >= self.max_waiting {
                return Err(Refusal::TooManyMessages { retry_after: 1 });
            }
            line.count += 1;
            Arc::clone(&line.turns)
        };
        let place = Place { turns: self, user };
        // The semaphore is never closed.
        let permit = turns.acquire_owned().await.ok();
        Ok(Turn { _permit: permit, _place: place })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut line) = self.turns.users.lock().entry(self.user.clone()) {
            line.get_mut().count -= 1;
            if line.get().count == 0 {
                line.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn each_user_waits_for_their_own_turns() {
        let turns = UserTurns::new(2, 2);
        let [ann, ben] = ["ann", "ben"].map(|id| Id::parse(id).unwrap());
        let first = turns.take(&ann).await.unwrap();
        let _second = turns.take(&ann).await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut given_up = pin!(turns.take(&ann));
            assert!(given_up.as_mut().poll(&mut context).is_pending());
        }
        let (mut third, mut fourth) = (pin!(turns.take(&ann)), pin!(turns.take(&ann)));
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        assert!(turns.take(&ann).await.is_err(), "two wait already");
        assert!(turns.take(&ben).await.is_ok(), "another has turns of their own");
        drop(first);
        assert!(matches!(third.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
        assert!(
            fourth.as_mut().poll(&mut context).is_ready(),
            "the turn was dropped with what it was given to"
        );
    }

    #[tokio::test]
    async fn who_has_no_turn_takes_no_room() {
        let turns = UserTurns::new(1, 1);
        let ann = Id::parse("ann").unwrap();
        drop(turns.take(&ann).await);
        assert!(turns.users.lock().is_empty());
    }
}
