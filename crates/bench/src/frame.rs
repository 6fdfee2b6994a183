//! WebSocket frames from the client's side: masked out, unmasked in.
//!
//! Only what the servers under test send is understood. They never fragment a message, so a fragment is an
//! error here and not a feature.

use std::ops::Range;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// A whole text message.
    Text,
    /// The server closes.
    Close,
    /// The server asks for a pong with the same payload.
    Ping,
    /// Nobody asked for it; it is passed over.
    Pong,
}

/// A frame at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    /// Where the payload lies in the buffer; the frame ends where it ends.
    pub(crate) payload: Range<usize>,
}

/// The server broke the rules of RFC 6455, or sent what no server under test sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidFrame(pub(crate) &'static str);

impl std::fmt::Display for InvalidFrame {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "invalid frame from the server: {}", self.0)
    }
}

impl std::error::Error for InvalidFrame {}

/// The frame at the start of `bytes`, or `None` while it is incomplete.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Frame>, InvalidFrame> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        _ => return Err(InvalidFrame("fragmented, binary or reserved")),
    };
    let (header, length) = match second {
        0..=125 => (2, usize::from(second)),
        126 => match bytes.get(2..4) {
            Some(length) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) {
            Some(length) => match usize::try_from(u64::from_be_bytes(length)) {
                Ok(length) if length < 1 << 30 => (10, length),
                _ => return Err(InvalidFrame("longer than a gigabyte")),
            },
            None => return Ok(None),
        },
        _ => return Err(InvalidFrame("masked")),
    };
    if bytes.len() < header + length {
        return Ok(None);
    }
    Ok(Some(Frame { opcode, payload: header..header + length }))
}

/// Appends a masked text frame with `text`.
pub(crate) fn encode_text(out: &mut Vec<u8>, text: &str, mask: [u8; 4]) {
    encode(out, 0x81, text.as_bytes(), mask);
}

/// Appends a masked pong with `payload`.
pub(crate) fn encode_pong(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    encode(out, 0x8a, payload, mask);
}

fn encode(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: [u8; 4]) {
    out.push(first);
    if let Ok(length @ 0..=125) = u8::try_from(payload.len()) {
        out.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        out.push(0x80 | 0x7e);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(0x80 | 0x7f);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    for (byte, mask) in out[start..].iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send: the same frame without its mask.
    fn unmasked(masked: &[u8], payload: usize) -> Vec<u8> {
        let header = masked.len() - payload - 4;
        let mask = &masked[header..header + 4];
        let mut frame = masked[..header].to_vec();
        frame[1] &= 0x7f;
        frame.extend(masked[header + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn what_is_encoded_decodes_at_each_width_of_the_length() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let text = "x".repeat(length);
            let mut masked = Vec::new();
            encode_text(&mut masked, &text, [1, 2, 3, 250]);
            assert_eq!(masked[1] & 0x80, 0x80, "a client masks");
            let frame = unmasked(&masked, length);
            for incomplete in [0, 1, 2, frame.len() / 2, frame.len() - 1] {
                assert_eq!(decode(&frame[..incomplete.min(frame.len() - 1)]), Ok(None), "length {length}");
            }
            let decoded = decode(&frame).unwrap().unwrap();
            assert_eq!(decoded.opcode, Opcode::Text);
            assert_eq!(&frame[decoded.payload], text.as_bytes());
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let mut frame = Vec::new();
        encode_text(&mut frame, "Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(frame, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn only_the_first_of_two_frames_is_taken() {
        let bytes = [0x81, 1, b'2', 0x89, 0];
        let first = decode(&bytes).unwrap().unwrap();
        assert_eq!((first.opcode, first.payload.clone()), (Opcode::Text, 2..3));
        let second = decode(&bytes[first.payload.end..]).unwrap().unwrap();
        assert_eq!((second.opcode, second.payload), (Opcode::Ping, 2..2));
    }

    #[test]
    fn masked_fragmented_binary_and_endless_frames_are_refused() {
        assert!(decode(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(decode(&[0x01, 0]).is_err());
        assert!(decode(&[0x82, 0]).is_err());
        assert!(decode(&[0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
