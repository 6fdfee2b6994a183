//! Identifiers: opaque strings of 1 to 64 characters out of `A-Z a-z 0-9 _ -`.

use std::fmt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// The identifier of a user, a conversation or a message.
///
/// Up to 24 characters are held inline, so an ObjectId never allocates.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Id(CompactString);

/// The text is not 1 to 64 characters out of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters out of A-Z a-z 0-9 _ -")]
pub struct InvalidId;

impl Id {
    /// The greatest length, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// The sender of what the platform itself says. No user has it.
    pub const SYSTEM: Self = Self(CompactString::const_new("system"));

    /// Takes `text` as an id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let valid = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if valid { Ok(Self(CompactString::new(text))) } else { Err(InvalidId) }
    }

    /// An id in ObjectId layout that nobody guesses: 4 bytes of seconds, 8 random bytes. Of an account, whose id opens
    /// conversations: those of an [`IdGenerator`] follow one another. Fails if the system has no random bytes.
    pub fn unguessable() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&now().to_be_bytes());
        getrandom::fill(&mut bytes[4..])?;
        Ok(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: [u8; 12]) -> Self {
        let mut text = CompactString::with_capacity(24);
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = CompactString::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Makes ids in MongoDB's ObjectId layout: 4 bytes of seconds, 5 random bytes of this process, a
/// 3-byte counter, as 24 hexadecimal digits.
///
/// Ids of one generator sort in the order in which they were made, also when the clock is set back:
/// the seconds never decrease, and when the counter runs over within a second, the next second is taken.
#[derive(Debug)]
pub struct IdGenerator {
    process: [u8; 5],
    last: Mutex<(u32, u32)>,
}

impl IdGenerator {
    /// A generator with random process bytes.
    #[expect(clippy::new_without_default, reason = "two generators are never equal")]
    pub fn new() -> Self {
        let random = random_bytes();
        Self { process: random, last: Mutex::new((0, 0)) }
    }

    /// An id whose time is not before this, in the year 2097, was made up: ids do not go on behind it.
    pub const MADE_UP_SECONDS: u32 = 0xf000_0000;

    /// From now on, makes ids that sort behind `id`, unless that one was made up.
    pub fn continue_after(&self, id: &Id) {
        let seconds = id.as_str().get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(seconds) = seconds.filter(|seconds| *seconds < Self::MADE_UP_SECONDS) else { return };
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The next id takes a later second: within this one, another process's bytes may sort behind ours.
        *last = (*last).max((seconds, 0x00ff_ffff));
    }

    /// The next id.
    pub fn next(&self) -> Id {
        let now = now();
        let (seconds, counter) = {
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if now > last.0 {
                *last = (now, 0);
            } else if last.1 == 0x00ff_ffff {
                *last = (last.0.saturating_add(1), 0);
            } else {
                last.1 += 1;
            }
            *last
        };
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&self.process);
        bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Id::from_bytes(bytes)
    }
}

/// Seconds since 1970.
fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    u32::try_from(now).unwrap_or(u32::MAX)
}

/// Random bytes from the standard library's per-process hash seed, which the operating system fills.
fn random_bytes() -> [u8; 5] {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new().hash_one(SystemTime::now());
    let mut bytes = [0; 5];
    bytes.copy_from_slice(&seed.to_le_bytes()[..5]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_read_as_they_are_and_nothing_else_is(id in "[A-Za-z0-9_-]{1,64}", other in "\\PC{0,70}") {
            let parsed = Id::parse(&id).unwrap();
            prop_assert_eq!(parsed.as_str(), &id);
            prop_assert_eq!(serde_json::to_string(&parsed).unwrap(), format!("\"{id}\""));
            prop_assert_eq!(serde_json::from_str::<Id>(&format!("\"{id}\"")).unwrap(), parsed);
            let is_plain = (1..=64).contains(&other.len())
                && other.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
            prop_assert_eq!(Id::parse(&other).is_ok(), is_plain);
        }
    }

    #[test]
    fn ids_are_short_and_plain() {
        assert!(Id::parse("507f1f77bcf86cd799439011").is_ok());
        assert!(Id::parse("a_-Z9").is_ok());
        assert!(Id::parse(&"x".repeat(64)).is_ok());
        for bad in ["", " ", "a b", "é", "a/b", "a\0", &"x".repeat(65)] {
            assert_eq!(Id::parse(bad), Err(InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn generated_ids_sort_by_creation() {
        let generator = IdGenerator::new();
        let ids: Vec<Id> = (0..10_000).map(|_| generator.next()).collect();
        assert!(ids.iter().all(|id| id.as_str().len() == 24));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn unguessable_ids_have_nothing_in_common_but_the_time() {
        let before = format!("{:08x}", now());
        let ids: Vec<Id> = (0..1000).map(|_| Id::unguessable().unwrap()).collect();
        let after = format!("{:08x}", now());
        assert!(
            ids.iter().all(|id| id.as_str().len() == 24 && (&*before..=&*after).contains(&&id.as_str()[..8]))
        );
        // Each digit behind the time takes each value.
        for place in 8..24 {
            let seen: std::collections::HashSet<_> =
                ids.iter().map(|id| id.as_str().as_bytes()[place]).collect();
            assert_eq!(seen.len(), 16, "digit {place}");
        }
    }

    #[test]
    fn ids_go_on_behind_those_of_another_process() {
        let other = IdGenerator::new();
        other.last.lock().unwrap().0 = now() + 1_000_000;
        let last = (0..3).map(|_| other.next()).next_back().unwrap();
        let generator = IdGenerator::new();
        generator.continue_after(&last);
        assert!(generator.next() > last);
        generator.continue_after(&Id::parse("ffffffffffffffffffffffff").unwrap());
        assert!(generator.next().as_str() < "f");
    }

    #[test]
    fn a_counter_that_runs_over_takes_the_next_second() {
        let generator = IdGenerator::new();
        *generator.last.lock().unwrap() = (u32::MAX - 1, 0x00ff_ffff);
        let id = generator.next();
        assert!(id.as_str().starts_with("ffffffff") && id.as_str().ends_with("000000"), "{id}");
    }
}
