//! Ends sockets when their tokens expire.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use socketio::{Socket, SocketId};
use tokio::sync::Notify;

use crate::contract::{ServerEvent, TokenExpiring};
use crate::timestamp::Timestamp;

/// How long before its token expires a client is notified.
const NOTICE: Duration = Duration::from_mins(1);
/// How often the clock is read at least: the system's time, by which tokens expire, may be set.
const LOOK: Duration = Duration::from_secs(1);

/// When the token of each socket expires.
#[derive(Default)]
pub struct Expiries {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By time, in milliseconds since 1970: what is next.
    next: BTreeMap<(i64, SocketId), Watched>,
    /// Where a socket stands in `next`.
    places: HashMap<SocketId, i64>,
}

struct Watched {
    socket: Socket,
    expires_at: Timestamp,
}

impl Expiries {
    /// Disconnects `socket` at `expires_at`, in seconds since 1970; never, if it is `None` or after the year 9999.
    pub fn watch(&self, socket: &Socket, expires_at: Option<f64>) {
        let Some(expires_at) = expires_at.and_then(Timestamp::from_seconds) else {
            return self.forget(socket);
        };
        let mut state = self.state.lock();
        state.remove(socket.key());
        let notice = i64::try_from(NOTICE.as_millis()).unwrap_or(0);
        state.put(expires_at.0.saturating_sub(notice), Watched { socket: socket.clone(), expires_at });
        drop(state);
        self.changed.notify_one();
    }

    /// `socket` has ended.
    pub fn forget(&self, socket: &Socket) {
        self.state.lock().remove(socket.key());
    }

    /// Notifies clients whose token expires soon, and closes the connections of those whose token has expired, as long as
    /// it runs.
    pub async fn run(self: Arc<Self>) {
        loop {
            let now = since_epoch();
            let due = self.state.lock().take_due(now);
            for watched in due {
                self.act(watched, now);
            }
            let next = self.state.lock().next.keys().next().map(|(at, _)| *at);
            // An entry that is inserted meanwhile leaves a permit, so `notified` returns at once.
            let wait = next.map_or(Duration::MAX, |at| {
                Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0)).min(LOOK)
            });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn act(&self, watched: Watched, now: i64) {
        let expires_at = watched.expires_at;
        if expires_at.0 <= now {
            tracing::info!(socket = %watched.socket.log_id(), "a socket's token has expired");
            watched.socket.close_connection();
            return;
        }
        let event = ServerEvent::TokenExpiring(TokenExpiring { expires_at });
        watched.socket.emit_raw(event.name(), &event.argument());
        let mut state = self.state.lock();
        // A new token may have come meanwhile.
        if !state.places.contains_key(&watched.socket.key()) {
            state.put(expires_at.0, watched);
        }
    }
}

impl State {
    fn put(&mut self, at: i64, watched: Watched) {
        self.places.insert(watched.socket.key(), at);
        self.next.insert((at, watched.socket.key()), watched);
    }

    fn remove(&mut self, socket: SocketId) {
        if let Some(at) = self.places.remove(&socket) {
            self.next.remove(&(at, socket));
        }
    }

    /// Takes what is due.
    fn take_due(&mut self, now: i64) -> Vec<Watched> {
        let mut due = Vec::new();
        while let Some(entry) = self.next.first_entry().filter(|entry| entry.key().0 <= now) {
            self.places.remove(&entry.key().1);
            due.push(entry.remove());
        }
        due
    }
}

fn since_epoch() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
