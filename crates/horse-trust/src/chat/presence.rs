//! Notifies users when those with whom they share a conversation come online and go offline.

use std::sync::Arc;

use tokio::time::Instant;

use super::presence_tracker::Change;
use super::service::Chat;
use crate::bus::{PresenceEvent, PresenceVersion};
use crate::contract::{Presence, ServerEvent};
use crate::id::Id;
use crate::timestamp::Timestamp;

impl Chat {
    /// A device of `user` has connected.
    pub fn device_connected(&self, user: &Id) {
        self.presence.lock().connect(user, Instant::now());
        self.presence_changed.notify_one();
    }

    /// A device of `user` has disconnected.
    pub fn device_disconnected(&self, user: &Id) {
        self.presence.lock().disconnect(user, Instant::now(), Timestamp::now());
        self.presence_changed.notify_one();
    }

    /// Users who were present on a node that died.
    pub(super) fn adopt_users(&self, users: &[Id], last_seen: Timestamp) {
        self.presence.lock().adopt(users, last_seen, Instant::now());
        self.presence_changed.notify_one();
    }

    /// Waits for changes, and takes up to a batch of them.
    async fn next_changes(&self) -> Vec<Change> {
        loop {
            let due = {
                let mut tracker = self.presence.lock();
                let changes = tracker.take_due(Instant::now());
                if !changes.is_empty() {
                    return changes;
                }
                tracker.next_due()
            };
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.presence_changed.notified() => {}
                },
                None => self.presence_changed.notified().await,
            }
        }
    }

    /// Notifies others of changes, as long as it runs.
    pub(super) async fn notify_presence(self: Arc<Self>) {
        loop {
            let changes = self.changes_anywhere(self.next_changes().await).await;
            let left: Vec<_> = changes
                .iter()
                .filter_map(|(change, _)| Some((change.user.clone(), change.last_seen?)))
                .collect();
            if !left.is_empty() {
                self.set_last_seen(left).await;
            }
            let users = changes.iter().map(|(change, _)| change.user.clone()).collect();
            match self.store.partners_of(users).await {
                Ok(partners) => {
                    for ((change, version), partners) in changes.into_iter().zip(partners) {
                        self.notify_partners(&change, version, &partners).await;
                    }
                }
                Err(error) => tracing::error!(%error, "nobody was notified of changed presence"),
            }
        }
    }

    /// Notes changes for all nodes, and keeps those that change whether a user is present anywhere.
    async fn changes_anywhere(&self, all: Vec<Change>) -> Vec<(Change, PresenceVersion)> {
        let (left, arrived): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|change| change.last_seen.is_some());
        let mut kept = Vec::new();
        for (changes, are_present) in [(arrived, true), (left, false)] {
            if changes.is_empty() {
                continue;
            }
            let users: Vec<_> = changes.iter().map(|change| change.user.clone()).collect();
            let versions = self.bus.set_present(&users, are_present).await;
            kept.extend(
                changes.into_iter().zip(versions).filter_map(|(change, version)| Some((change, version?))),
            );
        }
        kept
    }

    /// Stores when the users were last seen who are still connected when the server ends.
    pub(super) async fn store_last_seen(&self) {
        let seen = self.presence.lock().last_seen(Timestamp::now());
        if !seen.is_empty() {
            self.set_last_seen(seen).await;
        }
    }

    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) {
        if let Err(error) = self.store.set_last_seen(seen).await {
            tracing::error!(%error, "when users were last seen was not stored");
        }
    }

    async fn notify_partners(&self, change: &Change, version: PresenceVersion, partners: &[Id]) {
        let Change { user, last_seen } = change;
        let (online, last_seen) = (last_seen.is_none(), *last_seen);
        let event = ServerEvent::Presence(Presence { user_id: user, online, last_seen });
        let (name, argument) = (event.name(), event.argument());
        let event = PresenceEvent { user: user.clone(), version, name, argument };
        self.bus.publish_presence(&event, partners).await;
    }
}
