//! The platform's people: made, changed, found, suspended.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::standing::{Standing, Suspension};
use crate::store::types::{Actor, NewAuditEntry, People, PeopleQuery, Person, UserPatch};

/// The platform's people.
#[async_trait]
pub trait DirectoryStore: Send + Sync + 'static {
    /// Makes or changes users, each by itself and in the order given, and notes each change in the audit as `actor`'s.
    /// Answers whether the user was made, or [`StoreError::EmailTaken`]. A patch that changes nothing writes nothing.
    ///
    /// [`StoreError::EmailTaken`]: crate::store::StoreError::EmailTaken
    async fn set_users(&self, patches: Vec<UserPatch>, actor: Actor) -> Result<Vec<Result<bool>>>;

    /// The account with this id, also if it was erased.
    async fn person(&self, id: &Id) -> Result<Option<Person>>;

    /// At most `limit` people.
    async fn people(&self, query: PeopleQuery, limit: u32) -> Result<People>;

    /// Suspends a user, or ends the suspension: also of one who has no account here and comes with a token of the
    /// platform's own.
    async fn set_suspension(
        &self,
        user: &Id,
        suspension: Option<Suspension>,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Whether the tokens of a user are accepted.
    async fn standing(&self, user: &Id) -> Result<Standing>;

    /// For each of these users the others in whose lists of conversations they are shown, each named once.
    async fn viewers_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>>;
}
