//! Sends what a client missed before live messages. The [`Hub`] buffers those meanwhile.
//!
//! A replay goes by pages: the next one is read from the store when the client has taken most of the last. A user has a
//! few replays at once; the others wait and hold nothing. The more replays there are over all users, the less each may
//! have in its outbox. So the memory that slow clients take is bounded, and nobody waits for another user.
//!
//! [`Hub`]: crate::bus::Hub

use std::sync::Arc;

use socketio::Socket;

use super::services::Services;
use crate::bus::BufferedEvent;
use crate::chat::{MessagePlace, Offset, Refusal};
use crate::contract::{NEW_MESSAGE, Resync, ResyncConversation, ServerEvent};
use crate::id::Id;
use crate::json::{self, LossyString};

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

/// Has `socket` follow all conversations of `user`, from `offset` on.
pub(super) fn start(services: &Arc<Services>, socket: &Socket, user: &Id, offset: Offset) {
    if let Err(error) = services.hub.begin_replay(socket, user) {
        tracing::error!(%error, %user, "a socket could not follow its user's conversations");
        return services.hub.fail_replay(socket);
    }
    let (of_task, of_hub) = ((Arc::clone(services), socket.clone(), user.clone()), socket);
    let task = tokio::spawn(async move {
        let (services, socket, user) = of_task;
        if let Err(refusal) = run(&services, &socket, &user, &offset).await {
            // Without the replay there would be a gap: the client reconnects.
            tracing::warn!(%refusal, socket = %socket.log_id(), "a replay failed");
            services.hub.fail_replay(&socket);
        }
    });
    // A replay that waits for its turn, or for its client, ends with the connection.
    services.hub.set_replay_task(of_hub, task.abort_handle());
}

async fn run(services: &Services, socket: &Socket, user: &Id, offset: &Offset) -> Result<(), Refusal> {
    let _turn = services.replays.turn(user).await?;
    let reading = services.replays.read_turn(user).await?;
    services.hub.start_buffering(socket);
    let mut replay = services.chat.missed(user, offset).await?;
    drop(reading);
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
    while let Some(buffered) = services.hub.take_buffered(socket, is_replayed) {
        if !send_buffered(services, socket, user, &buffered).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// The conversations that have messages which the client does not have.
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

/// Sends what was buffered; `false` if the connection ended.
async fn send_buffered(
    services: &Services,
    socket: &Socket,
    user: &Id,
    mut buffered: &[BufferedEvent],
) -> Result<bool, Refusal> {
    while let [first, rest @ ..] = buffered {
        if let Some(json) = &first.json {
            if !socket.drained(services.replays.waiting()).await {
                return Ok(false);
            }
            socket.emit_raw(first.event, json);
            buffered = rest;
            continue;
        }
        let count = buffered.iter().take_while(|buffered| buffered.json.is_none()).count();
        let places: Vec<_> = buffered[..count]
            .iter()
            .map(|buffered| (Arc::clone(&buffered.conversation), buffered.seq))
            .collect();
        if !send(services, socket, user, &places).await? {
            return Ok(false);
        }
        buffered = &buffered[count..];
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
