//! What a client missed is sent before what comes now. How the two fit together is the [`Hub`]'s part.
//!
//! A replay goes by pages: the next one is read from the store when the client has taken most of the last. A user has a
//! few replays at once, the others wait in line and hold nothing; and the more there are over all users, the less each
//! may have under way. So what clients that read slowly have the server hold is bounded, whoever they are, and nobody
//! waits for a stranger.
//!
//! [`Hub`]: crate::bus::Hub

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socketio::Socket;

use super::Services;
use crate::bus::BufferedEvent;
use crate::chat::{self, MessagePlace, Offset, Refusal, UserTurns};
use crate::contract::{NEW_MESSAGE, Resync, ResyncConversation, ServerEvent};
use crate::id::Id;
use crate::json::{self, LossyString};

/// How many replays one user has at once; others wait for their turn.
const AT_ONCE: usize = 4;
/// How many bytes of a replay wait to be sent at once: the rest of the outbox is for what comes meanwhile.
const WAITING: usize = 128 * 1024;
/// How many bytes of all replays wait to be sent, as long as each has [`LEAST_WAITING`].
const WAITING_OF_ALL: usize = 32 * 1024 * 1024;
/// How many bytes each replay may have waiting, however many there are.
const LEAST_WAITING: usize = 8 * 1024;

/// The replays under way.
pub(super) struct Replays {
    turns: UserTurns,
    count: AtomicUsize,
}

/// A replay under way.
struct Turn<'a> {
    replays: &'a Replays,
    _turn: chat::Turn<'a>,
}

impl Default for Replays {
    fn default() -> Self {
        // As many wait as the user has sockets, which are bounded themselves.
        Self { turns: UserTurns::new(AT_ONCE, usize::MAX), count: AtomicUsize::new(0) }
    }
}

impl Replays {
    /// Waits for the user's next turn.
    async fn turn<'a>(&'a self, user: &'a Id) -> Result<Turn<'a>, Refusal> {
        let turn = self.turns.take(user).await?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(Turn { replays: self, _turn: turn })
    }

    /// How many bytes a replay may have waiting to be sent.
    fn waiting(&self) -> usize {
        (WAITING_OF_ALL / self.count.load(Ordering::Relaxed).max(1)).clamp(LEAST_WAITING, WAITING)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.replays.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads `auth.serverOffset`; `None` if no replay is asked for.
pub(super) fn parse_offset(json: &str) -> Option<Offset> {
    if json == "null" {
        return None;
    }
    // The number 0 is what the tutorial of Socket.IO begins with.
    if json::whole_number(json) == Some(0) {
        return Some(Offset::Beginning);
    }
    Some(match LossyString::parse(json) {
        Some(text) if text.is_empty() => Offset::Beginning,
        Some(text) => Id::parse(&text).map_or(Offset::Unknown, Offset::Message),
        None => Offset::Unknown,
    })
}

/// Has `socket` follow all that happens to `user`, from `offset` on.
pub(super) fn start(services: &Arc<Services>, socket: &Socket, user: &Id, offset: Offset) {
    if let Err(error) = services.hub.begin_replay(socket, user) {
        tracing::error!(%error, %user, "a socket could not follow its user's conversations");
        return services.hub.fail_replay(socket);
    }
    let (of_task, of_hub) = ((Arc::clone(services), socket.clone(), user.clone()), socket);
    let task = tokio::spawn(async move {
        let (services, socket, user) = of_task;
        if let Err(refusal) = run(&services, &socket, &user, &offset).await {
            // Without the replay there would be a gap: the client comes again.
            tracing::warn!(%refusal, socket = %socket.log_id(), "a replay failed");
            services.hub.fail_replay(&socket);
        }
    });
    // What waits in line, or for its client, ends with the connection.
    services.hub.set_replay_task(of_hub, task.abort_handle());
}

async fn run(services: &Services, socket: &Socket, user: &Id, offset: &Offset) -> Result<(), Refusal> {
    let _turn = services.replays.turn(user).await?;
    services.hub.start_buffering(socket);
    let mut replay = services.chat.missed(user, offset).await?;
    if let Some(changed) = &replay.resync {
        let event = resync(changed);
        socket.emit_raw(event.name(), &event.argument());
    }
    let places = std::mem::take(&mut replay.places);
    if !send(services, socket, user, &places).await? {
        return Ok(());
    }
    drop(places);
    services.chat.wait_until_delivered(user, &replay).await?;
    let is_replayed = |conversation, seq| replay.includes(conversation, seq);
    while let Some(held) = services.hub.take_buffered(socket, is_replayed) {
        if !send_buffered(services, socket, user, &held).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Where messages came that a client has not.
fn resync(changed: &[(Id, i64)]) -> ServerEvent<'_> {
    let conversations =
        changed.iter().map(|(id, last_seq)| ResyncConversation { conversation_id: id, last_seq: *last_seq });
    ServerEvent::Resync(Resync { conversations: conversations.collect() })
}

/// Sends the messages at `places`; `false` if the connection ended.
async fn send(
    services: &Services,
    socket: &Socket,
    user: &Id,
    mut places: &[MessagePlace],
) -> Result<bool, Refusal> {
    while !places.is_empty() {
        if !socket.drained(services.replays.waiting() / 2).await {
            return Ok(false);
        }
        let page = services.chat.page(user, places, services.replays.waiting() / 4).await?;
        places = &places[page.len()..];
        for message in page.iter().flatten() {
            if !socket.drained(services.replays.waiting()).await {
                return Ok(false);
            }
            socket.emit_raw(NEW_MESSAGE, message);
        }
    }
    Ok(true)
}

/// Sends what was held back; `false` if the connection ended.
async fn send_buffered(
    services: &Services,
    socket: &Socket,
    user: &Id,
    mut held: &[BufferedEvent],
) -> Result<bool, Refusal> {
    while let [first, rest @ ..] = held {
        if let Some(json) = &first.json {
            if !socket.drained(services.replays.waiting()).await {
                return Ok(false);
            }
            socket.emit_raw(first.event, json);
            held = rest;
            continue;
        }
        let count = held.iter().take_while(|held| held.json.is_none()).count();
        let places: Vec<_> =
            held[..count].iter().map(|held| (Arc::clone(&held.conversation), held.seq)).collect();
        if !send(services, socket, user, &places).await? {
            return Ok(false);
        }
        held = &held[count..];
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_clients_send_them() {
        let id = "507f1f77bcf86cd799439011";
        assert_eq!(parse_offset("null"), None);
        for zero in ["0", "0.0", "-0", "0e0"] {
            assert_eq!(parse_offset(zero), Some(Offset::Beginning), "{zero}");
        }
        assert_eq!(parse_offset(r#""""#), Some(Offset::Beginning));
        assert_eq!(parse_offset(&format!("{id:?}")), Some(Offset::Message(Id::parse(id).unwrap())));
        for other in ["7", "{}", "[]", "true", r#""not an id""#] {
            assert_eq!(parse_offset(other), Some(Offset::Unknown), "{other}");
        }
    }
}
