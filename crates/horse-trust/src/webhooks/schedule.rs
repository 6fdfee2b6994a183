//! When an event that was not received is tried again.

use std::time::Duration;

/// How long after each attempt in vain the next one is due.
const DELAYS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(24),
    Duration::from_hours(24),
    Duration::from_hours(24),
];

/// An event that is older than this has one attempt. While a receiver is away for long, each event waits behind the one
/// before it in its conversation, and would otherwise begin the whole schedule when that is given up.
const MAX_AGE: Duration = Duration::from_hours(4 * 24);

/// When to try again an event that was tried `attempts` times before this attempt and happened `age` ago; `None` gives up.
pub(super) fn next_attempt(attempts: u32, age: Duration) -> Option<Duration> {
    let delay = DELAYS.get(usize::try_from(attempts).unwrap_or(usize::MAX)).copied();
    delay.filter(|_| age < MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_for_three_days_after_the_first_one() {
        let (mut age, mut attempts) = (Duration::ZERO, 0);
        while let Some(delay) = next_attempt(attempts, age) {
            age += delay;
            attempts += 1;
        }
        assert_eq!(attempts, 10);
        assert_eq!(age.as_secs(), 5 + 60 + 300 + 1800 + 7200 + 18_000 + 36_000 + 3 * 86_400);
        assert!(age < MAX_AGE);
        assert_eq!(next_attempt(0, MAX_AGE), None);
    }
}
