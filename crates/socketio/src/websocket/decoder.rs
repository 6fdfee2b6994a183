//! Frames in: bytes to messages, without I/O. Holds no memory between messages.

use super::message::{BINARY, CLOSE, CONTINUATION, Incoming, Limits, PING, PONG, TEXT, Violation, incoming};

/// The header of a client's frame (RFC 6455, section 5.2).
#[derive(Clone, Copy)]
struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header itself: 6, 8 or 14.
    length: usize,
    payload: u64,
}

/// Turns bytes into messages. Between messages it holds nothing; within one, what came of it.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    /// The payloads of a fragmented message.
    message: Vec<u8>,
    /// The opcode and number of frames of the fragmented message that is under way.
    fragmented: Option<(u8, u32)>,
    /// What the last call lent out of `partial` or `message`, to be freed by the next.
    lent: Lent,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Lent {
    #[default]
    Nothing,
    Partial,
    Message,
}

impl Decoder {
    /// The next message in `input` from `position` on, which moves behind what was used. `None`: all was
    /// used, and more has to come.
    pub(crate) fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
        position: &mut usize,
        limits: Limits,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        self.reclaim();
        loop {
            let rest = &input[*position..];
            let header = if self.partial.is_empty() {
                let Some(header) = self.header(rest, limits)? else {
                    self.partial.extend_from_slice(rest);
                    *position = input.len();
                    return Ok(None);
                };
                let total = header.length + payload_length(header);
                if rest.len() < total {
                    self.partial.extend_from_slice(rest);
                    *position = input.len();
                    return Ok(None);
                }
                let start = *position + header.length;
                *position += total;
                (header, Some(start..*position))
            } else {
                let Some(header) = self.complete_partial(rest, position, limits)? else { return Ok(None) };
                (header, None)
            };
            let (header, range) = header;
            if header.opcode & 0x8 == 0 && (!header.fin || header.opcode == CONTINUATION) {
                let payload = match &range {
                    Some(range) => &mut input[range.clone()],
                    None => &mut self.partial[header.length..],
                };
                unmask(payload, header.mask);
                self.message.extend_from_slice(payload);
                self.partial = Vec::new();
                let (opcode, frames) = self.fragmented.unwrap_or((header.opcode, 0));
                if !header.fin {
                    self.fragmented = Some((opcode, frames + 1));
                    continue;
                }
                self.fragmented = None;
                self.lent = Lent::Message;
                return incoming(opcode, &self.message).map(Some);
            }
            let payload = match range {
                Some(range) => &mut input[range],
                None => {
                    self.lent = Lent::Partial;
                    &mut self.partial[header.length..]
                }
            };
            unmask(payload, header.mask);
            return incoming(header.opcode, payload).map(Some);
        }
    }

    /// How many bytes are held of a message that is not whole yet.
    pub(crate) fn held(&self) -> usize {
        let lent = match self.lent {
            Lent::Nothing => 0,
            Lent::Partial => self.partial.len(),
            Lent::Message => self.message.len(),
        };
        self.partial.len() + self.message.len() - lent
    }

    /// Whether a frame or a fragmented message has begun and not ended.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn is_within_message(&self) -> bool {
        (self.lent != Lent::Partial && !self.partial.is_empty()) || self.fragmented.is_some()
    }

    fn reclaim(&mut self) {
        match std::mem::take(&mut self.lent) {
            Lent::Nothing => {}
            Lent::Partial => self.partial = Vec::new(),
            Lent::Message => self.message = Vec::new(),
        }
    }

    /// Adds to `partial` what it lacks; the header once the frame is whole.
    fn complete_partial(
        &mut self,
        rest: &[u8],
        position: &mut usize,
        limits: Limits,
    ) -> Result<Option<Header>, Violation> {
        let mut used = 0;
        let header = loop {
            if let Some(header) = self.header(&self.partial, limits)? {
                break header;
            }
            let Some(byte) = rest.get(used) else {
                *position += used;
                return Ok(None);
            };
            self.partial.push(*byte);
            used += 1;
        };
        let missing = (header.length + payload_length(header)) - self.partial.len();
        let taken = missing.min(rest.len() - used);
        self.partial.extend_from_slice(&rest[used..used + taken]);
        *position += used + taken;
        Ok((taken == missing).then_some(header))
    }

    /// Parses and checks a header, before a byte of the payload is held. `None`: more has to come.
    fn header(&self, bytes: &[u8], limits: Limits) -> Result<Option<Header>, Violation> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("a reserved bit"));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Protocol("a frame without a mask"));
        }
        let short = second & 0x7f;
        match opcode {
            CLOSE | PING | PONG if !fin || short > 125 => {
                return Err(Violation::Protocol("a control frame that is fragmented or long"));
            }
            CONTINUATION if self.fragmented.is_none() => {
                return Err(Violation::Protocol("a continuation of nothing"));
            }
            TEXT | BINARY if self.fragmented.is_some() => {
                return Err(Violation::Protocol("a new message within a fragmented one"));
            }
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => {}
            _ => return Err(Violation::Protocol("a reserved opcode")),
        }
        let (payload, at) = match short {
            126 => {
                let Some(length) = bytes.get(2..4) else { return Ok(None) };
                (u64::from(u16::from_be_bytes(length.try_into().expect("two bytes"))), 4)
            }
            127 => {
                let Some(length) = bytes.get(2..10) else { return Ok(None) };
                (u64::from_be_bytes(length.try_into().expect("eight bytes")), 10)
            }
            short => (u64::from(short), 2),
        };
        if opcode & 0x8 == 0 {
            let room = limits.message.saturating_sub(self.message.len());
            let frames = self.fragmented.map_or(0, |(_, frames)| frames) + 1;
            if payload > room as u64 || frames > limits.fragments {
                return Err(Violation::TooLarge);
            }
        }
        let Some(mask) = bytes.get(at..at + 4) else { return Ok(None) };
        let mask = mask.try_into().expect("four bytes");
        Ok(Some(Header { fin, opcode, mask, length: at + 4, payload }))
    }
}

/// The payload's length; it was checked against a bound that is a `usize`.
fn payload_length(header: Header) -> usize {
    usize::try_from(header.payload).expect("checked against the bound")
}

/// Removes the mask (RFC 6455, section 5.3), eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes((&*chunk).try_into().expect("eight bytes")) ^ wide;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { message: 1000, fragments: 8 };
    const MASK: [u8; 4] = [1, 2, 3, 200];

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            medium @ 126..=65_535 => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(0xff);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        let mut payload = payload.to_vec();
        unmask(&mut payload, MASK);
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// All messages in `bytes`, given in pieces of `piece`, as text.
    fn decode(bytes: &[u8], piece: usize) -> Result<Vec<String>, Violation> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let mut position = 0;
            while let Some(message) = decoder.next(&mut piece, &mut position, LIMITS)? {
                messages.push(format!("{message:?}"));
            }
            assert_eq!(position, piece.len());
        }
        Ok(messages)
    }

    #[test]
    fn any_split_gives_the_same_messages() {
        let bytes = [
            frame(0x81, b"4hello"),
            frame(0x82, &[1, 2, 3]),
            frame(0x81, "x".repeat(300).as_bytes()),
            frame(0x01, "é".as_bytes().split_at(1).0),
            frame(0x89, b"are you there"),
            frame(0x00, &[]),
            frame(0x80, "é".as_bytes().split_at(1).1),
            frame(0x8a, b""),
            frame(0x81, b""),
            frame(0x88, &[0x03, 0xe8]),
        ]
        .concat();
        let whole = decode(&bytes, bytes.len()).unwrap();
        assert_eq!(whole.len(), 8);
        assert_eq!(whole[0], r#"Text("4hello")"#);
        assert_eq!(whole[4], r#"Text("é")"#);
        assert_eq!(whole[7], "Close(Some(1000))");
        for piece in 1..bytes.len() {
            assert_eq!(decode(&bytes, piece).unwrap(), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn nothing_is_held_between_messages() {
        let mut decoder = Decoder::default();
        for piece in [1, 3, 500] {
            let bytes = [frame(0x01, &[b'x'; 400]), frame(0x80, &[b'y'; 400])].concat();
            for piece in bytes.chunks(piece) {
                let (mut piece, mut position) = (piece.to_vec(), 0);
                while decoder.next(&mut piece, &mut position, LIMITS).unwrap().is_some() {}
            }
            assert!(!decoder.is_within_message());
            assert_eq!((decoder.partial.capacity(), decoder.message.capacity()), (0, 0));
        }
    }

    #[test]
    fn violations_are_seen_at_the_header() {
        let protocol = [
            vec![0x81, 0x00],
            vec![0xc1, 0x80],
            vec![0x91, 0x80],
            vec![0x83, 0x80],
            vec![0x8b, 0x80],
            vec![0x80, 0x80],
            vec![0x09, 0x80],
            vec![0x89, 0xfe],
            [frame(0x01, b"a"), vec![0x81, 0x80]].concat(),
            frame(0x88, &[3]),
            frame(0x88, &999_u16.to_be_bytes()),
            frame(0x88, &1005_u16.to_be_bytes()),
            frame(0x88, &5000_u16.to_be_bytes()),
        ];
        for bytes in protocol {
            assert!(matches!(decode(&bytes, 1), Err(Violation::Protocol(_))), "{bytes:x?}");
            assert!(matches!(decode(&bytes, 100), Err(Violation::Protocol(_))), "{bytes:x?}");
        }
        let large = [
            vec![0x81, 0xfe, 0x03, 0xe9],
            vec![0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0],
            vec![0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [frame(0x01, &[b'a'; 600]), vec![0x80, 0xfe, 0x01, 0x91]].concat(),
            [frame(0x01, b"a"), frame(0x00, b"").repeat(7), vec![0x80, 0x80]].concat(),
        ];
        for bytes in large {
            assert_eq!(decode(&bytes, 1), Err(Violation::TooLarge), "{bytes:x?}");
            assert_eq!(decode(&bytes, 5000), Err(Violation::TooLarge), "{bytes:x?}");
        }
        for bytes in [
            frame(0x81, &[0xff]),
            [frame(0x01, &[0xc3]), frame(0x80, b"x")].concat(),
            frame(0x88, &[3, 0xe8, 0xff]),
        ] {
            assert_eq!(decode(&bytes, 1), Err(Violation::Utf8), "{bytes:x?}");
        }
    }
}
