//! A store whose every method fails.

use std::sync::Arc;
use std::time::Duration;

use horse_trust::callback::Callback;
use horse_trust::id::Id;
use horse_trust::store::{
    AccountStore, Actor, AuditEntry, AuditStore, Block, Change, ChangeCursor, Changed, Conversation,
    ConversationStore, ConversationSummary, Delivered, DeliveryStore, DirectoryStore, Erasure, ErasurePart,
    ErasureStore, ExportStore, GivenUp, GivenUpKey, History, Lifecycle, ListPlace, ListQuery, ListingStore,
    MarkRead, Message, MessageStore, Missed, ModerationStore, NewAuditEntry, NewConversation, NewMessage,
    NewReport, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxStore, OutboxSubject,
    Page, People, PeopleQuery, Person, Profile, Range, Read, Report, ReportDecision, ReportQuery,
    ReportsOfUser, Result, Revocation, SettingsChange, Settlement, Standing, StandingStore, StoreError,
    Stored, SubjectQuery, SubscriberId, Surroundings, Suspension, UnseenDue, UnseenOutcome, User,
    UserChanges, UserPatch, UserPosition, VoidToken, Withdrawn, WithdrawnAt,
};
use horse_trust::timestamp::Timestamp;

use crate::fixture::store;

/// A store that fails at everything.
pub(super) struct Broken {
    /// Whether it panics instead of answering with an error.
    pub(super) panics: bool,
}

impl Broken {
    fn fail<T>(&self) -> Result<T> {
        assert!(!self.panics, "a mistake");
        Err(StoreError::Engine("the cause".into()))
    }
}

#[async_trait::async_trait]
impl MessageStore for Broken {
    fn append_message(&self, _: NewMessage, callback: Callback<Result<Stored>>) {
        callback(self.fail());
    }
    fn change_message(&self, _: Change, callback: Callback<Result<Changed>>) {
        callback(self.fail());
    }
    fn mark_read(&self, _: MarkRead, callback: Callback<Result<Read>>) {
        callback(self.fail());
    }
    async fn message(&self, _: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
        self.fail()
    }
    async fn history(&self, _: &Conversation, _: Range) -> Result<History> {
        self.fail()
    }
    async fn messages_at(&self, _: Vec<(Arc<Conversation>, i64)>, _: usize) -> Result<Vec<Option<Message>>> {
        self.fail()
    }
    async fn unread_count(&self, _: &Id) -> Result<u64> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl ConversationStore for Broken {
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
        let participants = [store::id("ana"), store::id("bruno")];
        let created_at = Timestamp::now();
        Ok(Some(Conversation { key: 1, id: id.clone(), participants, horse_id: None, created_at }))
    }
    async fn open_conversation(&self, _: NewConversation) -> Result<Conversation> {
        self.fail()
    }
    async fn change_settings(&self, _: &Conversation, _: &Id, _: SettingsChange) -> Result<()> {
        self.fail()
    }
    async fn conversation_list(&self, _: &Id, _: ListQuery) -> Result<Vec<ListPlace>> {
        self.fail()
    }
    async fn conversation_summaries(&self, _: &[i64], _: &Id) -> Result<Vec<ConversationSummary>> {
        self.fail()
    }
    async fn conversation_summary(&self, _: i64, _: &Id) -> Result<Option<ConversationSummary>> {
        self.fail()
    }
    async fn shared_conversations(&self, _: &Id, _: &Id, _: u32) -> Result<Vec<i64>> {
        self.fail()
    }
    async fn partners_of(&self, _: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl DeliveryStore for Broken {
    async fn missed(&self, _: &Id, _: Option<&Id>, _: usize) -> Result<Missed> {
        self.fail()
    }
    async fn positions_of(&self, _: Vec<Id>) -> Result<Vec<(Id, i64)>> {
        self.fail()
    }
    async fn detailed_positions_of(&self, _: Vec<Id>) -> Result<Vec<UserPosition>> {
        self.fail()
    }
    async fn set_delivered(&self, _: Vec<Delivered>) -> Result<()> {
        self.fail()
    }
    async fn set_last_seen(&self, _: Vec<(Id, Timestamp)>) -> Result<()> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl AccountStore for Broken {
    async fn create_user(&self, _: User) -> Result<()> {
        self.fail()
    }
    async fn user(&self, _: &Id) -> Result<Option<User>> {
        self.fail()
    }
    async fn user_by_email(&self, _: &str) -> Result<Option<User>> {
        self.fail()
    }
    async fn set_password_hash(&self, _: &Id, _: &str) -> Result<()> {
        self.fail()
    }
    async fn profile(&self, _: &Id) -> Result<Option<Profile>> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl OutboxStore for Broken {
    async fn open_outbox(&self, _: OutboxSettings) -> Result<Outbox> {
        self.fail()
    }
    async fn take_lease(&self, _: &str, _: &str, _: Duration) -> Result<bool> {
        self.fail()
    }
    async fn release_leases(&self, _: &str) -> Result<()> {
        self.fail()
    }
    async fn outbox_batch(&self, _: SubscriberId, _: i64, _: usize, _: usize) -> Result<OutboxBatch> {
        self.fail()
    }
    async fn outbox_subjects(&self, _: Vec<SubjectQuery>) -> Result<Vec<Option<OutboxSubject>>> {
        self.fail()
    }
    async fn settle_outbox(&self, _: SubscriberId, _: Vec<(OutboxEvent, Settlement)>) -> Result<()> {
        self.fail()
    }
    async fn outbox_counts(&self, _: SubscriberId) -> Result<OutboxCounts> {
        self.fail()
    }
    async fn given_up(&self, _: Option<GivenUpKey>, _: usize) -> Result<Vec<GivenUp>> {
        self.fail()
    }
    async fn retry_given_up(&self, _: Option<(i64, Timestamp)>) -> Result<u64> {
        self.fail()
    }
    async fn tidy_outbox(&self, _: &[SubscriberId], _: Duration, _: u64) -> Result<u64> {
        self.fail()
    }
    async fn unseen_due(&self, _: usize) -> Result<(Vec<UnseenDue>, Option<Duration>)> {
        self.fail()
    }
    async fn settle_unseen(&self, _: Vec<(i64, usize, Id, UnseenOutcome)>) -> Result<()> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl ModerationStore for Broken {
    fn set_block(&self, _: &Id, _: &Id, _: bool, callback: Callback<Result<()>>) {
        callback(self.fail());
    }
    async fn blocks_between(&self, _: &Id, _: &Id) -> Result<[bool; 2]> {
        Ok([false; 2])
    }
    async fn blocked_by(&self, _: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
        self.fail()
    }
    async fn report(&self, _: NewReport) -> Result<Id> {
        self.fail()
    }
    async fn report_by(&self, _: &Id, _: &Id) -> Result<Option<Id>> {
        self.fail()
    }
    async fn reports(&self, _: ReportQuery) -> Result<Vec<Report>> {
        self.fail()
    }
    async fn report_with_id(&self, _: &Id) -> Result<Option<Report>> {
        self.fail()
    }
    async fn decide_report(&self, _: &Id, _: ReportDecision, _: NewAuditEntry) -> Result<Option<Report>> {
        self.fail()
    }
    async fn surroundings(&self, _: Vec<(Id, i64)>, _: u32) -> Result<Vec<Option<Surroundings>>> {
        self.fail()
    }
    async fn withdrawn(&self, _: Option<&Id>, _: Page) -> Result<Vec<Withdrawn>> {
        self.fail()
    }
    async fn forget_withdrawn(&self, _: Duration) -> Result<u64> {
        Err(StoreError::Engine("the cause".into()))
    }
}

#[async_trait::async_trait]
impl StandingStore for Broken {
    async fn revoke_tokens(&self, _: &Id) -> Result<Revocation> {
        self.fail()
    }
    async fn void_token(&self, _: VoidToken) -> Result<Option<Revocation>> {
        self.fail()
    }
    async fn void_tokens(&self) -> Result<Vec<VoidToken>> {
        Ok(Vec::new())
    }
    async fn session_generation(&self, _: &Id) -> Result<i64> {
        self.fail()
    }
    async fn standings(&self) -> Result<Vec<Standing>> {
        Ok(Vec::new())
    }
    async fn user_changes(&self, _: Option<&ChangeCursor>) -> Result<UserChanges> {
        Ok(UserChanges { cursor: ChangeCursor::default(), changes: Some(Vec::new()) })
    }
    async fn forget_user_changes(&self, _: Duration) -> Result<()> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl DirectoryStore for Broken {
    async fn set_users(&self, _: Vec<UserPatch>, _: Actor) -> Result<Vec<Result<bool>>> {
        self.fail()
    }
    async fn person(&self, _: &Id) -> Result<Option<Person>> {
        self.fail()
    }
    async fn people(&self, _: PeopleQuery, _: u32) -> Result<People> {
        self.fail()
    }
    async fn set_suspension(&self, _: &Id, _: Option<Suspension>, _: NewAuditEntry) -> Result<()> {
        self.fail()
    }
    async fn standing(&self, _: &Id) -> Result<Standing> {
        self.fail()
    }
    async fn viewers_of(&self, _: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl ListingStore for Broken {
    async fn put_conversation(&self, _: NewConversation) -> Result<(Conversation, bool)> {
        self.fail()
    }
    async fn set_listing(&self, _: &Conversation, _: Option<String>) -> Result<()> {
        self.fail()
    }
    async fn set_horse_listing(&self, _: &Id, _: String) -> Result<()> {
        self.fail()
    }
    async fn conversations_about(&self, _: &Id, _: Option<i64>, _: u32) -> Result<Vec<Conversation>> {
        self.fail()
    }
    async fn count_about(&self, _: &Id) -> Result<u64> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl ErasureStore for Broken {
    async fn begin_erasure(&self, _: &Id, _: bool, _: NewAuditEntry) -> Result<bool> {
        self.fail()
    }
    async fn erasures(&self) -> Result<Vec<Erasure>> {
        self.fail()
    }
    async fn all_conversations_of(&self, _: &Id) -> Result<Vec<Id>> {
        self.fail()
    }
    async fn erase_part(&self, _: &Conversation, _: i64, _: &Erasure) -> Result<ErasurePart> {
        self.fail()
    }
    async fn erase_rows(&self, _: &Erasure) -> Result<bool> {
        self.fail()
    }
    async fn finish_erasures(&self, _: &[Erasure]) -> Result<bool> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl AuditStore for Broken {
    async fn note_audit(&self, _: NewAuditEntry) -> Result<()> {
        self.fail()
    }
    async fn audit(&self, _: Option<i64>, _: u32) -> Result<Vec<AuditEntry>> {
        self.fail()
    }
    async fn forget_audit(&self, _: Duration) -> Result<()> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl ExportStore for Broken {
    async fn last_seen(&self, _: &Id) -> Result<Option<Timestamp>> {
        self.fail()
    }
    async fn blocks_of(&self, _: &Id, _: Option<&Id>, _: u32) -> Result<Vec<Block>> {
        self.fail()
    }
    async fn withdrawn_in(&self, _: &Conversation, _: (i64, i64), _: u32) -> Result<Vec<WithdrawnAt>> {
        self.fail()
    }
    async fn reports_of(&self, _: &Id, _: i64, _: u32) -> Result<ReportsOfUser> {
        self.fail()
    }
}

#[async_trait::async_trait]
impl Lifecycle for Broken {
    async fn flush(&self) -> Result<()> {
        self.fail()
    }
    async fn ping(&self) -> Result<()> {
        self.fail()
    }
    async fn close(&self) {}
}
