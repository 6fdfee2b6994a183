//! Pages.

/// Which part of a history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1, the newest.
    pub number: u64,
    /// Messages a page, 1 to 100.
    pub limit: u64,
}

impl Page {
    /// How many rows a query answers, and how many it passes over before.
    pub(in crate::store) fn window(self) -> [i64; 2] {
        let [limit, before] = [self.limit, self.number.saturating_sub(1)].map(integer);
        [limit, before.saturating_mul(limit)]
    }
}

/// A number as databases have it; the greatest there is, if it is greater.
pub(in crate::store) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
