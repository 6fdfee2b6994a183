//! A finished frame: one packet as it goes over a WebSocket, made once and shared by all who get it.

use std::sync::Arc;

use crate::engine::binary_text;

/// The text opcode with FIN set (RFC 6455, section 5.2).
const TEXT: u8 = 0x81;
/// The binary opcode with FIN set.
const BINARY: u8 = 0x82;

/// One Engine.IO packet, with the header of an unmasked WebSocket frame before it.
///
/// A polling response takes the payload alone. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    bytes: Arc<[u8]>,
    /// Where the payload begins: 2, 4 or 10.
    header: u8,
}

impl Frame {
    /// A text packet, type digit included.
    pub(crate) fn text(payload: &str) -> Self {
        Self::finished(TEXT, payload.as_bytes())
    }

    /// A binary message.
    pub(crate) fn binary(payload: &[u8]) -> Self {
        Self::finished(BINARY, payload)
    }

    fn finished(opcode: u8, payload: &[u8]) -> Self {
        let mut header = [0; 10];
        let length = write_header(&mut header, opcode, payload.len());
        let mut bytes = Vec::with_capacity(length + payload.len());
        bytes.extend_from_slice(&header[..length]);
        bytes.extend_from_slice(payload);
        Self { bytes: bytes.into(), header: u8::try_from(length).expect("a header has at most 10 bytes") }
    }

    /// The whole frame.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it carries.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[usize::from(self.header)..]
    }

    /// Whether it is a binary message.
    pub(crate) fn is_binary(&self) -> bool {
        self.bytes[0] == BINARY
    }

    /// The same packet for a client that takes no binary frames.
    pub(crate) fn in_text_form(&self) -> Self {
        if self.is_binary() { Self::text(&binary_text::encode(self.payload())) } else { self.clone() }
    }

    /// What it counts for in an outbox: its bytes, and a share for what holds them.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len() + 48
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes the header of an unmasked frame and returns its length.
fn write_header(header: &mut [u8; 10], opcode: u8, payload: usize) -> usize {
    header[0] = opcode;
    if let Ok(short @ 0..=125) = u8::try_from(payload) {
        header[1] = short;
        2
    } else if let Ok(medium) = u16::try_from(payload) {
        header[1] = 126;
        header[2..4].copy_from_slice(&medium.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    }
}

/// A control frame (RFC 6455, section 5.5); `payload` has at most 125 bytes.
pub(crate) fn control(opcode: u8, payload: &[u8]) -> Frame {
    debug_assert!(payload.len() <= 125, "a control frame carries at most 125 bytes");
    Frame::finished(0x80 | opcode, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_shortest_form() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::text(&"x".repeat(length));
            assert_eq!(frame.len(), header + length);
            assert_eq!(frame.payload().len(), length);
        }
    }
}
