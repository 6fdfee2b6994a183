//! What a client says over a WebSocket, and how it breaks the protocol.

/// Bounds of what one peer may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a message, summed over its fragments.
    pub(crate) message: usize,
    /// Frames of a message.
    pub(crate) fragments: u32,
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// With the peer's code, if it gave one.
    Close(Option<u16>),
}

impl Incoming<'_> {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) => bytes.len(),
            Self::Pong | Self::Close(_) => 0,
        }
    }
}

/// How the peer broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// Close code 1002.
    #[error("{0}")]
    Protocol(&'static str),
    /// Close code 1007.
    #[error("text that is not UTF-8")]
    Utf8,
    /// Close code 1009.
    #[error("a message over the bound")]
    TooLarge,
}

impl Violation {
    /// The close code of RFC 6455, section 7.4.1.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// A whole frame, unmasked.
pub(super) fn incoming(opcode: u8, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    Ok(match opcode {
        TEXT => Incoming::Text(std::str::from_utf8(payload).map_err(|_| Violation::Utf8)?),
        BINARY => Incoming::Binary(payload),
        PING => Incoming::Ping(payload),
        PONG => Incoming::Pong,
        _ => Incoming::Close(close_code(payload)?),
    })
}

/// Checks the body of a close frame (RFC 6455, sections 5.5.1 and 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let [first, second, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol("half a close code")) };
    };
    let code = u16::from_be_bytes([*first, *second]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("an invalid close code"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::Utf8);
    }
    Ok(Some(code))
}
