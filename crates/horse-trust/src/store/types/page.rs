//! Pages of lists.

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1, the newest.
    pub number: u64,
    /// Entries per page, 1 to 100.
    pub limit: u64,
}

impl Page {
    /// The `LIMIT` and the `OFFSET` of a query.
    pub(in crate::store) fn window(self) -> [i64; 2] {
        let [limit, before] = [self.limit, self.number.saturating_sub(1)].map(integer);
        [limit, before.saturating_mul(limit)]
    }
}

/// A number as the databases store it, cut at the greatest they have.
pub(in crate::store) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
