//! Whatever the order, loss and repetition of what arrives, and whenever the store is read, each socket receives each
//! message once, in order.
//!
//! A model store keeps the messages of one user. Each message goes to the node by a network that delays, repeats and loses
//! it. Sockets connect at any moment, some with a replay from an offset. Everything is driven through the pure parts,
//! [`UserSequence`] and [`ReplayState`], in the order in which the hub and the sequencer call them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::delegate::StoredMessage;
use super::event::{MessageEvent, NEW_MESSAGE};
use super::replay_state::{Admission, LastSeqs, ReplayState};
use super::user_sequence::{Pending, UserSequence};
use crate::id::Id;
use crate::store::{Conversation, UserPosition};
use crate::timestamp::Timestamp;

/// How many conversations the user has.
const CONVERSATIONS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A message is stored, by this node or another.
    Commit { conversation: usize, is_local: bool },
    /// A stored message is deleted.
    Delete(usize),
    /// A message under way arrives, perhaps not for the last time.
    Arrive { which: usize, again: bool },
    /// A message under way is lost.
    Lose(usize),
    /// The node suspects a gap.
    Suspect,
    /// The catching-up task reads the store, or delivers what it has read.
    CatchUp,
    /// A device connects without a replay.
    Connect,
    /// A device connects and asks for what it missed since a position.
    Replay { from: usize },
    /// The replay of a device goes on.
    Advance(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..CONVERSATIONS, any::<bool>())
            .prop_map(|(conversation, is_local)| Step::Commit { conversation, is_local }),
        1 => any::<usize>().prop_map(Step::Delete),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Step::Arrive { which, again }),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => Just(Step::Suspect),
        4 => Just(Step::CatchUp),
        1 => Just(Step::Connect),
        2 => any::<usize>().prop_map(|from| Step::Replay { from }),
        8 => any::<usize>().prop_map(Step::Advance),
    ]
}

struct Model {
    user: Id,
    conversations: Vec<Arc<Conversation>>,
    /// By position, from 1 on: the message, and whether it is deleted.
    stored: Vec<(MessageEvent, bool)>,
    /// Messages under way to the node, with their positions, and whether they come from other nodes.
    under_way: Vec<(i64, Arc<Pending>, bool)>,
    sequence: UserSequence,
    /// What the catching-up task has read and not delivered yet.
    read: Option<(UserPosition, Vec<StoredMessage>)>,
    sockets: Vec<Device>,
    /// Messages of this node whose sender was notified that they are delivered.
    notified: Arc<AtomicUsize>,
    local: usize,
}

/// A device, and what it has received.
struct Device {
    /// What it had received before it connected.
    from: i64,
    received: Vec<i64>,
    replay: Option<(ReplayState, ReplayTask)>,
}

/// What the task that sends a replay does next.
enum ReplayTask {
    Begin,
    /// Sends what was missed, up to `last_seqs`.
    Send {
        missed: Vec<i64>,
        last_seqs: LastSeqs,
    },
}

impl Model {
    fn new() -> Self {
        let user = Id::parse("ann").unwrap();
        let conversations = (0..CONVERSATIONS)
            .map(|key| {
                let other = Id::parse(&format!("user-{key}")).unwrap();
                Arc::new(Conversation {
                    key: i64::try_from(key).unwrap(),
                    id: Id::parse(&format!("c{key}")).unwrap(),
                    participants: [user.clone(), other],
                    horse_id: None,
                    created_at: Timestamp(0),
                })
            })
            .collect();
        Self {
            sequence: UserSequence::new(&UserPosition {
                user: user.clone(),
                position: 0,
                conversations: Vec::new(),
            }),
            user,
            conversations,
            stored: Vec::new(),
            under_way: Vec::new(),
            read: None,
            sockets: Vec::new(),
            notified: Arc::default(),
            local: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Commit { conversation, is_local } => self.commit(conversation, is_local),
            Step::Delete(which) => {
                if let Some(index) = which.checked_rem(self.stored.len()) {
                    self.stored[index].1 = true;
                }
            }
            Step::Arrive { which, again } => self.arrive(which, again),
            Step::Lose(which) => {
                if let Some(index) = which.checked_rem(self.under_way.len())
                    && self.under_way[index].2
                {
                    self.under_way.remove(index);
                }
            }
            Step::Suspect => self.sequence.suspect_gap(),
            Step::CatchUp => _ = self.catch_up(),
            Step::Connect => {
                let from = self.sequence.position();
                self.sockets.push(Device { from, received: Vec::new(), replay: None });
            }
            Step::Replay { from } => {
                let from = i64::try_from(from % (self.stored.len() + 1)).unwrap();
                let replay = Some((ReplayState::Pending, ReplayTask::Begin));
                self.sockets.push(Device { from, received: Vec::new(), replay });
            }
            Step::Advance(which) => {
                if let Some(index) = which.checked_rem(self.sockets.len()) {
                    self.advance(index);
                }
            }
        }
    }

    fn commit(&mut self, conversation: usize, is_local: bool) {
        let conversation = Arc::clone(&self.conversations[conversation]);
        let seq = self.last_seqs().get(&conversation.key).map_or(1, |last| last + 1);
        let position = i64::try_from(self.stored.len()).unwrap() + 1;
        let sender = conversation.participants[1].clone();
        let json = Arc::from(position.to_string());
        let notification = Arc::clone(&json);
        let message =
            MessageEvent { conversation, seq, positions: [position, seq], sender, json, notification };
        self.stored.push((message.clone(), false));
        self.local += usize::from(is_local);
        let notified = Arc::clone(&self.notified);
        let delivered = is_local.then(|| {
            Box::new(move |()| _ = notified.fetch_add(1, Ordering::Relaxed)) as Box<dyn FnOnce(()) + Send>
        });
        self.under_way.push((position, Pending::new(message, delivered), !is_local));
    }

    fn arrive(&mut self, which: usize, again: bool) {
        let Some(index) = which.checked_rem(self.under_way.len()) else { return };
        let (position, message, is_remote) = self.under_way.remove(index);
        let sockets = &mut self.sockets;
        self.sequence.receive(position, &message, |message, _| deliver(sockets, message));
        // What this node sends itself arrives once.
        if again && is_remote {
            self.under_way.push((position, message, is_remote));
        }
    }

    /// One step of the catching-up task; answers whether there was any.
    fn catch_up(&mut self) -> bool {
        if let Some((ends, stored)) = self.read.take() {
            let sockets = &mut self.sockets;
            self.sequence.fill_gap(&ends, stored, |message, _| deliver(sockets, message));
            return true;
        }
        self.sequence.start_catch_up();
        if !self.sequence.is_catching_up() {
            return false;
        }
        if let Some(after) = self.sequence.begin_read() {
            let stored = self.stored.iter().filter(|(message, _)| {
                after.get(&message.conversation.key).is_none_or(|delivered| message.seq > *delivered)
            });
            let stored = stored.map(|(message, is_deleted)| StoredMessage {
                id: message.sender.clone(),
                conversation: message.conversation.key,
                seq: message.seq,
                event: (!is_deleted).then(|| message.clone()),
            });
            self.read = Some((self.ends(), stored.collect()));
        }
        true
    }

    /// The next step of the task that sends a device's replay.
    fn advance(&mut self, index: usize) {
        let last_seqs = self.last_seqs();
        let device = &mut self.sockets[index];
        let Some((state, task)) = &mut device.replay else { return };
        match task {
            ReplayTask::Begin => {
                *state = ReplayState::buffering();
                let missed = self.stored.iter().filter(|(_, is_deleted)| !is_deleted);
                let missed = missed.map(|(message, _)| message.positions[0]);
                let missed = missed.filter(|position| *position > device.from).collect();
                *task = ReplayTask::Send { missed, last_seqs };
            }
            ReplayTask::Send { missed, .. } if !missed.is_empty() => device.received.push(missed.remove(0)),
            ReplayTask::Send { last_seqs, .. } => {
                if self.sequence.position() < last_seqs.values().sum() {
                    return self.sequence.suspect_gap();
                }
                let is_replayed =
                    |conversation, seq| last_seqs.get(&conversation).is_some_and(|last| seq <= *last);
                let events = state.take_buffered(is_replayed);
                if events.is_empty() {
                    device.replay = None;
                }
                for event in events {
                    device.received.push(event.json.unwrap().parse().unwrap());
                }
            }
        }
    }

    fn last_seqs(&self) -> LastSeqs {
        self.stored.iter().map(|(message, _)| (message.conversation.key, message.seq)).collect()
    }

    fn ends(&self) -> UserPosition {
        let last_seqs = self.last_seqs();
        let ends = self
            .conversations
            .iter()
            .filter_map(|conversation| Some((Arc::clone(conversation), *last_seqs.get(&conversation.key)?)));
        let position = i64::try_from(self.stored.len()).unwrap();
        UserPosition { user: self.user.clone(), position, conversations: ends.collect() }
    }

    /// Lets all come to rest: what other nodes sent is lost, and the store is read.
    fn settle(&mut self) {
        self.under_way.retain(|(_, _, is_remote)| !is_remote);
        while !self.under_way.is_empty() {
            self.arrive(0, false);
        }
        self.sequence.suspect_gap();
        while self.catch_up() {}
        for index in 0..self.sockets.len() {
            while self.sockets[index].replay.is_some() {
                self.advance(index);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.sequence.position(), i64::try_from(self.stored.len()).unwrap());
        assert!(!self.sequence.has_waiting());
        assert_eq!(self.notified.load(Ordering::Relaxed), self.local, "each sender is notified once");
        for Device { from, received, .. } in &self.sockets {
            assert!(received.is_sorted_by(|one, other| one < other), "in order and once: {received:?}");
            assert!(received.first().is_none_or(|first| first > from), "{from} {received:?}");
            for (message, is_deleted) in &self.stored {
                let position = message.positions[0];
                assert!(
                    *is_deleted || position <= *from || received.contains(&position),
                    "{position} after {from} is missing in {received:?}"
                );
            }
        }
    }
}

/// As the hub does: each socket's replay decides.
fn deliver(sockets: &mut [Device], message: &MessageEvent) {
    for Device { received, replay, .. } in sockets {
        let admission = replay.as_mut().map_or(Admission::Deliver, |(state, _)| {
            state.admit(NEW_MESSAGE, &message.conversation, message.seq, &message.json)
        });
        assert_ne!(admission, Admission::Overflow);
        if admission == Admission::Deliver {
            received.push(message.positions[0]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn each_socket_receives_each_message_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
        }
        model.settle();
        model.check();
    }
}
