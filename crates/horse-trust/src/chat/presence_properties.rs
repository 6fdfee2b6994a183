//! Whatever devices connect and disconnect on whatever nodes, and in whatever order notifications arrive: the last one that
//! a node's sockets received is true, and none says the same again soon.
//!
//! A model of Redis keeps the nodes of one user. The nodes are the pure parts, [`PresenceTracker`] and [`PresenceFilter`],
//! and the network between them delays and reorders. A node may die; another adopts its user.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::presence_tracker::PresenceTracker;
use crate::bus::{PresenceFilter, PresenceVersion};
use crate::id::Id;
use crate::timestamp::Timestamp;

const NODES: usize = 3;
/// How long a notification may be under way after the change of which it is.
const UNDER_WAY: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
enum Step {
    Connect(usize),
    Disconnect(usize),
    /// The task that notifies others goes on.
    Work(usize),
    Arrive(usize),
    Wait(Duration),
    /// A node dies with all of its devices, and another adopts its user later.
    Kill(usize),
    Adopt(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..NODES).prop_map(Step::Connect),
        4 => (0..NODES).prop_map(Step::Disconnect),
        8 => (0..NODES).prop_map(Step::Work),
        6 => any::<usize>().prop_map(Step::Arrive),
        6 => (1..2500u64).prop_map(|milliseconds| Step::Wait(Duration::from_millis(milliseconds))),
        1 => (0..NODES).prop_map(Step::Kill),
        2 => (0..NODES).prop_map(Step::Adopt),
    ]
}

/// Whether the user is present, and if not, when the user was last seen.
type State = (bool, Option<Timestamp>);

struct Node {
    /// Its name in Redis; a node that is started again has another.
    name: usize,
    devices: usize,
    tracker: PresenceTracker,
    /// Changes of which Redis does not know.
    taken: Vec<State>,
    /// Changes that are to be published.
    unpublished: Vec<(Instant, PresenceVersion, State)>,
    filter: PresenceFilter,
    /// What the sockets of a partner on this node received.
    received: Vec<(Instant, State)>,
}

struct Model {
    user: Id,
    partner: Id,
    grace: Duration,
    now: Instant,
    begin: Instant,
    nodes: Vec<Node>,
    next_name: usize,
    /// The nodes of the user in Redis, and those of them that died.
    noted: BTreeSet<usize>,
    dead: BTreeSet<usize>,
    next_version: u64,
    /// Notifications for a node, each with the time of its change.
    under_way: Vec<(Instant, usize, PresenceVersion, State)>,
}

impl Model {
    fn new(grace: Duration) -> Self {
        let now = Instant::now();
        let node = |name| Node {
            name,
            devices: 0,
            tracker: PresenceTracker::new(grace),
            taken: Vec::new(),
            unpublished: Vec::new(),
            filter: PresenceFilter::default(),
            received: Vec::new(),
        };
        Self {
            user: Id::parse("ann").unwrap(),
            partner: Id::parse("ben").unwrap(),
            grace,
            now,
            begin: now,
            nodes: (0..NODES).map(node).collect(),
            next_name: NODES,
            noted: BTreeSet::new(),
            dead: BTreeSet::new(),
            next_version: 1,
            under_way: Vec::new(),
        }
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp(i64::try_from((self.now - self.begin).as_millis()).unwrap())
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Connect(index) => {
                self.nodes[index].devices += 1;
                self.nodes[index].tracker.connect(&self.user, self.now);
            }
            Step::Disconnect(index) => {
                let timestamp = self.timestamp();
                let node = &mut self.nodes[index];
                if node.devices > 0 {
                    node.devices -= 1;
                    node.tracker.disconnect(&self.user, self.now, timestamp);
                }
            }
            Step::Work(index) => _ = self.work(index),
            Step::Arrive(which) => {
                if let Some(index) = which.checked_rem(self.under_way.len()) {
                    self.arrive(index);
                }
            }
            Step::Wait(duration) => self.wait(duration),
            Step::Kill(index) => self.kill(index),
            Step::Adopt(index) => self.adopt(index),
        }
    }

    /// One step of the task of a node; answers whether there was anything to do.
    fn work(&mut self, index: usize) -> bool {
        let node = &mut self.nodes[index];
        if !node.unpublished.is_empty() {
            let (at, version, state) = node.unpublished.remove(0);
            for receiver in 0..NODES {
                self.under_way.push((at, receiver, version, state));
            }
        } else if !node.taken.is_empty() {
            let state = node.taken.remove(0);
            if state.0 {
                self.noted.insert(node.name)
            } else {
                self.noted.remove(&node.name)
            };
            let version = PresenceVersion(self.next_version);
            self.next_version += 1;
            if !self.noted.iter().any(|name| *name != node.name) {
                node.unpublished.push((self.now, version, state));
            }
        } else {
            let changes = node.tracker.take_due(self.now);
            let state = |last_seen: Option<Timestamp>| (last_seen.is_none(), last_seen);
            node.taken = changes.iter().map(|change| state(change.last_seen)).collect();
            return !changes.is_empty();
        }
        true
    }

    /// What is under way for too long arrives meanwhile, the latest first.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + TICK);
            for index in 0..NODES {
                while self.nodes[index].unpublished.first().is_some_and(|(at, ..)| *at + UNDER_WAY < self.now)
                {
                    self.work(index);
                }
            }
            while let Some(index) = self.under_way.iter().rposition(|(at, ..)| *at + UNDER_WAY < self.now) {
                self.arrive(index);
            }
        }
    }

    fn arrive(&mut self, index: usize) {
        let (_, receiver, version, state) = self.under_way.remove(index);
        let node = &mut self.nodes[receiver];
        if node.filter.admits(&self.partner, &self.user, version, &format!("{state:?}"), self.now) {
            node.received.push((self.now, state));
        }
    }

    /// Only a node that has published all: what it has not is lost with it.
    fn kill(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.taken.is_empty() && node.unpublished.is_empty() {
            if self.noted.contains(&node.name) {
                self.dead.insert(node.name);
            }
            node.name = self.next_name;
            node.devices = 0;
            node.tracker = PresenceTracker::new(self.grace);
            self.next_name += 1;
        }
    }

    fn adopt(&mut self, index: usize) {
        let timestamp = self.timestamp();
        let node = &mut self.nodes[index];
        if node.taken.is_empty() && node.unpublished.is_empty() {
            for name in std::mem::take(&mut self.dead) {
                self.noted.insert(node.name);
                node.tracker.adopt(std::slice::from_ref(&self.user), timestamp, self.now);
                self.noted.remove(&name);
            }
        }
    }

    /// Lets all come to rest; notifications arrive in the reverse order.
    fn settle(&mut self) {
        for _ in 0..2 {
            for index in 0..NODES {
                while self.work(index) {}
            }
            self.adopt(0);
            self.wait(self.grace + Duration::from_secs(1));
        }
        for index in 0..NODES {
            while self.work(index) {}
        }
        while !self.under_way.is_empty() {
            self.arrive(self.under_way.len() - 1);
        }
    }

    fn check(&self) {
        let is_present = self.nodes.iter().any(|node| node.devices > 0);
        for Node { received, .. } in &self.nodes {
            let last = received.last().is_some_and(|(_, (is_present, _))| *is_present);
            assert_eq!(last, is_present, "{received:?}");
            let is_repetition = |pair: &[(Instant, State)]| {
                pair[0].1 == pair[1].1 && pair[1].0 - pair[0].0 <= PresenceFilter::REMEMBERED
            };
            assert!(!received.windows(2).any(is_repetition), "{received:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_last_notification_is_true_and_none_says_the_same_again_soon(
        grace in prop_oneof![Just(0), Just(100), Just(5000)],
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut model = Model::new(Duration::from_millis(grace));
        for step in &steps {
            model.run(step);
        }
        model.settle();
        model.check();
    }
}
