//! JSON as JavaScript reads it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// How many fields an object of a client may have. None that is asked for has more than a few, and a body may hold
/// thousands.
const MAX_FIELDS: usize = 64;

/// A value as JSON. Maps of other keys than texts are what could not be written, and nothing here has one.
pub(crate) fn encode(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and booleans can always be written")
}

/// The fields of an object; of those with the same name the last. More than 64 are an error.
#[derive(Debug)]
pub(crate) struct Fields<V>(pub(crate) HashMap<LossyString, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Fields<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(PhantomData))
    }
}

struct FieldsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for FieldsVisitor<V> {
    type Value = Fields<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object of at most {MAX_FIELDS} fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<V>, A::Error> {
        let mut fields = HashMap::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value);
            if fields.len() > MAX_FIELDS {
                return Err(A::Error::invalid_length(fields.len(), &self));
            }
        }
        Ok(Fields(fields))
    }
}

/// The most digits that an `i64` has.
const MAX_DIGITS: usize = 19;

/// The whole number from 0 that a JSON number is, however it is spelled: `30`, `30.0`, `3e1`; `None` if `json` is
/// something else, or a number that no `i64` holds.
///
/// Clients of languages with one kind of number send `30.0` for 30. The value is taken from the digits, because a detour
/// by `f64` would change numbers above 2^53.
pub(crate) fn whole_number(json: &str) -> Option<i64> {
    let (unsigned, is_negative) = json.strip_prefix('-').map_or((json, false), |unsigned| (unsigned, true));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = integer.len() > 1 && integer.starts_with('0');
    if is_padded || ![integer, fraction, exponent.trim_start_matches(['+', '-'])].into_iter().all(are_digits)
    {
        return None;
    }
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    // How many zeros follow the last significant digit; fewer than none are a fraction.
    let zeros = exponent.parse::<i64>().ok()?.checked_add_unsigned(trailing as u64)?;
    let zeros = usize::try_from(zeros.checked_sub_unsigned(fraction.len() as u64)?).ok()?;
    if is_negative || significant.len().saturating_add(zeros) > MAX_DIGITS {
        return None;
    }
    format!("{significant}{:0<zeros$}", "").parse().ok()
}

/// A text whose lone surrogates (`"\ud800"` alone is JSON, but no text) have become U+FFFD.
///
/// `JSON.parse` takes them, so a client may send them; a Rust string can't hold them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LossyString(pub String);

impl LossyString {
    /// Parses a JSON text; `None` if `json` is something else.
    pub fn parse(json: &str) -> Option<String> {
        serde_json::from_str::<Self>(json).ok().map(|text| text.0)
    }
}

impl Borrow<str> for LossyString {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LossyString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for bytes, serde_json gives a text in WTF-8: UTF-8 that may hold lone surrogates.
        deserializer.deserialize_bytes(Bytes)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = LossyString;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LossyString, E> {
        Ok(LossyString(text.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<LossyString, E> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8(replace_surrogates(bytes.to_vec())).map_err(E::custom)?,
        };
        Ok(LossyString(text))
    }
}

/// In WTF-8 a lone surrogate is `ED A0..BF xx`; U+FFFD is `EF BF BD`, of the same length.
fn replace_surrogates(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut index = 0;
    while index + 2 < bytes.len() {
        if bytes[index] == 0xed && bytes[index + 1] >= 0xa0 {
            bytes[index..index + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_has_few_fields() {
        let object = |count: usize| {
            let fields: Vec<String> = (0..count).map(|n| format!(r#""{n}":{n}"#)).collect();
            serde_json::from_str::<Fields<usize>>(&format!("{{{}}}", fields.join(",")))
        };
        assert_eq!(object(64).unwrap().0.get("63"), Some(&63));
        assert!(object(65).unwrap_err().to_string().contains("at most 64 fields"));
        let again = format!("{{{}}}", vec![r#""a":1"#; 1000].join(","));
        assert_eq!(serde_json::from_str::<Fields<usize>>(&again).unwrap().0.len(), 1);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (json, text) in [
            (r#""plain""#, "plain"),
            (r#""\ud83d\udc34""#, "🐴"),
            (r#""a\ud83db""#, "a\u{fffd}b"),
            (r#""\udc34\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\udc34""#, "\u{fffd}🐴"),
            (r#""é\ud800""#, "é\u{fffd}"),
            (r#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
        ] {
            assert_eq!(LossyString::parse(json).as_deref(), Some(text), "{json}");
        }
    }

    proptest! {
        /// A JavaScript string is any list of UTF-16 units; however each is written in JSON, the text is
        /// that list with its lone surrogates replaced.
        #[test]
        fn any_javascript_string_is_read(
            units in vec((prop_oneof![any::<u16>(), 0xd7fe..0xe002_u16, 0..0x80_u16], any::<bool>()), 0..20)
        ) {
            let mut json = String::from("\"");
            for (unit, is_escaped) in &units {
                match char::from_u32(u32::from(*unit)) {
                    Some(character) if !is_escaped && *unit >= 0x20 && !"\"\\".contains(character) => {
                        json.push(character);
                    }
                    _ => write!(json, "\\u{unit:04x}").unwrap(),
                }
            }
            json.push('"');
            let units: Vec<u16> = units.iter().map(|(unit, _)| *unit).collect();
            prop_assert_eq!(LossyString::parse(&json), Some(String::from_utf16_lossy(&units)), "{}", json);
        }
    }

    #[test]
    fn whole_numbers_are_taken_however_they_are_spelled() {
        for (json, number) in [
            ("0", 0),
            ("-0", 0),
            ("0.0", 0),
            ("-0.0e5", 0),
            ("0e99999999999999999999", 0),
            ("30", 30),
            ("30.0", 30),
            ("3e1", 30),
            ("3.00E+1", 30),
            ("300e-1", 30),
            ("0.3e2", 30),
            ("1e0", 1),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("9.223372036854775807e18", i64::MAX),
        ] {
            assert_eq!(whole_number(json), Some(number), "{json}");
        }
        for json in [
            "",
            "-",
            "-1",
            "-1.0",
            "1.5",
            "15e-1",
            "1e-1",
            "9223372036854775808",
            "1e19",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "null",
            "true",
            "\"30\"",
            "[]",
            "{}",
            "NaN",
            "Infinity",
            "030",
            "+5",
            "5.",
            ".5",
            "1e",
            "1e+-1",
            "0x10",
            "1_000",
            " 5",
        ] {
            assert_eq!(whole_number(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_the_same_in_every_spelling(number in 0..=i64::MAX, zeros in 0_usize..20, shift in 0_usize..19) {
            let plain = number.to_string();
            prop_assert_eq!(whole_number(&plain), Some(number));
            let fraction = format!("{plain}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(whole_number(&fraction), Some(number));
            // The point moved to the left, and the exponent moves it back.
            let at = plain.len().saturating_sub(shift).max(1);
            let moved = format!("{}.{}0e{}", &plain[..at], &plain[at..], plain.len() - at);
            prop_assert_eq!(whole_number(&moved), Some(number));
            let longer = format!("{plain}{}e-{zeros}", "0".repeat(zeros));
            prop_assert_eq!(whole_number(&longer), Some(number));
            if number > 0 {
                let negative = format!("-{plain}");
                prop_assert_eq!(whole_number(&negative), None);
                let part = format!("{plain}.{}1", "0".repeat(zeros));
                prop_assert_eq!(whole_number(&part), None);
            }
        }

        /// Of what serde_json takes as a number below 2^53, the answer is that of JavaScript.
        #[test]
        fn numbers_are_those_of_javascript(json in "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?") {
            let value: f64 = serde_json::from_str(&json).unwrap();
            let is_whole = value >= 0.0 && value.fract() == 0.0;
            let number = whole_number(&json);
            prop_assert_eq!(number.is_some(), is_whole, "{}", json);
            if let Some(number) = number {
                let same = format!("{value:.0}").trim_start_matches('-') == number.to_string();
                prop_assert!(same, "{} is {}", json, number);
            }
        }

        #[test]
        fn no_text_breaks_the_parser(text in any::<String>()) {
            whole_number(&text);
        }
    }

    #[test]
    fn only_texts_are_texts() {
        for json in ["1", "null", "[]", "[1,2]", "{}", "true", "\"", ""] {
            assert_eq!(LossyString::parse(json), None, "{json}");
        }
    }
}
