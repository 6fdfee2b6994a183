//! What users are notified of when another one is erased.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::service::Chat;
use super::view;
use crate::id::Id;
use crate::store::{Change, Changed, Conversation, StoreError};

/// How many messages are erased in one go: in a store of several nodes, the writes of all nodes wait for them.
const ERASED_AT_ONCE: usize = 20;
/// After how long no node takes a message of a user whose tokens were made void.
const FOLLOWED: Duration = Duration::from_secs(1);
/// The same for one node, on which a message may be on its way to the store.
const FOLLOWED_ALONE: Duration = Duration::from_millis(100);

impl Chat {
    /// The account of a user was erased in the store: the tokens are void and the sockets closed, on all nodes.
    pub async fn account_erased(&self, user: &Id) -> Result<(), StoreError> {
        self.profile_changed(user);
        let standing = self.store.standing(user).await?;
        if let Some(revocation) = standing.revocation {
            self.sessions_ended(user, revocation);
        }
        self.apply_standing(standing);
        Ok(())
    }

    /// Waits until every node knows that the tokens of a user are void, and stores no further message of the user.
    pub async fn wait_for_nodes(&self) {
        sleep(if self.bus.has_other_nodes() { FOLLOWED } else { FOLLOWED_ALONE }).await;
    }

    /// Erases messages of a user who is erased, and notifies both participants of each as of any that is deleted.
    pub async fn erase_messages(
        self: &Arc<Self>,
        conversation: &Arc<Conversation>,
        seqs: &[i64],
    ) -> Result<(), StoreError> {
        for part in seqs.chunks(ERASED_AT_ONCE) {
            let outcomes: Vec<_> = part.iter().map(|seq| self.erase_message(conversation, *seq)).collect();
            for outcome in outcomes {
                outcome.await.unwrap_or_else(|_| Err(StoreError::Engine("the store is closed".into())))?;
            }
        }
        Ok(())
    }

    fn erase_message(
        self: &Arc<Self>,
        conversation: &Arc<Conversation>,
        seq: i64,
    ) -> oneshot::Receiver<Result<(), StoreError>> {
        let change = Change {
            conversation: Arc::clone(conversation),
            seq,
            text: None,
            window: None,
            is_erasure: true,
        };
        let (erased, outcome) = oneshot::channel();
        let (chat, conversation) = (Arc::clone(self), Arc::clone(conversation));
        let callback = move |changed: Result<Changed, StoreError>| {
            if let Ok(Changed::Done { message, unread }) = &changed {
                let json = view::message(&conversation, None, message).to_json();
                chat.publish_change(&conversation, message, &json, true);
                chat.note_unread_of(&conversation, &message.sender, *unread);
            }
            // Nobody waits if the server shuts down.
            drop(erased.send(changed.map(drop)));
        };
        self.store.change_message(change, Box::new(callback));
        outcome
    }
}
