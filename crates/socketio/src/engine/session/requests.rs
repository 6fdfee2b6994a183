//! The requests of HTTP long-polling, and the WebSocket that probes, as the session sees them.

use std::time::{Duration, Instant};

use super::io::{Input, Refused, Request, Response};
use super::polling::{Post, Probe};
use super::state::{Phase, Session};
use crate::engine::close::CloseReason;

/// How long a GET that comes after the probe waits for the upgrade, of which the packet may have been sent before it, over
/// another connection. A client that asks once more before it reads the probe's answer can't upgrade, and sends nothing,
/// until this GET is answered: longer than this would be felt.
const HOLD: Duration = Duration::from_millis(20);

impl Session {
    /// Takes a request, or refuses it.
    pub(crate) fn begin(&mut self, request: Request, now: Instant) -> Result<(), Refused> {
        let announces_end = self.announces_end();
        // The session's timer may be a little late.
        if request != Request::Probe && self.awaits_pong && self.heartbeat_due <= now {
            self.close(CloseReason::PingTimeout, now);
            return Err(Refused::UnknownSession);
        }
        let Some(polling) = &mut self.polling else { return Err(Refused::BadRequest) };
        let is_free = match request {
            Request::Poll if matches!(self.phase, Phase::CloseSent | Phase::Ended) => {
                return Err(Refused::UnknownSession);
            }
            Request::Probe if announces_end || polling.probe != Probe::None => {
                return Err(Refused::BadRequest);
            }
            Request::Probe => {
                polling.probe = Probe::Begun;
                true
            }
            Request::Poll => {
                let is_probed = matches!(polling.probe, Probe::Probed | Probe::Completed);
                if is_probed && !polling.is_polled && self.phase == Phase::Open {
                    polling.held_until = Some(now + HOLD);
                    self.wakes.task = true;
                }
                !std::mem::replace(&mut polling.is_polled, true)
            }
            Request::Post if matches!(polling.post, Post::Free) => {
                polling.post = Post::Receiving;
                true
            }
            Request::Post => false,
        };
        if is_free {
            return Ok(());
        }
        self.close(CloseReason::TransportError, now);
        Err(Refused::BadRequest)
    }

    /// Takes in what a request of HTTP long-polling does. After an upgrade there is none.
    pub(super) fn request(&mut self, input: Input<'_>) {
        let Some(polling) = &mut self.polling else { return };
        match input {
            Input::PostBody(body) => polling.post = Post::Received(body),
            Input::PostCancelled => polling.post = Post::Free,
            Input::BodyTaken => {
                polling.post = Post::Done;
                self.wakes.post = true;
            }
            Input::Probed => {
                polling.probe = Probe::Probed;
                self.wakes.poll = true;
            }
            Input::ProbeCompleted => {
                polling.probe = Probe::Completed;
                self.wakes.poll = true;
            }
            Input::ProbeGone => (polling.probe, polling.held_until) = (Probe::None, None),
            _ => {}
        }
        self.wakes.task |=
            polling.can_upgrade(self.closing.is_some()) || matches!(polling.post, Post::Received(_));
    }

    /// The answer to the GET that waits; `None` if there is none yet.
    pub(crate) fn take_response(&mut self) -> Option<Response> {
        let is_held = self.polling.as_ref().is_some_and(|polling| polling.held_until.is_some());
        if self.is_corked && self.polling.is_some() {
            return None;
        }
        // What waits when the session upgrades goes over the WebSocket.
        let probe = self.polling.as_ref().map(|polling| polling.probe);
        let takes_frames = probe.is_some_and(|probe| probe != Probe::Completed);
        let response = if takes_frames && !self.outbox.is_empty() {
            // The end goes with the next response: the official client forgets the acknowledgements that it finds in
            // one payload with the close packet.
            self.queued = 0;
            self.wakes.drained = true;
            Response::Frames(std::mem::take(&mut self.outbox))
        } else if let Some(reason) = self.closing.filter(|_| self.announces_end()) {
            if self.phase == Phase::Closing {
                self.phase = Phase::CloseSent;
                self.wakes.task = true;
                self.wake_requests();
            }
            match reason {
                _ if reason.invites_back() => Response::UnknownSession,
                CloseReason::TransportClose => Response::Noop,
                _ => Response::Close,
            }
        } else if is_held || matches!(probe, Some(Probe::None | Probe::Begun)) {
            return None;
        } else if std::mem::take(&mut self.refuses_poll) {
            Response::BadRequest
        } else {
            Response::Noop
        };
        if let Some(polling) = &mut self.polling {
            (polling.is_polled, polling.held_until) = (false, None);
        }
        Some(response)
    }

    /// The answer to the POST whose body was given: the reason, if the session ended over it. `None` if there is none yet.
    pub(crate) fn take_post_result(&mut self) -> Option<Result<(), CloseReason>> {
        // In an orderly end the client learns of it by its GET, with all that waited: an error before that would make it
        // give up on what is on its way.
        let refused = self.closing.filter(|reason| {
            self.announces_end()
                && (!reason.is_orderly() || matches!(self.phase, Phase::CloseSent | Phase::Ended))
        });
        let Some(polling) = &mut self.polling else { return Some(Ok(())) };
        let result = match (&polling.post, refused) {
            (Post::Done, _) => Ok(()),
            (_, Some(reason)) => Err(reason),
            (_, None) => return None,
        };
        polling.post = Post::Free;
        Some(result)
    }
}
