//! Erases users: the account at once, the rest part by part in a task of its own, which goes on after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::people::PersonError;
use crate::chat::Chat;
use crate::id::{Id, IdGenerator};
use crate::store::{Actor, Erasure, NewAuditEntry, Person, Store, StoreError};

/// How long a request waits until everything is erased: most users have been by then, and no proxy gives up earlier.
const ANSWERED_AFTER: Duration = Duration::from_secs(20);
/// How often a request looks whether everything is erased.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The lease of the node that erases.
const LEASE: &str = "erasures";
/// How long the lease holds. When its node is killed, another one goes on after that.
const LEASE_TIME: Duration = Duration::from_secs(15);
/// How often the lease is prolonged.
const LEASE_INTERVAL: Duration = Duration::from_secs(5);
/// After how long a node looks again while another one has the lease.
const WAIT_FOR_LEASE: Duration = Duration::from_secs(1);
/// How long until unfinished erasures are looked for again: some failed, or their node was killed.
const RETRY_INTERVAL: Duration = Duration::from_mins(1);

/// Erases users.
pub struct Erasures {
    chat: Arc<Chat>,
    store: Arc<dyn Store>,
    /// Names this process, for the lease.
    holder: Id,
    /// Notified when an erasure was begun on this node.
    begun: Notify,
}

impl Erasures {
    /// Erasures in `store`.
    pub fn new(chat: Arc<Chat>, store: Arc<dyn Store>) -> Self {
        Self { chat, store, holder: IdGenerator::new().next(), begun: Notify::new() }
    }

    /// Erases a user: at once the account, with which all tokens become void, and then the rest. Answers whether all is
    /// erased by now, and what is left of the account. What takes longer goes on.
    pub async fn erase(
        &self,
        user: &Id,
        with_messages: bool,
        actor: Actor,
    ) -> Result<(bool, Person), PersonError> {
        let messages = if with_messages { "delete" } else { "keep" };
        let entry = NewAuditEntry::new(actor, "user.erase", Some(user.clone()));
        let entry = entry.with(&serde_json::json!({"messages": messages}));
        if !self.store.begin_erasure(user, with_messages, entry).await? {
            return Err(PersonError::Unknown);
        }
        self.begun.notify_one();
        self.chat.account_erased(user).await?;
        let is_finished = timeout(ANSWERED_AFTER, self.finished(user)).await.unwrap_or(Ok(false))?;
        let person = self.store.person(user).await?.ok_or(PersonError::Unknown)?;
        Ok((is_finished, person))
    }

    /// Waits until no erasure of the user is left.
    async fn finished(&self, user: &Id) -> Result<bool, StoreError> {
        loop {
            sleep(LOOK_INTERVAL).await;
            if self.store.erasures().await?.iter().all(|erasure| erasure.user != *user) {
                return Ok(true);
            }
        }
    }

    /// Does what is left of erasures, as long as it runs: of those that are begun here, and of those that were begun before
    /// a restart, or on a node that was killed.
    pub async fn run(self: Arc<Self>) {
        loop {
            let pause = match self.erase_all().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "erasures were broken off; they go on in a minute");
                    RETRY_INTERVAL
                }
            };
            // It looks again after that time, or earlier.
            let _is_begun = timeout(pause, self.begun.notified()).await;
        }
    }

    /// Does all there is; answers when to look again.
    async fn erase_all(&self) -> Result<Duration, StoreError> {
        let erasures = self.store.erasures().await?;
        if erasures.is_empty() {
            return Ok(RETRY_INTERVAL);
        }
        if !self.store.take_lease(LEASE, self.holder.as_str(), LEASE_TIME).await? {
            return Ok(WAIT_FOR_LEASE);
        }
        let mut done = Vec::new();
        for erasure in erasures {
            let result = if erasure.is_done { Ok(()) } else { self.erase_one(&erasure).await };
            match result {
                Ok(()) => done.push(erasure),
                Err(error) => {
                    tracing::warn!(%error, user = %erasure.user, "an erasure was broken off; it goes on in a minute");
                }
            }
        }
        self.finish(&done).await?;
        self.store.release_leases(self.holder.as_str()).await?;
        Ok(RETRY_INTERVAL)
    }

    async fn finish(&self, done: &[Erasure]) -> Result<(), StoreError> {
        if done.is_empty() {
            return Ok(());
        }
        if self.store.finish_erasures(done).await? {
            for Erasure { user, .. } in done {
                tracing::info!(%user, "a user was erased");
            }
        } else {
            tracing::warn!(
                "users are erased, but a reader of an old state keeps the store's log; it is emptied later"
            );
        }
        Ok(())
    }

    async fn erase_one(&self, erasure: &Erasure) -> Result<(), StoreError> {
        self.chat.wait_for_nodes().await;
        // What is on its way to the store is stored before anything is looked up.
        self.store.flush().await?;
        let mut leased_at = Instant::now();
        for id in self.store.all_conversations_of(&erasure.user).await? {
            let Some(conversation) = self.store.conversation(&id).await?.map(Arc::new) else { continue };
            let mut next = Some(0);
            while let Some(after) = next {
                if leased_at.elapsed() > LEASE_INTERVAL {
                    self.store.take_lease(LEASE, self.holder.as_str(), LEASE_TIME).await?;
                    leased_at = Instant::now();
                }
                let part = self.store.erase_part(&conversation, after, erasure).await?;
                self.chat.erase_messages(&conversation, &part.messages).await?;
                next = part.next;
            }
        }
        while self.store.erase_rows(erasure).await? {}
        Ok(())
    }
}
