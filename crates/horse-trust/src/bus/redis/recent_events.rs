//! Which events have arrived lately: one that is published to two channels arrives twice.

use std::collections::{HashSet, VecDeque};

/// How many events are remembered.
const REMEMBERED: usize = 16_384;

/// The last events that have arrived.
#[derive(Default)]
pub(super) struct RecentEvents {
    known: HashSet<(u64, u64)>,
    order: VecDeque<(u64, u64)>,
}

impl RecentEvents {
    /// Whether this event of `node` has not arrived before.
    pub(super) fn is_new(&mut self, node: &str, number: u64) -> bool {
        let key = (u64::from_str_radix(node, 16).unwrap_or(0), number);
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
