//! What an application does with a namespace: emit to rooms, and look who is in them.

use std::collections::HashSet;

use serde::Serialize;
use smallvec::SmallVec;

use crate::protocol::core::{Namespace, Socket};
use crate::protocol::encode::{self, EncodeError};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::rooms::SocketId;

impl Namespace {
    /// Emits an event with one argument to every socket in `room` except `except`.
    ///
    /// # Errors
    ///
    /// If `data` does not serialize to JSON; then nothing is sent.
    pub fn emit(
        &self,
        room: &str,
        except: Option<SocketId>,
        event: &str,
        data: impl Serialize,
    ) -> Result<(), EncodeError> {
        self.emit_raw(room, except, event, &encode::json(&data)?);
        Ok(())
    }

    /// As [`Namespace::emit`], with JSON at hand. `arguments` is the inside of a JSON array; it may be empty.
    ///
    /// All sockets of the room see the events of the room in the same order. The event is encoded once.
    pub fn emit_raw(&self, room: &str, except: Option<SocketId>, event: &str, arguments: &str) {
        let outgoing = Outgoing::new(self, event, arguments, &[]);
        self.0.rooms.visit(room, |socket| {
            if Some(socket.key()) != except {
                socket.deliver(&outgoing);
            }
        });
    }

    /// Emits an event, once a socket, to every socket that is in one of `rooms`. `arguments` is the inside of a JSON
    /// array. `takes` decides for each, given the
    /// first of the rooms in which it is; it must not join or leave rooms.
    ///
    /// Emits that follow one another reach each socket in that order.
    pub fn emit_raw_to(
        &self,
        rooms: &[&str],
        event: &str,
        arguments: &str,
        mut takes: impl FnMut(&Socket, usize) -> bool,
    ) {
        let outgoing = Outgoing::new(self, event, arguments, &[]);
        let mut seen = Seen::default();
        for (index, room) in rooms.iter().enumerate() {
            self.0.rooms.visit(room, |socket| {
                if (rooms.len() == 1 || seen.insert(socket.key())) && takes(socket, index) {
                    socket.deliver(&outgoing);
                }
            });
        }
    }

    /// Whether no socket is in `room`.
    pub fn is_empty(&self, room: &str) -> bool {
        let mut is_empty = true;
        self.0.rooms.visit(room, |_| is_empty = false);
        is_empty
    }

    /// Whether a socket in `room` has a connection now.
    pub fn has_connected(&self, room: &str) -> bool {
        let mut found = false;
        self.0.rooms.visit(room, |socket| found = found || socket.is_connected());
        found
    }

    /// The sockets in a room, also those whose connection is lost but may be recovered.
    pub fn sockets_in(&self, room: &str) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.0.rooms.visit(room, |socket| sockets.push(socket.clone()));
        sockets
    }

    /// The socket with this private id that may be taken up again, if it is here: a lost one, or one whose loss was not
    /// noticed yet.
    pub fn recoverable(&self, pid: &str) -> Option<Socket> {
        self.recovery()?.find(pid)
    }
}

/// The sockets that an emit has come to: most often a few, that are looked through; else many.
#[derive(Default)]
struct Seen {
    few: SmallVec<[SocketId; 16]>,
    many: HashSet<SocketId>,
}

impl Seen {
    /// `false` if it was there already.
    fn insert(&mut self, key: SocketId) -> bool {
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < self.few.inline_size() {
            self.few.push(key);
            return true;
        }
        self.many.insert(key)
    }
}
