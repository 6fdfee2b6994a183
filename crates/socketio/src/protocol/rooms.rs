//! Who is in which room.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

/// Identifies a socket within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub(crate) u64);

/// How many parts the table has, each with a lock of its own.
const SHARDS: usize = 32;

type Members<S> = HashMap<SocketId, S>;
type Shard<S> = Mutex<HashMap<Arc<str>, Members<S>>>;

/// The rooms of a namespace. Two broadcasts to one room reach all members in the same order.
pub(crate) struct Rooms<S> {
    hasher: RandomState,
    shards: [Shard<S>; SHARDS],
}

impl<S> Rooms<S> {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Adds a socket; answers the room's own copy of its name.
    pub(crate) fn join(&self, room: &str, key: SocketId, socket: S) -> Arc<str> {
        let mut shard = self.shard(room).lock();
        let name = match shard.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(room),
        };
        let members = shard.entry(Arc::clone(&name)).or_default();
        members.insert(key, socket);
        name
    }

    /// Removes a socket; a room without members is forgotten.
    pub(crate) fn leave(&self, room: &str, socket: SocketId) {
        let mut shard = self.shard(room).lock();
        if let Some(members) = shard.get_mut(room) {
            members.remove(&socket);
            if members.is_empty() {
                shard.remove(room);
                // The table follows a crowd that has left, but not every single one.
                if shard.capacity() > 64 && shard.len() * 8 < shard.capacity() {
                    shard.shrink_to_fit();
                }
            }
        }
    }

    /// Calls `visit` with each member, while the room can't change.
    pub(crate) fn visit(&self, room: &str, mut visit: impl FnMut(&S)) {
        if let Some(members) = self.shard(room).lock().get(room) {
            members.values().for_each(&mut visit);
        }
    }

    fn shard(&self, room: &str) -> &Shard<S> {
        let hash = self.hasher.hash_one(room);
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("a small number")]
    }
}
