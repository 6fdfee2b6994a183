//! The query of a request's URL.

use std::borrow::Cow;

/// The names and values of a query (WHATWG URL, "application/x-www-form-urlencoded parsing").
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key), form_decode(value))
    })
}

/// Whether the client wants binary packets in text form over WebSocket, too (`forceBase64` of the official client).
pub(crate) fn is_text_only(query: &str) -> bool {
    query_pairs(query).any(|(key, value)| key == "b64" && !value.is_empty())
}

/// Undoes `%2D` and the like, and `+` for a space.
fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_of_a_query_are_decoded() {
        let pairs: Vec<_> = query_pairs("a=b+c&%C3%A9=%F0%9F%90%B4&x&=y&&z=1=2&b64=1").collect();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(
            pairs,
            [("a", "b c"), ("\u{e9}", "\u{1f434}"), ("x", ""), ("", "y"), ("z", "1=2"), ("b64", "1")]
        );
        assert!(is_text_only("b64=1") && !is_text_only("b64=") && !is_text_only("a=b64"));
    }
}
