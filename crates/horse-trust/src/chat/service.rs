//! The chat: its state and its tasks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use socketio::{LostSocket, Socket, SocketId};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::coalescer::Coalescer;
use super::config::ChatConfig;
use super::limits::Limits;
use super::presence_tracker::PresenceTracker;
use super::receipt_queue::Receipts;
use super::turns::UserTurns;
use super::typing_tracker::Typing;
use crate::auth::Tokens;
use crate::bus::{Bus, DeliveryCursor, SocketTransfer, SubscribeFuture};
use crate::id::Id;
use crate::store::{ChangeCursor, Conversation, Profile, Store};

/// How many conversations, profiles and pairs of users are cached; about 200 bytes each.
const CACHED_ENTRIES: usize = 50_000;
/// How many pages of histories and lists are read for one user at once, over HTTP and events together.
const READS_AT_ONCE: usize = 2;
/// How many more of one user may wait: as many as the rate of requests lets through at once.
const READS_WAITING: usize = 500;
/// How many pages are read and encoded at once over all users, each with up to 4 MB. A semaphore serves in order, and no
/// user waits for more than two at a time.
const PAGES_AT_ONCE: usize = 8;

/// The chat.
pub struct Chat {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) config: ChatConfig,
    /// What never changes of a conversation, so an entry is never out of date.
    pub(super) conversations: Cache<Id, Arc<Conversation>>,
    /// Profiles of users, also that a user has none; see [`Chat::profile_changed`].
    pub(super) profiles: Cache<Id, Option<Arc<Profile>>>,
    /// Of two users, in the order of their ids: whether the first has blocked the second, and the other way round.
    pub(super) blocks: Cache<(Id, Id), [bool; 2]>,
    /// Pairs of users, in the order of their ids, who are to be notified that a block between them changed.
    pub(super) block_changes: Coalescer<(Id, Id), ()>,
    /// Users whose profile changed, of which others are to be notified.
    pub(super) profile_changes: Coalescer<Id, ()>,
    /// Users and the store's key of a conversation that their devices here are to be notified of; and the device that
    /// knows of the change.
    pub(super) conversation_changes: Coalescer<(Id, i64), Option<SocketId>>,
    /// The horses of which something else is shown.
    pub(super) listing_changes: Coalescer<Id, ()>,
    pub(super) limits: Limits,
    pub(super) reads: UserTurns,
    pub(super) pages: Semaphore,
    /// Who is present on this node.
    pub(super) presence: Mutex<PresenceTracker>,
    /// Notified when there may be changes of presence earlier than before.
    pub(super) presence_changed: Notify,
    pub(super) receipts: Receipts,
    pub(super) typing: Typing,
}

impl Chat {
    /// A chat over `store` and `bus`, for users with `tokens`.
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        tokens: Arc<Tokens>,
        config: ChatConfig,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            bus,
            tokens,
            conversations: Cache::new(CACHED_ENTRIES),
            profiles: Cache::new(CACHED_ENTRIES),
            blocks: Cache::new(CACHED_ENTRIES),
            block_changes: Coalescer::new(),
            profile_changes: Coalescer::new(),
            conversation_changes: Coalescer::new(),
            listing_changes: Coalescer::new(),
            limits: Limits::new(config.message_rate, config.connection_rate),
            reads: UserTurns::new(READS_AT_ONCE, READS_WAITING),
            pages: Semaphore::new(PAGES_AT_ONCE),
            presence: Mutex::new(PresenceTracker::new(config.presence_grace)),
            presence_changed: Notify::new(),
            receipts: Receipts::new(),
            typing: Typing::new(),
            config,
        })
    }

    /// Starts the tasks that run beside the requests: presence, receipts, typing that ends, changes of conversations, and
    /// changes of users after `cursor`. They end when the set is dropped.
    pub fn start(self: &Arc<Self>, cursor: ChangeCursor) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).follow_users(cursor));
        tasks.spawn(Arc::clone(self).notify_presence());
        tasks.spawn(Arc::clone(self).notify_delivered());
        tasks.spawn(Arc::clone(self).notify_unread());
        tasks.spawn(Arc::clone(self).store_delivered());
        tasks.spawn(Arc::clone(self).end_typing());
        tasks.spawn(Arc::clone(self).announce_block_changes());
        tasks.spawn(Arc::clone(self).announce_profile_changes());
        tasks.spawn(Arc::clone(self).announce_conversation_changes());
        tasks.spawn(Arc::clone(self).announce_listing_changes());
        tasks
    }

    /// Stores what is only in memory so far. To be called after the sockets were closed, before the store is.
    pub async fn close(&self) {
        self.store_last_seen().await;
        self.flush_delivered().await;
    }

    /// For how long a message can be edited and deleted by its sender.
    pub fn edit_window(&self) -> Duration {
        self.config.edit_window
    }

    /// The rates of users. A request is counted before it reads the store.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A device of `user` is about to connect; see [`Subscribe::subscribe`](crate::bus::Subscribe::subscribe).
    pub fn subscribe(&self, user: &Id) -> Option<SubscribeFuture> {
        self.bus.subscribe(user)
    }

    /// Fetches the lost socket of `user` from the node that has it.
    pub async fn fetch_socket(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<SocketTransfer>> {
        self.bus.fetch_socket(user, lost).await
    }

    /// Lets in a socket that was handed over.
    pub fn restore(&self, socket: &Socket, user: &Id, cursor: DeliveryCursor, rooms: &[Box<str>]) {
        self.bus.restore(socket, user, cursor, rooms);
    }

    /// Frees what is no longer needed. To be called every minute or so.
    pub async fn tidy(&self) {
        self.limits.tidy();
        self.tokens.tidy();
        self.forget_withdrawn().await;
        self.forget_user_changes().await;
    }
}
