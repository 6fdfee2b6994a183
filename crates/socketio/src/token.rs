//! Ids that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 15 random bytes of the operating system as 20 characters, as the official server makes them.
pub(crate) fn random_token() -> Box<str> {
    token_after("")
}

/// A random token behind `prefix`.
pub(crate) fn token_after(prefix: &str) -> Box<str> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let mut token = String::with_capacity(prefix.len() + 20);
    token.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
    token.into()
}
