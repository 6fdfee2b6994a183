//! The path below which the server is, on a host that it shares with others.

/// The longest base path, in bytes.
const MAX_LENGTH: usize = 200;

/// The path below which all routes are, without a slash at its end: `/chat`. Empty if they are at the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasePath(Box<str>);

impl BasePath {
    /// What stands before the path of each route.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `/`, `/chat`, `/a/b`, with or without a slash at the end. Percent-encoding is not taken: proxies decode it or not, so that
/// requests would arrive under another path than this one.
pub(super) fn parse_base_path(text: &str) -> Result<BasePath, String> {
    let text = text.trim();
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_segment = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
    };
    let is_path = path.strip_prefix('/').is_some_and(|names| names.split('/').all(is_segment));
    if (path.is_empty() || is_path) && path.len() <= MAX_LENGTH {
        return Ok(BasePath(path.into()));
    }
    Err(format!("{text:?} is not a path like /chat (letters, digits, -, ., _ and ~ between slashes)"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_and_others() {
        for (text, path) in [
            ("/", ""),
            ("", ""),
            ("/chat", "/chat"),
            (" /chat/ ", "/chat"),
            ("/a/b.c/~d_e-f/", "/a/b.c/~d_e-f"),
        ] {
            assert_eq!(parse_base_path(text).unwrap().as_str(), path, "{text}");
        }
        for text in [
            "chat",
            "//",
            "//chat",
            "/chat//",
            "/a//b",
            "/.",
            "/a/../b",
            "/a b",
            "/a%20b",
            "/ä",
            "/a?b",
            "/a#b",
            "/{a}",
            "/*",
            "https://example.com/chat",
        ] {
            assert!(parse_base_path(text).is_err(), "{text}");
        }
        assert!(parse_base_path(&format!("/{}", "a".repeat(200))).is_err());
    }

    proptest! {
        /// A path that is taken is one that a browser leaves as it is.
        #[test]
        fn what_is_taken_is_what_browsers_send(text in "[/.~a%{ ?#]{0,8}") {
            if let Ok(path) = parse_base_path(&text) {
                let url = url::Url::parse(&format!("http://example.com{}/", path.as_str())).unwrap();
                prop_assert_eq!(url.as_str(), format!("http://example.com{}/", path.as_str()));
            }
        }
    }
}
