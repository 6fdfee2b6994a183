//! Authentication: tokens, password hashes, and limits on guessing. It imports the settings, the store's types and the
//! engine alone.

mod address;
mod claim_rules;
mod claims;
mod jws;
mod keys;
mod passwords;
mod standing;
mod throttle;
mod token_key;
mod tokens;
mod turns;

pub use address::AddressRate;
pub use claim_rules::ClaimRules;
pub use claims::{Claims, Rejection};
pub use keys::ApiKeys;
pub use passwords::{Passwords, Verdict};
pub use standing::Ended;
pub use throttle::Throttle;
pub use token_key::{KeyError, TokenKey};
pub use tokens::{NoPrivateKey, Tokens};
pub use turns::{Busy, Lane, Turn};
