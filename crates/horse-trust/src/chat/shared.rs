//! `conversation_updated`: two users are notified that a block between them has changed what their lists show.

use std::sync::Arc;

use super::access::{ordered, store_failed};
use super::service::Chat;
use super::view;
use crate::bus::BusEvent;
use crate::contract::{Refusal, ServerEvent};
use crate::id::Id;

/// How many conversations of the two are announced, newest first. A block is between two users and not in one
/// conversation, so a client that learns it of one knows it of all.
const MAX_ANNOUNCED: u32 = 10;

impl Chat {
    /// A block between two users was set or taken back, in whichever order they are given. Both are sent what their
    /// lists then show, at most ten times a second however often it changes.
    pub(super) fn note_block_change(&self, one: &Id, other: &Id) {
        self.block_changes.offer(ordered(one, other), ());
    }

    /// Sends `conversation_updated` after blocks changed, as long as it runs.
    pub(super) async fn announce_block_changes(self: Arc<Self>) {
        loop {
            for ((first, second), ()) in self.block_changes.due().await {
                for (user, other) in [(&first, &second), (&second, &first)] {
                    if let Err(refusal) = self.announce_shared(user, other).await {
                        tracing::warn!(%refusal, "a changed block was not announced to the two");
                    }
                }
            }
        }
    }

    /// Sends `user` the conversations with `other`, as the list shows them.
    async fn announce_shared(&self, user: &Id, other: &Id) -> Result<(), Refusal> {
        // Nothing has to be read for a user who is not there.
        if !self.bus.has_other_nodes() && !self.bus.has_socket(user) {
            return Ok(());
        }
        let keys = self.store.shared_conversations(user, other, MAX_ANNOUNCED).await;
        let keys = keys.map_err(store_failed("shared_conversations"))?;
        let summaries = self.store.conversation_summaries(&keys, user).await;
        let summaries = summaries.map_err(store_failed("conversation_summaries"))?;
        let online = self.online_in(&summaries).await;
        for summary in &summaries {
            let shown = view::conversation(summary, user, |id| online.contains(id));
            let event = ServerEvent::ConversationUpdated(Box::new(shown));
            self.bus.publish(BusEvent::Emit {
                name: event.name().into(),
                argument: event.argument(),
                conversation: None,
                users: vec![user.clone()],
                except: None,
            });
        }
        Ok(())
    }
}
