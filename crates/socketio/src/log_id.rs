//! How sessions and sockets are named in the log.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// Names a session or a socket in log lines: the same within a process, and of no use to whoever reads the log. The id
/// of a session is a credential, since over long-polling whoever knows it acts as its user.
///
/// It is a hash under a key that the process makes at its start, so a guessed id can't be checked against a log either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogId(u64);

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl LogId {
    pub(crate) fn of(id: &str) -> Self {
        Self(KEY.hash_one(id))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_name_that_does_not_contain_it() {
        let id = "lv_VI97HAXpY6yYWAAAC";
        assert_eq!(LogId::of(id), LogId::of(id));
        assert_ne!(LogId::of(id), LogId::of("lv_VI97HAXpY6yYWAAAD"));
        assert_eq!(LogId::of(id).to_string().len(), 16);
    }
}
