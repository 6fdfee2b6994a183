//! Authentication: tokens, password hashes, and limits on guessing. It imports the store's types and the engine alone.

mod address;
mod claims;
mod jws;
mod keys;
mod passwords;
mod standing;
mod throttle;
mod tokens;
mod turns;

pub use address::AddressRate;
pub use claims::{Claims, Rejection};
pub use keys::ApiKeys;
pub use passwords::{Passwords, Verdict};
pub use standing::Ended;
pub use throttle::Throttle;
pub use tokens::Tokens;
pub use turns::{Busy, Lane, Turn};
