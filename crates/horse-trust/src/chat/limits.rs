//! The rates of what one user may do.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::bus::Quota as SharedQuota;
use crate::contract::Refusal;
use crate::id::Id;

/// Bursts of messages are this many seconds' worth.
const BURST: u32 = 5;
/// Other requests may come this many times as often as messages.
const REQUESTS: u32 = 10;
/// Typing events a second and user, and at once. They cost nothing, so without a rate one participant could flood the other.
const TYPING: [u32; 2] = [20, 100];
/// New reports at once, and how long until the next: an admin has to read each.
const REPORTS: (u32, Duration) = (20, Duration::from_secs(6));
/// Users whom a user may block at once, and how long until the next: each block is stored, even of a user who does not exist.
const BLOCKS: (u32, Duration) = (100, Duration::from_secs(5));
/// Bursts of connections are this many seconds' worth. The connections of one address are bounded elsewhere.
const CONNECTION_BURST: u32 = 200;

/// The rates of users. Each is events a second, and how many at once.
pub(crate) struct Limits {
    messages: Option<(MessageRate, SharedQuota)>,
    joins: Option<Rate>,
    requests: Option<Rate>,
    openings: Option<SharedRate>,
    reports: Option<Rate>,
    blocks: Option<Rate>,
    typing: Rate,
    connections: Option<Rate>,
}

/// A rate that all nodes count together.
type SharedRate = (Rate, SharedQuota);
type Rate = DefaultKeyedRateLimiter<Id>;
/// A rate that says how much of it is used.
type MessageRate = DefaultKeyedRateLimiter<Id, StateInformationMiddleware>;

fn rate([per_second, burst]: [u32; 2]) -> Rate {
    let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    RateLimiter::keyed(Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst)))
}

/// So many at once, then one each `period`.
fn slow_rate((burst, period): (u32, Duration)) -> Option<Rate> {
    Some(RateLimiter::keyed(Quota::with_period(period)?.allow_burst(NonZeroU32::new(burst)?)))
}

impl Limits {
    /// `messages` and `connections` are a second and user; `None` is no limit. Without a limit of messages there is none of
    /// other requests.
    pub(super) fn new(messages: Option<NonZeroU32>, connections: Option<NonZeroU32>) -> Self {
        let of_messages = |factor: u32| {
            let per_second = messages?.get().saturating_mul(factor);
            Some(rate([per_second, per_second.saturating_mul(BURST)]))
        };
        let shared = |name, per_second: NonZeroU32| SharedQuota {
            name,
            period: Duration::from_secs(1) / per_second.get(),
            burst: per_second.get().saturating_mul(BURST),
        };
        Self {
            messages: messages.map(|count| {
                let quota = shared("messages", count);
                (rate([count.get(), quota.burst]).with_middleware(), quota)
            }),
            joins: of_messages(REQUESTS),
            requests: of_messages(REQUESTS),
            openings: messages.and_then(|count| Some((of_messages(1)?, shared("openings", count)))),
            blocks: messages.and_then(|_| slow_rate(BLOCKS)),
            reports: messages.and_then(|_| slow_rate(REPORTS)),
            typing: rate(TYPING),
            connections: connections
                .map(|count| rate([count.get(), count.get().saturating_mul(CONNECTION_BURST)])),
        }
    }

    /// Counts a message. `note` is called with how many messages of the quota are used then, if there is a quota.
    pub(super) fn message(&self, user: &Id, note: impl FnOnce(u32, SharedQuota)) -> Result<(), Refusal> {
        let Some((rate, quota)) = &self.messages else { return Ok(()) };
        let checked = rate.check_key(user);
        let left = checked.as_ref().map_or(0, StateSnapshot::remaining_burst_capacity);
        note(quota.burst.saturating_sub(left), *quota);
        checked.map(drop).map_err(|not_until| too_many(not_until.wait_time_from(rate.clock().now())))
    }

    /// How many messages a user may send, if that is limited.
    pub(super) fn message_quota(&self) -> Option<SharedQuota> {
        self.messages.as_ref().map(|(_, quota)| *quota)
    }

    /// Counts a message that another node has accepted.
    pub(super) fn charge_message(&self, user: &Id) {
        // Beyond the rate there is nothing left to count.
        _ = self.message(user, |_, _| {});
    }

    pub(crate) fn join(&self, user: &Id) -> Result<(), Refusal> {
        check(self.joins.as_ref(), user)
    }

    pub(crate) fn request(&self, user: &Id) -> Result<(), Refusal> {
        check(self.requests.as_ref(), user)
    }

    /// Counts a conversation that is opened: as often as messages are sent, and beside them. Answers what is to be counted
    /// on all nodes, too.
    pub(super) fn opening(&self, user: &Id) -> Result<Option<SharedQuota>, Refusal> {
        check_shared(self.openings.as_ref(), user)
    }

    pub(super) fn block(&self, user: &Id) -> Result<(), Refusal> {
        check(self.blocks.as_ref(), user)
    }

    /// Counts a new report.
    pub(super) fn report(&self, user: &Id) -> Result<(), Refusal> {
        check(self.reports.as_ref(), user)
    }

    pub(crate) fn typing(&self, user: &Id) -> Result<(), Refusal> {
        check(Some(&self.typing), user)
    }

    pub(crate) fn connection(&self, user: &Id) -> Result<(), Refusal> {
        check(self.connections.as_ref(), user)
    }

    /// Frees the state of users who have not done anything for a while.
    pub(super) fn tidy(&self) {
        if let Some((rate, _)) = &self.messages {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
        let optional = [
            self.joins.as_ref(),
            self.requests.as_ref(),
            self.openings.as_ref().map(|(rate, _)| rate),
            self.blocks.as_ref(),
            self.reports.as_ref(),
            self.connections.as_ref(),
        ];
        let optional = optional.into_iter().flatten();
        for rate in optional.chain([&self.typing]) {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }
}

fn check(rate: Option<&Rate>, user: &Id) -> Result<(), Refusal> {
    let Some(rate) = rate else { return Ok(()) };
    rate.check_key(user).map_err(|not_until| too_many(not_until.wait_time_from(rate.clock().now())))
}

fn check_shared(shared: Option<&SharedRate>, user: &Id) -> Result<Option<SharedQuota>, Refusal> {
    let Some((rate, quota)) = shared else { return Ok(None) };
    check(Some(rate), user).map(|()| Some(*quota))
}

pub(super) fn too_many(wait: Duration) -> Refusal {
    Refusal::TooManyMessages { retry_after: wait.as_secs() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_burst_of_their_own() {
        let limits = Limits::new(NonZeroU32::new(2), NonZeroU32::new(1));
        assert_eq!(
            (0..1000).take_while(|_| limits.connection(&Id::parse("cat").unwrap()).is_ok()).count(),
            200
        );
        let [ann, ben] = ["ann", "ben"].map(|id| Id::parse(id).unwrap());
        let taken = (0..20).take_while(|_| limits.message(&ann, |_, _| {}).is_ok()).count();
        assert!((10..=11).contains(&taken), "{taken}");
        assert!(matches!(limits.message(&ann, |_, _| {}), Err(Refusal::TooManyMessages { retry_after: 1 })));
        assert!(limits.message(&ben, |_, _| {}).is_ok());
        assert!(limits.request(&ann).is_ok());
        assert_eq!((0..100).take_while(|_| limits.report(&ann).is_ok()).count(), 20);
        let free = Limits::new(None, None);
        assert!((0..10_000).all(|_| free.message(&ann, |_, _| {}).is_ok() && free.request(&ann).is_ok()));
        assert!((0..10_000).any(|_| free.typing(&ann).is_err()));
    }
}
