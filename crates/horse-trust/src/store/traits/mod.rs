//! The store's interface, by topic. [`Store`] is the sum: callers hold an `Arc<dyn Store>`, an engine implements the parts.
//! `docs/store-contract.md` has all that an engine promises.

mod accounts;
mod audit;
mod conversations;
mod delivery;
mod directory;
mod erasure;
mod export;
mod lifecycle;
mod listings;
mod messages;
mod moderation;
mod outbox;
mod standing;

pub use self::accounts::AccountStore;
pub use self::audit::AuditStore;
pub use self::conversations::ConversationStore;
pub use self::delivery::DeliveryStore;
pub use self::directory::DirectoryStore;
pub use self::erasure::ErasureStore;
pub use self::export::ExportStore;
pub use self::lifecycle::Lifecycle;
pub use self::listings::ListingStore;
pub use self::messages::MessageStore;
pub use self::moderation::ModerationStore;
pub use self::outbox::OutboxStore;
pub use self::standing::StandingStore;

/// The store. Every engine behaves alike: one test suite runs over all.
pub trait Store:
    MessageStore
    + ConversationStore
    + DeliveryStore
    + AccountStore
    + ModerationStore
    + StandingStore
    + AuditStore
    + DirectoryStore
    + ErasureStore
    + ExportStore
    + ListingStore
    + OutboxStore
    + Lifecycle
{
}

impl<T> Store for T where
    T: MessageStore
        + ConversationStore
        + DeliveryStore
        + AccountStore
        + ModerationStore
        + OutboxStore
        + StandingStore
        + AuditStore
        + DirectoryStore
        + ErasureStore
        + ExportStore
        + ListingStore
        + Lifecycle
{
}
