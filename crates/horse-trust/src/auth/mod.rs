//! Who is who: tokens, passwords, and limits on guessing them.

mod address;
mod passwords;
mod standing;
mod throttle;
mod tokens;
mod turns;

pub use address::AddressRate;
pub use passwords::{Busy, Passwords, Verdict};
pub use standing::Ended;
pub use throttle::Throttle;
pub use tokens::{Claims, Rejection, Tokens};
pub use turns::{Lane, Turn};
