//! The one task of a session: reads and writes its socket, hands messages over, and keeps its one timer.
//!
//! What follows from what it sees is decided by [`crate::engine::session`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::driver::handle::SessionHandle;
use crate::driver::handler::MessageHandler;
use crate::driver::sessions::Sessions;
use crate::engine::close::CloseReason;
use crate::engine::session::{Input, Output};
use crate::websocket::{Flushed, WebSocket};

/// How long a client has to take the close frame.
const CLOSE_FRAME: Duration = Duration::from_secs(1);
/// How long it has when all that waits is sent before.
const FLUSH: Duration = Duration::from_secs(5);

/// What carries the session now.
pub(super) enum Transport {
    /// HTTP long-polling, with the body of the POST in work and how far it is done.
    Polling(Option<(Bytes, usize)>),
    WebSocket(Box<WebSocket>),
}

/// A session's task.
pub(crate) struct Connection {
    pub(super) session: Arc<SessionHandle>,
    sessions: Arc<Sessions>,
    /// `None` once it knows of the end.
    pub(super) handler: Option<Box<dyn MessageHandler>>,
    pub(super) transport: Transport,
    /// Whether the session is known to have what it needs within the connect timeout.
    pub(super) is_established: bool,
    /// Whether events in work are all that is waited for.
    is_finishing: bool,
    /// Bytes of messages that have begun and not ended, as the budget counts them.
    pub(super) unfinished: usize,
}

/// Why no more is read.
pub(super) struct Closed {
    pub(super) reason: CloseReason,
    /// The WebSocket close code, where the reason has several.
    pub(super) code: Option<u16>,
}

impl From<CloseReason> for Closed {
    fn from(reason: CloseReason) -> Self {
        Self { reason, code: None }
    }
}

impl Connection {
    /// A session over HTTP long-polling, or over `websocket`.
    pub(crate) fn new(
        session: Arc<SessionHandle>,
        sessions: Arc<Sessions>,
        handler: Box<dyn MessageHandler>,
        websocket: Option<Box<WebSocket>>,
    ) -> Self {
        Self {
            session,
            sessions,
            handler: Some(handler),
            transport: websocket.map_or(Transport::Polling(None), Transport::WebSocket),
            is_established: false,
            is_finishing: false,
            unfinished: 0,
        }
    }

    /// Runs the session to its end.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold the connection twice")]
    pub(crate) fn run(mut self) -> impl Future<Output = ()> {
        async move {
            let reason = {
                let deadline = self.session.with(|session| session.poll_timeout());
                let deadline = deadline.map_or_else(Instant::now, Instant::from_std);
                let mut sleep = std::pin::pin!(tokio::time::sleep_until(deadline));
                std::future::poll_fn(|cx| self.poll(cx, sleep.as_mut())).await
            };
            if let Transport::WebSocket(websocket) = self.transport {
                // Boxed, so that a session does not hold all its life the room that its end takes.
                Box::pin(close_websocket(&self.session, *websocket, reason)).await;
            }
            // First forgotten: a request that follows on an answer given now must not find the session.
            self.sessions.forget(&self.session, reason);
            self.session.stop();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<CloseReason> {
        loop {
            while let Some(output) = self.session.poll_output(cx) {
                match output {
                    Output::Body(body) => self.transport = Transport::Polling(Some((body, 0))),
                    Output::Upgrade => {
                        let websocket =
                            self.session.take_upgraded().expect("a probe completes with its WebSocket");
                        self.transport = Transport::WebSocket(websocket);
                    }
                    Output::Finish => self.is_finishing = true,
                    Output::Detach(reason) => self.detach(reason),
                    Output::End(reason) => return Poll::Ready(reason),
                }
            }
            if self.is_finishing {
                self.poll_finish(cx);
            } else if let Err(Closed { reason, code }) =
                self.poll_input(cx).and_then(|()| self.poll_write(cx))
            {
                self.session.handle(Input::Close { reason, code });
                continue;
            }
            // A deadline that moved away is noticed when the old one comes; only a nearer one is set at once.
            let deadline = self.session.with(|session| session.poll_timeout()).map(Instant::from_std);
            if let Some(deadline) = deadline.filter(|deadline| *deadline < sleep.deadline()) {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            let now = Instant::now().into_std();
            let next = self.session.with(|session| {
                session.handle_timeout(now);
                session.poll_timeout()
            });
            if let Some(next) = next {
                sleep.as_mut().reset(Instant::from_std(next));
            }
        }
    }

    /// Writes what waits. Over polling the requests take it themselves.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        let Transport::WebSocket(websocket) = &mut self.transport else { return Ok(()) };
        let mut written = None;
        loop {
            if websocket.is_flushed() {
                let frames = self.session.next_writes(written.take());
                if frames.is_empty() {
                    return Ok(());
                }
                websocket.queue(frames);
            }
            match websocket.poll_flush(cx) {
                Ok(Flushed { cost, is_blocked: false }) => written = cost,
                Ok(Flushed { cost, is_blocked: true }) => {
                    self.session.write_blocked(cost);
                    return Ok(());
                }
                Err(error) => {
                    tracing::debug!(%error, sid = %self.session.log_id(), "the connection broke while writing");
                    return Err(CloseReason::TransportClose.into());
                }
            }
        }
    }

    /// Waits for events in work: what the client was promised an answer to, it gets.
    fn poll_finish(&mut self, cx: &mut Context<'_>) {
        let Some(handler) = &mut self.handler else { return };
        if self.session.in_flight() == 0 && handler.poll_ready(cx).is_ready() {
            self.session.handle(Input::WorkFinished);
        }
    }

    fn detach(&mut self, reason: CloseReason) {
        self.is_finishing = true;
        let in_flight = self.session.in_flight();
        if in_flight > 0 {
            tracing::debug!(in_flight, sid = %self.session.log_id(), "events were still in work when the session ended");
        }
        self.session.shared.unfinished.change(self.unfinished, 0);
        if let Some(mut handler) = self.handler.take() {
            handler.closed(reason);
        }
    }
}

/// Sends what is still owed to the peer, and closes.
async fn close_websocket(session: &SessionHandle, mut websocket: WebSocket, reason: CloseReason) {
    let code = session.with(|session| session.close_code()).unwrap_or(reason.websocket_code());
    let waiting = session.stop();
    if reason.cuts() {
        websocket.cut();
    } else if reason.flushes() {
        websocket.queue(waiting);
        websocket.close(code, FLUSH).await;
    } else {
        websocket.close(code, CLOSE_FRAME).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::Session;

    /// What docs/architecture.md says of the memory of an idle connection.
    #[test]
    fn an_idle_connection_is_small() {
        fn size_of_future<F>(_: fn(Connection) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of_future(Connection::run) <= 240);
        assert!(size_of::<SessionHandle>() <= 240 && size_of::<Session>() <= 120);
        assert!(size_of::<WebSocket>() <= 168);
    }
}
