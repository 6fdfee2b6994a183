//! The store: what the server keeps, in the terms of the domain. Each engine is a folder.
//!
//! Here is what other modules use. Files in this folder import each other directly, and only those above them:
//! `types`, `lists`, `standing`, `outbox` and `error`; then `traits`, `import`, `turns` and `group_commit`; then the engines.

mod clock;
mod columns;
mod error;
mod group_commit;
mod import;
mod lists;
mod outbox;
pub mod postgres;
pub mod sqlite;
mod standing;
mod traits;
mod turns;
mod types;

pub use self::error::{Result, StoreError};
pub use self::import::{ImportFile, ImportTarget, Staged, StagedConversation, StagedMessage};
pub use self::lists::{InvalidCursor, ListFilter, ListPlace, ListQuery};
pub use self::standing::{
    ChangeCursor, MAX_CHANGES, MAX_VOID_TOKENS, Revocation, Standing, Suspension, TokenId, UserChange,
    UserChanges, VoidToken,
};
pub use self::traits::{
    AccountStore, AuditStore, ConversationStore, DeliveryStore, DirectoryStore, ErasureStore, ExportStore,
    Lifecycle, ListingStore, MessageStore, ModerationStore, OutboxStore, StandingStore, Store,
};
pub use self::types::{
    Actor, AuditEntry, Block, Change, Changed, Conversation, ConversationSettings, ConversationSummary,
    Delivered, Erasure, ErasurePart, EventKind, EventKinds, GivenUp, GivenUpKey, History, LastMessage,
    MarkRead, Message, MessageExtras, Missed, MissedMessage, NewAuditEntry, NewConversation, NewMessage,
    NewReport, NewSubscriber, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxSubject,
    Page, People, PeopleQuery, Person, Profile, Quote, Range, Read, Report, ReportDecision, ReportQuery,
    ReportState, ReportsOfUser, Role, SettingsChange, Settlement, Side, Stored, SubjectQuery, SubscriberId,
    Surroundings, Unread, UnseenDue, UnseenOutcome, User, UserPatch, UserPosition, Withdrawn, WithdrawnAt,
};
