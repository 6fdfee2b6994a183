//! Accounts, and what others see of them.

use crate::id::Id;
use crate::timestamp::Timestamp;

/// A user's rights, as the platform's tokens name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys and sells.
    Seller,
    /// Looks after the marketplace.
    Admin,
}

impl Role {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Admin => "admin",
        }
    }

    /// The role with this name in the database; an unknown name has the lesser rights.
    pub(in crate::store) fn from_name(name: &str) -> Self {
        if name == "admin" { Self::Admin } else { Self::Seller }
    }
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub id: Id,
    /// The name; an imported user may have none.
    pub full_name: Option<String>,
    /// The URL of the picture.
    pub profile_picture_url: Option<String>,
    /// Whether the account was erased: then there is neither name nor picture.
    pub is_deleted: bool,
}

/// An account.
#[derive(Clone)]
pub struct User {
    /// The public part.
    pub profile: Profile,
    /// Lower-case, unique; an account that the platform made may have none.
    pub email: Option<String>,
    /// An argon2 (PHC string) or bcrypt (`$2a$`, `$2b$`) hash; empty for an imported account that has none,
    /// to which nobody can log in. Never leaves the server.
    pub password_hash: String,
    /// The user's rights.
    pub role: Role,
    /// `+` and 7 to 15 digits.
    pub phone: Option<String>,
    /// Whether the account may log in.
    pub is_active: bool,
    /// When the account was created.
    pub created_at: Timestamp,
}
