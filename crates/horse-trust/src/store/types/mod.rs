//! The types that the store takes and returns.

mod accounts;
mod audit;
mod conversations;
mod delivery;
mod directory;
mod erasure;
mod export;
mod messages;
mod moderation;
mod outbox;
mod page;

pub use self::accounts::{Profile, Role, User};
pub use self::audit::{Actor, AuditEntry, NewAuditEntry};
pub use self::conversations::{
    Conversation, ConversationSettings, ConversationSummary, LastMessage, NewConversation, SettingsChange,
    Side,
};
pub use self::delivery::{Delivered, MarkRead, Missed, MissedMessage, Read, Unread, UserPosition};
pub use self::directory::{People, PeopleQuery, Person, UserPatch};
pub use self::erasure::{Erasure, ErasurePart};
pub use self::export::{Block, ReportsOfUser, WithdrawnAt};
pub use self::messages::{
    Change, Changed, History, Message, MessageExtras, NewMessage, Quote, Range, Stored,
};
pub use self::moderation::{
    NewReport, Report, ReportDecision, ReportQuery, ReportState, Surroundings, Withdrawn,
};
pub use self::outbox::{
    EventKind, EventKinds, GivenUp, GivenUpKey, NewSubscriber, Outbox, OutboxBatch, OutboxCounts,
    OutboxEvent, OutboxSettings, OutboxSubject, Settlement, SubjectQuery, SubscriberId, UnseenDue,
    UnseenOutcome,
};
pub use self::page::Page;

pub(in crate::store) use self::page::integer;
