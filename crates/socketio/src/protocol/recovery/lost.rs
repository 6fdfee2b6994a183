//! Which sockets are lost, since when, and whose they are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

/// Lost sockets; an entry whose socket came back is passed over. When there are too many, the owner with the most gives
/// its longest lost one, so that nobody has the others' forgotten.
#[derive(Default)]
pub(super) struct LostSockets {
    /// In the order in which they were lost.
    entries: BTreeMap<u64, LostEntry>,
    /// The keys of `entries` of each owner, in the same order.
    by_owner: HashMap<Arc<str>, VecDeque<u64>>,
    /// How many each owner has.
    counts: BTreeSet<(usize, Arc<str>)>,
    next: u64,
}

pub(super) struct LostEntry {
    pub(super) at: Instant,
    pub(super) pid: Box<str>,
    owner: Arc<str>,
}

impl LostSockets {
    pub(super) fn push(&mut self, at: Instant, pid: &str, owner: &str) {
        let owner =
            self.by_owner.get_key_value(owner).map_or_else(|| owner.into(), |(owner, _)| Arc::clone(owner));
        let keys = self.by_owner.entry(Arc::clone(&owner)).or_default();
        keys.push_back(self.next);
        self.counts.remove(&(keys.len() - 1, Arc::clone(&owner)));
        self.counts.insert((keys.len(), Arc::clone(&owner)));
        self.entries.insert(self.next, LostEntry { at, pid: pid.into(), owner });
        self.next += 1;
    }

    /// The longest lost one of the owner who has the most.
    pub(super) fn pop_of_most(&mut self) -> Option<LostEntry> {
        let (_, owner) = self.counts.last()?;
        let key = *self.by_owner.get(owner)?.front()?;
        self.remove(key)
    }

    /// The longest lost one, if it was lost at `until` at the latest.
    pub(super) fn pop_before(&mut self, until: Instant) -> Option<LostEntry> {
        let (key, _) = self.entries.first_key_value().filter(|(_, entry)| entry.at <= until)?;
        self.remove(*key)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Since when the longest lost one is.
    pub(super) fn first(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(_, entry)| entry.at)
    }

    /// Removes the first entry of its owner.
    fn remove(&mut self, key: u64) -> Option<LostEntry> {
        let entry = self.entries.remove(&key)?;
        let keys = self.by_owner.get_mut(&entry.owner)?;
        self.counts.remove(&(keys.len(), Arc::clone(&entry.owner)));
        keys.pop_front();
        if keys.is_empty() {
            self.by_owner.remove(&entry.owner);
        } else {
            self.counts.insert((keys.len(), Arc::clone(&entry.owner)));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_lost_sockets_the_owner_with_the_most_gives() {
        let mut lost = LostSockets::default();
        let begin = Instant::now();
        lost.push(begin, "ann's", "ann");
        for number in 0..10_000 {
            lost.push(begin, &format!("flood {number}"), "mallory");
            lost.push(begin, &format!("ben's {number}"), &format!("ben {}", number % 500));
            while lost.entries.len() > 200 {
                lost.pop_of_most();
            }
        }
        assert!(lost.entries.values().any(|entry| &*entry.pid == "ann's"));
        assert_eq!(lost.counts.last().unwrap().0, 1, "all have a share");
        while lost.pop_before(begin).is_some() {}
        assert!(lost.entries.is_empty() && lost.by_owner.is_empty() && lost.counts.is_empty());
    }
}
