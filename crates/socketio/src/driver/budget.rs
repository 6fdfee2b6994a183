//! A bound on what all sessions hold together, of which each has its share.
//!
//! What one session may hold is bounded by itself, but there may be tens of thousands. So where all of them hold more than
//! there is, those give who hold more than their share; one that holds little is never cut off for the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// What one session may hold in any case, in bytes: a few messages.
const LEAST_SHARE: usize = 16 * 1024;

/// Bytes that all sessions hold, and how many they should.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicUsize::new(0) })
    }

    /// One session holds `after` bytes, and held `before`.
    pub(crate) fn change(&self, before: usize, after: usize) {
        match after.cmp(&before) {
            std::cmp::Ordering::Greater => self.used.fetch_add(after - before, Ordering::Relaxed),
            std::cmp::Ordering::Less => self.used.fetch_sub(before - after, Ordering::Relaxed),
            std::cmp::Ordering::Equal => return,
        };
    }

    /// How many bytes one of `sessions` may hold: its share once all is used. So all together hold at most the budget and
    /// [`LEAST_SHARE`] a session.
    pub(crate) fn share(&self, sessions: usize) -> usize {
        if self.used.load(Ordering::Relaxed) > self.most {
            (self.most / sessions.max(1)).max(LEAST_SHARE)
        } else {
            usize::MAX
        }
    }

    /// Whether a session that holds `own` bytes, one of `sessions`, holds more than its share.
    pub(crate) fn is_over_share(&self, own: usize, sessions: usize) -> bool {
        own > self.share(sessions)
    }

    /// `bytes`, which count until the last that holds them has dropped them.
    pub(crate) fn counted(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        if bytes.len() <= LEAST_SHARE {
            return bytes.into();
        }
        self.change(0, bytes.len());
        Bytes::from_owner(Counted { bytes, budget: Arc::clone(self) })
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The bytes that one holder counts in a budget, given back when it is dropped.
pub(crate) struct Held<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl<'a> Held<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Counts `bytes` in place of what was counted before; `false` if the holder, one of `sessions`, is over its share.
    pub(crate) fn grow(&mut self, bytes: usize, sessions: usize) -> bool {
        self.budget.change(self.bytes, bytes);
        self.bytes = bytes;
        !self.budget.is_over_share(bytes, sessions)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.change(self.bytes, 0);
    }
}

struct Counted {
    bytes: Vec<u8>,
    budget: Arc<Budget>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.change(self.bytes.len(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_give_who_have_more_than_their_share() {
        let budget = Budget::new(100 * 1024);
        budget.change(0, 100 * 1024);
        assert!(!budget.is_over_share(100 * 1024, 2), "nothing is over yet");
        budget.change(0, 1);
        assert!(budget.is_over_share(51 * 1024, 2) && !budget.is_over_share(50 * 1024, 2));
        assert!(!budget.is_over_share(LEAST_SHARE, 10_000), "who has little is never cut off");
        budget.change(100 * 1024 + 1, 0);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_counted_counts_until_it_is_dropped() {
        let budget = Budget::new(0);
        let (body, small) = (budget.counted(vec![1; 20_000]), budget.counted(vec![1; 10]));
        let part = body.slice(5..);
        drop((body, small));
        assert_eq!((budget.used(), part.len()), (20_000, 19_995));
        drop(part);
        assert_eq!(budget.used(), 0);
    }
}
