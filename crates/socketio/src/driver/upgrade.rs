//! From HTTP long-polling to WebSocket (Engine.IO protocol, "Upgrade").

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::handle::SessionHandle;
use crate::engine::frame::Frame;
use crate::engine::packet::EnginePacket;
use crate::engine::session::{Input, Refused, Request};
use crate::websocket::message::Incoming;
use crate::websocket::{ReadError, Reply, Taken, WebSocket};

/// How many bytes a message may have before the upgrade: `2probe` is the longest, and what is not whole counts nowhere.
const MAX_MESSAGE: usize = 64;

/// The place of the WebSocket that probes. Dropped before the upgrade, it is free again.
pub(crate) struct Probe {
    session: Arc<SessionHandle>,
    is_done: bool,
}

impl Probe {
    /// Takes the place; refused if the session is not polling, or another WebSocket is at it.
    pub(crate) fn new(session: Arc<SessionHandle>) -> Result<Self, Refused> {
        session.begin(Request::Probe)?;
        Ok(Self { session, is_done: false })
    }

    fn complete(mut self, websocket: WebSocket) {
        self.is_done = true;
        self.session.complete_probe(websocket);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.is_done {
            self.session.handle(Input::ProbeGone);
        }
    }
}

/// What a WebSocket that probes has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Probed,
    Upgraded,
}

/// Waits for the client's probe and upgrade packets, at most `time`, and hands the WebSocket over.
pub(crate) async fn probe(mut websocket: WebSocket, probe: Probe, time: Duration) {
    websocket.limit_messages(MAX_MESSAGE);
    let handshake = async {
        // Some clients trust the WebSocket and upgrade without a probe.
        if expect(&mut websocket, &[Step::Probed, Step::Upgraded]).await? == Step::Probed {
            websocket.queue_frame(Frame::text("3probe"));
            websocket.flush().await.map_err(ReadError::Gone)?;
            probe.session.handle(Input::Probed);
            expect(&mut websocket, &[Step::Upgraded]).await?;
        }
        Ok(())
    };
    match tokio::time::timeout(time, handshake).await {
        Ok(Ok(())) if probe.session.closing().is_none() => probe.complete(websocket),
        Ok(Err(ReadError::Gone(error))) => tracing::debug!(%error, "a WebSocket went before the upgrade"),
        outcome => {
            tracing::debug!(?outcome, "an upgrade was not completed");
            drop(probe);
            websocket.close(1002, Duration::from_secs(1)).await;
        }
    }
}

/// Reads until the packet of one of `steps` has come; anything else is an error.
async fn expect(websocket: &mut WebSocket, steps: &[Step]) -> Result<Step, ReadError<()>> {
    let mut seen = None;
    loop {
        if let Some(step) = seen {
            return Ok(step);
        }
        let mut replies = Vec::new();
        poll_fn(|cx| {
            websocket.poll_read(
                cx,
                |replies, incoming| {
                    match incoming {
                        Incoming::Text(text) => {
                            let step = match EnginePacket::parse(text) {
                                Ok(EnginePacket::Ping("probe")) => Step::Probed,
                                Ok(EnginePacket::Upgrade) => Step::Upgraded,
                                _ => return Err(()),
                            };
                            if !steps.contains(&step) {
                                return Err(());
                            }
                            seen = Some(step);
                        }
                        Incoming::Ping(payload) => *replies = vec![Reply::pong(payload)],
                        Incoming::Pong => {}
                        Incoming::Binary(_) | Incoming::Close(_) => return Err(()),
                    }
                    Ok(if seen.is_some() { Taken::Enough } else { Taken::More })
                },
                &mut replies,
            )
        })
        .await?;
        for Reply(frame) in replies {
            websocket.queue_frame(frame);
        }
    }
}
