//! What a session's task reads: bodies of POSTs, and messages of the WebSocket.

use std::task::{Context, Poll};

use crate::driver::connection::{Closed, Connection, Transport};
use crate::driver::handle::SessionHandle;
use crate::driver::handler::{Message, MessageHandler};
use crate::engine::binary_text;
use crate::engine::close::CloseReason;
use crate::engine::packet::{EnginePacket, SEPARATOR};
use crate::engine::session::Input;
use crate::websocket::message::{Incoming, Violation};
use crate::websocket::{ReadError, Reply, Taken};

/// How many messages one turn takes from one client before the others get theirs; of long ones fewer.
const MESSAGES_A_TURN: usize = 64;
/// A message of so many bytes counts as two, and so on.
const LONG_MESSAGE: usize = 4096;

impl Connection {
    /// Hands over what the client has sent, as far as the handler takes it. Pending work of the handler goes on also while
    /// there is nothing to read.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        match &mut self.transport {
            Transport::Polling(_) => Ok(self.poll_body(cx)?),
            Transport::WebSocket(_) => self.poll_websocket(cx),
        }
    }

    /// Whether the next message is taken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        let Some(handler) = &mut self.handler else { return Ok(false) };
        let is_ready = handler.poll_ready(cx)?.is_ready();
        if !self.is_established && handler.is_established() {
            self.is_established = true;
            self.session.handle(Input::Established);
        }
        Ok(is_ready)
    }

    /// Works through the body of a POST.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let mut budget = MESSAGES_A_TURN;
        loop {
            let is_ready = self.poll_ready(cx)?;
            let Self { transport: Transport::Polling(body), handler: Some(handler), session, .. } = self
            else {
                return Ok(());
            };
            let Some((bytes, position)) = body.as_mut().filter(|_| is_ready) else { return Ok(()) };
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Ok(());
            }
            let rest = bytes.slice(*position..);
            let length = rest.iter().position(|byte| *byte == SEPARATOR).unwrap_or(rest.len());
            let (is_first, is_last) = (*position == 0, length == rest.len());
            *position += length + 1;
            budget = budget.saturating_sub(cost(length));
            if is_last {
                *body = None;
            }
            let taken = std::str::from_utf8(&rest[..length])
                .map_err(|_| CloseReason::ParseError)
                .and_then(|packet| on_packet(&mut **handler, session, packet));
            // What came before a fault was taken: an error would make the client give up on its answers.
            if is_last && taken.is_ok() || !is_first && taken.is_err_and(CloseReason::is_fault) {
                session.handle(Input::BodyTaken);
            }
            taken?;
        }
    }

    fn poll_websocket(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        let mut budget = MESSAGES_A_TURN;
        let mut replies = Vec::new();
        while self.poll_ready(cx)? {
            if budget == 0 {
                cx.waker().wake_by_ref();
                break;
            }
            let max_payload = self.max_payload();
            let Self { transport: Transport::WebSocket(websocket), handler: Some(handler), session, .. } =
                self
            else {
                return Ok(());
            };
            let is_established = self.is_established;
            websocket.limit_messages(max_payload);
            let read = websocket.poll_read(
                cx,
                |replies, incoming| {
                    budget = budget.saturating_sub(cost(incoming.len()));
                    match incoming {
                        Incoming::Text(text) => on_packet(&mut **handler, session, text)?,
                        Incoming::Binary(bytes) => handler.message(Message::Binary(bytes))?,
                        // Only the last ping needs an answer (RFC 6455, section 5.5.3).
                        Incoming::Ping(payload) => *replies = vec![Reply::pong(payload)],
                        Incoming::Pong => {}
                        Incoming::Close(_) => return Err(CloseReason::TransportClose),
                    }
                    // What comes next may be longer.
                    let is_new = !is_established && handler.is_established();
                    let enough = budget == 0 || is_new || !handler.takes_more();
                    Ok(if enough { Taken::Enough } else { Taken::More })
                },
                &mut replies,
            );
            match read {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(closed(error, session)),
            }
        }
        let Self { transport: Transport::WebSocket(websocket), handler: Some(handler), .. } = self else {
            return Ok(());
        };
        for Reply(frame) in replies {
            websocket.queue_frame(frame);
        }
        let unfinished = websocket.unfinished() + handler.held();
        Ok(self.count_unfinished(unfinished)?)
    }

    /// How many bytes a message of the client may have.
    fn max_payload(&self) -> usize {
        let config = &self.session.shared.config;
        if self.is_established {
            config.max_payload
        } else {
            config.max_payload.min(config.max_payload_before_connect)
        }
    }

    fn count_unfinished(&mut self, bytes: usize) -> Result<(), CloseReason> {
        // Most clients send whole messages.
        if bytes == 0 && self.unfinished == 0 {
            return Ok(());
        }
        let shared = &self.session.shared;
        shared.unfinished.change(self.unfinished, bytes);
        self.unfinished = bytes;
        if shared.unfinished.is_over_share(bytes, shared.open_sessions()) {
            tracing::debug!(bytes, "a client holds too much of what all may send unfinished");
            return Err(CloseReason::PayloadTooLarge);
        }
        Ok(())
    }
}

/// Takes an Engine.IO packet in text form, over either transport.
fn on_packet(
    handler: &mut dyn MessageHandler,
    session: &SessionHandle,
    text: &str,
) -> Result<(), CloseReason> {
    if let Some(base64) = text.strip_prefix('b') {
        return handler.message(Message::Binary(&binary_text::decode(base64)));
    }
    let packet = EnginePacket::parse(text).map_err(|error| {
        tracing::debug!(%error, sid = %session.log_id(), "an invalid packet");
        CloseReason::ParseError
    })?;
    // A message changes nothing of the session, so it needs no lock.
    if let EnginePacket::Message(data) = packet {
        return handler.message(Message::Text(data));
    }
    session.handle(Input::Packet(packet));
    session.closing().map_or(Ok(()), Err)
}

fn closed(error: ReadError<CloseReason>, session: &SessionHandle) -> Closed {
    match error {
        ReadError::Refused(reason) => reason.into(),
        ReadError::Gone(error) => {
            tracing::debug!(%error, sid = %session.log_id(), "the connection ended");
            CloseReason::TransportClose.into()
        }
        ReadError::Violation(violation) => {
            tracing::debug!(error = %violation, sid = %session.log_id(), "a violation of the WebSocket protocol");
            let reason = match violation {
                Violation::TooLarge => CloseReason::PayloadTooLarge,
                Violation::Protocol(_) | Violation::Utf8 => CloseReason::TransportError,
            };
            Closed { reason, code: Some(violation.code()) }
        }
    }
}

/// As how many messages one of `length` bytes counts in its turn.
fn cost(length: usize) -> usize {
    1 + length / LONG_MESSAGE
}
