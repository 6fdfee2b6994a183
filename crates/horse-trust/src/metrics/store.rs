//! A store around a store, which times what is asked of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::Metrics;
use super::register::{counter, histograms, opts, register};
use crate::callback::Callback;
use crate::id::Id;
use crate::store::{
    AccountStore, Actor, AuditEntry, AuditStore, Block, Change, ChangeCursor, Changed, Conversation,
    ConversationStore, ConversationSummary, Delivered, DeliveryStore, DirectoryStore, Erasure, ErasurePart,
    ErasureStore, ExportStore, GivenUp, GivenUpKey, History, Lifecycle, ListPlace, ListQuery, ListingStore,
    MarkRead, Message, MessageStore, Missed, ModerationStore, NewAuditEntry, NewConversation, NewMessage,
    NewReport, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxStore, OutboxSubject,
    Page, People, PeopleQuery, Person, Profile, Range, Read, Report, ReportDecision, ReportQuery,
    ReportsOfUser, Result, Revocation, SettingsChange, Settlement, Standing, StandingStore, Store,
    StoreError, Stored, SubjectQuery, SubscriberId, Surroundings, Suspension, UnseenDue, UnseenOutcome, User,
    UserChanges, UserPatch, UserPosition, VoidToken, Withdrawn, WithdrawnAt,
};
use crate::timestamp::Timestamp;

/// Asks another store, and notes how long it took and what failed.
pub struct MeasuredStore {
    store: Arc<dyn Store>,
    operations: Arc<Operations>,
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
        Self { store, operations: Arc::new(Operations::new(stored, &seconds, &errors)) }
    }

    /// `callback`, which also notes how long it took from now until the write was committed.
    fn timed<T: 'static>(
        &self,
        operation: fn(&Operations) -> &Operation,
        callback: Callback<Result<T>>,
    ) -> Callback<Result<T>> {
        let (operations, begin) = (Arc::clone(&self.operations), Instant::now());
        Box::new(move |result| {
            operation(&operations).done(begin, &result);
            callback(result);
        })
    }
}

/// The figures of each operation, found once by its name, and the traits of a store, each method timed. `write` is a
/// method that takes a callback.
macro_rules! measured {
    ($($trait:ident {
        $(write $write:ident($($written:ident: $written_type:ty),*) -> $outcome:ty;)*
        $(read $read:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
        $(with { $($untimed:tt)* })?
    })*) => {
        struct Operations {
            append_message: Operation,
            stored: IntCounter,
            $($($write: Operation,)* $($read: Operation,)*)*
        }

        impl Operations {
            fn new(stored: IntCounter, seconds: &HistogramVec, errors: &IntCounterVec) -> Self {
                Self {
                    append_message: Operation::new(seconds, errors, "append_message"),
                    stored,
                    $($($write: Operation::new(seconds, errors, stringify!($write)),)*
                    $($read: Operation::new(seconds, errors, stringify!($read)),)*)*
                }
            }
        }

        $(#[async_trait]
        impl $trait for MeasuredStore {
            $(fn $write(&self, $($written: $written_type,)* callback: Callback<Result<$outcome>>) {
                let callback = self.timed(|operations| &operations.$write, callback);
                self.store.$write($($written,)* callback);
            })*

            $(async fn $read(&self, $($argument: $type),*) -> Result<$answer> {
                self.operations.$read.time(self.store.$read($($argument),*)).await
            })*

            $($($untimed)*)?
        })*
    };
}

measured! {
    MessageStore {
        write change_message(change: Change) -> Changed;
        write mark_read(mark: MarkRead) -> Read;
        read message(id: &Id) -> Option<(Arc<Conversation>, Message)>;
        read history(conversation: &Conversation, range: Range) -> History;
        read messages_at(places: Vec<(Arc<Conversation>, i64)>, max_bytes: usize) -> Vec<Option<Message>>;
        read unread_count(user: &Id) -> u64;
        with {
            fn append_message(&self, message: NewMessage, callback: Callback<Result<Stored>>) {
                let operations = Arc::clone(&self.operations);
                let counted = move |result: Result<Stored>| {
                    if matches!(&result, Ok(stored) if stored.is_new) {
                        operations.stored.inc();
                    }
                    callback(result);
                };
                let callback = self.timed(|operations| &operations.append_message, Box::new(counted));
                self.store.append_message(message, callback);
            }
        }
    }
    ConversationStore {
        read conversation(id: &Id) -> Option<Conversation>;
        read open_conversation(conversation: NewConversation) -> Conversation;
        read change_settings(conversation: &Conversation, user: &Id, change: SettingsChange) -> ();
        read conversation_list(user: &Id, query: ListQuery) -> Vec<ListPlace>;
        read conversation_summaries(keys: &[i64], user: &Id) -> Vec<ConversationSummary>;
        read conversation_summary(key: i64, user: &Id) -> Option<ConversationSummary>;
        read shared_conversations(user: &Id, other: &Id, limit: u32) -> Vec<i64>;
        read partners_of(users: Vec<Id>) -> Vec<Vec<Id>>;
    }
    DeliveryStore {
        read missed(user: &Id, after: Option<&Id>, limit: usize) -> Missed;
        read positions_of(users: Vec<Id>) -> Vec<(Id, i64)>;
        read detailed_positions_of(users: Vec<Id>) -> Vec<UserPosition>;
        read set_delivered(delivered: Vec<Delivered>) -> ();
        read set_last_seen(seen: Vec<(Id, Timestamp)>) -> ();
    }
    AccountStore {
        read create_user(user: User) -> ();
        read user(id: &Id) -> Option<User>;
        read user_by_email(email: &str) -> Option<User>;
        read set_password_hash(user: &Id, hash: &str) -> ();
        read profile(user: &Id) -> Option<Profile>;
    }
    ModerationStore {
        write set_block(blocker: &Id, other: &Id, is_blocked: bool) -> ();
        read blocks_between(first: &Id, second: &Id) -> [bool; 2];
        read blocked_by(user: &Id) -> Vec<(Id, Option<Profile>)>;
        read report(report: NewReport) -> Id;
        read report_by(reporter: &Id, message: &Id) -> Option<Id>;
        read reports(query: ReportQuery) -> Vec<Report>;
        read report_with_id(id: &Id) -> Option<Report>;
        read decide_report(id: &Id, decision: ReportDecision, entry: NewAuditEntry) -> Option<Report>;
        read surroundings(places: Vec<(Id, i64)>, reach: u32) -> Vec<Option<Surroundings>>;
        read withdrawn(conversation: Option<&Id>, page: Page) -> Vec<Withdrawn>;
        read forget_withdrawn(kept: Duration) -> u64;
    }
    OutboxStore {
        read open_outbox(settings: OutboxSettings) -> Outbox;
        read take_lease(name: &str, holder: &str, time: Duration) -> bool;
        read release_leases(holder: &str) -> ();
        read outbox_batch(
            subscriber: SubscriberId, after: i64, limit: usize, limit_due: usize
        ) -> OutboxBatch;
        read outbox_subjects(queries: Vec<SubjectQuery>) -> Vec<Option<OutboxSubject>>;
        read settle_outbox(subscriber: SubscriberId, events: Vec<(OutboxEvent, Settlement)>) -> ();
        read outbox_counts(subscriber: SubscriberId) -> OutboxCounts;
        read given_up(after: Option<GivenUpKey>, limit: usize) -> Vec<GivenUp>;
        read retry_given_up(event: Option<(i64, Timestamp)>) -> u64;
        read tidy_outbox(subscribers: &[SubscriberId], kept: Duration, most: u64) -> u64;
        read unseen_due(limit: usize) -> (Vec<UnseenDue>, Option<Duration>);
        read settle_unseen(outcomes: Vec<(i64, usize, Id, UnseenOutcome)>) -> ();
    }
    StandingStore {
        read revoke_tokens(user: &Id) -> Revocation;
        read void_token(token: VoidToken) -> Option<Revocation>;
        read void_tokens() -> Vec<VoidToken>;
        read session_generation(user: &Id) -> i64;
        read standings() -> Vec<Standing>;
        read user_changes(after: Option<&ChangeCursor>) -> UserChanges;
        read forget_user_changes(kept: Duration) -> ();
    }
    DirectoryStore {
        read set_users(patches: Vec<UserPatch>, actor: Actor) -> Vec<Result<bool>>;
        read person(id: &Id) -> Option<Person>;
        read people(query: PeopleQuery, limit: u32) -> People;
        read set_suspension(user: &Id, suspension: Option<Suspension>, audit: NewAuditEntry) -> ();
        read standing(user: &Id) -> Standing;
        read viewers_of(users: Vec<Id>) -> Vec<Vec<Id>>;
    }
    ListingStore {
        read put_conversation(conversation: NewConversation) -> (Conversation, bool);
        read set_listing(conversation: &Conversation, listing: Option<String>) -> ();
        read set_horse_listing(horse: &Id, listing: String) -> ();
        read conversations_about(horse: &Id, before: Option<i64>, limit: u32) -> Vec<Conversation>;
        read count_about(horse: &Id) -> u64;
    }
    ErasureStore {
        read begin_erasure(user: &Id, with_messages: bool, audit: NewAuditEntry) -> bool;
        read erasures() -> Vec<Erasure>;
        read all_conversations_of(user: &Id) -> Vec<Id>;
        read erase_part(conversation: &Conversation, after: i64, erasure: &Erasure) -> ErasurePart;
        read erase_rows(erasure: &Erasure) -> bool;
        read finish_erasures(erasures: &[Erasure]) -> bool;
    }
    ExportStore {
        read last_seen(user: &Id) -> Option<Timestamp>;
        read blocks_of(user: &Id, after: Option<&Id>, limit: u32) -> Vec<Block>;
        read withdrawn_in(conversation: &Conversation, after: (i64, i64), limit: u32) -> Vec<WithdrawnAt>;
        read reports_of(user: &Id, after: i64, looked_at: u32) -> ReportsOfUser;
    }
    AuditStore {
        read note_audit(entry: NewAuditEntry) -> ();
        read audit(before: Option<i64>, limit: u32) -> Vec<AuditEntry>;
        read forget_audit(kept: Duration) -> ();
    }
    Lifecycle {
        read ping() -> ();
        read flush() -> ();
        with {
            async fn close(&self) {
                self.store.close().await;
            }
        }
    }
}
