//! Where sockets went that were handed over.

use std::collections::{HashMap, VecDeque};

/// Of how many sockets it is known to which node they went.
const MOVED: usize = 20_000;

/// The nodes to which sockets went from here, by private id.
#[derive(Default)]
pub(super) struct Moved {
    to: HashMap<Box<str>, Box<str>>,
    order: VecDeque<Box<str>>,
}

impl Moved {
    pub(super) fn insert(&mut self, pid: &str, node: &str) {
        if self.to.insert(pid.into(), node.into()).is_none() {
            self.order.push_back(pid.into());
        }
        if self.order.len() > MOVED
            && let Some(oldest) = self.order.pop_front()
        {
            self.to.remove(&oldest);
        }
    }

    pub(super) fn get(&self, pid: &str) -> Option<Box<str>> {
        self.to.get(pid).cloned()
    }
}
