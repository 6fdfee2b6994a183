//! The traits of a store, over the pool and the writer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::engine::PostgresEngine;
use super::error::OpenError;
use super::pool::Pool;
use super::settings::{PING_TIMEOUT, Settings};
use super::{conversations, messages, nodes, people, reports, schema, standing};
use crate::callback::Callback;
use crate::id::{Id, IdGenerator};
use crate::store::error::{Result, StoreError};
use crate::store::group_commit::{BlockChange, GroupCommit, Write};
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::outbox::SharedPlan;
use crate::store::standing::{ChangeCursor, Revocation, Standing, UserChanges, VoidToken};
use crate::store::traits::{
    AccountStore, ConversationStore, DeliveryStore, Lifecycle, MessageStore, ModerationStore, StandingStore,
};
use crate::store::types::{
    Change, Changed, Conversation, ConversationSummary, Delivered, History, MarkRead, Message, Missed,
    NewAuditEntry, NewConversation, NewMessage, NewReport, Page, Profile, Range, Read, Report,
    ReportDecision, ReportQuery, SettingsChange, Stored, Surroundings, User, UserPosition, Withdrawn,
};
use crate::timestamp::Timestamp;

/// The store of several nodes.
pub struct PostgresStore {
    pub(super) pool: Pool,
    /// What is written to the outbox.
    pub(super) plan: SharedPlan,
    writes: GroupCommit<Infallible>,
    /// For conversations and reports; the ids of messages are made in the database, in the order of commits.
    pub(super) ids: IdGenerator,
    settings: Settings,
    /// Keeps the lock that says whether this node is alone.
    registration: Mutex<Option<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://user:password@host:port/database`) and migrates the schema.
    /// Later, when the database is away, operations fail within some seconds, and work again when it is back.
    pub async fn open(url: &str) -> std::result::Result<Self, OpenError> {
        let settings = Settings::parse(url)?;
        schema::prepare(&settings.for_migration()).await?;
        let pool = Pool::new(settings.for_pool());
        let plan = SharedPlan::default();
        let (writes, work) = GroupCommit::new(PostgresEngine::new(settings.for_writer(), Arc::clone(&plan)));
        tokio::spawn(work);
        Ok(Self { pool, plan, writes, ids: IdGenerator::new(), settings, registration: Mutex::new(None) })
    }

    /// A single write may have added events.
    pub(super) fn events_added(&self) {
        if let Some(plan) = self.plan.get() {
            plan.note_added();
            plan.after_commit();
        }
    }

    /// Registers this node, and whether it shares events with other nodes (`is_cluster`). `false` if a registered node does not
    /// fit: either all nodes share events, or there is only one.
    pub async fn register(&self, is_cluster: bool) -> Result<bool> {
        let registration = nodes::register(self.settings.for_pool(), is_cluster).await?;
        let is_registered = registration.is_some();
        *self.registration.lock() = registration;
        Ok(is_registered)
    }
}

#[async_trait]
impl MessageStore for PostgresStore {
    fn append_message(&self, message: NewMessage, callback: Callback<Result<Stored>>) {
        self.writes.push(Write::append(message, callback));
    }

    fn change_message(&self, change: Change, callback: Callback<Result<Changed>>) {
        self.writes.push(Write::change(change, callback));
    }

    fn mark_read(&self, mark: MarkRead, callback: Callback<Result<Read>>) {
        self.writes.push(Write::mark_read(mark, callback));
    }

    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
        messages::message(&self.pool, id).await
    }

    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History> {
        messages::history(&self.pool, conversation, range).await
    }

    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>> {
        messages::messages_at(&self.pool, &places, max_bytes).await
    }

    async fn unread_count(&self, user: &Id) -> Result<u64> {
        conversations::unread_count(&self.pool, user).await
    }
}

#[async_trait]
impl ConversationStore for PostgresStore {
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
        conversations::conversation(&self.pool, id).await
    }

    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation> {
        let plan = self.plan.get();
        let opened = conversations::find_or_insert(&self.pool, &self.ids.next(), &conversation, plan).await;
        self.events_added();
        opened
    }

    async fn change_settings(
        &self,
        conversation: &Conversation,
        user: &Id,
        change: SettingsChange,
    ) -> Result<()> {
        conversations::change_settings(&self.pool, conversation, user, change).await
    }

    async fn conversation_list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
        conversations::list(&self.pool, user, query).await
    }

    async fn conversation_summaries(&self, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>> {
        conversations::summaries(&self.pool, keys, user).await
    }

    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
        conversations::summary(&self.pool, key, user).await
    }

    async fn shared_conversations(&self, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>> {
        people::shared_conversations(&self.pool, user, other, limit).await
    }

    async fn partners_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        people::partners_of(&self.pool, &users).await
    }
}

#[async_trait]
impl DeliveryStore for PostgresStore {
    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed> {
        messages::missed(&self.pool, user, after, limit).await
    }

    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>> {
        messages::positions_of(&self.pool, &users).await
    }

    async fn detailed_positions_of(&self, users: Vec<Id>) -> Result<Vec<UserPosition>> {
        messages::detailed_positions_of(&self.pool, &users).await
    }

    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()> {
        messages::set_delivered(&self.pool, &delivered).await
    }

    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()> {
        people::set_last_seen(&self.pool, &seen).await
    }
}

#[async_trait]
impl AccountStore for PostgresStore {
    async fn create_user(&self, user: User) -> Result<()> {
        people::insert_user(&self.pool, &user).await
    }

    async fn user(&self, id: &Id) -> Result<Option<User>> {
        people::user(&self.pool, id).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        people::user_by_email(&self.pool, email).await
    }

    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()> {
        people::set_password_hash(&self.pool, user, hash).await
    }

    async fn profile(&self, user: &Id) -> Result<Option<Profile>> {
        people::profile(&self.pool, user).await
    }
}

#[async_trait]
impl ModerationStore for PostgresStore {
    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, callback: Callback<Result<()>>) {
        let change = BlockChange { blocker: blocker.clone(), blocked: other.clone(), is_blocked };
        self.writes.push(Write::set_block(change, callback));
    }

    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]> {
        people::blocks_between(&self.pool, first, second).await
    }

    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
        people::blocked_by(&self.pool, user).await
    }

    async fn report(&self, report: NewReport) -> Result<Id> {
        let id = reports::insert_report(&self.pool, self.ids.next(), &report, self.plan.get()).await;
        self.events_added();
        id
    }

    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>> {
        reports::report_by(&self.pool, reporter, message).await
    }

    async fn reports(&self, query: ReportQuery) -> Result<Vec<Report>> {
        reports::reports(&self.pool, query).await
    }

    async fn report_with_id(&self, id: &Id) -> Result<Option<Report>> {
        reports::report(&self.pool, id).await
    }

    async fn decide_report(
        &self,
        id: &Id,
        decision: ReportDecision,
        entry: NewAuditEntry,
    ) -> Result<Option<Report>> {
        reports::decide(&self.pool, id, &decision, &entry).await
    }

    async fn surroundings(&self, places: Vec<(Id, i64)>, reach: u32) -> Result<Vec<Option<Surroundings>>> {
        reports::surroundings(&self.pool, &places, reach).await
    }

    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>> {
        people::withdrawn(&self.pool, conversation, page).await
    }

    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64> {
        people::forget_withdrawn(&self.pool, kept).await
    }
}

#[async_trait]
impl StandingStore for PostgresStore {
    async fn revoke_tokens(&self, user: &Id) -> Result<Revocation> {
        standing::revoke_tokens(&self.pool, user).await
    }

    async fn void_token(&self, token: VoidToken) -> Result<Option<Revocation>> {
        standing::void_token(&self.pool, &token).await
    }

    async fn void_tokens(&self) -> Result<Vec<VoidToken>> {
        standing::void_tokens(&self.pool).await
    }

    async fn session_generation(&self, user: &Id) -> Result<i64> {
        standing::session_generation(&self.pool, user).await
    }

    async fn standings(&self) -> Result<Vec<Standing>> {
        standing::standings(&self.pool).await
    }

    async fn user_changes(&self, after: Option<&ChangeCursor>) -> Result<UserChanges> {
        match after {
            Some(after) => standing::user_changes(&self.pool, after).await,
            None => {
                let cursor = standing::last_change(&self.pool).await?;
                Ok(UserChanges { cursor, changes: Some(Vec::new()) })
            }
        }
    }

    async fn forget_user_changes(&self, kept: Duration) -> Result<()> {
        standing::forget_user_changes(&self.pool, kept).await
    }
}

#[async_trait]
impl Lifecycle for PostgresStore {
    async fn ping(&self) -> Result<()> {
        let both = async {
            self.pool.query("SELECT 1", &[]).await?;
            // A commit of the writer, which shows that the database takes writes.
            self.writes.touch().await
        };
        timeout(PING_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| Err(StoreError::Engine("the database did not answer in time".into())))
    }

    async fn flush(&self) -> Result<()> {
        self.writes.flush().await
    }

    async fn close(&self) {
        self.writes.close().await;
        self.pool.close();
        if let Some(registration) = self.registration.lock().take() {
            registration.abort();
        }
    }
}
