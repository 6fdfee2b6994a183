//! Connection state recovery: a client that lost its connection gets its rooms, and the events it missed.
//!
//! The client's part is the official client's own: it keeps the `pid` of the CONNECT reply and the last
//! argument of each event (the offset), and sends both in the auth of its next CONNECT. The server keeps a
//! log of frames a socket; a lost socket stays in its rooms, so that what is emitted goes on into its log.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::RecoveryConfig;
use crate::frame::Frame;
use crate::socket::Socket;

/// The number of an event for one namespace; its text is what clients keep as offset.
pub(crate) type Offset = u64;

/// The recovery of a namespace.
pub(crate) struct Recovery {
    pub(crate) config: RecoveryConfig,
    /// Sockets that may be recovered, by their private id: lost ones, and those that are connected, because
    /// a client notices the loss before the server does.
    sockets: Mutex<Table>,
    /// Bytes in all logs.
    bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Table {
    by_pid: HashMap<Box<str>, Socket>,
    /// Lost sockets, in the order in which they were lost; an entry whose socket came back is passed over.
    lost: VecDeque<(Instant, Box<str>)>,
    /// Whether a task waits to forget the first of `lost`.
    is_swept: bool,
}

/// What was sent to one socket, so that it can be sent again.
pub(crate) struct Log {
    pub(crate) pid: Box<str>,
    /// Whom the handler said the socket belongs to: nobody else may take it up.
    pub(crate) owner: Box<str>,
    /// When the connection was lost; `None` while there is one.
    pub(crate) lost_at: Option<Instant>,
    /// Nobody may take up the socket now; see [`Socket::suspend_recovery`].
    pub(crate) is_suspended: bool,
    frames: VecDeque<(Offset, Instant, Frame)>,
    bytes: usize,
    /// The last event that was dropped from the front: who has seen it has missed nothing older.
    dropped: Option<Offset>,
    all_bytes: Arc<AtomicUsize>,
}

impl Recovery {
    pub(crate) fn new(config: RecoveryConfig) -> Self {
        Self { config, sockets: Mutex::default(), bytes: Arc::default() }
    }

    pub(crate) fn new_log(&self, pid: Box<str>, owner: Box<str>) -> Log {
        Log {
            pid,
            owner,
            lost_at: None,
            is_suspended: false,
            frames: VecDeque::new(),
            bytes: 0,
            dropped: None,
            all_bytes: Arc::clone(&self.bytes),
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

    /// A socket has lost its connection: it is forgotten after the window, and at once if there are too many.
    pub(crate) fn lost(self: &Arc<Self>, pid: &str, at: Instant) {
        let mut table = self.sockets.lock();
        table.lost.push_back((at, pid.into()));
        let excess = table.lost.len().saturating_sub(self.config.max_lost_sockets);
        let expired: Vec<_> = table.lost.drain(..excess).collect();
        if !table.is_swept {
            table.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        drop(table);
        self.expire(expired);
    }

    /// Forgets those sockets that are still lost since then.
    fn expire(&self, lost: Vec<(Instant, Box<str>)>) {
        for (at, pid) in lost {
            if let Some(socket) = self.find(&pid) {
                socket.expire(at);
            }
        }
    }

    /// Forgets whose time is over, some of them; answers how long to wait for the next, `None` if none is lost.
    fn expire_due(&self, now: Instant) -> Option<Duration> {
        let mut table = self.sockets.lock();
        let window = self.config.window;
        let due = table.lost.iter().take(EXPIRED_AT_ONCE).take_while(|(at, _)| *at + window <= now).count();
        let expired: Vec<_> = table.lost.drain(..due).collect();
        let next = table.lost.front().map(|(at, _)| (*at + window).saturating_duration_since(now));
        if next.is_none() {
            table.lost.shrink_to_fit();
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
        self.all_bytes.fetch_add(cost, Ordering::Relaxed);
        self.frames.push_back((offset, now, frame));
        // Twice the window: an event may have been lost by a connection whose end was noticed a window late.
        let too_old = |at: Instant| now.saturating_duration_since(at) > config.window * 2;
        while let Some((_, at, _)) = self.frames.front() {
            if self.bytes <= config.max_bytes_per_socket
                && self.all_bytes.load(Ordering::Relaxed) <= config.max_bytes
                && !too_old(*at)
            {
                break;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((offset, _, frame)) = self.frames.pop_front() {
            self.dropped = Some(offset);
            self.bytes -= frame.cost();
            self.all_bytes.fetch_sub(frame.cost(), Ordering::Relaxed);
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
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
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
        let log = recovery.new_log("pid".into(), "owner".into());
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
        assert_eq!(recovery.bytes.load(Ordering::Relaxed), 0);
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
}
