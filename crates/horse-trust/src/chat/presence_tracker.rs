//! Which users are present on this node. Pure: the time is given, and what others have to be notified of is taken from it.
//!
//! A user is present from the first device on, until the grace period after the last one is over. Others are notified a
//! moment after the first device has connected, because many connect at once and some only for that moment.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::Id;
use crate::timestamp::Timestamp;

/// How many changes are taken at once.
const BATCH: usize = 256;
/// How long after the first device connected others are notified.
pub(super) const ARRIVAL_DELAY: Duration = Duration::from_millis(250);

/// The users who are present on this node.
pub(super) struct PresenceTracker {
    /// How long a user without a device counts as present.
    grace: Duration,
    users: HashMap<Id, User>,
    /// Users whose first device connected, and when others are to be notified. An entry of a user who has been announced, or
    /// is no longer present, is ignored.
    arrivals: VecDeque<(Instant, Id)>,
    /// Users whose last device disconnected, and when. An entry of a user who has reconnected is ignored.
    departures: VecDeque<(Instant, Id)>,
}

struct User {
    devices: usize,
    /// Whether others were notified that the user is present.
    is_announced: bool,
    /// When the last device disconnected, while there is none.
    left_at: Option<(Instant, Timestamp)>,
}

/// What others are to be notified of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) user: Id,
    /// When the last device disconnected; `None` if the user is present.
    pub(super) last_seen: Option<Timestamp>,
}

impl PresenceTracker {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, users: HashMap::new(), arrivals: VecDeque::new(), departures: VecDeque::new() }
    }

    /// A device of `user` has connected.
    pub(super) fn connect(&mut self, user: &Id, now: Instant) {
        if let Some(known) = self.users.get_mut(user) {
            known.devices += 1;
            known.left_at = None;
            return;
        }
        self.users.insert(user.clone(), User { devices: 1, is_announced: false, left_at: None });
        self.arrivals.push_back((now + ARRIVAL_DELAY, user.clone()));
    }

    /// A device of `user` has disconnected.
    pub(super) fn disconnect(&mut self, user: &Id, now: Instant, timestamp: Timestamp) {
        let Some(known) = self.users.get_mut(user) else { return };
        known.devices = known.devices.saturating_sub(1);
        if known.devices == 0 {
            known.left_at = Some((now, timestamp));
            self.departures.push_back((now, user.clone()));
        }
    }

    /// Users who were present on a node that died: they are present here until the grace period is over.
    pub(super) fn adopt(&mut self, users: &[Id], last_seen: Timestamp, now: Instant) {
        for user in users {
            if let Some(known) = self.users.get_mut(user) {
                // Others were notified by the dead node.
                known.is_announced = true;
                continue;
            }
            let left_at = Some((now, last_seen));
            self.users.insert(user.clone(), User { devices: 0, is_announced: true, left_at });
            self.departures.push_back((now, user.clone()));
        }
    }

    pub(super) fn is_present(&self, user: &Id) -> bool {
        self.users.contains_key(user)
    }

    /// Whether nobody is present.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(super) fn users(&self) -> Vec<Id> {
        self.users.keys().cloned().collect()
    }

    /// All users, with when they were last seen; now, if they have a device.
    pub(super) fn last_seen(&self, now: Timestamp) -> Vec<(Id, Timestamp)> {
        let seen = |user: &User| user.left_at.map_or(now, |(_, at)| at);
        self.users.iter().map(|(id, user)| (id.clone(), seen(user))).collect()
    }

    /// When there will be changes to take, if nothing happens before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let departure = self.departures.front().map(|(at, _)| *at + self.grace);
        departure.into_iter().chain(self.arrivals.front().map(|(at, _)| *at)).min()
    }

    /// Takes up to a batch of what others are to be notified of now. The changes of one user alternate.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < BATCH
            && let Some((_, user)) = self.arrivals.pop_front_if(|(at, _)| *at <= now)
        {
            if let Some(known) = self.users.get_mut(&user)
                && !std::mem::replace(&mut known.is_announced, true)
            {
                changes.push(Change { user, last_seen: None });
            }
        }
        while changes.len() < BATCH
            && let Some((at, user)) = self.departures.pop_front_if(|(at, _)| *at + self.grace <= now)
        {
            let Some(known) = self.users.get(&user) else { continue };
            let Some((_, last_seen)) = known.left_at.filter(|(left, _)| *left == at) else { continue };
            // A user who left before others were notified was never there for them.
            let was_announced = known.is_announced;
            self.users.remove(&user);
            if was_announced {
                changes.push(Change { user, last_seen: Some(last_seen) });
            }
        }
        // The room that many users took at once is not kept.
        if self.users.is_empty() && self.users.capacity() > 1024 {
            *self = Self::new(self.grace);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    /// Takes all changes up to `until`, as user and whether they are present.
    fn take(tracker: &mut PresenceTracker, until: Instant) -> Vec<(String, bool)> {
        let mut taken = Vec::new();
        while let Some(due) = tracker.next_due().filter(|due| *due <= until) {
            let changes = tracker.take_due(due).into_iter();
            taken.extend(changes.map(|change| (change.user.to_string(), change.last_seen.is_none())));
        }
        taken
    }

    #[test]
    fn devices_are_counted_and_a_user_who_reconnects_in_time_was_never_away() {
        let (mut tracker, ann, begin) = (PresenceTracker::new(GRACE), id("ann"), Instant::now());
        tracker.connect(&ann, begin);
        tracker.connect(&ann, begin);
        assert_eq!(take(&mut tracker, begin + GRACE), [("ann".to_owned(), true)]);
        tracker.disconnect(&ann, begin + GRACE, Timestamp(1));
        assert_eq!(take(&mut tracker, begin + GRACE * 3), []);
        tracker.disconnect(&ann, begin + GRACE * 3, Timestamp(2));
        tracker.connect(&ann, begin + GRACE * 3 + GRACE / 2);
        assert_eq!(take(&mut tracker, begin + GRACE * 5), []);
        assert!(tracker.is_present(&ann));
        tracker.disconnect(&ann, begin + GRACE * 5, Timestamp(3));
        assert_eq!(tracker.next_due(), Some(begin + GRACE * 6));
        assert_eq!(take(&mut tracker, begin + GRACE * 6), [("ann".to_owned(), false)]);
        assert!(!tracker.is_present(&ann));
    }

    #[test]
    fn users_of_a_dead_node_have_the_grace_period_too() {
        let mut tracker = PresenceTracker::new(GRACE);
        let ([ann, ben, cat], begin) = (["ann", "ben", "cat"].map(id), Instant::now());
        tracker.connect(&cat, begin);
        assert_eq!(take(&mut tracker, begin + GRACE), [("cat".to_owned(), true)]);
        tracker.adopt(&[ann.clone(), ben.clone(), cat.clone()], Timestamp(5), begin + GRACE);
        tracker.connect(&ben, begin + GRACE);
        assert_eq!(take(&mut tracker, begin + GRACE * 3), [("ann".to_owned(), false)]);
        assert_eq!([&ann, &ben, &cat].map(|user| tracker.is_present(user)), [false, true, true]);
    }

    #[test]
    fn a_user_who_leaves_before_others_are_notified_was_never_there() {
        let (mut tracker, ann, begin) = (PresenceTracker::new(Duration::ZERO), id("ann"), Instant::now());
        tracker.connect(&ann, begin);
        tracker.disconnect(&ann, begin, Timestamp(1));
        assert_eq!(take(&mut tracker, begin + GRACE), []);
        assert!(!tracker.is_present(&ann));
    }
}
