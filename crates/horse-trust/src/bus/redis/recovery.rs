//! A client comes back to another node than the one that has its socket: the one asks, the other hands it over.
//!
//! A private id begins with the node that made it, so one node is asked, not all. It may have handed the socket over
//! before; then it passes the question on.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use socketio::LostSocket;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::wire::WireEvent;
use super::{RedisBus, node_channel};
use crate::bus::HandedOver;
use crate::id::Id;

/// How long a client may be kept waiting for its old socket; then it gets a new one. A node on a busy machine takes
/// longer than a second now and then, and a client that is not recovered may have missed something.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of how many sockets it is known to which node they went.
const MOVED: usize = 20_000;
/// How often a question is passed on.
const HOPS: u8 = 8;

/// Questions of this node that wait for an answer, by number.
pub(super) type Questions = HashMap<u64, oneshot::Sender<Option<Box<HandedOver>>>>;

/// The nodes to which sockets went from here, by private id.
#[derive(Default)]
pub(super) struct Moved {
    to: HashMap<Box<str>, Box<str>>,
    order: VecDeque<Box<str>>,
}

impl Moved {
    fn note(&mut self, pid: &str, node: &str) {
        if self.to.insert(pid.into(), node.into()).is_none() {
            self.order.push_back(pid.into());
        }
        if self.order.len() > MOVED
            && let Some(oldest) = self.order.pop_front()
        {
            self.to.remove(&oldest);
        }
    }
}

/// Takes a question back that nobody waits for any more.
struct Asked<'a> {
    bus: &'a RedisBus,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.bus.asked.lock().remove(&self.number);
    }
}

impl RedisBus {
    /// The node that is to be asked for a socket: the one to which it went from here, or the one that made its id.
    fn node_of(&self, pid: &str) -> Option<Box<str>> {
        if let Some(node) = self.moved.lock().to.get(pid) {
            return Some(node.clone());
        }
        let (node, _) = pid.split_once('.')?;
        (node != self.node).then(|| node.into())
    }

    /// The socket that `user` has lost on another node. `None` at once if no such node is there.
    pub(super) async fn ask_for(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<HandedOver>> {
        let node = self.node_of(lost.pid)?;
        let link = self.questions.lock().clone()?;
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.asked.lock().insert(number, sender);
        let asked = Asked { bus: self, number };
        let question = self.envelope(Self::question(&self.node, number, user, lost, HOPS));
        let answer = async {
            let mut pipeline = redis::pipe();
            pipeline.cmd(self.server.publish()).arg(node_channel(&node)).arg(question);
            match link.query::<[u64; 1]>(&pipeline).await {
                // That node is gone.
                Ok([0]) => None,
                Ok(_) => receiver.await.ok().flatten(),
                Err(error) => {
                    tracing::warn!(%error, "another node could not be asked for a socket");
                    None
                }
            }
        };
        let answer = timeout(PATIENCE, answer).await.ok().flatten();
        drop(asked);
        let socket = answer.filter(|answer| self.sequencer.can_restore(user, &answer.reached));
        tracing::debug!(%user, was_found = socket.is_some(), "another node was asked for a socket");
        socket
    }

    fn question<'a>(asker: &'a str, number: u64, user: &Id, lost: LostSocket<'a>, hops: u8) -> WireEvent<'a> {
        WireEvent::TakeOver {
            asker: asker.into(),
            question: number,
            user: user.clone(),
            pid: lost.pid.into(),
            offset: lost.offset.map(Into::into),
            hops,
        }
    }

    /// Another node asks for a socket.
    pub(super) fn asked_for(&self, asker: &str, question: u64, user: &Id, lost: LostSocket<'_>, hops: u8) {
        let handed = self.sequencer.hand_over(user, lost);
        if handed.is_some() {
            self.moved.lock().note(lost.pid, asker);
        } else if let Some(next) = self.moved.lock().to.get(lost.pid).filter(|_| hops > 0).cloned() {
            let question = Self::question(asker, question, user, lost, hops - 1);
            return self.send(vec![node_channel(&next)], question);
        }
        let answer = WireEvent::HandedOver { question, socket: handed.map(Box::new) };
        self.send(vec![node_channel(asker)], answer);
    }

    /// Another node answers.
    pub(super) fn answered(&self, question: u64, socket: Option<Box<HandedOver>>) {
        if let Some(waiting) = self.asked.lock().remove(&question) {
            // Who has stopped waiting has a new socket.
            drop(waiting.send(socket));
        }
    }
}
