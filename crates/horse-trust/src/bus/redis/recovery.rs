//! A client reconnects to another node than the one that has its socket: the one requests it, the other hands it over.
//!
//! A private id begins with the name of the node that made it, so one node is asked. It may have handed the socket over
//! before; then it forwards the request.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use socketio::{LostSocket, Socket};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::names::node_channel;
use super::node::RedisBus;
use crate::bus::api::{DeliveryCursor, SocketTransfer, Transfer};
use crate::bus::wire::WireEvent;
use crate::id::Id;

/// How long a client may wait for its old socket; then it gets a new one. A node on a busy machine takes longer than a
/// second now and then, and a client that is not recovered may have missed something.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a request is forwarded.
const HOPS: u8 = 8;

/// A request that is under way; removed when it is dropped.
struct SocketRequest<'a> {
    bus: &'a RedisBus,
    number: u64,
}

impl Drop for SocketRequest<'_> {
    fn drop(&mut self) {
        self.bus.socket_requests.lock().remove(&self.number);
    }
}

#[async_trait]
impl Transfer for RedisBus {
    /// Answers at once if the socket's node is gone.
    async fn fetch_socket(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<SocketTransfer>> {
        let node = self.node_of(lost.pid)?;
        let link = self.link.lock().clone()?;
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.socket_requests.lock().insert(number, sender);
        let request = SocketRequest { bus: self, number };
        let payload = self.envelope(socket_request(&self.node, number, user, lost, HOPS));
        let answer = async {
            let mut pipeline = redis::pipe();
            pipeline.cmd(self.server.publish()).arg(node_channel(&node)).arg(payload);
            match link.query::<[u64; 1]>(&pipeline).await {
                // No node is subscribed to that channel.
                Ok([0]) => None,
                Ok(_) => receiver.await.ok().flatten(),
                Err(error) => {
                    tracing::warn!(%error, "requesting a socket of another node failed");
                    None
                }
            }
        };
        let answer = timeout(PATIENCE, answer).await.ok().flatten();
        drop(request);
        let socket = answer.filter(|answer| self.sequencer.can_restore(user, &answer.cursor));
        tracing::debug!(%user, was_found = socket.is_some(), "a socket of another node was requested");
        socket
    }

    fn restore(&self, socket: &Socket, user: &Id, cursor: DeliveryCursor, rooms: &[Box<str>]) {
        self.sequencer.restore(socket, user, cursor, rooms);
    }
}

impl RedisBus {
    /// The node that has a socket, as far as this one knows: the one to which it went from here, or the one that made its
    /// private id.
    fn node_of(&self, pid: &str) -> Option<Box<str>> {
        if let Some(node) = self.moved.lock().get(pid) {
            return Some(node);
        }
        let (node, _) = pid.split_once('.')?;
        (node != self.node).then(|| node.into())
    }

    /// Another node requests a socket.
    pub(super) fn socket_requested(
        &self,
        asker: &str,
        number: u64,
        user: &Id,
        lost: LostSocket<'_>,
        hops: u8,
    ) {
        let handed = self.sequencer.hand_over(user, lost);
        if handed.is_some() {
            self.moved.lock().insert(lost.pid, asker);
        } else if let Some(next) = self.moved.lock().get(lost.pid).filter(|_| hops > 0) {
            let request = socket_request(asker, number, user, lost, hops - 1);
            return self.send(vec![node_channel(&next)], request);
        }
        let answer = WireEvent::SendSocket { question: number, socket: handed.map(Box::new) };
        self.send(vec![node_channel(asker)], answer);
    }

    /// Another node answers a request.
    pub(super) fn socket_answered(&self, number: u64, socket: Option<Box<SocketTransfer>>) {
        if let Some(waiting) = self.socket_requests.lock().remove(&number) {
            // A client that has stopped waiting has a new socket.
            drop(waiting.send(socket));
        }
    }
}

fn socket_request<'a>(
    asker: &'a str,
    number: u64,
    user: &Id,
    lost: LostSocket<'a>,
    hops: u8,
) -> WireEvent<'a> {
    WireEvent::RequestSocket {
        asker: asker.into(),
        question: number,
        user: user.clone(),
        pid: lost.pid.into(),
        offset: lost.offset.map(Into::into),
        hops,
    }
}
