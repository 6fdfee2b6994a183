//! Notifications of presence arrive from several nodes in any order: one that is older than the last one delivered is
//! dropped, and so is one that says the same again. Pure: the time is given.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use super::api::PresenceVersion;
use crate::id::Id;

/// How many are remembered at most, about 150 bytes each. Beyond, the oldest are forgotten, and order is not checked for
/// them.
const MAX_REMEMBERED: usize = 16_384;

/// Who was notified of whom.
type Pair = (Id, Id);

/// What was delivered lately to the sockets of this node.
#[derive(Default)]
pub(crate) struct PresenceFilter {
    delivered: HashMap<Pair, Delivered>,
    /// What `delivered` has, the oldest first; an entry that was replaced is ignored.
    order: VecDeque<(Instant, Pair)>,
}

struct Delivered {
    version: PresenceVersion,
    /// The argument's hash.
    argument: u64,
    at: Instant,
}

impl PresenceFilter {
    /// How long a delivered notification is remembered: longer than one may be under way.
    pub(crate) const REMEMBERED: Duration = Duration::from_secs(10);

    /// Whether `receiver` is to be notified of `user` with this argument; from then on it counts as delivered.
    pub(crate) fn admits(
        &mut self,
        receiver: &Id,
        user: &Id,
        version: PresenceVersion,
        argument: &str,
        now: Instant,
    ) -> bool {
        self.forget(now);
        // Without Redis there is no order over the nodes.
        if version == PresenceVersion::UNKNOWN {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        argument.hash(&mut hasher);
        let delivered = Delivered { version, argument: hasher.finish(), at: now };
        let pair = (receiver.clone(), user.clone());
        let last = self.delivered.get(&pair);
        if last.is_some_and(|last| last.version > version) {
            return false;
        }
        let is_repetition = last.is_some_and(|last| last.argument == delivered.argument);
        self.order.push_back((now, pair.clone()));
        self.delivered.insert(pair, delivered);
        !is_repetition
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, pair)) = self
            .order
            .front()
            .filter(|(at, _)| *at + Self::REMEMBERED < now || self.order.len() > MAX_REMEMBERED)
        {
            if self.delivered.get(pair).is_some_and(|delivered| delivered.at == *at) {
                self.delivered.remove(pair);
            }
            self.order.pop_front();
        }
        if self.order.is_empty() && self.order.capacity() > 1024 {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_in_time_and_number() {
        let mut filter = PresenceFilter::default();
        let ann = Id::parse("ann").unwrap();
        let begin = Instant::now();
        for number in 0..2 * MAX_REMEMBERED {
            let user = Id::parse(&format!("user-{number}")).unwrap();
            assert!(filter.admits(&ann, &user, PresenceVersion(7), "x", begin));
        }
        assert!(filter.order.len() <= MAX_REMEMBERED + 1 && filter.delivered.len() == filter.order.len());
        let user = Id::parse("user").unwrap();
        assert!(filter.admits(&ann, &user, PresenceVersion(7), "x", begin));
        assert!(!filter.admits(&ann, &user, PresenceVersion(6), "y", begin + PresenceFilter::REMEMBERED));
        assert!(filter.admits(&ann, &user, PresenceVersion(6), "y", begin + 2 * PresenceFilter::REMEMBERED));
        assert_eq!((filter.order.len(), filter.delivered.len()), (1, 1));
    }
}
