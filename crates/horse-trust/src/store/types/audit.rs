//! The audit: what admins and the platform changed.

use std::fmt;

use crate::id::Id;
use crate::timestamp::Timestamp;

/// Who changed something over the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The platform, by the key with this number in `API_KEYS`, from 1.
    Key(usize),
    /// An admin, by a token.
    User(Id),
}

impl Actor {
    /// The actor as it is stored.
    pub(in crate::store) fn to_column(&self) -> String {
        self.to_string()
    }

    /// The actor in a column that [`Actor::to_column`] wrote.
    pub(in crate::store) fn from_column(text: &str) -> Option<Self> {
        match text.split_once(' ')? {
            ("key", number) => number.parse().ok().map(Self::Key),
            ("user", id) => Id::parse(id).ok().map(Self::User),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(number) => write!(formatter, "key {number}"),
            Self::User(id) => write!(formatter, "user {id}"),
        }
    }
}

/// A change to be noted. It never holds a secret, a text, a name or an e-mail: the audit outlives what an erasure takes
/// away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// Who made the change.
    pub actor: Actor,
    /// What was done: a noun and a verb, such as `user.suspend`.
    pub action: &'static str,
    /// The id of what was changed.
    pub target: Option<Id>,
    /// Further facts, as a JSON object.
    pub details: Option<Box<str>>,
}

impl NewAuditEntry {
    /// A change of `target`, without details.
    pub fn new(actor: Actor, action: &'static str, target: Option<Id>) -> Self {
        Self { actor, action, target, details: None }
    }

    /// The entry with further facts.
    #[must_use]
    pub fn with(self, details: &serde_json::Value) -> Self {
        Self { details: Some(details.to_string().into()), ..self }
    }
}

/// A change that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Ascends with time; names the entry.
    pub number: i64,
    /// When the change was made, by the store's clock.
    pub at: Timestamp,
    /// Who made it; `None` if the column can't be read.
    pub actor: Option<Actor>,
    /// What was done.
    pub action: String,
    /// The id of what was changed.
    pub target: Option<Id>,
    /// Further facts, as a JSON object.
    pub details: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_come_back_as_they_were_stored() {
        for actor in [Actor::Key(2), Actor::User(Id::parse("507f1f77bcf86cd799439011").unwrap())] {
            assert_eq!(Actor::from_column(&actor.to_column()), Some(actor));
        }
        for text in ["", "key", "key x", "user a b", "other 1"] {
            assert_eq!(Actor::from_column(text), None, "{text:?}");
        }
    }
}
