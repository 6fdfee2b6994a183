//! Points in time: milliseconds since 1970, UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The longest text that is looked at.
const MAX_TEXT: usize = 64;
/// The length of `2024-01-15`.
const DATE_LENGTH: usize = 10;

/// A point in time in milliseconds since 1970-01-01 UTC; written as `2024-01-15T10:30:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// The greatest time that is written with a year of four digits.
    pub const MAX: Self = Self(253_402_300_799_999);
    /// The least such time: the year 0.
    pub const MIN: Self = Self(-62_167_219_200_000);

    /// A time in seconds since 1970, as tokens have it; `None` if it is not between [`Timestamp::MIN`] and
    /// [`Timestamp::MAX`], as of a token whose issuer writes milliseconds.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast saturates, and what it saturates to is no date"
        )]
        let time = Self((seconds * 1000.0).round() as i64);
        (Self::MIN..=Self::MAX).contains(&time).then_some(time)
    }

    /// Parses a date and time with its offset: RFC 3339, in which the letters may be small and a space may stand for the
    /// `T`, and whose offset may also be `+0000` or `+00`, as older versions of `mongoexport` and other programs write it.
    /// What follows the milliseconds is cut off. `None` if the text is anything else, or a day that there is not.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.len() > MAX_TEXT {
            return None;
        }
        let mut text = text.to_ascii_uppercase();
        if text.as_bytes().get(DATE_LENGTH) == Some(&b' ') {
            text.replace_range(DATE_LENGTH..=DATE_LENGTH, "T");
        }
        let offset = text.rfind(['+', '-']).filter(|at| *at > DATE_LENGTH);
        match offset.map(|at| (at, text.len() - at)) {
            Some((_, 3)) => text.push_str(":00"),
            Some((at, 5)) => text.insert(at + 3, ':'),
            _ => {}
        }
        let date = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
        i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What lies beyond is written as the last that can be, never as an arbitrary other time.
        let milliseconds = self.0.clamp(Self::MIN.0, Self::MAX.0);
        let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
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
    use proptest::prelude::*;
    use time::UtcOffset;

    use super::*;

    #[test]
    fn writes_what_javascript_writes() {
        assert_eq!(Timestamp(1_705_314_600_000).to_string(), "2024-01-15T10:30:00.000Z");
        assert_eq!(Timestamp(7).to_string(), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn extreme_times_stay_extreme() {
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        for seconds in [f64::MAX, f64::MIN, f64::INFINITY, 1.8e12, -1e12] {
            assert_eq!(Timestamp::from_seconds(seconds), None, "{seconds}");
        }
        assert_eq!(Timestamp::from_seconds(1_705_314_600.5), Some(Timestamp(1_705_314_600_500)));
    }

    #[test]
    fn one_moment_is_read_in_every_form() {
        for text in [
            "2014-03-07T15:26:17.123Z",
            "2014-03-07T15:26:17.123+0000",
            "2014-03-07T15:26:17.123+00:00",
            "2014-03-07T15:26:17.123-00",
            "2014-03-07T16:26:17.123+01",
            "2014-03-07T12:26:17.123-0300",
            "2014-03-07T20:56:17.123+05:30",
            "2014-03-08T15:25:17.123+2359",
            "2014-03-07t15:26:17.123z",
            "2014-03-07 15:26:17.123Z",
            "2014-03-07T15:26:17.123999999Z",
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp(1_394_205_977_123)), "{text}");
        }
        assert_eq!(Timestamp::parse("2014-03-07T15:26:17+0000"), Some(Timestamp(1_394_205_977_000)));
        assert_eq!(Timestamp::parse("2014-03-07T15:26:17.1Z"), Some(Timestamp(1_394_205_977_100)));
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59.9999Z"), Some(Timestamp(-1)));
        assert_eq!(Timestamp::parse("2024-02-29T00:00:00Z"), Some(Timestamp(1_709_164_800_000)));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "yesterday",
            "2014-03-07",
            "2014-03-07T15:26:17.123",
            "2014-03-07T15:26Z",
            "2014-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2014-13-01T00:00:00Z",
            "2014-03-07T24:00:00Z",
            "2014-03-07T15:60:00Z",
            "2014-03-07T15:26:17.Z",
            "2014-03-07T15:26:17,123Z",
            "2014-03-07T15:26:17Z ",
            " 2014-03-07T15:26:17Z",
            "2014-03-07T15:26:17+",
            "2014-03-07T15:26:17+0",
            "2014-03-07T15:26:17+000",
            "2014-03-07T15:26:17+2400",
            "2014-03-07T15:26:17+0060",
            "2014-03-07T15:26:17+00:0",
            "2014-03-07T15:26:17ZZ",
            "2014-03-07TT15:26:17Z",
            "+002014-03-07T15:26:17Z",
            "-000001-03-07T15:26:17Z",
            "1394205977123",
            "2014-03-07T15:26:17.123\u{ff3a}",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            milliseconds in -62_167_219_200_000_i64..=253_402_300_799_999,
            offset in -1439..=1439_i32,
            form in 0..4_u8,
            small in any::<bool>(),
            zeros in 0..6_usize,
        ) {
            let at = Timestamp(milliseconds);
            prop_assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
            // The same moment as a clock with that offset from UTC shows it.
            let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).unwrap();
            let Some(local) = utc.checked_to_offset(UtcOffset::from_whole_seconds(offset * 60).unwrap()) else {
                return Ok(());
            };
            prop_assume!((0..=9999).contains(&local.year()));
            let shown = Timestamp(milliseconds + i64::from(offset) * 60_000).to_string();
            let shown = shown.trim_end_matches('Z').to_owned() + &"0".repeat(zeros);
            let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            let (hours, minutes) = (offset / 60, offset % 60);
            let text = match form {
                0 if offset == 0 => format!("{shown}Z"),
                1 if minutes == 0 => format!("{shown}{sign}{hours:02}"),
                2 => format!("{shown}{sign}{hours:02}{minutes:02}"),
                _ => format!("{shown}{sign}{hours:02}:{minutes:02}"),
            };
            let text = if small { text.to_ascii_lowercase() } else { text };
            prop_assert_eq!(Timestamp::parse(&text), Some(at), "{}", text);
        }

        #[test]
        fn any_text_is_answered(text in "[0-9TZtz:.+ é-]{0,30}|\\PC{0,30}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
