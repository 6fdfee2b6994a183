//! Who is typing: ends by itself when nothing more is heard, or when the socket goes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socketio::SocketId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Blocks, Chat, view};
use crate::bus::{Except, Notice};
use crate::id::Id;
use crate::store::Conversation;

/// How long somebody types who is not heard of again.
const LASTS: Duration = Duration::from_secs(6);

/// The sockets that type.
pub(super) struct Typing {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    sockets: HashMap<SocketId, Vec<Typer>>,
    /// When to look after whom; one who was heard of meanwhile is looked after again later.
    ends: VecDeque<(Instant, SocketId)>,
}

/// What one socket types in.
struct Typer {
    user: Id,
    conversation: Arc<Conversation>,
    until: Instant,
}

impl Typing {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), filled: Notify::new() }
    }

    fn started(&self, socket: SocketId, user: &Id, conversation: &Arc<Conversation>) {
        let until = Instant::now() + LASTS;
        let mut state = self.state.lock();
        let typers = state.sockets.entry(socket).or_default();
        if let Some(typer) = typers.iter_mut().find(|typer| typer.conversation.key == conversation.key) {
            typer.until = until;
            return;
        }
        typers.push(Typer { user: user.clone(), conversation: Arc::clone(conversation), until });
        state.ends.push_back((until, socket));
        drop(state);
        self.filled.notify_one();
    }

    fn stopped(&self, socket: SocketId, conversation: &Conversation) {
        self.state.lock().take(socket, |typer| typer.conversation.key == conversation.key);
    }

    fn gone(&self, socket: SocketId) -> Vec<Typer> {
        self.state.lock().take(socket, |_| true)
    }

    /// Waits until somebody has not been heard of for too long.
    async fn next(&self) -> Vec<(SocketId, Typer)> {
        loop {
            let wait = {
                let mut state = self.state.lock();
                let ended = state.take_ended(Instant::now());
                if !ended.is_empty() {
                    return ended;
                }
                state.ends.front().map(|(at, _)| *at)
            };
            match wait {
                Some(until) => tokio::time::sleep_until(until).await,
                None => self.filled.notified().await,
            }
        }
    }
}

impl State {
    fn take(&mut self, socket: SocketId, mut is_meant: impl FnMut(&Typer) -> bool) -> Vec<Typer> {
        let Some(typers) = self.sockets.get_mut(&socket) else { return Vec::new() };
        let taken = typers.extract_if(.., |typer| is_meant(typer)).collect();
        if typers.is_empty() {
            self.sockets.remove(&socket);
        }
        taken
    }

    fn take_ended(&mut self, now: Instant) -> Vec<(SocketId, Typer)> {
        let mut ended = Vec::new();
        while let Some((_, socket)) = self.ends.pop_front_if(|(at, _)| *at <= now) {
            ended.extend(
                self.take(socket, |typer| typer.until <= now).into_iter().map(|typer| (socket, typer)),
            );
            let next =
                self.sockets.get(&socket).and_then(|typers| typers.iter().map(|typer| typer.until).min());
            if let Some(next) = next {
                // In its order: nobody types longer than one who started now.
                let place = self.ends.partition_point(|(at, _)| *at <= next);
                self.ends.insert(place, (next, socket));
            }
        }
        ended
    }
}

impl Chat {
    /// Tells the others in the conversation's room that `user` types, or no longer does.
    pub fn set_typing(&self, user: &Id, conversation: &Arc<Conversation>, socket: SocketId, types: bool) {
        if types {
            self.typing.started(socket, user, conversation);
            self.tell_typing("user_typing", user, conversation, socket);
        } else {
            self.typing.stopped(socket, conversation);
            self.tell_typing("user_stop_typing", user, conversation, socket);
        }
    }

    /// A socket has gone: it types no more.
    pub fn socket_went(&self, socket: SocketId) {
        for typer in self.typing.gone(socket) {
            self.tell_typing("user_stop_typing", &typer.user, &typer.conversation, socket);
        }
    }

    /// Ends the typing of those who are not heard of again, as long as it runs.
    pub(super) async fn end_typing(self: Arc<Self>) {
        loop {
            for (socket, typer) in self.typing.next().await {
                self.tell_typing("user_stop_typing", &typer.user, &typer.conversation, socket);
            }
        }
    }

    fn tell_typing(&self, name: &'static str, user: &Id, conversation: &Arc<Conversation>, socket: SocketId) {
        // Somebody may have been blocked since the typing began.
        if self.blocks_at_once(user, conversation).is_some_and(Blocks::any) {
            return;
        }
        self.bus.publish(Notice::Event {
            name: name.into(),
            argument: view::typing(user, &conversation.id),
            conversation: Some(Arc::clone(conversation)),
            users: Vec::new(),
            except: Some(Except::Everywhere(socket)),
        });
    }
}
