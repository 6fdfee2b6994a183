//! What was sent to one socket, kept for as long as its client may come back for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::RecoveryConfig;
use crate::engine::frame::Frame;

/// The number of an event for one namespace; its text is what clients keep as offset.
pub(crate) type Offset = u64;

/// The bytes in all logs of a namespace, and in those of each owner.
#[derive(Default)]
pub(super) struct Bytes {
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
    /// Nobody may take up the socket now; see [`Socket::suspend_recovery`](crate::Socket::suspend_recovery).
    pub(crate) is_suspended: bool,
    frames: VecDeque<(Offset, Instant, Frame)>,
    bytes: usize,
    /// The last event that was dropped from the front: who has seen it has missed nothing older.
    dropped: Option<Offset>,
    share: Share,
}

impl Log {
    pub(super) fn new(pid: Box<str>, owner: &str, bytes: &Arc<Bytes>) -> Self {
        let owner: Arc<str> = owner.into();
        Self {
            pid,
            share: Share::of(bytes, &owner),
            owner,
            lost_at: None,
            is_suspended: false,
            frames: VecDeque::new(),
            bytes: 0,
            dropped: None,
        }
    }

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

    fn log(config: &RecoveryConfig, bytes: &Arc<Bytes>) -> Log {
        let log = Log::new("pid".into(), "owner", bytes);
        assert!(log.may_be_taken_by("owner", config));
        log
    }

    fn texts(frames: Option<Vec<Frame>>) -> Option<Vec<String>> {
        frames.map(|frames| {
            frames.iter().map(|frame| String::from_utf8(frame.payload().to_vec()).unwrap()).collect()
        })
    }

    #[tokio::test]
    async fn what_was_missed_comes_back() {
        let (config, bytes) = (RecoveryConfig::default(), Arc::default());
        let mut log = log(&config, &bytes);
        assert_eq!(texts(log.after(None)), Some(vec![]));
        for offset in [3, 9, 10] {
            log.push(offset, Frame::text(&offset.to_string()), &config);
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
        let bytes = Arc::<Bytes>::default();
        let mut log = log(&config, &bytes);
        for offset in 1..=5 {
            log.push(offset, Frame::text("x"), &config);
        }
        assert_eq!(log.frames.len(), 3);
        assert!(log.after(None).is_none());
        assert!(log.after(Some("1")).is_none());
        assert_eq!(log.after(Some("2")).unwrap().len(), 3);
        drop(log);
        assert_eq!(bytes.all.load(Ordering::Relaxed), 0);
        assert!(bytes.by_owner.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn old_events_go_when_new_ones_come() {
        let (config, bytes) = (RecoveryConfig::default(), Arc::default());
        let mut log = log(&config, &bytes);
        log.push(1, Frame::text("x"), &config);
        tokio::time::advance(config.window * 3).await;
        assert_eq!(log.after(Some("1")).unwrap().len(), 0);
        log.push(2, Frame::text("x"), &config);
        assert_eq!(log.after(Some("1")).unwrap().len(), 1);
        assert!(log.after(None).is_none());
    }

    #[tokio::test]
    async fn one_owner_leaves_room_for_the_events_of_others() {
        let config = RecoveryConfig { max_bytes_per_socket: 1000, max_bytes: 20_000, ..Default::default() };
        let bytes = Arc::<Bytes>::default();
        let fill = |log: &mut Log| (1..100).for_each(|at| log.push(at, Frame::text("x"), &config));
        let mut many: Vec<Log> = (0..100).map(|_| Log::new("pid".into(), "mallory", &bytes)).collect();
        many.iter_mut().for_each(fill);
        assert!(bytes.all.load(Ordering::Relaxed) <= 8 * 1000);
        let mut other = Log::new("pid".into(), "ann", &bytes);
        fill(&mut other);
        assert!(other.bytes > 900, "{}", other.bytes);
    }
}
