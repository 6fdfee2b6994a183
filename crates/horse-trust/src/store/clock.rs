//! What a point in time is good for. `docs/decisions/0007-which-clock.md` has the reasons; the functions of the same
//! names in `migrations/postgres` are the same rules by the database's clock.

use std::time::Duration;

use crate::timestamp::Timestamp;

/// For how many milliseconds a time that lies ahead of the clock is held, so that the times of a conversation do not run
/// backwards when the clock is set back a little. A time further ahead was wrong, and counts for nothing.
pub(super) const HELD_FORWARD: i64 = 5_000;

/// The time of what is stored `now`, behind something of the time `last`.
pub(super) fn held_forward(now: Timestamp, last: Timestamp) -> Timestamp {
    if last.0 > now.0.saturating_add(HELD_FORWARD) { now } else { now.max(last) }
}

/// Whether `now` is within `window` after `at`. A time ahead of the clock permits nothing.
pub(super) fn is_within(now: Timestamp, at: Timestamp, window: Duration) -> bool {
    at >= before(now, window) && at.0 <= now.0.saturating_add(HELD_FORWARD)
}

/// The time that lies `duration` before `now`.
pub(super) fn before(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(milliseconds(duration)))
}

/// A duration in milliseconds; the greatest there is, if it is longer.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_705_314_600_000);

    fn later(milliseconds: i64) -> Timestamp {
        Timestamp(NOW.0 + milliseconds)
    }

    #[test]
    fn times_are_held_for_some_seconds_and_never_longer() {
        assert_eq!(held_forward(NOW, Timestamp(i64::MIN)), NOW);
        assert_eq!(held_forward(NOW, later(-1)), NOW);
        assert_eq!(held_forward(NOW, later(HELD_FORWARD)), later(HELD_FORWARD));
        for ahead in [HELD_FORWARD + 1, 400 * 24 * 60 * 60 * 1000, i64::MAX - NOW.0] {
            assert_eq!(held_forward(NOW, later(ahead)), NOW);
        }
    }

    #[test]
    fn a_time_ahead_of_the_clock_permits_nothing() {
        let window = Duration::from_mins(1);
        for (at, expected) in [
            (later(0), true),
            (later(-60_000), true),
            (later(-60_001), false),
            (later(HELD_FORWARD), true),
            (later(HELD_FORWARD + 1), false),
            (Timestamp(i64::MAX), false),
            (Timestamp(i64::MIN), false),
        ] {
            assert_eq!(is_within(NOW, at, window), expected, "{at:?}");
        }
        assert!(is_within(NOW, Timestamp(0), Duration::MAX));
        assert!(!is_within(NOW, Timestamp(i64::MAX), Duration::MAX));
    }
}
