//! A queue between two tasks, bounded in bytes: its items differ in length by a factor of a thousand, so a bound on their
//! number says little about memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// What an item takes beside its own bytes: the queue's slot, headers of allocations, small fields.
const OVERHEAD: usize = 256;

/// An item that a queue can count.
pub(super) trait Weight {
    /// How many bytes the item holds on the heap, about.
    fn bytes(&self) -> usize;
}

/// The queue is full, or nobody receives any more; the item is dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
struct State {
    max_bytes: usize,
    used: AtomicUsize,
    has_overflowed: AtomicBool,
}

/// The end that sends; clones share the bound.
#[derive(Debug)]
pub(super) struct Sender<T> {
    sender: mpsc::UnboundedSender<T>,
    state: Arc<State>,
}

/// The end that receives.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    receiver: mpsc::UnboundedReceiver<T>,
    state: Arc<State>,
}

/// A queue whose items have at most `max_bytes` together, [`OVERHEAD`] for each included.
pub(super) fn queue<T: Weight>(max_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let state =
        Arc::new(State { max_bytes, used: AtomicUsize::new(0), has_overflowed: AtomicBool::new(false) });
    (Sender { sender, state: Arc::clone(&state) }, Receiver { receiver, state })
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), state: Arc::clone(&self.state) }
    }
}

impl<T: Weight> Sender<T> {
    /// Adds `item`, unless the queue has no room for it.
    pub(super) fn try_send(&self, item: T) -> Result<(), Full> {
        let bytes = item.bytes() + OVERHEAD;
        let used = self.state.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.state.max_bytes {
            self.state.used.fetch_sub(bytes, Ordering::Relaxed);
            self.state.has_overflowed.store(true, Ordering::Release);
            return Err(Full);
        }
        self.sender.send(item).map_err(|_| {
            self.state.used.fetch_sub(bytes, Ordering::Relaxed);
            Full
        })
    }
}

impl<T> Sender<T> {
    /// Whether all that was sent has been received.
    pub(super) fn is_empty(&self) -> bool {
        self.state.used.load(Ordering::Relaxed) == 0
    }
}

impl<T: Weight> Receiver<T> {
    /// The next item; `None` if there is none and all senders are gone.
    pub(super) async fn recv(&mut self) -> Option<T> {
        let item = self.receiver.recv().await?;
        self.release(&item);
        Some(item)
    }

    /// Appends up to `limit` items to `items`, waiting for the first; 0 if there is none and all senders are gone.
    pub(super) async fn recv_many(&mut self, items: &mut Vec<T>, limit: usize) -> usize {
        let begin = items.len();
        let count = self.receiver.recv_many(items, limit).await;
        items[begin..].iter().for_each(|item| self.release(item));
        count
    }

    /// Drops all that waits; whether there was anything.
    pub(super) fn clear(&mut self) -> bool {
        let mut had_items = false;
        while let Ok(item) = self.receiver.try_recv() {
            self.release(&item);
            had_items = true;
        }
        had_items
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Whether no sender is left.
    pub(super) fn is_closed(&self) -> bool {
        self.receiver.is_closed()
    }

    /// Whether an item was ever refused for want of room.
    pub(super) fn has_overflowed(&self) -> bool {
        self.state.has_overflowed.load(Ordering::Acquire)
    }

    fn release(&self, item: &T) {
        self.state.used.fetch_sub(item.bytes() + OVERHEAD, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for Vec<u8> {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    #[tokio::test]
    async fn a_queue_is_bounded_in_bytes_and_has_room_again() {
        let (sender, mut receiver) = queue(2 * (1000 + OVERHEAD));
        assert_eq!(sender.try_send(vec![1; 1000]), Ok(()));
        assert_eq!(sender.try_send(vec![2; 1000]), Ok(()));
        assert!(!receiver.has_overflowed());
        assert_eq!(sender.try_send(vec![3; 1]), Err(Full));
        assert!(receiver.has_overflowed());
        assert_eq!(receiver.recv().await.unwrap()[0], 1);
        assert_eq!(sender.try_send(vec![4; 10]), Ok(()), "what was received has made room");
        let mut items = Vec::new();
        assert_eq!(receiver.recv_many(&mut items, 10).await, 2);
        assert_eq!((items[0][0], items[1][0]), (2, 4));
        assert!(sender.is_empty() && receiver.is_empty() && !receiver.clear());
    }

    #[tokio::test]
    async fn what_is_cleared_makes_room() {
        let (sender, mut receiver) = queue(3 * OVERHEAD);
        while sender.try_send(vec![0]).is_ok() {}
        assert!(receiver.clear() && sender.is_empty());
        assert_eq!(sender.try_send(vec![0]), Ok(()));
        drop(receiver);
        assert_eq!(sender.try_send(vec![0]), Err(Full), "nobody receives");
        assert_eq!(sender.state.used.load(Ordering::Relaxed), OVERHEAD + 1, "what was refused holds no room");
    }
}
