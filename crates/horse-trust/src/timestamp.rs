//! Points in time: milliseconds since 1970, UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time in milliseconds since 1970-01-01 UTC; written as `2024-01-15T10:30:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// A time in seconds since 1970, as tokens have it.
    pub fn from_seconds(seconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "beyond the greatest time is the greatest time")]
        Self((seconds * 1000.0).round() as i64)
    }

    /// Parses ISO 8601 with a zone, as JavaScript's `toISOString` and `mongoexport` write it.
    pub fn parse(text: &str) -> Option<Self> {
        let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            formatter,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            date.hour(),
            date.minute(),
            date.second(),
            date.millisecond()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_javascript_writes() {
        assert_eq!(Timestamp(1_705_314_600_000).to_string(), "2024-01-15T10:30:00.000Z");
        assert_eq!(Timestamp(7).to_string(), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn parses_zones() {
        assert_eq!(Timestamp::parse("2024-01-15T10:30:00.000Z"), Some(Timestamp(1_705_314_600_000)));
        assert_eq!(Timestamp::parse("2024-01-15T07:30:00-03:00"), Some(Timestamp(1_705_314_600_000)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
