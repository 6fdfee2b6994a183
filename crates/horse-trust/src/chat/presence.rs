//! Who is there: users counted by their devices, with a grace for those who come back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Chat;
use crate::contract::{Presence as PresenceArgument, ServerEvent};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// How many users are looked up in one read.
const BATCH: usize = 256;
/// How long after a user came the others are told: many come at once, and some only for a moment.
const DELAY: Duration = Duration::from_millis(250);

/// The users who have a device on this node, and those who are about to be told of.
pub(super) struct Presence {
    state: Mutex<State>,
    changed: Notify,
    /// How long a user may be without a device before it is told.
    grace: Duration,
}

#[derive(Default)]
struct State {
    users: HashMap<Id, User>,
    /// Users who came, and when to tell of it.
    came: VecDeque<(Instant, Id)>,
    /// Users whose last device went, in the order in which it did; an entry of one who came back is passed over.
    went: VecDeque<(Instant, Id)>,
}

struct User {
    devices: usize,
    /// When the last device went, while there is none.
    gone_at: Option<(Instant, Timestamp)>,
}

/// What others are to be told.
struct Change {
    user: Id,
    /// When the last device went; `None` if the user is there.
    last_seen: Option<Timestamp>,
}

impl Presence {
    pub(super) fn new(grace: Duration) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), grace }
    }

    pub(super) fn device_connected(&self, user: &Id) {
        let mut state = self.state.lock();
        if let Some(known) = state.users.get_mut(user) {
            known.devices += 1;
            known.gone_at = None;
            return;
        }
        state.users.insert(user.clone(), User { devices: 1, gone_at: None });
        state.came.push_back((Instant::now() + DELAY, user.clone()));
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn device_disconnected(&self, user: &Id) {
        let mut state = self.state.lock();
        let Some(known) = state.users.get_mut(user) else { return };
        known.devices = known.devices.saturating_sub(1);
        if known.devices == 0 {
            let now = Instant::now();
            known.gone_at = Some((now, Timestamp::now()));
            state.went.push_back((now, user.clone()));
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Users who went with another node: this one says that they are gone, if they do not come back in time.
    pub(super) fn adopt(&self, users: &[Id], last_seen: Timestamp) {
        let now = Instant::now();
        let mut state = self.state.lock();
        for user in users {
            if !state.users.contains_key(user) {
                state.users.insert(user.clone(), User { devices: 0, gone_at: Some((now, last_seen)) });
                state.went.push_back((now, user.clone()));
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn is_online(&self, user: &Id) -> bool {
        self.state.lock().users.contains_key(user)
    }

    /// All who count as there.
    pub(super) fn users(&self) -> Vec<Id> {
        self.state.lock().users.keys().cloned().collect()
    }

    /// Waits for changes, and takes up to a batch of them.
    async fn next(&self) -> Vec<Change> {
        loop {
            let wait = {
                let mut state = self.state.lock();
                let changes = state.take_due(self.grace);
                if !changes.is_empty() {
                    return changes;
                }
                let next_gone = state.went.front().map(|(at, _)| *at + self.grace);
                next_gone.into_iter().chain(state.came.front().map(|(at, _)| *at)).min()
            };
            match wait {
                Some(until) => tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }
}

impl State {
    fn take_due(&mut self, grace: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        let now = Instant::now();
        while changes.len() < BATCH
            && let Some((_, user)) = self.came.pop_front_if(|(at, _)| *at <= now)
        {
            changes.push(Change { user, last_seen: None });
        }
        while changes.len() < BATCH && self.went.front().is_some_and(|(at, _)| *at + grace <= now) {
            let Some((at, user)) = self.went.pop_front() else { break };
            let gone = self.users.get(&user).and_then(|known| known.gone_at).filter(|(gone, _)| *gone == at);
            if let Some((_, last_seen)) = gone {
                self.users.remove(&user);
                changes.push(Change { user, last_seen: Some(last_seen) });
            }
        }
        if self.users.is_empty() && self.users.capacity() > 1024 {
            *self = Self::default();
        }
        changes
    }
}

impl Chat {
    /// A device of `user` is connected.
    pub fn device_connected(&self, user: &Id) {
        self.presence.device_connected(user);
    }

    /// A device of `user` is no longer connected.
    pub fn device_disconnected(&self, user: &Id) {
        self.presence.device_disconnected(user);
    }

    /// Tells those who share a conversation with a user that the user came or went, as long as it runs.
    pub(super) async fn notify_presence(self: Arc<Self>) {
        loop {
            let changes = self.changed_everywhere(self.presence.next().await).await;
            let gone: Vec<_> =
                changes.iter().filter_map(|change| Some((change.user.clone(), change.last_seen?))).collect();
            if !gone.is_empty()
                && let Err(error) = self.store.set_last_seen(gone).await
            {
                tracing::error!(%error, "when users were last seen was not stored");
            }
            let users = changes.iter().map(|change| change.user.clone()).collect();
            match self.store.partners_of(users).await {
                Ok(partners) => {
                    for (change, partners) in changes.into_iter().zip(partners) {
                        self.notify_partners(&change, partners).await;
                    }
                }
                Err(error) => tracing::error!(%error, "nobody was told who came and who went"),
            }
        }
    }

    /// Notes changes for all nodes, and leaves those that change whether a user is anywhere.
    async fn changed_everywhere(&self, all: Vec<Change>) -> Vec<Change> {
        let (gone, came): (Vec<_>, Vec<_>) = all.into_iter().partition(|change| change.last_seen.is_some());
        let mut kept = Vec::new();
        for (changes, are_present) in [(came, true), (gone, false)] {
            if changes.is_empty() {
                continue;
            }
            let users: Vec<_> = changes.iter().map(|change| change.user.clone()).collect();
            let answers = self.bus.set_present(&users, are_present).await;
            kept.extend(
                changes.into_iter().zip(answers).filter(|(_, is_new)| *is_new).map(|(change, _)| change),
            );
        }
        kept
    }

    /// Stores when those were last seen who go with the server.
    pub(super) async fn store_last_seen(&self) {
        let seen: Vec<_> = {
            let state = self.presence.state.lock();
            let at = |user: &User| user.gone_at.map_or_else(Timestamp::now, |(_, at)| at);
            state.users.iter().map(|(id, user)| (id.clone(), at(user))).collect()
        };
        if !seen.is_empty()
            && let Err(error) = self.store.set_last_seen(seen).await
        {
            tracing::error!(%error, "when users were last seen was not stored");
        }
    }

    async fn notify_partners(&self, change: &Change, partners: Vec<Id>) {
        let (online, last_seen) = (change.last_seen.is_none(), change.last_seen);
        let event = ServerEvent::Presence(PresenceArgument { user_id: &change.user, online, last_seen });
        self.bus.publish_to_each(event.name(), &event.argument(), &partners).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    async fn next(presence: &Presence) -> Vec<(String, bool)> {
        let changes = tokio::time::timeout(GRACE * 2, presence.next()).await.unwrap_or_default();
        changes.iter().map(|change| (change.user.to_string(), change.last_seen.is_none())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn devices_are_counted_and_who_comes_back_in_time_was_never_away() {
        let presence = Presence::new(GRACE);
        let ann = Id::parse("ann").unwrap();
        presence.device_connected(&ann);
        presence.device_connected(&ann);
        assert_eq!(next(&presence).await, [("ann".to_owned(), true)]);
        presence.device_disconnected(&ann);
        assert_eq!(next(&presence).await, []);
        presence.device_disconnected(&ann);
        tokio::time::advance(GRACE / 2).await;
        presence.device_connected(&ann);
        assert_eq!(next(&presence).await, []);
        assert!(presence.is_online(&ann));
        presence.device_disconnected(&ann);
        let began = Instant::now();
        assert_eq!(next(&presence).await, [("ann".to_owned(), false)]);
        assert!(began.elapsed() >= GRACE);
        assert!(!presence.is_online(&ann));
        presence.device_connected(&ann);
        assert_eq!(next(&presence).await, [("ann".to_owned(), true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_went_with_another_node_has_the_grace_too() {
        let presence = Presence::new(GRACE);
        let [ann, ben, cat] = ["ann", "ben", "cat"].map(|id| Id::parse(id).unwrap());
        presence.device_connected(&cat);
        assert_eq!(next(&presence).await, [("cat".to_owned(), true)]);
        presence.adopt(&[ann.clone(), ben.clone(), cat.clone()], Timestamp(5));
        presence.device_connected(&ben);
        assert_eq!(next(&presence).await, [("ann".to_owned(), false)]);
        assert_eq!([&ann, &ben, &cat].map(|user| presence.is_online(user)), [false, true, true]);
    }
}
