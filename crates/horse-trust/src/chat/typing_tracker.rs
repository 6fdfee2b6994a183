//! Who types in which conversation, on which devices of this node and which other nodes.
//!
//! A device types until it says that it has stopped, disconnects, or has not repeated it for some time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socketio::SocketId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::id::Id;
use crate::store::Conversation;

/// How long a device types that does not repeat it.
const LASTS: Duration = Duration::from_secs(6);
/// How long another node's devices do. The node itself ends it before, unless it is dead.
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
    /// When to check on which user, in that order.
    ends: VecDeque<(Instant, Id)>,
}

/// A conversation in which a user types.
struct Typed {
    conversation: Arc<Conversation>,
    /// Where the user types, and until when if it is not repeated. Never empty.
    sources: Vec<(Source, Instant)>,
}

/// Where a user types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A device of this node.
    Socket(SocketId),
    /// Some device of another node.
    Node(Box<str>),
}

/// Where a user types no longer, after one source of it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// On no device of this node.
    pub(super) here: bool,
    /// Nowhere.
    pub(super) everywhere: bool,
}

impl Typing {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), filled: Notify::new() }
    }

    pub(super) fn started(&self, source: Source, user: &Id, conversation: &Arc<Conversation>) {
        let lasts = if matches!(source, Source::Socket(_)) { LASTS } else { LASTS_ELSEWHERE };
        let until = Instant::now() + lasts;
        let mut state = self.state.lock();
        if !state.users.contains_key(user) {
            state.check_at(until, user.clone());
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
    pub(super) fn stopped(&self, source: &Source, user: &Id, conversation: &Conversation) -> Ended {
        let mut state = self.state.lock();
        let ended = state.take(user, |typed, (known, _)| typed.key == conversation.key && known == source);
        ended.into_iter().next().map_or_else(|| state.ended(user, conversation.key), |(_, ended)| ended)
    }

    /// The user has sent what they typed, from whatever device; answers whether they typed.
    pub(super) fn sent(&self, user: &Id, conversation: &Conversation) -> bool {
        let mut state = self.state.lock();
        !state.users.is_empty() && !state.take(user, |typed, _| typed.key == conversation.key).is_empty()
    }

    /// A socket of the user has disconnected.
    pub(super) fn disconnected(&self, socket: SocketId, user: &Id) -> Vec<(Arc<Conversation>, Ended)> {
        self.state.lock().take(user, |_, (known, _)| *known == Source::Socket(socket))
    }

    /// Waits until somebody's typing was not repeated in time.
    pub(super) async fn next(&self) -> Vec<(Id, Arc<Conversation>, Ended)> {
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
                Some(next) => self.check_at(next, user),
                None => drop(self.users.remove(&user)),
            }
        }
        ended
    }

    fn check_at(&mut self, at: Instant, user: Id) {
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
    async fn typing_that_is_not_repeated_ends() {
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
    async fn a_user_is_checked_on_once() {
        let (typing, ann) = (Typing::new(), id("ann"));
        for key in 0..1000 {
            typing.started(node("a"), &ann, &conversation(key));
            typing.stopped(&node("a"), &ann, &conversation(key));
        }
        assert_eq!(typing.state.lock().ends.len(), 1);
    }
}
