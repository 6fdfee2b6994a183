//! Which events may be sent now: a state machine without clock, store or network.
//!
//! Events of one lane go out one after another. When one is not received, those of its lane that follow are put aside with
//! it; the store gives back the first of them when it is due.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::schedule::next_attempt;
use crate::store::{OutboxBatch, OutboxEvent, Settlement};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The receiver has it, or what it is about is gone.
    Received,
    /// It does not have it, for this reason.
    Failed(String),
    /// It does not want it (410).
    Refused(String),
    /// It could not be tried: it is tried again at once, and nothing is stored.
    Untried,
}

/// The events of one subscriber that are in memory.
pub(super) struct Queue {
    most_in_flight: usize,
    most_loaded: usize,
    lanes: HashMap<i64, Lane>,
    /// Lanes whose first event may be sent.
    ready: VecDeque<i64>,
    in_flight: usize,
    loaded: usize,
    /// The greatest number that was loaded.
    last_number: i64,
    settled: Vec<(OutboxEvent, Settlement)>,
}

#[derive(Default)]
struct Lane {
    /// Those that follow, in their order.
    events: VecDeque<OutboxEvent>,
    is_sending: bool,
}

impl Queue {
    pub(super) fn new(most_in_flight: usize, most_loaded: usize) -> Self {
        Self {
            most_in_flight,
            most_loaded,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            in_flight: 0,
            loaded: 0,
            last_number: 0,
            settled: Vec::new(),
        }
    }

    /// Behind which number new events are to be loaded.
    pub(super) fn last_number(&self) -> i64 {
        self.last_number
    }

    /// How many more it takes.
    pub(super) fn room(&self) -> usize {
        self.most_loaded.saturating_sub(self.loaded)
    }

    /// Takes what the store has. What was settled before has to be stored by then: the store says which lanes wait.
    pub(super) fn load(&mut self, batch: OutboxBatch) {
        // Of a lane that waits only the first event is in `due`; one that is in memory is not taken twice.
        for event in batch.due {
            if !self.lanes.contains_key(&event.lane) {
                self.add(event);
            }
        }
        for (event, is_behind) in batch.new {
            self.last_number = self.last_number.max(event.number);
            if is_behind {
                self.settled.push((event, Settlement::Behind));
            } else {
                self.add(event);
            }
        }
    }

    fn add(&mut self, event: OutboxEvent) {
        let key = event.lane;
        let lane = self.lanes.entry(key).or_default();
        if lane.events.is_empty() && !lane.is_sending {
            self.ready.push_back(key);
        }
        lane.events.push_back(event);
        self.loaded += 1;
    }

    /// The next event to send, which is in flight from then on.
    pub(super) fn start(&mut self) -> Option<OutboxEvent> {
        if self.in_flight >= self.most_in_flight {
            return None;
        }
        let lane = self.lanes.get_mut(&self.ready.pop_front()?)?;
        let event = lane.events.pop_front()?;
        lane.is_sending = true;
        self.in_flight += 1;
        Some(event)
    }

    /// An attempt has ended; the event happened `age` ago.
    pub(super) fn finish(&mut self, event: OutboxEvent, attempt: Attempt, age: Duration) {
        self.in_flight -= 1;
        let key = event.lane;
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.is_sending = false;
        let settlement = match attempt {
            Attempt::Untried => {
                lane.events.push_front(event);
                self.ready.push_back(key);
                return;
            }
            Attempt::Received => Settlement::Done,
            Attempt::Refused(error) => Settlement::GiveUp(error),
            Attempt::Failed(error) => match next_attempt(event.attempts, age) {
                Some(delay) => Settlement::Retry(delay, error),
                None => Settlement::GiveUp(error),
            },
        };
        self.loaded -= 1;
        if matches!(settlement, Settlement::Retry(..)) {
            let behind = std::mem::take(&mut lane.events);
            self.loaded -= behind.len();
            self.settled.push((event, settlement));
            self.settled.extend(behind.into_iter().map(|event| (event, Settlement::Behind)));
        } else {
            self.settled.push((event, settlement));
        }
        if self.lanes.get(&key).is_some_and(|lane| lane.events.is_empty()) {
            self.lanes.remove(&key);
        } else {
            self.ready.push_back(key);
        }
    }

    /// What is to be stored.
    pub(super) fn take_settled(&mut self) -> Vec<(OutboxEvent, Settlement)> {
        std::mem::take(&mut self.settled)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::store::EventKind;
    use crate::timestamp::Timestamp;

    const IN_FLIGHT: usize = 3;

    /// What the engines do, by a made-up clock.
    #[derive(Default)]
    struct World {
        now: u64,
        new: Vec<OutboxEvent>,
        waiting: BTreeMap<(i64, i64), (OutboxEvent, Option<u64>)>,
        given_up: Vec<i64>,
        received: BTreeMap<i64, Vec<i64>>,
    }

    impl World {
        fn batch(&self, after: i64, room: usize) -> OutboxBatch {
            let is_behind = |event: &OutboxEvent| self.waiting.keys().any(|(lane, _)| *lane == event.lane);
            let new = self.new.iter().filter(|event| event.number > after).take(room);
            let due = self.waiting.values().filter(|(_, due)| due.is_some_and(|due| due <= self.now));
            OutboxBatch {
                new: new.map(|event| (event.clone(), is_behind(event))).collect(),
                due: due.map(|(event, _)| event.clone()).take(IN_FLIGHT).collect(),
                next_due: None,
            }
        }

        fn settle(&mut self, settled: Vec<(OutboxEvent, Settlement)>) {
            let mut freed = Vec::new();
            for (mut event, settlement) in settled {
                let place = (event.lane, event.number);
                let was_waiting = self.waiting.remove(&place).is_some();
                self.new.retain(|other| other.number != event.number);
                assert_eq!(was_waiting, event.is_waiting);
                event.is_waiting = true;
                match settlement {
                    Settlement::Done => freed.push(event.lane),
                    Settlement::GiveUp(_) => {
                        freed.push(event.lane);
                        self.given_up.push(event.number);
                    }
                    Settlement::Behind => drop(self.waiting.insert(place, (event, None))),
                    Settlement::Retry(delay, _) => {
                        event.attempts += 1;
                        drop(self.waiting.insert(place, (event, Some(self.now + delay.as_secs()))));
                    }
                }
            }
            for lane in freed {
                let first = self.waiting.range_mut((lane, 0)..(lane + 1, 0)).next();
                if let Some((_, (_, due @ None))) = first {
                    *due = Some(self.now);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn each_lane_keeps_its_order_and_loses_nothing(
            lanes in prop::collection::vec(0..4_i64, 1..60),
            choices in prop::collection::vec(any::<u8>(), 400),
        ) {
            let mut world = World::default();
            let mut queue = Queue::new(IN_FLIGHT, 7);
            let mut in_flight: Vec<OutboxEvent> = Vec::new();
            let mut choices = choices.into_iter();
            let mut coming = (1..).zip(lanes.iter().copied());
            let mut steps = 0;
            loop {
                steps += 1;
                prop_assert!(steps < 100_000);
                let choice = choices.next();
                if let Some((number, lane)) = coming.next() {
                    world.new.push(OutboxEvent {
                        number, lane, kind: EventKind::MessageCreated, seq: number, at: Timestamp(0), unread: None,
                        detail: None, attempts: 0, is_waiting: false,
                    });
                }
                world.settle(queue.take_settled());
                queue.load(world.batch(queue.last_number(), queue.room()));
                while let Some(event) = queue.start() {
                    prop_assert!(in_flight.iter().all(|other| other.lane != event.lane));
                    in_flight.push(event);
                }
                prop_assert!(in_flight.len() <= IN_FLIGHT && queue.loaded <= 7 + IN_FLIGHT);
                if !in_flight.is_empty() {
                    let event = in_flight.remove(usize::from(choice.unwrap_or(0)) % in_flight.len());
                    // In the end all is received.
                    let attempt = match choice.map(|choice| choice % 5) {
                        Some(0 | 1) => Attempt::Failed("500".to_owned()),
                        Some(2) => Attempt::Refused("410".to_owned()),
                        Some(3) => Attempt::Untried,
                        _ => {
                            world.received.entry(event.lane).or_default().push(event.number);
                            Attempt::Received
                        }
                    };
                    queue.finish(event, attempt, Duration::from_secs(world.now));
                } else if world.new.is_empty() && world.waiting.is_empty() && queue.settled.is_empty() {
                    break;
                }
                world.now += if choice.is_some() { 2 } else { 100_000 };
            }
            let mut all: Vec<i64> = world.given_up.clone();
            for numbers in world.received.values() {
                prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", numbers);
                all.extend(numbers);
            }
            all.sort_unstable();
            prop_assert_eq!(all, (1..).take(lanes.len()).collect::<Vec<i64>>());
        }
    }
}
