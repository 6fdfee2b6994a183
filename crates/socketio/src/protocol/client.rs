//! The Socket.IO side of one session: packets in, namespaces joined, events handed over in their order.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::SmallVec;
use tracing::Instrument as _;

use crate::driver::handle::SessionHandle;
use crate::driver::handler::{Message, MessageHandler};
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::session::Input;
use crate::protocol::acknowledgement::Responder;
use crate::protocol::core::{Namespace, Socket};
use crate::protocol::encode;
use crate::protocol::handler::{
    Accept, ConnectError, ConnectRequest, Connecting, Event, EventFuture, LostSocket, Served, SocketHandler,
};
use crate::protocol::packet::{Arguments, Content, Limits, Packet, placeholders_are_valid};
use crate::protocol::reply::Reply;
use crate::token::{random_token, token_after};

/// How often in a row a client may be refused before it has to open another session.
const MAX_REFUSED: u8 = 16;

/// The namespaces of a server, by name.
pub(crate) type Namespaces = HashMap<Box<str>, Served>;

/// A client: the sockets that it has in namespaces, over one session.
pub(crate) struct Client {
    session: Arc<SessionHandle>,
    namespaces: Arc<Namespaces>,
    sockets: SmallVec<[Joined; 1]>,
    pending: Option<Pending>,
    /// A packet whose attachments have not all come.
    incomplete: Option<Box<Incomplete>>,
    /// Whether the client was ever let into a namespace.
    is_established: bool,
    /// How often it was not, since it was.
    refused: u8,
}

struct Joined {
    socket: Socket,
    handler: Box<dyn SocketHandler>,
}

/// What the client's next packet has to wait for.
enum Pending {
    Connect(Box<PendingConnect>),
    Event(EventFuture),
}

struct PendingConnect {
    namespace: Namespace,
    recovery: Option<RecoveryRequest>,
    answer: std::pin::Pin<Box<dyn Future<Output = Result<Accept, ConnectError>> + Send>>,
}

struct Incomplete {
    text: Box<str>,
    attachments: Vec<Bytes>,
    due: usize,
    bytes: usize,
}

/// What a client that comes back sends in its auth.
#[derive(Deserialize)]
struct RecoveryRequest {
    pid: String,
    #[serde(default)]
    offset: Option<String>,
}

impl Client {
    pub(crate) fn new(session: Arc<SessionHandle>, namespaces: Arc<Namespaces>) -> Self {
        Self {
            session,
            namespaces,
            sockets: SmallVec::new(),
            pending: None,
            incomplete: None,
            is_established: false,
            refused: 0,
        }
    }

    fn limits(&self) -> Limits {
        let config = &self.session.shared.config;
        Limits {
            attachments: config.max_attachments,
            nesting: config.max_nesting,
            event_name: config.max_event_name,
        }
    }

    fn text(&mut self, text: &str) -> Result<(), CloseReason> {
        if self.incomplete.is_some() {
            return Err(self.invalid("text while an attachment is due"));
        }
        let packet = Packet::parse(text, self.limits()).map_err(|error| self.invalid(error.0))?;
        match packet.content {
            Content::Event { attachments: due @ 1.., .. }
            | Content::Acknowledgement { attachments: due @ 1.., .. } => {
                self.incomplete =
                    Some(Box::new(Incomplete { text: text.into(), attachments: Vec::new(), due, bytes: 0 }));
                Ok(())
            }
            _ => self.packet(packet, &[]),
        }
    }

    fn binary(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        let Some(incomplete) = &mut self.incomplete else {
            return Err(self.invalid("an attachment that nothing announced"));
        };
        incomplete.bytes += bytes.len();
        if incomplete.bytes > self.session.shared.config.max_payload {
            return Err(CloseReason::PayloadTooLarge);
        }
        incomplete.attachments.push(Bytes::copy_from_slice(bytes));
        if incomplete.attachments.len() < incomplete.due {
            return Ok(());
        }
        let Incomplete { text, attachments, .. } = *self.incomplete.take().expect("it was just there");
        let packet = Packet::parse(&text, self.limits()).map_err(|error| self.invalid(error.0))?;
        self.packet(packet, &attachments)
    }

    /// Takes a packet that is whole.
    fn packet(&mut self, packet: Packet<'_>, attachments: &[Bytes]) -> Result<(), CloseReason> {
        let index =
            self.sockets.iter().position(|joined| joined.socket.namespace().name() == packet.namespace);
        match (packet.content, index) {
            (Content::Connect(_), None) if self.refused == MAX_REFUSED => {
                Err(self.invalid("a CONNECT after too many that were refused"))
            }
            (Content::Connect(auth), None) => {
                self.connect(packet.namespace, auth);
                Ok(())
            }
            (Content::Event { id, name, arguments, .. }, Some(index)) => {
                if !attachments.is_empty() && !placeholders_are_valid(&arguments, attachments.len()) {
                    return Err(self.invalid("a placeholder of no attachment"));
                }
                let Joined { socket, handler } = &mut self.sockets[index];
                let responder = Responder::new(socket.namespace().clone(), id, &self.session);
                let event = Event { name: &name, arguments: &arguments, attachments, responder };
                let session = &self.session;
                // What is done at once seldom logs anything, and a span would cost it more than all else here.
                let entered = tracing::enabled!(tracing::Level::DEBUG).then(|| span(session).entered());
                let later = handler.event(socket, event);
                drop(entered);
                self.pending = later.map(|work| Pending::Event(Box::pin(work.instrument(span(session)))));
                Ok(())
            }
            (Content::Acknowledgement { id, arguments, .. }, Some(index)) => {
                self.sockets[index].socket.acknowledged(id, reply(&arguments, attachments));
                Ok(())
            }
            (Content::Disconnect, Some(index)) => {
                let joined = self.sockets.remove(index);
                self.leave(joined, CloseReason::ClientDisconnect);
                Ok(())
            }
            (Content::Connect(_), Some(_)) => Err(self.invalid("a second CONNECT to a namespace")),
            (Content::ConnectError, _) => Err(self.invalid("a CONNECT_ERROR packet")),
            (_, None) => Err(self.invalid("a packet for a namespace that the client is not in")),
        }
    }

    fn connect(&mut self, name: &str, auth: Option<&RawValue>) {
        let namespaces = Arc::clone(&self.namespaces);
        let Some(Served { namespace, handler }) = namespaces.get(name) else {
            return self.refuse(name, r#"{"message":"Invalid namespace"}"#);
        };
        let recovery = namespace
            .recovery()
            .and(auth)
            // Other fields are the application's; an auth without a pid asks for no recovery.
            .and_then(|auth| serde_json::from_str::<RecoveryRequest>(auth.get()).ok());
        let lost = recovery.as_ref().filter(|request| namespace.recoverable(&request.pid).is_none());
        let lost = lost.map(|request| LostSocket { pid: &request.pid, offset: request.offset.as_deref() });
        let opening = &self.session.opening;
        let request =
            ConnectRequest { auth, address: opening.address, handshake: opening.handshake.as_deref(), lost };
        match span(&self.session).in_scope(|| handler.connect(request)) {
            Connecting::Done(answer) => self.connected(namespace, recovery, answer),
            Connecting::Later(answer) => {
                let pending = PendingConnect { namespace: namespace.clone(), recovery, answer };
                self.pending = Some(Pending::Connect(Box::new(pending)));
            }
        }
    }

    fn refuse(&mut self, namespace: &str, error: &str) {
        self.refused += 1;
        self.session.push(&[encode::packet("44", namespace, error)]);
    }

    /// The handler has answered: lets the client in, with its old socket if that can be recovered.
    fn connected(
        &mut self,
        namespace: &Namespace,
        recovery: Option<RecoveryRequest>,
        answer: Result<Accept, ConnectError>,
    ) {
        let Accept { mut handler, recovery: owner, snapshot } = match answer {
            Ok(accept) => accept,
            Err(ConnectError { message, data }) => {
                let message = serde_json::to_string(&message).expect("a string always serializes");
                let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
                let error = format!(r#"{{"message":{message}{data}}}"#);
                return self.refuse(namespace.name(), &error);
            }
        };
        // Nothing may go out before the handler has joined its rooms: a client that knows it is connected
        // may rely on them.
        self.session.handle(Input::Cork);
        let imported = snapshot.and_then(|snapshot| namespace.import(*snapshot));
        let old = recovery.and_then(|request| self.resume(namespace, &request, owner.as_deref()));
        if let Some(imported) = imported.filter(|_| old.is_none()) {
            imported.discard();
        }
        let recovered = old.is_some();
        let socket = old.unwrap_or_else(|| self.new_socket(namespace, owner));
        span(&self.session).in_scope(|| handler.connected(&socket, recovered));
        self.sockets.push(Joined { socket, handler });
        self.is_established = true;
        self.refused = 0;
        self.session.handle(Input::Uncork);
    }

    fn resume(
        &self,
        namespace: &Namespace,
        request: &RecoveryRequest,
        owner: Option<&str>,
    ) -> Option<Socket> {
        let socket = namespace.recovery()?.find(&request.pid)?;
        let reply = connect_reply(namespace, socket.id(), Some(&request.pid));
        socket.resume(owner?, request.offset.as_deref(), &self.session, reply).then_some(socket)
    }

    fn new_socket(&self, namespace: &Namespace, owner: Option<String>) -> Socket {
        let sid = random_token();
        let key = namespace.next_socket_id();
        let session = Arc::clone(&self.session);
        match (namespace.recovery(), owner) {
            (Some(recovery), Some(owner)) => {
                let pid = token_after(&recovery.config.id_prefix);
                self.session.push(&[connect_reply(namespace, &sid, Some(&pid))]);
                let log = recovery.new_log(pid.clone(), &owner);
                let socket = Socket::new(key, sid, namespace.clone(), Some(session), Some(Box::new(log)));
                recovery.remember(&pid, &socket);
                socket
            }
            _ => {
                self.session.push(&[connect_reply(namespace, &sid, None)]);
                Socket::new(key, sid, namespace.clone(), Some(session), None)
            }
        }
    }

    fn leave(&self, mut joined: Joined, reason: CloseReason) {
        joined.socket.detach(&self.session, reason);
        span(&self.session).in_scope(|| joined.handler.disconnected(&joined.socket, reason));
    }

    fn invalid(&self, what: &'static str) -> CloseReason {
        tracing::debug!(what, sid = %self.session.log_id(), "an invalid packet");
        CloseReason::ParseError
    }
}

impl MessageHandler for Client {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        match &mut self.pending {
            None => {}
            Some(Pending::Event(future)) => {
                std::task::ready!(future.as_mut().poll(cx));
                self.pending = None;
            }
            Some(Pending::Connect(pending)) => {
                let answer = std::task::ready!(pending.answer.as_mut().poll(cx));
                if let Some(Pending::Connect(pending)) = self.pending.take() {
                    self.connected(&pending.namespace, pending.recovery, answer);
                }
            }
        }
        // The last event in work that ends wakes the task.
        if self.session.in_flight() >= self.session.shared.config.max_in_flight {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn takes_more(&self) -> bool {
        self.pending.is_none() && self.session.in_flight() < self.session.shared.config.max_in_flight
    }

    fn message(&mut self, message: Message<'_>) -> Result<(), CloseReason> {
        match message {
            Message::Text(text) => self.text(text),
            Message::Binary(bytes) => self.binary(bytes),
        }
    }

    fn is_established(&self) -> bool {
        self.is_established
    }

    fn held(&self) -> usize {
        self.incomplete.as_ref().map_or(0, |incomplete| incomplete.text.len() + incomplete.bytes)
    }

    fn closed(&mut self, reason: CloseReason) {
        // An event that waits is given up: its socket is gone.
        self.pending = None;
        for joined in std::mem::take(&mut self.sockets) {
            self.leave(joined, reason);
        }
    }
}

/// Gives log lines the id of the connection that they are about.
fn span(session: &SessionHandle) -> tracing::Span {
    tracing::error_span!("connection", sid = %session.log_id())
}

fn connect_reply(namespace: &Namespace, sid: &str, pid: Option<&str>) -> Frame {
    let data = match pid {
        Some(pid) => format!(r#"{{"sid":"{sid}","pid":"{pid}"}}"#),
        None => format!(r#"{{"sid":"{sid}"}}"#),
    };
    encode::packet("40", namespace.name(), &data)
}

fn reply(arguments: &Arguments<'_>, attachments: &[Bytes]) -> Reply {
    Reply {
        arguments: arguments.iter().map(|argument| argument.get().into()).collect(),
        attachments: attachments.to_vec(),
    }
}
