//! `conversation_updated`: a user's devices are sent what the list now shows of a conversation.
//!
//! Each node that has a device of the user reads the conversation anew before it sends it. So the last value sent is
//! current, whichever nodes made the changes, and a burst of changes is sent as one.

use std::sync::Arc;

use socketio::SocketId;

use super::access::store_failed;
use super::service::Chat;
use super::view;
use crate::bus::{BusEvent, Except};
use crate::contract::{CONVERSATION_UPDATED, Refusal, UpdateConversation};
use crate::id::Id;
use crate::json;
use crate::store::{Conversation, ConversationSummary, SettingsChange};

impl Chat {
    /// Changes what `user` has set for a conversation, and answers it as the list then shows it. The user's other devices
    /// are notified; `socket` is the one that asks.
    pub async fn update_conversation(
        self: &Arc<Self>,
        user: &Id,
        update: &UpdateConversation,
        socket: SocketId,
    ) -> Result<ConversationSummary, Refusal> {
        self.limits.request(user)?;
        let conversation = self.conversation(user, &update.conversation_id).get().await?;
        let &UpdateConversation { archived, muted, pinned, .. } = update;
        let change = SettingsChange { archived, muted, pinned };
        if change != SettingsChange::default() {
            let changed = self.store.change_settings(&conversation, user, change).await;
            changed.map_err(store_failed("change_settings"))?;
            self.note_conversation_change(user, &conversation, Some(socket));
        }
        let summary = self.store.conversation_summary(conversation.key, user).await;
        summary.map_err(store_failed("conversation_summary"))?.ok_or(Refusal::ConversationNotFound)
    }

    /// A conversation as `user`'s list shows it, as JSON.
    pub async fn conversation_json(&self, user: &Id, summary: &ConversationSummary) -> String {
        let online = self.online_in(std::slice::from_ref(summary)).await;
        json::encode(&view::conversation(summary, user, |id| online.contains(id)))
    }

    /// What `user` is shown of a conversation has changed: the user's devices are notified, on all nodes, but for `except`,
    /// which knows of it.
    pub(super) fn note_conversation_change(
        &self,
        user: &Id,
        conversation: &Conversation,
        except: Option<SocketId>,
    ) {
        if self.bus.has_other_nodes() {
            let conversation = conversation.key;
            self.bus.publish(BusEvent::ConversationChanged { user: user.clone(), conversation });
        }
        self.conversation_changed(user, conversation.key, except);
    }

    /// As [`Chat::note_conversation_change`], for the devices on this node.
    pub(super) fn conversation_changed(&self, user: &Id, conversation: i64, except: Option<SocketId>) {
        if self.bus.has_socket(user) {
            // A device that made one of two changes does not know of the other.
            let both =
                |waiting: &Option<SocketId>, except: Option<SocketId>| except.filter(|_| *waiting == except);
            self.conversation_changes.insert((user.clone(), conversation), except, both);
        }
    }

    /// Sends `conversation_updated` after conversations changed, as long as it runs.
    pub(super) async fn announce_conversation_changes(self: Arc<Self>) {
        loop {
            for ((user, conversation), except) in self.conversation_changes.due().await {
                if let Err(refusal) = self.announce_conversation(&user, conversation, except).await {
                    tracing::warn!(%refusal, "a user was not notified of a changed conversation");
                }
            }
        }
    }

    pub(super) async fn announce_conversation(
        &self,
        user: &Id,
        conversation: i64,
        except: Option<SocketId>,
    ) -> Result<(), Refusal> {
        let summary = self.store.conversation_summary(conversation, user).await;
        let Some(summary) = summary.map_err(store_failed("conversation_summary"))? else { return Ok(()) };
        self.bus.publish_locally(&BusEvent::Emit {
            name: CONVERSATION_UPDATED.into(),
            argument: self.conversation_json(user, &summary).await,
            conversation: None,
            users: vec![user.clone()],
            except: except.map(Except::Everywhere),
        });
        Ok(())
    }
}
