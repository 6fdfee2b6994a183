//! A store around a store, which times what is asked of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::{Metrics, counter, histograms, opts, register};
use crate::id::Id;
use crate::store::{
    Appended, Change, ChangeCursor, Changed, Conversation, ConversationSummary, Delivered, Done, Ends,
    History, ListPlace, ListQuery, MarkRead, Message, Missed, NewConversation, NewMessage, NewReport, Page,
    Profile, Range, Read, Report, Result, Revocation, Standing, Store, StoreError, User, UserChanges,
    Withdrawn,
};
use crate::timestamp::Timestamp;

/// Asks another store, and notes how long it took and what failed.
pub struct MeasuredStore {
    store: Arc<dyn Store>,
    figures: Arc<Figures>,
}

struct Figures {
    stored: IntCounter,
    operations: Operations,
}

/// The figures of one operation.
struct Operation {
    seconds: Histogram,
    errors: IntCounter,
}

impl Operation {
    fn new(seconds: &HistogramVec, errors: &IntCounterVec, name: &str) -> Self {
        let label = &[name];
        Self { seconds: seconds.with_label_values(label), errors: errors.with_label_values(label) }
    }

    fn done<T>(&self, begin: Instant, result: &Result<T>) {
        self.seconds.observe(begin.elapsed().as_secs_f64());
        // What is taken or blocked is an answer, not a failure.
        if matches!(result, Err(StoreError::Engine(_))) {
            self.errors.inc();
        }
    }

    async fn time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let begin = Instant::now();
        let result = work.await;
        self.done(begin, &result);
        result
    }
}

/// The operations, found once by their names.
macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        struct Operations {
            $($name: Operation,)*
        }

        impl Operations {
            fn new(seconds: &HistogramVec, errors: &IntCounterVec) -> Self {
                Self { $($name: Operation::new(seconds, errors, stringify!($name)),)* }
            }
        }
    };
}

operations! {
    append_message, conversation, open_conversation, conversation_list, conversation_summaries, conversation_summary, history, missed,
    messages_at, settled,
    mark_read, change_message, set_delivered, message, partners_of, positions_of, ends_of, set_last_seen, set_block, blocks_between,
    shared_conversations,
    blocked_by, report, report_by, reports, withdrawn, forget_withdrawn, revoke_tokens, session_generation, standings,
    user_changes, forget_user_changes, unread_count, profile,
    create_user, user_by_email, user, set_password_hash, ping,
}

impl MeasuredStore {
    /// `store`, timed by `metrics`; to be made once.
    pub fn new(store: Arc<dyn Store>, metrics: &Metrics) -> Self {
        let registry = &metrics.registry;
        let seconds =
            histograms(registry, "store_seconds", "How long the store took, by operation", "operation");
        let errors = opts("store_errors_total", "What the store failed to do, by operation");
        let errors = register(registry, IntCounterVec::new(errors, &["operation"]));
        let stored =
            counter(registry, "messages_stored_total", "Messages that were stored, repeats left out");
        let figures = Figures { stored, operations: Operations::new(&seconds, &errors) };
        Self { store, figures: Arc::new(figures) }
    }

    fn operations(&self) -> &Operations {
        &self.figures.operations
    }

    /// `done`, timed from now on.
    fn timed<T: 'static>(&self, operation: fn(&Operations) -> &Operation, done: Done<T>) -> Done<T> {
        let (figures, begin) = (Arc::clone(&self.figures), Instant::now());
        Box::new(move |result| {
            operation(&figures.operations).done(begin, &result);
            done(result);
        })
    }
}

#[async_trait]
impl Store for MeasuredStore {
    fn append_message(&self, message: NewMessage, appended: Appended) {
        let (figures, begin) = (Arc::clone(&self.figures), Instant::now());
        let appended = move |result: Result<(NewMessage, crate::store::Stored)>| {
            figures.operations.append_message.done(begin, &result);
            if matches!(&result, Ok((_, stored)) if stored.unread.is_some()) {
                figures.stored.inc();
            }
            appended(result);
        };
        self.store.append_message(message, Box::new(appended));
    }

    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
        self.operations().conversation.time(self.store.conversation(id)).await
    }

    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation> {
        self.operations().open_conversation.time(self.store.open_conversation(conversation)).await
    }

    async fn conversation_list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
        self.operations().conversation_list.time(self.store.conversation_list(user, query)).await
    }

    async fn conversation_summaries(&self, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>> {
        self.operations().conversation_summaries.time(self.store.conversation_summaries(keys, user)).await
    }

    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
        self.operations().conversation_summary.time(self.store.conversation_summary(key, user)).await
    }

    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History> {
        self.operations().history.time(self.store.history(conversation, range)).await
    }

    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed> {
        self.operations().missed.time(self.store.missed(user, after, limit)).await
    }

    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>> {
        self.operations().messages_at.time(self.store.messages_at(places, max_bytes)).await
    }

    async fn settled(&self) -> Result<()> {
        self.operations().settled.time(self.store.settled()).await
    }

    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>> {
        self.operations().positions_of.time(self.store.positions_of(users)).await
    }
    async fn ends_of(&self, users: Vec<Id>) -> Result<Vec<Ends>> {
        self.operations().ends_of.time(self.store.ends_of(users)).await
    }

    fn mark_read(&self, mark: MarkRead, done: Done<Read>) {
        self.store.mark_read(mark, self.timed(|operations| &operations.mark_read, done));
    }

    fn change_message(&self, change: Change, done: Done<Changed>) {
        self.store.change_message(change, self.timed(|operations| &operations.change_message, done));
    }

    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()> {
        self.operations().set_delivered.time(self.store.set_delivered(delivered)).await
    }

    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
        self.operations().message.time(self.store.message(id)).await
    }

    async fn partners_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        self.operations().partners_of.time(self.store.partners_of(users)).await
    }

    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()> {
        self.operations().set_last_seen.time(self.store.set_last_seen(seen)).await
    }

    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, done: Done<()>) {
        let done = self.timed(|operations| &operations.set_block, done);
        self.store.set_block(blocker, other, is_blocked, done);
    }

    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]> {
        self.operations().blocks_between.time(self.store.blocks_between(first, second)).await
    }

    async fn shared_conversations(&self, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>> {
        let operation = &self.operations().shared_conversations;
        operation.time(self.store.shared_conversations(user, other, limit)).await
    }

    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
        self.operations().blocked_by.time(self.store.blocked_by(user)).await
    }

    async fn report(&self, report: NewReport) -> Result<Id> {
        self.operations().report.time(self.store.report(report)).await
    }

    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>> {
        self.operations().report_by.time(self.store.report_by(reporter, message)).await
    }

    async fn reports(&self, page: Page) -> Result<Vec<Report>> {
        self.operations().reports.time(self.store.reports(page)).await
    }

    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>> {
        self.operations().withdrawn.time(self.store.withdrawn(conversation, page)).await
    }

    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64> {
        self.operations().forget_withdrawn.time(self.store.forget_withdrawn(kept)).await
    }

    async fn revoke_tokens(&self, user: &Id) -> Result<Revocation> {
        self.operations().revoke_tokens.time(self.store.revoke_tokens(user)).await
    }

    async fn session_generation(&self, user: &Id) -> Result<i64> {
        self.operations().session_generation.time(self.store.session_generation(user)).await
    }

    async fn standings(&self) -> Result<Vec<Standing>> {
        self.operations().standings.time(self.store.standings()).await
    }

    async fn user_changes(&self, after: Option<&ChangeCursor>) -> Result<UserChanges> {
        self.operations().user_changes.time(self.store.user_changes(after)).await
    }

    async fn forget_user_changes(&self, kept: Duration) -> Result<()> {
        self.operations().forget_user_changes.time(self.store.forget_user_changes(kept)).await
    }

    async fn unread_count(&self, user: &Id) -> Result<u64> {
        self.operations().unread_count.time(self.store.unread_count(user)).await
    }

    async fn profile(&self, user: &Id) -> Result<Option<Profile>> {
        self.operations().profile.time(self.store.profile(user)).await
    }

    async fn create_user(&self, user: User) -> Result<()> {
        self.operations().create_user.time(self.store.create_user(user)).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        self.operations().user_by_email.time(self.store.user_by_email(email)).await
    }

    async fn user(&self, id: &Id) -> Result<Option<User>> {
        self.operations().user.time(self.store.user(id)).await
    }

    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()> {
        self.operations().set_password_hash.time(self.store.set_password_hash(user, hash)).await
    }

    async fn ping(&self) -> Result<()> {
        self.operations().ping.time(self.store.ping()).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
