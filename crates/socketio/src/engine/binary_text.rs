//! Binary packets in text form (Engine.IO protocol, "Encoding"): a `b`, and the bytes in base64.
//!
//! Clients encode with what their platform has: with or without padding, with line breaks, in the alphabet for URLs.
//! The official server reads them all, because Node's `Buffer.from(text, "base64")` does; this reads the same.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Takes what an encoder by the letter of RFC 4648 writes, and loose bits at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of a packet's base64. Padding ends it, characters of neither alphabet are skipped, and a last character
/// that makes no whole byte is dropped: every text has a meaning.
pub(crate) fn decode(base64: &str) -> Vec<u8> {
    BASE64.decode(base64).unwrap_or_else(|_| {
        let mut digits: Vec<u8> =
            base64.bytes().take_while(|byte| *byte != b'=').filter_map(standard_digit).collect();
        if digits.len() % 4 == 1 {
            digits.pop();
        }
        BASE64.decode(&digits).expect("digits of the alphabet, in a number that makes whole bytes")
    })
}

/// A binary packet in text form.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut packet = "b".to_owned();
    BASE64.encode_string(bytes, &mut packet);
    packet
}

/// A digit of either alphabet (RFC 4648, sections 4 and 5) as one of the first.
fn standard_digit(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Some(byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What Node's decoder does, digit by digit.
    fn oracle(text: &str) -> Vec<u8> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
        for byte in text.bytes().take_while(|byte| *byte != b'=') {
            let byte = if byte == b'-' {
                b'+'
            } else if byte == b'_' {
                b'/'
            } else {
                byte
            };
            let Some(value) = alphabet.iter().position(|digit| *digit == byte) else { continue };
            bits = bits << 6 | u32::try_from(value).unwrap();
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
            }
        }
        bytes
    }

    #[test]
    fn base64_is_read_as_clients_write_it() {
        for (text, bytes) in [
            ("AQID", &[1, 2, 3][..]),
            ("AQID\n", &[1, 2, 3]),
            ("AQ\r\nID", &[1, 2, 3]),
            (" AQ ID ", &[1, 2, 3]),
            ("AQ", &[1]),
            ("AQ==", &[1]),
            ("AQ=", &[1]),
            ("AR==", &[1]),
            ("AQ==AQID", &[1]),
            ("AQIDA", &[1, 2, 3]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
            ("+_-/", &[0xfb, 0xff, 0xbf]),
            ("A*Q!I\u{e9}D", &[1, 2, 3]),
            ("", &[]),
            ("A", &[]),
        ] {
            assert_eq!(decode(text), bytes, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_any_encoder_writes_is_read(
            bytes in vec(any::<u8>(), 0..300), encoder in 0_usize..4, width in 1_usize..80,
            line_break in prop::sample::select(vec!["", "\n", "\r\n", " ", "\t"])
        ) {
            let encoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][encoder].encode(&bytes);
            let mut text = String::new();
            for line in encoded.as_bytes().chunks(width) {
                text.push_str(std::str::from_utf8(line).unwrap());
                text.push_str(line_break);
            }
            prop_assert_eq!(decode(&text), bytes);
        }

        #[test]
        fn any_text_is_read_as_node_reads_it(text in "[A-Za-z0-9+/=_\\-\\s\\PC]{0,60}") {
            prop_assert_eq!(decode(&text), oracle(&text));
        }

        #[test]
        fn what_is_written_is_read_again(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(encode(&bytes).strip_prefix('b').unwrap()), bytes);
        }
    }
}
