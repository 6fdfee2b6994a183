//! Blocks and reports, and what admins read.

use std::sync::Arc;

use serde::Serialize;
use socketio::SocketId;
use tokio::sync::oneshot;

use super::access::store_failed;
use super::service::Chat;
use super::view;
use crate::bus::{BusEvent, Except};
use crate::contract::{BlockedUser, Presence, Refusal, ReportMessage, ServerEvent};
use crate::id::Id;
use crate::store::{NewReport, Page, Profile};

impl Chat {
    /// Sets or removes the block of `user` on another. After the answer neither receives anything of the other.
    pub async fn set_block(
        self: &Arc<Self>,
        user: &Id,
        other: &str,
        is_blocked: bool,
        socket: Option<SocketId>,
    ) -> Result<(), Refusal> {
        let other = Id::parse(other).map_err(|_| Refusal::InvalidRecipient)?;
        if other == *user {
            return Err(Refusal::BlockOfSelf);
        }
        self.limits.request(user)?;
        if is_blocked {
            self.limits.block(user)?;
        }
        // The answer does not say whether there is such a user, or guessed ids could be tried. For the same reason strangers
        // are not notified of each other's presence.
        let are_partners = is_blocked && self.are_partners(user, &other).await?;
        let (sender, receiver) = oneshot::channel();
        let (chat, blocker, other_user) = (Arc::clone(self), user.clone(), other.clone());
        let done = Box::new(move |result: crate::store::Result<()>| {
            if result.is_ok() {
                chat.block_changed(&blocker, &other_user, is_blocked, socket);
                if are_partners {
                    // While a block stands, the two are offline for each other.
                    chat.notify_presence_to(&blocker, &other_user, false);
                    chat.notify_presence_to(&other_user, &blocker, false);
                }
            }
            drop(sender.send(result));
        });
        self.store.set_block(user, &other, is_blocked, done);
        receiver.await.map_err(|_| Refusal::StoreFailed)?.map_err(store_failed("set_block"))?;
        if !is_blocked {
            self.show_to_each_other(user, &other).await?;
        }
        Ok(())
    }

    /// Whether the two share a conversation that both see, and no block stands between them.
    async fn are_partners(&self, one: &Id, other: &Id) -> Result<bool, Refusal> {
        let partners =
            self.store.partners_of(vec![one.clone()]).await.map_err(store_failed("partners_of"))?;
        Ok(partners.iter().flatten().any(|partner| partner == other))
    }

    /// A block was removed: unless the other's stands, the two see each other's presence again.
    async fn show_to_each_other(&self, one: &Id, other: &Id) -> Result<(), Refusal> {
        if !self.are_partners(one, other).await? {
            return Ok(());
        }
        let elsewhere = self.bus.present_elsewhere(&[one.clone(), other.clone()]).await;
        for ((shown, receiver), is_elsewhere) in [(one, other), (other, one)].into_iter().zip(elsewhere) {
            // Offline is what was shown while the block stood.
            if is_elsewhere || self.presence.lock().is_present(shown) {
                self.notify_presence_to(receiver, shown, true);
            }
        }
        Ok(())
    }

    fn notify_presence_to(&self, receiver: &Id, shown: &Id, is_online: bool) {
        let event = ServerEvent::Presence(Presence { user_id: shown, online: is_online, last_seen: None });
        self.bus.publish(BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: None,
            users: vec![receiver.clone()],
            except: None,
        });
    }

    fn block_changed(&self, blocker: &Id, other: &Id, is_blocked: bool, socket: Option<SocketId>) {
        self.set_cached_block(blocker, other, is_blocked);
        self.bus.publish(BusEvent::BlocksChanged { users: [blocker.clone(), other.clone()] });
        self.note_block_change(blocker, other);
        let user = BlockedUser { user_id: other };
        let event =
            if is_blocked { ServerEvent::UserBlocked(user) } else { ServerEvent::UserUnblocked(user) };
        self.bus.publish(BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: None,
            users: vec![blocker.clone()],
            except: socket.map(Except::Everywhere),
        });
    }

    /// Whom `user` has blocked; without a profile for those with whom the user has no conversation.
    pub async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>, Refusal> {
        self.store.blocked_by(user).await.map_err(store_failed("blocked_by"))
    }

    /// Stores a report on a message of the other participant; answers its id, for a repetition that of the first.
    pub async fn report_message(&self, user: &Id, message_id: &str, reason: &str) -> Result<Id, Refusal> {
        self.limits.request(user)?;
        let (conversation, message) = self.message(user, message_id).await?;
        if message.sender == *user {
            return Err(Refusal::ReportOfSelf);
        }
        if message.sender == Id::SYSTEM {
            return Err(Refusal::ReportOfPlatform);
        }
        let reason = ReportMessage::check(reason)?;
        if let Some(known) =
            self.store.report_by(user, &message.id).await.map_err(store_failed("report_by"))?
        {
            return Ok(known);
        }
        self.limits.report(user)?;
        let report =
            NewReport { conversation, seq: message.seq, reporter: user.clone(), reason: reason.to_owned() };
        let id = self.store.report(report).await.map_err(store_failed("report"))?;
        tracing::info!(report = %id, reporter = %user, message_id = %message.id, "a message was reported");
        Ok(id)
    }

    /// Texts that were edited away or deleted, as JSON, newest first; for admins alone.
    pub async fn withdrawn(
        &self,
        conversation: Option<&Id>,
        page: Page,
    ) -> Result<Vec<serde_json::Value>, Refusal> {
        let texts = self.store.withdrawn(conversation, page).await.map_err(store_failed("withdrawn"))?;
        let mut views = Vec::with_capacity(texts.len());
        for text in &texts {
            let sender = self.profile(&text.sender).await?;
            views.push(json(view::withdrawn(text, sender.as_deref())));
        }
        Ok(views)
    }

    /// Deletes texts that were kept for long enough.
    pub(super) async fn forget_withdrawn(&self) {
        match self.store.forget_withdrawn(self.config.withdrawn_retention).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "withdrawn texts were forgotten"),
            Err(error) => tracing::error!(%error, "withdrawn texts were not forgotten"),
        }
    }
}

fn json(view: impl Serialize) -> serde_json::Value {
    serde_json::to_value(view).expect("texts, numbers and booleans can always be written")
}
