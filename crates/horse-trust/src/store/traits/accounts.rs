//! Accounts and profiles.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Profile, User};

/// Accounts and profiles.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores a new account. Fails with [`StoreError::EmailTaken`] if another account has the e-mail.
    ///
    /// [`StoreError::EmailTaken`]: crate::store::StoreError::EmailTaken
    async fn create_user(&self, user: User) -> Result<()>;

    /// The account with this id.
    async fn user(&self, id: &Id) -> Result<Option<User>>;

    /// The account with this e-mail (lower-case).
    async fn user_by_email(&self, email: &str) -> Result<Option<User>>;

    /// Replaces an account's password hash.
    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()>;

    /// The public part of an account.
    async fn profile(&self, user: &Id) -> Result<Option<Profile>>;
}
