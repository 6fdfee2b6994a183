//! What a client missed is sent before what comes now. How the two fit together is the [`Hub`]'s part.
//!
//! [`Hub`]: crate::bus::Hub

use std::sync::Arc;

use socketio::Socket;

use super::Services;
use crate::chat::{Offset, Refusal, Replay};
use crate::id::Id;
use crate::json::LossyString;

/// How many bytes of a replay wait to be sent at once: the rest of the outbox is for what comes meanwhile.
const WAITING: usize = 128 * 1024;

/// Reads `auth.serverOffset`; `None` if no replay is asked for.
pub(super) fn parse_offset(json: &str) -> Option<Offset> {
    if json == "null" {
        return None;
    }
    // The number 0 is what the tutorial of Socket.IO begins with.
    if json == "0" {
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
    if let Err(error) = services.hub.follow(socket, user) {
        tracing::error!(%error, %user, "a socket could not follow its user's conversations");
        return socket.close_connection();
    }
    let (services, socket, user) = (Arc::clone(services), socket.clone(), user.clone());
    tokio::spawn(async move {
        match services.chat.missed(&user, &offset).await {
            Ok(replay) => send(&services, &socket, replay).await,
            Err(refusal) => give_up(&services, &socket, refusal),
        }
    });
}

async fn send(services: &Services, socket: &Socket, mut replay: Replay) {
    if let Some(resync) = &replay.resync {
        socket.emit("resync", resync);
    }
    for message in &replay.messages {
        // A connection that is lost may be recovered, with what was sent to it: so it goes on without one.
        socket.drained(WAITING).await;
        socket.emit("new_message", message);
    }
    services.hub.replayed(socket, std::mem::take(&mut replay.last_seqs));
    services.chat.replayed(&replay);
}

/// Without the replay there would be a gap: the client comes again.
fn give_up(services: &Services, socket: &Socket, refusal: Refusal) {
    tracing::warn!(%refusal, socket = socket.id(), "a replay failed");
    services.hub.shut(socket);
    socket.close_connection();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_clients_send_them() {
        let id = "507f1f77bcf86cd799439011";
        assert_eq!(parse_offset("null"), None);
        assert_eq!(parse_offset("0"), Some(Offset::Beginning));
        assert_eq!(parse_offset(r#""""#), Some(Offset::Beginning));
        assert_eq!(parse_offset(&format!("{id:?}")), Some(Offset::Message(Id::parse(id).unwrap())));
        for other in ["7", "{}", "[]", "true", r#""not an id""#] {
            assert_eq!(parse_offset(other), Some(Offset::Unknown), "{other}");
        }
    }
}
