//! Connection state recovery: a client that lost its connection gets its rooms, and the events it missed.
//!
//! The client's part is the official client's own: it keeps the `pid` of the CONNECT reply and the last
//! argument of each event (the offset), and sends both in the auth of its next CONNECT. The server keeps a
//! log of frames a socket; a lost socket stays in its rooms, so that what is emitted goes on into its log.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::RecoveryConfig;
use crate::engine::frame::Frame;
use crate::protocol::socket::Socket;

/// The number of an event for one namespace; its text is what clients keep as offset.
pub(crate) type Offset = u64;

/// The recovery of a namespace.
pub(crate) struct Recovery {
    pub(crate) config: RecoveryConfig,
    /// Sockets that may be recovered, by their private id: lost ones, and those that are connected, because
    /// a client notices the loss before the server does.
    sockets: Mutex<Table>,
    /// Bytes in all logs.
    bytes: Arc<Bytes>,
}

#[derive(Default)]
struct Table {
    by_pid: HashMap<Box<str>, Socket>,
    lost: LostSockets,
    /// Whether a task waits to forget the first of `lost`.
    is_swept: bool,
}

/// Lost sockets; an entry whose socket came back is passed over. When there are too many, the owner with the most gives
/// its longest lost one, so that nobody has the others' forgotten.
#[derive(Default)]
struct LostSockets {
    /// In the order in which they were lost.
    entries: BTreeMap<u64, LostEntry>,
    /// The keys of `entries` of each owner, in the same order.
    by_owner: HashMap<Arc<str>, VecDeque<u64>>,
    /// How many each owner has.
    counts: BTreeSet<(usize, Arc<str>)>,
    next: u64,
}

struct LostEntry {
    at: Instant,
    pid: Box<str>,
    owner: Arc<str>,
}

impl LostSockets {
    fn push(&mut self, at: Instant, pid: &str, owner: &str) {
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
    fn pop_of_most(&mut self) -> Option<LostEntry> {
        let (_, owner) = self.counts.last()?;
        let key = *self.by_owner.get(owner)?.front()?;
        self.remove(key)
    }

    /// The longest lost one, if it was lost at `until` at the latest.
    fn pop_before(&mut self, until: Instant) -> Option<LostEntry> {
        let (key, _) = self.entries.first_key_value().filter(|(_, entry)| entry.at <= until)?;
        self.remove(*key)
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

/// The bytes in logs: of all, and of each owner.
#[derive(Default)]
struct Bytes {
    all: AtomicUsize,
    by_owner: Mutex<HashMap<Arc<str>, Arc<AtomicUsize>>>,
}

/// The bytes of one owner; forgotten with the owner's last log.
struct Share {
    bytes: Arc<Bytes>,
    owner: Arc<str>,
    own: Arc<AtomicUsize>,
}

impl Share {
    fn of(bytes: &Arc<Bytes>, owner: &Arc<str>) -> Self {
        let mut by_owner = bytes.by_owner.lock();
        let own = Arc::clone(by_owner.entry(Arc::clone(owner)).or_default());
        Self { bytes: Arc::clone(bytes), owner: Arc::clone(owner), own }
    }

    fn add(&self, cost: usize) {
        self.bytes.all.fetch_add(cost, Ordering::Relaxed);
        self.own.fetch_add(cost, Ordering::Relaxed);
    }

    fn remove(&self, cost: usize) {
        self.bytes.all.fetch_sub(cost, Ordering::Relaxed);
        self.own.fetch_sub(cost, Ordering::Relaxed);
    }

    /// Whether the owner has more than a share: some sockets' worth, and once half of what all may have is used, one
    /// socket's.
    fn is_over(&self, config: &RecoveryConfig) -> bool {
        let all = self.bytes.all.load(Ordering::Relaxed);
        let sockets = if all > config.max_bytes / 2 { 1 } else { SOCKETS_WORTH };
        all > config.max_bytes || self.own.load(Ordering::Relaxed) > config.max_bytes_per_socket * sockets
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut by_owner = self.bytes.by_owner.lock();
        // Its own, and the table's.
        if Arc::strong_count(&self.own) <= 2 {
            by_owner.remove(&self.owner);
        }
    }
}

/// How many sockets' worth of events one owner may have kept, as long as there is room.
const SOCKETS_WORTH: usize = 8;

/// What was sent to one socket, so that it can be sent again.
pub(crate) struct Log {
    pub(crate) pid: Box<str>,
    /// Whom the handler said the socket belongs to: nobody else may take it up.
    pub(crate) owner: Arc<str>,
    /// When the connection was lost; `None` while there is one.
    pub(crate) lost_at: Option<Instant>,
    /// Nobody may take up the socket now; see [`Socket::suspend_recovery`].
    pub(crate) is_suspended: bool,
    frames: VecDeque<(Offset, Instant, Frame)>,
    bytes: usize,
    /// The last event that was dropped from the front: who has seen it has missed nothing older.
    dropped: Option<Offset>,
    share: Share,
}

impl Recovery {
    pub(crate) fn new(config: RecoveryConfig) -> Self {
        Self { config, sockets: Mutex::default(), bytes: Arc::default() }
    }

    pub(crate) fn new_log(&self, pid: Box<str>, owner: &str) -> Log {
        let owner: Arc<str> = owner.into();
        Log {
            pid,
            share: Share::of(&self.bytes, &owner),
            owner,
            lost_at: None,
            is_suspended: false,
            frames: VecDeque::new(),
            bytes: 0,
            dropped: None,
        }
    }

    pub(crate) fn remember(&self, pid: &str, socket: &Socket) {
        self.sockets.lock().by_pid.insert(pid.into(), socket.clone());
    }

    pub(crate) fn forget(&self, pid: &str) {
        self.sockets.lock().by_pid.remove(pid);
    }

    pub(crate) fn find(&self, pid: &str) -> Option<Socket> {
        self.sockets.lock().by_pid.get(pid).cloned()
    }

    /// A socket of `owner` has lost its connection: it is forgotten after the window, and at once if there are too many
    /// and nobody has more than the owner.
    pub(crate) fn lost(self: &Arc<Self>, pid: &str, owner: &str, at: Instant) {
        let mut table = self.sockets.lock();
        table.lost.push(at, pid, owner);
        let mut expired = Vec::new();
        while table.lost.entries.len() > self.config.max_lost_sockets {
            expired.extend(table.lost.pop_of_most());
        }
        if !table.is_swept {
            table.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        drop(table);
        self.expire(expired);
    }

    /// Forgets those sockets that are still lost since then.
    fn expire(&self, lost: Vec<LostEntry>) {
        for LostEntry { at, pid, .. } in lost {
            if let Some(socket) = self.find(&pid) {
                socket.expire(at);
            }
        }
    }

    /// Forgets whose time is over, some of them; answers how long to wait for the next, `None` if none is lost.
    fn expire_due(&self, now: Instant) -> Option<Duration> {
        let mut table = self.sockets.lock();
        let window = self.config.window;
        let until = now.checked_sub(window);
        let pop = || table.lost.pop_before(until?);
        let expired: Vec<_> = std::iter::from_fn(pop).take(EXPIRED_AT_ONCE).collect();
        let first = table.lost.entries.first_key_value();
        let next = first.map(|(_, entry)| (entry.at + window).saturating_duration_since(now));
        if next.is_none() {
            table.lost = LostSockets::default();
        }
        table.is_swept = next.is_some();
        drop(table);
        self.expire(expired);
        next
    }
}

/// How many sockets are forgotten at once: many that were lost together are no reason for the others to wait.
const EXPIRED_AT_ONCE: usize = 256;

/// Forgets lost sockets when their time is over; ends when none is left.
async fn sweep(recovery: std::sync::Weak<Recovery>) {
    loop {
        let next = match recovery.upgrade() {
            Some(recovery) => recovery.expire_due(Instant::now()),
            None => return,
        };
        let Some(wait) = next else { return };
        tokio::time::sleep(wait + Duration::from_millis(1)).await;
    }
}

impl Log {
    /// Whether `owner` may take up the socket, and it is not too late.
    pub(crate) fn may_be_taken_by(&self, owner: &str, config: &RecoveryConfig) -> bool {
        !self.is_suspended
            && *self.owner == *owner
            && self.lost_at.is_none_or(|at| at.elapsed() <= config.window)
    }

    /// Keeps a frame; what is too much or too old goes from the front.
    pub(crate) fn push(&mut self, offset: Offset, frame: Frame, config: &RecoveryConfig) {
        let now = Instant::now();
        let cost = frame.cost();
        self.bytes += cost;
        self.share.add(cost);
        self.frames.push_back((offset, now, frame));
        // Twice the window: an event may have been lost by a connection whose end was noticed a window late.
        let too_old = |at: Instant| now.saturating_duration_since(at) > config.window * 2;
        while let Some((_, at, _)) = self.frames.front() {
            if self.bytes <= config.max_bytes_per_socket && !self.share.is_over(config) && !too_old(*at) {
                break;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((offset, _, frame)) = self.frames.pop_front() {
            self.dropped = Some(offset);
            self.bytes -= frame.cost();
            self.share.remove(frame.cost());
        }
    }

    /// The log of a client that has seen the event at `offset` elsewhere, and nothing after it.
    pub(crate) fn begin_after(&mut self, offset: Option<Offset>) {
        self.dropped = offset;
    }

    /// The frames after `offset` (all, if the client has seen no event); `None` if that can't be known.
    pub(crate) fn after(&self, offset: Option<&str>) -> Option<Vec<Frame>> {
        Some(self.events_after(offset)?.map(|(_, frame)| frame.clone()).collect())
    }

    /// As [`Log::after`], with the offsets.
    pub(crate) fn events_after(
        &self,
        offset: Option<&str>,
    ) -> Option<impl Iterator<Item = (Offset, &Frame)>> {
        let skip = match offset.map(parse_offset) {
            Some(None) => return None,
            None if self.dropped.is_some() => return None,
            None => 0,
            Some(Some(offset)) if self.dropped == Some(offset) => 0,
            Some(Some(offset)) => {
                // From the back: what a client has seen last is near the end.
                self.frames.iter().rposition(|(known, _, _)| *known == offset)? + 1
            }
        };
        Some(self.frames.iter().skip(skip).map(|(offset, _, frame)| (*offset, frame)))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.share.remove(self.bytes);
    }
}

/// An offset as clients keep it.
pub(crate) fn format_offset(offset: Offset) -> String {
    format!("{offset:x}")
}

pub(crate) fn parse_offset(text: &str) -> Option<Offset> {
    Offset::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(config: RecoveryConfig) -> (Recovery, Log) {
        let recovery = Recovery::new(config);
        let log = recovery.new_log("pid".into(), "owner");
        (recovery, log)
    }

    fn texts(frames: Option<Vec<Frame>>) -> Option<Vec<String>> {
        frames.map(|frames| {
            frames.iter().map(|frame| String::from_utf8(frame.payload().to_vec()).unwrap()).collect()
        })
    }

    #[tokio::test]
    async fn what_was_missed_comes_back() {
        let (recovery, mut log) = log(RecoveryConfig::default());
        assert_eq!(texts(log.after(None)), Some(vec![]));
        for offset in [3, 9, 10] {
            log.push(offset, Frame::text(&offset.to_string()), &recovery.config);
        }
        assert_eq!(texts(log.after(None)).unwrap(), ["3", "9", "10"]);
        assert_eq!(texts(log.after(Some("3"))).unwrap(), ["9", "10"]);
        assert_eq!(texts(log.after(Some("a"))).unwrap(), [""; 0]);
        assert_eq!(texts(log.after(Some("4"))), None);
        assert_eq!(texts(log.after(Some("x"))), None);
    }

    #[tokio::test]
    async fn what_was_dropped_is_never_half_recovered() {
        let config =
            RecoveryConfig { max_bytes_per_socket: 3 * Frame::text("1").cost(), ..Default::default() };
        let (recovery, mut log) = log(config);
        for offset in 1..=5 {
            log.push(offset, Frame::text("x"), &recovery.config);
        }
        assert_eq!(log.frames.len(), 3);
        assert!(log.after(None).is_none());
        assert!(log.after(Some("1")).is_none());
        assert_eq!(log.after(Some("2")).unwrap().len(), 3);
        drop(log);
        assert_eq!(recovery.bytes.all.load(Ordering::Relaxed), 0);
        assert!(recovery.bytes.by_owner.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn old_events_go_when_new_ones_come() {
        let (recovery, mut log) = log(RecoveryConfig::default());
        log.push(1, Frame::text("x"), &recovery.config);
        tokio::time::advance(recovery.config.window * 3).await;
        assert_eq!(log.after(Some("1")).unwrap().len(), 0);
        log.push(2, Frame::text("x"), &recovery.config);
        assert_eq!(log.after(Some("1")).unwrap().len(), 1);
        assert!(log.after(None).is_none());
    }

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

    #[tokio::test]
    async fn one_owner_leaves_room_for_the_events_of_others() {
        let config = RecoveryConfig { max_bytes_per_socket: 1000, max_bytes: 20_000, ..Default::default() };
        let recovery = Recovery::new(config);
        let fill = |log: &mut Log| (1..100).for_each(|at| log.push(at, Frame::text("x"), &recovery.config));
        let mut many: Vec<Log> = (0..100).map(|_| recovery.new_log("pid".into(), "mallory")).collect();
        many.iter_mut().for_each(fill);
        assert!(recovery.bytes.all.load(Ordering::Relaxed) <= 8 * 1000);
        let mut other = recovery.new_log("pid".into(), "ann");
        fill(&mut other);
        assert!(other.bytes > 900, "{}", other.bytes);
    }
}
