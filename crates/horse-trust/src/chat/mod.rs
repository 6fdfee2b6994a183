//! The rules of the chat: who may write where, what a message may say, who is told of it and in which
//! order. No transport and no SQL; it speaks to the [`Store`] and to the [`Bus`].

mod refusal;
pub mod text;
pub mod view;

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use quick_cache::sync::Cache;
use socketio::SocketId;

pub use self::refusal::Refusal;
use self::view::{MessageJson, MessageView};
use crate::bus::Bus;
use crate::id::Id;
use crate::store::{
    Conversation, ConversationSummary, NewConversation, NewMessage, Page, Profile, Store, StoreError,
};

/// How many conversations and profiles are remembered; about 200 bytes each.
const CACHED_ENTRIES: usize = 50_000;

/// The chat.
pub struct Chat {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    /// What never changes of a conversation, so an entry is never wrong.
    conversations: Cache<Id, Arc<Conversation>>,
    /// Profiles of users, also that a user has none; see [`Chat::profile_changed`].
    profiles: Cache<Id, Option<Arc<Profile>>>,
    rate: Option<DefaultKeyedRateLimiter<Id>>,
    /// Keeps one participant from flooding the other with what costs nothing to send.
    typing_rate: DefaultKeyedRateLimiter<Id>,
}

/// What a sender needs to write in a conversation, looked up before the message joins the batch.
pub struct Desk {
    conversation: Arc<Conversation>,
    sender: Option<Arc<Profile>>,
}

/// A page of history: messages, oldest first, and what their senders are called.
pub struct History {
    /// The messages as JSON.
    pub messages: Vec<MessageJson>,
}

/// Called once with what became of a message, after all others were told.
pub type Sent = Box<dyn FnOnce(Result<MessageJson, Refusal>) + Send>;

/// The room of a conversation.
pub fn conversation_room(id: &Id) -> String {
    format!("conv:{id}")
}

/// The personal room of a user.
pub fn user_room(id: &Id) -> String {
    format!("user:{id}")
}

impl Chat {
    /// A chat over `store` and `bus`. `message_rate` is the messages a second that one user may send, with
    /// bursts of five times as many; `None` is no limit.
    pub fn new(store: Arc<dyn Store>, bus: Arc<dyn Bus>, message_rate: Option<NonZeroU32>) -> Arc<Self> {
        let rate = message_rate
            .map(|rate| RateLimiter::keyed(Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST))));
        Arc::new(Self {
            store,
            bus,
            conversations: Cache::new(CACHED_ENTRIES),
            profiles: Cache::new(CACHED_ENTRIES),
            rate,
            typing_rate: RateLimiter::keyed(Quota::per_second(TYPING_RATE).allow_burst(TYPING_BURST)),
        })
    }

    /// The conversation, if `user` takes part in it.
    pub async fn conversation(&self, user: &Id, conversation_id: &str) -> Result<Arc<Conversation>, Refusal> {
        let id = Id::parse(conversation_id).map_err(|_| Refusal::ConversationNotFound)?;
        let conversation = match self.conversations.get(&id) {
            Some(conversation) => conversation,
            None => {
                let found = self.store.conversation(&id).await.map_err(store_failed("conversation"))?;
                let conversation = Arc::new(found.ok_or(Refusal::ConversationNotFound)?);
                self.conversations.insert(id, Arc::clone(&conversation));
                conversation
            }
        };
        taking_part(conversation, user)
    }

    /// As [`Chat::conversation`], without waiting: `None` if the store has to be asked.
    pub fn conversation_at_once(
        &self,
        user: &Id,
        conversation_id: &str,
    ) -> Option<Result<Arc<Conversation>, Refusal>> {
        let Ok(id) = Id::parse(conversation_id) else { return Some(Err(Refusal::ConversationNotFound)) };
        self.conversations.get(&id).map(|conversation| taking_part(conversation, user))
    }

    /// What `user` needs to write in `conversation_id`.
    pub async fn desk(&self, user: &Id, conversation_id: &str) -> Result<Desk, Refusal> {
        let conversation = self.conversation(user, conversation_id).await?;
        Ok(Desk { conversation, sender: self.profile(user).await? })
    }

    /// As [`Chat::desk`], without waiting: `None` if the store has to be asked.
    pub fn desk_at_once(&self, user: &Id, conversation_id: &str) -> Option<Result<Desk, Refusal>> {
        match self.conversation_at_once(user, conversation_id)? {
            Ok(conversation) => self.profiles.get(user).map(|sender| Ok(Desk { conversation, sender })),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Checks `text` and gives it to the store; `sent` is called once, after the message is on disk and
    /// everybody was told, or with the refusal.
    ///
    /// The order of calls for one conversation is the order in which the messages are stored and delivered.
    pub fn send(self: &Arc<Self>, user: &Id, desk: Desk, text: String, sent: Sent) {
        let rate = self.rate.as_ref().map_or(Ok(()), |rate| check_rate(rate, user));
        if let Err(refusal) = rate.and_then(|()| text::check(&text)) {
            return sent(Err(refusal));
        }
        let Desk { conversation, sender } = desk;
        let message = NewMessage { conversation, sender: user.clone(), text };
        let chat = Arc::clone(self);
        self.store.append_message(
            message,
            Box::new(move |appended| match appended {
                Ok((new, message)) => {
                    let json = MessageView::new(&new.conversation, sender.as_deref(), &message).to_json();
                    chat.deliver(&new.conversation, &message, &json);
                    sent(Ok(json));
                }
                Err(error) => {
                    tracing::error!(%error, "a message could not be stored");
                    sent(Err(Refusal::SendFailed));
                }
            }),
        );
    }

    /// [`Chat::send`] for a caller that waits.
    pub async fn post_message(
        self: &Arc<Self>,
        user: &Id,
        conversation_id: &str,
        text: String,
    ) -> Result<MessageJson, Refusal> {
        let desk = self.desk(user, conversation_id).await?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.send(
            user,
            desk,
            text,
            // The caller may have gone away meanwhile; the message is stored all the same.
            Box::new(move |result| drop(sender.send(result))),
        );
        receiver.await.unwrap_or(Err(Refusal::SendFailed))
    }

    /// Tells the others in the conversation's room that `user` types, or no longer does.
    pub fn typing(&self, user: &Id, conversation: &Id, socket: SocketId, event: &str) -> Result<(), Refusal> {
        check_rate(&self.typing_rate, user)?;
        let argument = format!(r#"{{"userId":"{user}","conversation_id":"{conversation}"}}"#);
        self.bus.emit(&conversation_room(conversation), Some(socket), event, &argument);
        Ok(())
    }

    /// A page of history; marks what others wrote as read.
    pub async fn history(&self, user: &Id, conversation_id: &str, page: Page) -> Result<History, Refusal> {
        let conversation = self.conversation(user, conversation_id).await?;
        let messages = self.store.messages(&conversation, page).await.map_err(store_failed("messages"))?;
        let [first, second] = &conversation.participants;
        let profiles = [self.profile(first).await?, self.profile(second).await?];
        let messages = messages
            .iter()
            .map(|message| {
                let profile = profiles[usize::from(message.sender != *first)].as_deref();
                MessageView::new(&conversation, profile, message).to_json()
            })
            .collect();
        self.store.mark_read(&conversation, user).await.map_err(store_failed("mark_read"))?;
        Ok(History { messages })
    }

    /// The user's conversations, newest first.
    pub async fn conversations(&self, user: &Id) -> Result<Vec<ConversationSummary>, Refusal> {
        self.store.conversations_of(user).await.map_err(store_failed("conversations"))
    }

    /// The one conversation of `user` and `recipient` about that horse, begun if there is none.
    pub async fn open_conversation(
        &self,
        user: &Id,
        recipient: &str,
        horse: Option<&str>,
    ) -> Result<ConversationSummary, Refusal> {
        let recipient = Id::parse(recipient).map_err(|_| Refusal::InvalidRecipient)?;
        let horse_id = horse.map(Id::parse).transpose().map_err(|_| Refusal::InvalidHorse)?;
        if recipient == *user {
            return Err(Refusal::MessageToSelf);
        }
        if self.store.user(&recipient).await.map_err(store_failed("user"))?.is_none() {
            return Err(Refusal::UserNotFound);
        }
        let new = NewConversation { participants: [user.clone(), recipient], horse_id };
        let opened = self.store.open_conversation(new).await.map_err(store_failed("open_conversation"))?;
        let summary = self.store.conversation_summary(opened.key, user).await;
        summary.map_err(store_failed("conversation_summary"))?.ok_or(Refusal::StoreFailed)
    }

    /// How many messages the user has not read.
    pub async fn unread_count(&self, user: &Id) -> Result<u64, Refusal> {
        self.store.unread_count(user).await.map_err(store_failed("unread_count"))
    }

    /// Forgets what was remembered of a user's profile; to be called after it was stored.
    pub fn profile_changed(&self, user: &Id) {
        self.profiles.remove(user);
    }

    /// Frees what the rate limiter holds of users who are quiet. To be called every minute or so.
    pub fn tidy(&self) {
        for rate in self.rate.iter().chain([&self.typing_rate]) {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }

    async fn profile(&self, user: &Id) -> Result<Option<Arc<Profile>>, Refusal> {
        if let Some(profile) = self.profiles.get(user) {
            return Ok(profile);
        }
        let profile = self.store.profile(user).await.map_err(store_failed("profile"))?.map(Arc::new);
        self.profiles.insert(user.clone(), profile.clone());
        Ok(profile)
    }

    /// Step two and three of `send_message`: the conversation's room, then the other's personal room.
    fn deliver(&self, conversation: &Conversation, message: &crate::store::Message, json: &str) {
        self.bus.emit(&conversation_room(&conversation.id), None, "new_message", json);
        if let Some(other) = conversation.other(&message.sender) {
            let notification = view::notification(&conversation.id, &message.sender, &message.text);
            self.bus.emit(&user_room(other), None, "message_notification", &notification);
        }
    }
}

/// Bursts are this many seconds' worth of messages.
const BURST: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// Typing events a second and user.
const TYPING_RATE: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");
/// And how many at once.
const TYPING_BURST: NonZeroU32 = NonZeroU32::new(100).expect("it is not zero");

fn check_rate(rate: &DefaultKeyedRateLimiter<Id>, user: &Id) -> Result<(), Refusal> {
    rate.check_key(user).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        Refusal::TooManyMessages { retry_after: wait.as_secs() + 1 }
    })
}

/// `conversation` if `user` is one of the two.
fn taking_part(conversation: Arc<Conversation>, user: &Id) -> Result<Arc<Conversation>, Refusal> {
    if conversation.other(user).is_some() { Ok(conversation) } else { Err(Refusal::ConversationNotFound) }
}

/// Logs a failure of the store with what was being done, and hides it from the client.
fn store_failed(operation: &'static str) -> impl Fn(StoreError) -> Refusal {
    move |error| {
        tracing::error!(%error, operation, "the store failed");
        Refusal::StoreFailed
    }
}
