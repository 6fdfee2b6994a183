//! The one task of a session: reads, hands over, writes, keeps the heartbeat, and ends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::driver::polling::body_done;
use crate::driver::session::Session;
use crate::engine::binary_text;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::{EnginePacket, SEPARATOR};
use crate::websocket::decoder::{Incoming, Violation};
use crate::websocket::{ReadError, Reply, Taken, WebSocket};

/// How many messages one turn takes from one client before the others get theirs; of long ones fewer.
const MESSAGES_A_TURN: usize = 64;
/// A message of so many bytes counts as two, and so on.
const LONG_MESSAGE: usize = 4096;
/// How long the goodbye of a session may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a session that its client has closed over polling is there for the GET that the client sent before: it comes
/// over another connection, and may come later.
const LINGER: Duration = Duration::from_millis(100);
/// How long a session that ends in order waits for its events in work.
const FINISH: Duration = Duration::from_secs(5);
/// How long a session that ends in order may take to send what waits.
const FLUSH: Duration = Duration::from_secs(5);

/// A message of an Engine.IO session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a session's messages go to: the Socket.IO client of this crate, or a protocol of one's own.
pub trait MessageHandler: Send + 'static {
    /// Whether the next message is taken. While this is pending, messages stay in the client's connection.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Whether [`MessageHandler::poll_ready`] would surely say yes; asked between messages of one read.
    fn takes_more(&self) -> bool {
        true
    }

    /// A message came. An error closes the session.
    fn message(&mut self, message: Message<'_>) -> Result<(), CloseReason>;

    /// Whether the client has done what it has to do within the connect timeout.
    fn is_established(&self) -> bool {
        true
    }

    /// How many bytes are held of what is not whole yet.
    fn held(&self) -> usize {
        0
    }

    /// The session has ended.
    fn closed(&mut self, reason: CloseReason) {
        let _ = reason;
    }
}

/// What carries the session now.
enum Transport {
    /// HTTP long-polling, with the body of the POST in work and how far it is done.
    Polling(Option<(Bytes, usize)>),
    WebSocket(Box<WebSocket>),
}

/// What the heartbeat waits for (Engine.IO protocol, "Heartbeat").
enum Heartbeat {
    Ping(Instant),
    Pong(Instant),
}

/// A session's task.
pub(crate) struct Connection {
    session: Arc<Session>,
    handler: Box<dyn MessageHandler>,
    transport: Transport,
    heartbeat: Heartbeat,
    /// Until when the client has to be established; `None` once it is.
    connect_deadline: Option<Instant>,
    /// The WebSocket close code, where the peer's fault has one of its own.
    close_code: Option<u16>,
    /// Whether a polling client has closed the session in order.
    is_closed_by_client: bool,
    /// Bytes of messages that have begun and not ended, as the server counts them.
    unfinished: usize,
}

impl Connection {
    /// A session over HTTP long-polling, or over `websocket`.
    pub(crate) fn new(
        session: Arc<Session>,
        handler: Box<dyn MessageHandler>,
        websocket: Option<Box<WebSocket>>,
    ) -> Self {
        let now = Instant::now();
        let config = &session.server.config;
        if handler.is_established() {
            session.establish();
        }
        Self {
            heartbeat: Heartbeat::Ping(now + config.ping_interval),
            connect_deadline: Some(now + config.connect_timeout),
            transport: websocket.map_or(Transport::Polling(None), Transport::WebSocket),
            close_code: None,
            is_closed_by_client: false,
            unfinished: 0,
            session,
            handler,
        }
    }

    /// Runs the session to its end.
    pub(crate) async fn run(mut self) {
        let reason = {
            let mut sleep = std::pin::pin!(tokio::time::sleep_until(self.deadline()));
            std::future::poll_fn(|cx| self.poll(cx, sleep.as_mut())).await
        };
        // Boxed, so that a session does not hold all its life the room that its end takes.
        Box::pin(self.finish(reason)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<CloseReason> {
        let turn = self.session.turn(cx);
        if let Some(websocket) = turn.upgraded {
            self.transport = Transport::WebSocket(websocket);
        }
        if let (Transport::Polling(body), Some(bytes)) = (&mut self.transport, turn.body) {
            *body = Some((bytes, 0));
        }
        if let Some(reason) = turn.closing {
            return Poll::Ready(reason);
        }
        if let Err(reason) = self.poll_input(cx).and_then(|()| self.poll_output(cx)) {
            return Poll::Ready(reason);
        }
        if self.connect_deadline.is_some() && self.handler.is_established() {
            self.connect_deadline = None;
        }
        loop {
            // A deadline that moved away is noticed when the old one comes; only a nearer one is set at once.
            if self.deadline() < sleep.deadline() {
                let deadline = self.deadline();
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if let Err(reason) = self.on_time(Instant::now()).and_then(|()| self.poll_output(cx)) {
                return Poll::Ready(reason);
            }
            let deadline = self.deadline();
            sleep.as_mut().reset(deadline);
        }
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        match &mut self.transport {
            Transport::Polling(_) => self.poll_body(cx),
            Transport::WebSocket(_) => self.poll_websocket(cx),
        }
    }

    /// Works through the body of a POST.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let mut budget = MESSAGES_A_TURN;
        loop {
            // Pending work goes on also while there is no body.
            let ready = self.handler.poll_ready(cx)?;
            let Transport::Polling(Some((bytes, position))) = &mut self.transport else { return Ok(()) };
            if ready.is_pending() {
                return Ok(());
            }
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
                self.transport = Transport::Polling(None);
            }
            let taken = std::str::from_utf8(&rest[..length])
                .map_err(|_| CloseReason::ParseError)
                .and_then(|packet| on_packet(&mut *self.handler, &mut self.heartbeat, &self.session, packet));
            if let Err(reason) = taken {
                self.is_closed_by_client = reason == CloseReason::TransportClose;
                if reason.is_fault() && !is_first {
                    // What came before in the body was taken: an error would make the client give up on its answers.
                    body_done(&self.session);
                }
                return Err(reason);
            }
            if is_last {
                body_done(&self.session);
            }
        }
    }

    fn poll_websocket(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let Self { transport, handler, heartbeat, session, close_code, .. } = self;
        let Transport::WebSocket(websocket) = transport else { return Ok(()) };
        let mut budget = MESSAGES_A_TURN;
        let mut replies = Vec::new();
        loop {
            if handler.poll_ready(cx)?.is_pending() {
                break;
            }
            if budget == 0 {
                cx.waker().wake_by_ref();
                break;
            }
            let is_established = handler.is_established();
            websocket.limit_messages(session.max_payload());
            let read = websocket.poll_read(
                cx,
                |replies, incoming| {
                    budget = budget.saturating_sub(cost(incoming.len()));
                    match incoming {
                        Incoming::Text(text) => on_packet(&mut **handler, heartbeat, session, text)?,
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
                Poll::Ready(Err(error)) => {
                    if let ReadError::Violation(violation) = &error {
                        *close_code = Some(violation.code());
                    }
                    return Err(close_reason(error, session));
                }
            }
        }
        for Reply(frame) in replies {
            websocket.queue_frame(frame);
        }
        let unfinished = websocket.unfinished() + handler.held();
        self.count_unfinished(unfinished)
    }

    fn count_unfinished(&mut self, bytes: usize) -> Result<(), CloseReason> {
        // Most clients send whole messages.
        if bytes == 0 && self.unfinished == 0 {
            return Ok(());
        }
        let server = &self.session.server;
        server.unfinished.change(self.unfinished, bytes);
        self.unfinished = bytes;
        if server.unfinished.is_over_share(bytes, server.open_sessions()) {
            tracing::debug!(bytes, "a client holds too much of what all may send unfinished");
            return Err(CloseReason::PayloadTooLarge);
        }
        Ok(())
    }

    /// Writes what waits. Over polling the requests take it themselves.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let Transport::WebSocket(websocket) = &mut self.transport else { return Ok(()) };
        loop {
            if websocket.is_flushed() {
                let frames = self.session.take_outbox();
                if frames.is_empty() {
                    return Ok(());
                }
                websocket.queue(frames);
            }
            match websocket.poll_flush(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(cost)) => self.session.sent(cost),
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, sid = %self.session.log_id(), "the connection broke while writing");
                    return Err(CloseReason::TransportClose);
                }
            }
        }
    }

    /// The next point in time at which something is due.
    fn deadline(&self) -> Instant {
        let (Heartbeat::Ping(heartbeat) | Heartbeat::Pong(heartbeat)) = self.heartbeat;
        [self.connect_deadline, self.write_deadline()].into_iter().flatten().fold(heartbeat, Instant::min)
    }

    fn write_deadline(&self) -> Option<Instant> {
        match &self.transport {
            Transport::WebSocket(websocket) => {
                websocket.stalled_since().map(|since| since + self.session.server.config.write_timeout)
            }
            Transport::Polling(_) => None,
        }
    }

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        if self.write_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(CloseReason::WriteTimeout);
        }
        if self.connect_deadline.is_some_and(|deadline| deadline <= now) && !self.handler.is_established() {
            return Err(CloseReason::ConnectTimeout);
        }
        match self.heartbeat {
            Heartbeat::Ping(due) if due <= now => {
                let timeout = self.session.server.config.ping_timeout;
                // Counted from when the ping was due; but a client never pays for a machine that overslept.
                let deadline = (due + timeout).max(now + timeout / 2);
                self.session.expect_pong(Some(deadline));
                self.heartbeat = Heartbeat::Pong(deadline);
                self.session.closing().map_or(Ok(()), Err)
            }
            Heartbeat::Pong(due) if due <= now => Err(CloseReason::PingTimeout),
            Heartbeat::Ping(_) | Heartbeat::Pong(_) => Ok(()),
        }
    }

    async fn finish(mut self, reason: CloseReason) {
        self.session.server.unfinished.change(self.unfinished, 0);
        self.session.close(reason);
        if reason.flushes() {
            // What the client was promised an answer to, it gets.
            let finish = std::future::poll_fn(|cx| {
                ready!(self.session.poll_idle(cx));
                self.handler.poll_ready(cx).map(drop)
            });
            if tokio::time::timeout(FINISH, finish).await.is_err() {
                tracing::debug!(sid = %self.session.log_id(), "events were still in work when the session ended");
            }
        }
        self.handler.closed(reason);
        drop(self.handler);
        match self.transport {
            Transport::Polling(_) => {
                let waits = self.session.bid_farewell() && reason.flushes();
                let told = std::future::poll_fn(|cx| self.session.poll_told(cx));
                if waits {
                    if tokio::time::timeout(FLUSH, told).await.is_err() {
                        tracing::debug!(sid = %self.session.log_id(), "the client did not fetch what waited for it");
                    }
                } else if self.is_closed_by_client {
                    drop(tokio::time::timeout(LINGER, told).await);
                }
                // First forgotten: a request that follows on an answer given now must not find the session.
                self.session.server.forget(&self.session, reason);
                self.session.stop(reason);
            }
            Transport::WebSocket(mut websocket) => {
                self.session.bid_farewell();
                let waiting = self.session.stop(reason);
                if reason.cuts() {
                    websocket.cut();
                } else {
                    let code = self.close_code.unwrap_or(reason.websocket_code());
                    let mut time = FAREWELL;
                    if reason.flushes() {
                        websocket.queue(waiting);
                        time = FLUSH;
                    }
                    websocket.close(code, time).await;
                }
                self.session.server.forget(&self.session, reason);
            }
        }
    }
}

/// Takes an Engine.IO packet in text form, over either transport.
fn on_packet(
    handler: &mut dyn MessageHandler,
    heartbeat: &mut Heartbeat,
    session: &Session,
    text: &str,
) -> Result<(), CloseReason> {
    if let Some(base64) = text.strip_prefix('b') {
        return handler.message(Message::Binary(&binary_text::decode(base64)));
    }
    let packet = EnginePacket::parse(text).map_err(|error| {
        tracing::debug!(%error, sid = %session.log_id(), "an invalid packet");
        CloseReason::ParseError
    })?;
    match packet {
        EnginePacket::Message(data) => handler.message(Message::Text(data)),
        EnginePacket::Pong(_) => {
            if matches!(heartbeat, Heartbeat::Pong(_)) {
                session.expect_pong(None);
                *heartbeat = Heartbeat::Ping(Instant::now() + session.server.config.ping_interval);
            }
            Ok(())
        }
        EnginePacket::Close => Err(CloseReason::TransportClose),
        // In this version of the protocol it is the server that pings.
        EnginePacket::Ping(_) => Err(CloseReason::TransportError),
        EnginePacket::Upgrade | EnginePacket::Noop => Ok(()),
    }
}

fn close_reason(error: ReadError<CloseReason>, session: &Session) -> CloseReason {
    match error {
        ReadError::Refused(reason) => reason,
        ReadError::Gone(error) => {
            tracing::debug!(%error, sid = %session.log_id(), "the connection ended");
            CloseReason::TransportClose
        }
        ReadError::Violation(violation) => {
            tracing::debug!(error = %violation, sid = %session.log_id(), "a violation of the WebSocket protocol");
            match violation {
                Violation::TooLarge => CloseReason::PayloadTooLarge,
                Violation::Protocol(_) | Violation::Utf8 => CloseReason::TransportError,
            }
        }
    }
}

/// As how many messages one of `length` bytes counts in its turn.
fn cost(length: usize) -> usize {
    1 + length / LONG_MESSAGE
}

/// A way for a message handler of one's own to send.
#[derive(Clone)]
pub struct EngineSocket(pub(crate) Arc<Session>);

impl EngineSocket {
    /// The session's id.
    pub fn sid(&self) -> &str {
        &self.0.sid
    }

    /// Sends a message.
    pub fn send(&self, message: Message<'_>) {
        let frame = match message {
            Message::Text(text) => Frame::text(&format!("4{text}")),
            Message::Binary(bytes) => Frame::binary(bytes),
        };
        self.0.push(&[frame]);
    }

    /// Ends the session after what waits was sent.
    pub fn close(&self) {
        self.0.close(CloseReason::ServerDisconnect);
    }
}
