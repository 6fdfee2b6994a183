//! Who is typing. It is the user's, over all their devices and nodes, and the other's sockets alone are told.
//!
//! It ends when the last device has stopped, has gone, or was not heard of for some time, and with a message.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socketio::SocketId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Blocks, Chat};
use crate::bus::{BusEvent, Except};
use crate::contract::{ServerEvent, UserTyping};
use crate::id::Id;
use crate::store::Conversation;

/// How long a device types that does not say so again.
const LASTS: Duration = Duration::from_secs(6);
/// How long a node's devices do: the node itself ends it before, unless it is gone.
const LASTS_ELSEWHERE: Duration = Duration::from_secs(7);

/// The users who type.
pub(super) struct Typing {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    /// By user, in what each types. Each user here has one entry in `ends`.
    users: HashMap<Id, Vec<Typed>>,
    /// When to look after whom, in that order.
    ends: VecDeque<(Instant, Id)>,
}

/// A conversation in which a user types.
struct Typed {
    conversation: Arc<Conversation>,
    /// Where the user types, and until when if nothing more is heard. Never empty.
    sources: Vec<(Source, Instant)>,
}

/// Where a user types.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A device of this node.
    Socket(SocketId),
    /// Some device of another node.
    Node(Box<str>),
}

/// Where a user types no longer, after one source of it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    /// On no device of this node.
    here: bool,
    /// Nowhere.
    everywhere: bool,
}

impl Typing {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), filled: Notify::new() }
    }

    fn started(&self, source: Source, user: &Id, conversation: &Arc<Conversation>) {
        let lasts = if matches!(source, Source::Socket(_)) { LASTS } else { LASTS_ELSEWHERE };
        let until = Instant::now() + lasts;
        let mut state = self.state.lock();
        if !state.users.contains_key(user) {
            state.look_after(until, user.clone());
            state.users.insert(user.clone(), Vec::new());
            self.filled.notify_one();
        }
        let typed = state.users.entry(user.clone()).or_default();
        let Some(typed) = typed.iter_mut().find(|typed| typed.conversation.key == conversation.key) else {
            typed.push(Typed { conversation: Arc::clone(conversation), sources: vec![(source, until)] });
            return;
        };
        match typed.sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, known_until)) => *known_until = until,
            None => typed.sources.push((source, until)),
        }
    }

    /// The user has stopped there, if they typed at all.
    fn stopped(&self, source: &Source, user: &Id, conversation: &Conversation) -> Ended {
        let mut state = self.state.lock();
        let ended = state.take(user, |typed, (known, _)| typed.key == conversation.key && known == source);
        ended.into_iter().next().map_or_else(|| state.ended(user, conversation.key), |(_, ended)| ended)
    }

    /// The user has sent what they typed, from whatever device; answers whether they typed.
    fn sent(&self, user: &Id, conversation: &Conversation) -> bool {
        let mut state = self.state.lock();
        !state.users.is_empty() && !state.take(user, |typed, _| typed.key == conversation.key).is_empty()
    }

    /// A socket of the user has gone.
    fn gone(&self, socket: SocketId, user: &Id) -> Vec<(Arc<Conversation>, Ended)> {
        self.state.lock().take(user, |_, (known, _)| *known == Source::Socket(socket))
    }

    /// Waits until somebody has not been heard of for too long.
    async fn next(&self) -> Vec<(Id, Arc<Conversation>, Ended)> {
        loop {
            let wait = {
                let mut state = self.state.lock();
                let ended = state.take_ended(Instant::now());
                if !ended.is_empty() {
                    return ended;
                }
                state.ends.front().map(|(at, _)| *at)
            };
            match wait {
                Some(until) => tokio::time::sleep_until(until).await,
                None => self.filled.notified().await,
            }
        }
    }
}

impl State {
    /// Whether there is a source in the conversation.
    fn ended(&self, user: &Id, conversation: i64) -> Ended {
        let typed =
            self.users.get(user).into_iter().flatten().find(|typed| typed.conversation.key == conversation);
        typed.map_or(Ended { here: true, everywhere: true }, Typed::ended)
    }

    /// Takes the sources of a user that are meant; answers each conversation that had some, and what is left there.
    fn take(
        &mut self,
        user: &Id,
        mut is_meant: impl FnMut(&Conversation, &(Source, Instant)) -> bool,
    ) -> Vec<(Arc<Conversation>, Ended)> {
        let mut taken = Vec::new();
        let Some(all) = self.users.get_mut(user) else { return taken };
        all.retain_mut(|typed| {
            let before = typed.sources.len();
            typed.sources.retain(|source| !is_meant(&typed.conversation, source));
            if typed.sources.len() < before {
                taken.push((Arc::clone(&typed.conversation), typed.ended()));
            }
            !typed.sources.is_empty()
        });
        taken
    }

    fn take_ended(&mut self, now: Instant) -> Vec<(Id, Arc<Conversation>, Ended)> {
        let mut ended = Vec::new();
        while let Some((_, user)) = self.ends.pop_front_if(|(at, _)| *at <= now) {
            let taken = self.take(&user, |_, (_, until)| *until <= now);
            ended.extend(taken.into_iter().map(|(conversation, ended)| (user.clone(), conversation, ended)));
            let left = self.users.get(&user).into_iter().flatten();
            match left.flat_map(|typed| &typed.sources).map(|(_, until)| *until).min() {
                Some(next) => self.look_after(next, user),
                None => drop(self.users.remove(&user)),
            }
        }
        ended
    }

    fn look_after(&mut self, at: Instant, user: Id) {
        // Mostly at the end: nobody types longer than one who started now.
        let place = self.ends.partition_point(|(other, _)| *other <= at);
        self.ends.insert(place, (at, user));
    }
}

impl Typed {
    fn ended(&self) -> Ended {
        Ended {
            here: !self.sources.iter().any(|(source, _)| matches!(source, Source::Socket(_))),
            everywhere: self.sources.is_empty(),
        }
    }
}

impl Chat {
    /// `user` types on a socket, or no longer does: the other's sockets in the conversation's room are told.
    pub fn set_typing(&self, user: &Id, conversation: &Arc<Conversation>, socket: SocketId, types: bool) {
        let source = Source::Socket(socket);
        if types {
            self.typing.started(source, user, conversation);
            self.notify_typing(user, conversation, true);
            self.publish_typing(user, conversation, true);
        } else {
            let ended = self.typing.stopped(&source, user, conversation);
            self.stopped_typing(user, conversation, ended);
        }
    }

    /// `user` types on another node, or no longer does.
    pub(super) fn typing_elsewhere(
        &self,
        user: &Id,
        conversation: &Arc<Conversation>,
        node: &str,
        types: bool,
    ) {
        let source = Source::Node(node.into());
        if types {
            self.typing.started(source, user, conversation);
            self.notify_typing(user, conversation, true);
        } else if self.typing.stopped(&source, user, conversation).everywhere {
            self.notify_typing(user, conversation, false);
        }
    }

    /// `user` has sent a message: what they typed is in it. Each node hears of the message by itself.
    pub(super) fn typing_ended(&self, user: &Id, conversation: &Arc<Conversation>) {
        if self.typing.sent(user, conversation) {
            self.notify_typing(user, conversation, false);
        }
    }

    /// A socket of `user` has gone: it types no more.
    pub fn socket_disconnected(&self, user: &Id, socket: SocketId) {
        for (conversation, ended) in self.typing.gone(socket, user) {
            self.stopped_typing(user, &conversation, ended);
        }
    }

    /// Ends the typing of those who are not heard of again, as long as it runs.
    pub(super) async fn end_typing(self: Arc<Self>) {
        loop {
            for (user, conversation, ended) in self.typing.next().await {
                self.stopped_typing(&user, &conversation, ended);
            }
        }
    }

    fn stopped_typing(&self, user: &Id, conversation: &Arc<Conversation>, ended: Ended) {
        if ended.everywhere {
            self.notify_typing(user, conversation, false);
        }
        if ended.here {
            self.publish_typing(user, conversation, false);
        }
    }

    fn publish_typing(&self, user: &Id, conversation: &Arc<Conversation>, types: bool) {
        let (user, conversation) = (user.clone(), Arc::clone(conversation));
        self.bus.publish(BusEvent::Typing { user, conversation, types, node: None });
    }

    /// Tells the sockets of this node.
    fn notify_typing(&self, user: &Id, conversation: &Arc<Conversation>, types: bool) {
        // Somebody may have been blocked since the typing began.
        if self.blocks_at_once(user, conversation).is_some_and(Blocks::any) {
            return;
        }
        let typing = UserTyping { user_id: user, conversation_id: &conversation.id };
        let event = if types { ServerEvent::UserTyping(typing) } else { ServerEvent::UserStopTyping(typing) };
        self.bus.publish_locally(&BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: Some(Arc::clone(conversation)),
            users: Vec::new(),
            except: conversation.side_of(user).map(Except::Participant),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::Timestamp;

    const NOWHERE: Ended = Ended { here: true, everywhere: true };

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn conversation(key: i64) -> Arc<Conversation> {
        let participants = [id("ann"), id("ben")];
        let created_at = Timestamp(0);
        Arc::new(Conversation { key, id: id("c"), participants, horse_id: None, created_at })
    }

    fn node(name: &str) -> Source {
        Source::Node(name.into())
    }

    #[tokio::test(start_paused = true)]
    async fn typing_is_over_when_the_last_source_has_stopped() {
        let (typing, ann, place) = (Typing::new(), id("ann"), conversation(1));
        typing.started(node("a"), &ann, &place);
        typing.started(node("b"), &ann, &place);
        assert_eq!(typing.stopped(&node("a"), &ann, &place), Ended { here: true, everywhere: false });
        assert_eq!(typing.stopped(&node("a"), &ann, &place), Ended { here: true, everywhere: false });
        assert_eq!(typing.stopped(&node("b"), &ann, &conversation(2)), NOWHERE, "where nobody typed");
        assert_eq!(typing.stopped(&node("b"), &ann, &place), NOWHERE);
        assert_eq!(typing.stopped(&node("b"), &ann, &place), NOWHERE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_ends_it_wherever_it_was() {
        let (typing, ann, place) = (Typing::new(), id("ann"), conversation(1));
        assert!(!typing.sent(&ann, &place));
        typing.started(node("a"), &ann, &place);
        typing.started(node("b"), &ann, &place);
        typing.started(node("b"), &ann, &conversation(2));
        assert!(typing.sent(&ann, &place));
        assert!(!typing.sent(&ann, &place));
        assert!(typing.sent(&ann, &conversation(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_heard_of_types_no_more() {
        let (typing, ann, ben) = (Typing::new(), id("ann"), id("ben"));
        let began = Instant::now();
        typing.started(node("a"), &ann, &conversation(1));
        typing.started(node("a"), &ann, &conversation(2));
        typing.started(node("a"), &ben, &conversation(1));
        tokio::time::advance(LASTS_ELSEWHERE / 2).await;
        typing.started(node("a"), &ann, &conversation(1));
        let mut ended = typing.next().await;
        ended.extend(if ended.len() < 2 { typing.next().await } else { Vec::new() });
        let mut named: Vec<_> = ended.iter().map(|(user, place, _)| (user.to_string(), place.key)).collect();
        named.sort();
        assert_eq!(named, [("ann".to_owned(), 2), ("ben".to_owned(), 1)]);
        assert_eq!(began.elapsed().as_secs(), LASTS_ELSEWHERE.as_secs());
        let ended = typing.next().await;
        assert_eq!((ended[0].1.key, ended[0].2), (1, NOWHERE));
        assert_eq!(began.elapsed().as_secs(), (LASTS_ELSEWHERE + LASTS_ELSEWHERE / 2).as_secs());
        let state = typing.state.lock();
        assert!(state.users.is_empty() && state.ends.is_empty(), "nothing is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_looked_after_once() {
        let (typing, ann) = (Typing::new(), id("ann"));
        for key in 0..1000 {
            typing.started(node("a"), &ann, &conversation(key));
            typing.stopped(&node("a"), &ann, &conversation(key));
        }
        assert_eq!(typing.state.lock().ends.len(), 1);
    }
}
