//! Who is who: tokens, passwords, and limits on guessing them.

mod passwords;
mod throttle;
mod tokens;

pub use passwords::{Busy, Passwords, Verdict};
pub use throttle::Throttle;
pub use tokens::{Claims, InvalidToken, Tokens};
