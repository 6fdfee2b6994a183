//! WebSocket framing (RFC 6455), the server's side.
//!
//! Ours, because no library lets an idle connection hold no buffer and a broadcast share one finished
//! frame; `docs/decisions` has the figures. The decoder does no I/O and is held against tungstenite in a
//! property test.

pub(crate) mod decoder;
mod io;
pub(crate) mod message;
mod stream;

pub(crate) use io::Io;
pub(crate) use stream::{Flushed, ReadError, Reply, Taken, WebSocket};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2); `None` if the
/// key is not 16 bytes in base64.
pub(crate) fn accept_key(key: &[u8]) -> Option<String> {
    let decoded = STANDARD.decode(key).ok()?;
    if decoded.len() != 16 {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    Some(STANDARD.encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ==").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(accept_key(b"dGhl"), None);
        assert_eq!(accept_key(b"???"), None);
    }
}
