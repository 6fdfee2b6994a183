//! The platform's people: their accounts, suspensions and tokens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::export::Export;
use crate::auth::Tokens;
use crate::chat::Chat;
use crate::id::Id;
use crate::store::{Actor, NewAuditEntry, Person, Store, StoreError, Suspension, UserPatch};
use crate::timestamp::Timestamp;

/// How many batches of users are worked on at once; the others wait.
const BATCHES_AT_ONCE: usize = 2;
/// How many exports run at once on this node; more are refused, as each may take an hour.
const EXPORTS_AT_ONCE: usize = 4;

/// Why nothing was done.
#[derive(Debug)]
pub enum PersonError {
    /// There is no such user.
    Unknown,
    /// Too many exports run already.
    TooManyExports,
    /// Only the platform can sign tokens.
    NoPrivateKey,
    /// The store failed, or the e-mail is taken.
    Store(StoreError),
}

impl From<StoreError> for PersonError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What admins and the platform do with people.
pub struct People {
    chat: Arc<Chat>,
    store: Arc<dyn Store>,
    tokens: Arc<Tokens>,
    batches: Semaphore,
    exports: Arc<Semaphore>,
}

impl People {
    /// The people of `store`.
    pub fn new(chat: Arc<Chat>, store: Arc<dyn Store>, tokens: Arc<Tokens>) -> Self {
        let (batches, exports) = (Semaphore::new(BATCHES_AT_ONCE), Semaphore::new(EXPORTS_AT_ONCE));
        Self { chat, store, tokens, batches, exports: Arc::new(exports) }
    }

    /// Makes or changes one user; answers whether the user was made, and what is now known.
    pub async fn set(&self, patch: UserPatch, actor: Actor) -> Result<(bool, Person), PersonError> {
        let (id, sets_activity) = (patch.id.clone(), patch.is_active.is_some());
        let outcomes = self.store.set_users(vec![patch], actor).await?;
        let is_created = outcomes.into_iter().next().ok_or(PersonError::Unknown)??;
        self.chat.profile_changed(&id);
        if sets_activity {
            self.chat.standing_changed(&id).await?;
        }
        let person = self.store.person(&id).await?.ok_or(PersonError::Unknown)?;
        Ok((is_created, person))
    }

    /// Makes or changes many users, each by itself; answers for each whether it was made.
    pub async fn set_all(
        &self,
        patches: Vec<UserPatch>,
        actor: Actor,
    ) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
        let _turn = self.batches.acquire().await.map_err(|_| StoreError::Engine("closed".into()))?;
        // Every node, this one included, reads the changes from the store within a second.
        self.store.set_users(patches, actor).await
    }

    /// Suspends an account on this node at once and on all others within a second, or ends its suspension. Answers what
    /// holds now.
    pub async fn suspend(
        &self,
        user: &Id,
        suspension: Option<Suspension>,
        actor: Actor,
    ) -> Result<Option<Suspension>, StoreError> {
        let action = if suspension.is_some() { "user.suspend" } else { "user.unsuspend" };
        let mut entry = NewAuditEntry::new(actor, action, Some(user.clone()));
        if let Some(suspension) = &suspension {
            entry = entry.with(&serde_json::json!({"until": suspension.until}));
        }
        self.store.set_suspension(user, suspension, entry).await?;
        self.chat.standing_changed(user).await?;
        Ok(self.store.standing(user).await?.suspension)
    }

    /// Prepares an export of what is kept of a user, with or without an account, and notes it in the audit.
    pub async fn export(&self, user: &Id, actor: Actor) -> Result<Export, PersonError> {
        let place = Arc::clone(&self.exports).try_acquire_owned().map_err(|_| PersonError::TooManyExports)?;
        let export = Export::prepare(Arc::clone(&self.store), user, place).await?;
        let export = export.ok_or(PersonError::Unknown)?;
        self.store.note_audit(NewAuditEntry::new(actor, "user.export", Some(user.clone()))).await?;
        Ok(export)
    }

    /// Issues a token for a user with an account; answers it and when it ends.
    pub async fn issue_token(
        &self,
        user: &Id,
        expires_in: Option<Duration>,
        actor: Actor,
    ) -> Result<(String, Timestamp), PersonError> {
        let person = self.store.person(user).await?.filter(|person| !person.user.profile.is_deleted);
        let person = person.ok_or(PersonError::Unknown)?;
        let generation = self.store.session_generation(user).await?;
        let expires_in = expires_in.unwrap_or(self.tokens.expires_in());
        let token = self.tokens.issue_for(user, person.user.role, expires_in, Some(generation));
        let token = token.map_err(|_| PersonError::NoPrivateKey)?;
        let entry = NewAuditEntry::new(actor, "user.token", Some(user.clone()));
        self.store.note_audit(entry.with(&serde_json::json!({"expires_in": expires_in.as_secs()}))).await?;
        let expires_at = self
            .tokens
            .verify(&token)
            .ok()
            .and_then(|claims| claims.expires_at)
            .and_then(Timestamp::from_seconds)
            .unwrap_or_else(|| in_future(expires_in));
        Ok((token, expires_at))
    }
}

/// When `time` has passed, to the second, as tokens have it.
fn in_future(time: Duration) -> Timestamp {
    let seconds = Timestamp::now().0 / 1000 + i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2000);
    Timestamp(seconds.saturating_mul(1000))
}
