//! The query of a request, as browsers write forms (`application/x-www-form-urlencoded`).

use std::borrow::Cow;
use std::ops::RangeInclusive;

use url::form_urlencoded;

use super::error::ApiError;

/// The value of a parameter. A repeated parameter is an error, because it is ambiguous.
pub(super) fn parameter<'a>(query: &'a str, name: &'static str) -> Result<Option<Cow<'a, str>>, ApiError> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value);
    match values.next() {
        None => Ok(value),
        Some(_) => Err(ApiError::field(name, format!("{name} must be given once"))),
    }
}

/// The whole number from 1 to `most` that is given for `name`, if one is.
pub(super) fn number(query: &str, name: &'static str, most: u64) -> Result<Option<u64>, ApiError> {
    number_within(query, name, 1..=most)
}

/// The sequence number, or 0, that is given for `name`, if one is.
pub(super) fn seq(query: &str, name: &'static str) -> Result<Option<i64>, ApiError> {
    let most = i64::MAX.unsigned_abs();
    Ok(number_within(query, name, 0..=most)?.and_then(|seq| i64::try_from(seq).ok()))
}

fn number_within(
    query: &str,
    name: &'static str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ApiError> {
    let Some(value) = parameter(query, name)? else { return Ok(None) };
    // `parse` takes a sign, which here is a space that was not encoded.
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_number && range.contains(number));
    let error = || {
        ApiError::field(
            name,
            format!("{name} must be a whole number from {} to {}", range.start(), range.end()),
        )
    };
    number.map(Some).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_browsers_write_them() {
        for (query, expected) in [
            ("", Some(None)),
            ("page=7", Some(Some(7))),
            ("limit=1&page=030&x", Some(Some(30))),
            ("p%61ge=%31%30", Some(Some(10))),
            ("page=100", Some(Some(100))),
            ("pages=x&PAGE=x", Some(None)),
            ("page", None),
            ("page=", None),
            ("page=0", None),
            ("page=101", None),
            ("page=+5", None),
            ("page=%2B5", None),
            ("page=-1", None),
            ("page=1.0", None),
            ("page=1e1", None),
            ("page=5%20", None),
            ("page=99999999999999999999", None),
            ("page=\u{0665}", None),
            ("page=1&page=2", None),
            ("page=1&p%61ge=1", None),
        ] {
            assert_eq!(number(query, "page", 100).ok(), expected, "{query}");
        }
        assert_eq!(seq("after_seq=0", "after_seq").ok(), Some(Some(0)));
        assert_eq!(seq("after_seq=9223372036854775807", "after_seq").ok(), Some(Some(i64::MAX)));
        assert!(seq("after_seq=9223372036854775808", "after_seq").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            value in any::<String>(),
            others in prop::collection::vec(("[a-z&=%+ ]{0,4}", any::<String>()), 0..4),
            place in 0..5_usize,
        ) {
            let mut pairs: Vec<_> = others.into_iter().map(|(name, value)| (format!("other{name}"), value)).collect();
            pairs.insert(place.min(pairs.len()), ("name".to_owned(), value.clone()));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let read = parameter(&query, "name").ok().flatten();
            prop_assert_eq!(read.as_deref(), Some(value.as_str()));
            let twice = query + "&name";
            prop_assert!(parameter(&twice, "name").is_err());
        }

        #[test]
        fn numbers_that_are_written_are_read(written in any::<u64>(), zeros in 0..3_usize) {
            let query = format!("limit={}{written}", "0".repeat(zeros));
            let expected = (1..=u64::MAX / 2).contains(&written).then_some(written);
            prop_assert_eq!(number(&query, "limit", u64::MAX / 2).ok().flatten(), expected);
        }

        #[test]
        fn any_query_is_answered(query in "\\PC{0,40}") {
            let _ = (number(&query, "page", 10), seq(&query, "before_seq"));
        }
    }
}
