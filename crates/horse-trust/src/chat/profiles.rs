//! `user_updated`: those who see a user in their lists are notified that the profile changed.

use std::sync::Arc;

use super::service::Chat;
use super::view;
use crate::bus::BusEvent;
use crate::contract::{Refusal, ServerEvent};
use crate::id::Id;

/// For how many changed users the store is asked at once who sees them.
const ASKED_AT_ONCE: usize = 50;

impl Chat {
    /// The profile of a user changed in the store. Each node reads that from the store, and notifies the users who are
    /// connected to it, at most ten times a second however often it changes.
    pub(super) fn note_profile_change(&self, user: &Id) {
        // A node without a device has nobody to notify.
        if !self.presence.lock().is_empty() {
            self.profile_changes.offer(user.clone(), ());
        }
    }

    /// Sends `user_updated` after profiles changed, as long as it runs.
    pub(super) async fn announce_profile_changes(self: Arc<Self>) {
        loop {
            let changed: Vec<_> =
                self.profile_changes.due().await.into_iter().map(|(user, ())| user).collect();
            for users in changed.chunks(ASKED_AT_ONCE) {
                match self.store.viewers_of(users.to_vec()).await {
                    Ok(viewers) => {
                        for (user, viewers) in users.iter().zip(viewers) {
                            if let Err(refusal) = self.announce_profile(user, viewers).await {
                                tracing::warn!(%refusal, %user, "a changed profile was not announced");
                            }
                        }
                    }
                    Err(error) => tracing::warn!(%error, "changed profiles were not announced"),
                }
            }
        }
    }

    /// Sends the profile of `user` to the devices that the user and `viewers` have on this node.
    async fn announce_profile(&self, user: &Id, viewers: Vec<Id>) -> Result<(), Refusal> {
        let users: Vec<_> =
            viewers.into_iter().chain([user.clone()]).filter(|viewer| self.bus.has_device(viewer)).collect();
        if users.is_empty() {
            return Ok(());
        }
        let profile = self.profile(user).await?;
        let event = ServerEvent::UserUpdated(view::profile(user, profile.as_deref()));
        self.bus.publish_locally(&BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: None,
            users,
            except: None,
        });
        Ok(())
    }
}
