//! Notifies the other participant of typing. A user types as one, over all devices and nodes; only the other's sockets are
//! notified, and typing ends with a message.

use std::sync::Arc;

use socketio::SocketId;

use super::service::Chat;
use super::typing_tracker::{Ended, Source};
use crate::bus::{BusEvent, Except};
use crate::contract::{ServerEvent, UserTyping};
use crate::id::Id;
use crate::store::Conversation;

impl Chat {
    /// `user` types on a socket, or no longer does: notifies the other's sockets in the conversation's room.
    pub fn set_typing(&self, user: &Id, conversation: &Arc<Conversation>, socket: SocketId, types: bool) {
        let source = Source::Socket(socket);
        if types {
            self.typing.started(source, user, conversation);
            self.notify_typing(user, conversation, true);
            self.publish_typing(user, conversation, true);
        } else {
            let ended = self.typing.stopped(&source, user, conversation);
            self.stopped_typing(user, conversation, ended);
        }
    }

    /// `user` types on another node, or no longer does.
    pub(super) fn typing_elsewhere(
        &self,
        user: &Id,
        conversation: &Arc<Conversation>,
        node: &str,
        types: bool,
    ) {
        let source = Source::Node(node.into());
        if types {
            self.typing.started(source, user, conversation);
            self.notify_typing(user, conversation, true);
        } else if self.typing.stopped(&source, user, conversation).everywhere {
            self.notify_typing(user, conversation, false);
        }
    }

    /// `user` has sent a message, so the typing is over. Each node receives the message itself.
    pub(super) fn typing_ended(&self, user: &Id, conversation: &Arc<Conversation>) {
        if self.typing.sent(user, conversation) {
            self.notify_typing(user, conversation, false);
        }
    }

    /// A socket of `user` has disconnected, so it types no more.
    pub fn socket_disconnected(&self, user: &Id, socket: SocketId) {
        for (conversation, ended) in self.typing.disconnected(socket, user) {
            self.stopped_typing(user, &conversation, ended);
        }
    }

    /// Ends typing that was not repeated in time, as long as it runs.
    pub(super) async fn end_typing(self: Arc<Self>) {
        loop {
            for (user, conversation, ended) in self.typing.next().await {
                self.stopped_typing(&user, &conversation, ended);
            }
        }
    }

    fn stopped_typing(&self, user: &Id, conversation: &Arc<Conversation>, ended: Ended) {
        if ended.everywhere {
            self.notify_typing(user, conversation, false);
        }
        if ended.here {
            self.publish_typing(user, conversation, false);
        }
    }

    fn publish_typing(&self, user: &Id, conversation: &Arc<Conversation>, types: bool) {
        let (user, conversation) = (user.clone(), Arc::clone(conversation));
        self.bus.publish(BusEvent::Typing { user, conversation, types, node: None });
    }

    /// Notifies the sockets of this node.
    fn notify_typing(&self, user: &Id, conversation: &Arc<Conversation>, types: bool) {
        // A block may have been set since the typing began.
        if self.is_known_to_be_blocked(user, conversation) {
            return;
        }
        let typing = UserTyping { user_id: user, conversation_id: &conversation.id };
        let event = if types { ServerEvent::UserTyping(typing) } else { ServerEvent::UserStopTyping(typing) };
        self.bus.publish_locally(&BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: Some(Arc::clone(conversation)),
            users: Vec::new(),
            except: conversation.side_of(user).map(Except::Participant),
        });
    }
}
