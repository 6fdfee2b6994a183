//! The platform's keys for the admin API.

use sha2::{Digest as _, Sha256};

/// The keys in `API_KEYS`, in their order. Only their digests are kept.
#[derive(Default)]
pub struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// Keys in the order in which they were set.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(digest).collect())
    }

    /// Whether there are none, so that no text is a key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of the key that `text` is, from 1. The time it takes depends on the length of `text` alone: digests are
    /// compared to their ends, with every key.
    pub fn number_of(&self, text: &str) -> Option<usize> {
        let digest = digest(text);
        let is_same = |key: &[u8; 32]| key.iter().zip(&digest).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0;
        (1..).zip(&self.0).fold(None, |found, (number, key)| if is_same(key) { Some(number) } else { found })
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_number() {
        let keys = ApiKeys::new(["first", "second"]);
        assert_eq!((keys.number_of("first"), keys.number_of("second")), (Some(1), Some(2)));
        for text in ["", "First", "first ", "firs", "first,second"] {
            assert_eq!(keys.number_of(text), None, "{text:?}");
        }
        assert!(ApiKeys::default().is_empty() && ApiKeys::default().number_of("").is_none());
    }
}
