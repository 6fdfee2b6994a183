//! A user's list of conversations: which part is wanted, and how a client names where it goes on.

use std::fmt;
use std::str::FromStr;

use super::types::integer;
use crate::timestamp::Timestamp;

/// Which part of a user's list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Which conversations are in it.
    pub filter: ListFilter,
    /// The place of the last conversation that the client has.
    pub before: Option<ListPlace>,
    /// How many at most; all, if `None`.
    pub limit: Option<u64>,
}

/// Which of a user's conversations a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListFilter {
    /// Those that are not archived.
    #[default]
    Current,
    /// Those that are not archived and have unread messages.
    Unread,
    /// Those that are archived.
    Archived,
    /// All of them.
    All,
}

impl ListFilter {
    /// Whether only conversations with unread messages are in the list.
    pub(super) fn only_unread(self) -> bool {
        self == Self::Unread
    }

    /// Whether the conversations of the list are archived; `None` if both kinds are in it.
    pub(super) fn archived(self) -> Option<bool> {
        match self {
            Self::Current | Self::Unread => Some(false),
            Self::Archived => Some(true),
            Self::All => None,
        }
    }
}

impl ListQuery {
    /// The place before which the part begins, the end of all places if it is the first.
    pub(super) fn before(self) -> [i64; 2] {
        self.before.map_or([i64::MAX; 2], |place| [place.updated_at.0, place.key])
    }

    /// The number of rows as databases have it.
    pub(super) fn limit(self) -> i64 {
        integer(self.limit.unwrap_or(u64::MAX))
    }
}

/// The place of a conversation in a list that is ordered by `updated_at` and key: it stays what it is when another
/// conversation moves to the top. As text it is the cursor that a client gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPlace {
    /// When the conversation was last written in, or made.
    pub updated_at: Timestamp,
    /// The store's key for it.
    pub key: i64,
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl fmt::Display for ListPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}", self.updated_at.0, self.key)
    }
}

impl FromStr for ListPlace {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (updated_at, key) = text.split_once('_').ok_or(InvalidCursor)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| InvalidCursor);
        let place = Self { updated_at: Timestamp(number(updated_at)?), key: number(key)? };
        // One place has one cursor: neither `+1` nor `01`.
        if place.to_string() == text { Ok(place) } else { Err(InvalidCursor) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_names_its_place(updated_at: i64, key: i64) {
            let place = ListPlace { updated_at: Timestamp(updated_at), key };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }

        #[test]
        fn any_text_is_a_cursor_or_refused(text in "[-+0-9_ a]{0,24}|.{0,8}") {
            if let Ok(place) = text.parse::<ListPlace>() {
                prop_assert_eq!(place.to_string(), text);
            }
        }
    }
}
