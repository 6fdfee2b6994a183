//! Values of which only the latest counts, delivered a little later, so that a burst is delivered once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a value waits for one that replaces it. Clients do not notice it, and what a message itself leads to (its
/// delivery, its acknowledgement) is sent first.
const DELAY: Duration = Duration::from_millis(100);

/// The latest value by key, until it is due.
pub(super) struct Coalescer<K, V> {
    waiting: Mutex<HashMap<K, (Instant, V)>>,
    filled: Notify,
}

impl<K: Hash + Eq, V> Coalescer<K, V> {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::new(HashMap::new()), filled: Notify::new() }
    }

    /// A value; it replaces a waiting one of the same key, and is due when that one was.
    pub(super) fn offer(&self, key: K, value: V) {
        self.insert(key, value, |_, value| value);
    }

    /// As [`Coalescer::offer`]; `merge` makes one value of a waiting one and of this.
    pub(super) fn insert(&self, key: K, value: V, merge: impl FnOnce(&V, V) -> V) {
        let mut waiting = self.waiting.lock();
        if waiting.is_empty() {
            self.filled.notify_one();
        }
        match waiting.entry(key) {
            Entry::Occupied(mut entry) => {
                let waiting = &mut entry.get_mut().1;
                *waiting = merge(waiting, value);
            }
            Entry::Vacant(entry) => _ = entry.insert((Instant::now() + DELAY, value)),
        }
    }

    /// Waits until values are due, and takes them.
    pub(super) async fn due(&self) -> Vec<(K, V)> {
        loop {
            let now = Instant::now();
            let is_empty = {
                let mut waiting = self.waiting.lock();
                let due: Vec<_> = waiting.extract_if(|_, (at, _)| *at <= now).collect();
                if !due.is_empty() {
                    return due.into_iter().map(|(key, (_, value))| (key, value)).collect();
                }
                if waiting.is_empty() && waiting.capacity() > 1024 {
                    waiting.shrink_to_fit();
                }
                waiting.is_empty()
            };
            if is_empty {
                self.filled.notified().await;
            }
            tokio::time::sleep(DELAY / 4).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_value_is_due_in_time() {
        let coalescer = Coalescer::new();
        let began = Instant::now();
        for (key, value) in [("a", 1), ("b", 7), ("a", 2), ("a", 3)] {
            coalescer.offer(key, value);
        }
        let mut due = coalescer.due().await;
        due.sort_unstable();
        assert_eq!(due, [("a", 3), ("b", 7)]);
        assert!(began.elapsed() >= DELAY && began.elapsed() < DELAY * 2);
        assert!(tokio::time::timeout(DELAY * 10, coalescer.due()).await.is_err());
        coalescer.offer("a", 4);
        coalescer.insert("a", 5, |waiting, value| waiting + value);
        assert_eq!(coalescer.due().await, [("a", 9)]);
    }
}
