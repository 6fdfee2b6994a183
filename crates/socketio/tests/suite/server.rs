//! Test servers, over TCP and in memory.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use socketio::{
    Accept, CloseReason, Config, ConnectError, ConnectRequest, Connecting, Event, EventFuture,
    ListenerConfig, Message, MessageHandler, NamespaceHandler, Server, Socket, SocketHandler,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_service::Service as _;

use crate::client::{Answer, LIMIT, Stream, WebSocket, field, read_answer};

/// A server on a free port, or in memory; ends with the test's runtime.
pub(crate) struct TestServer {
    pub(crate) network: Network,
    pub(crate) socket_io: Server,
}

/// Where a server is reached.
pub(crate) enum Network {
    Tcp(SocketAddr),
    Memory(Router),
}

/// The conformance server's conduct, and some events more.
pub(crate) struct Guests;

pub(crate) struct Guest {
    auth: String,
    /// What the client is sent of the handshake, if its auth wants it.
    handshake: Option<String>,
}

impl NamespaceHandler for Guests {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let auth = request.auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned());
        if auth.contains("\"refuse\"") {
            let refuse = ConnectError { message: "no".into(), data: Some("{\"why\":1}".into()) };
            return Connecting::Done(Err(refuse));
        }
        let recovery = auth
            .contains("\"recovery\"")
            .then(|| if auth.contains("\"mallory\"") { "mallory".to_owned() } else { "alice".to_owned() });
        let is_slow = auth.contains("\"slow\"");
        let handshake = auth.contains("\"handshake\"").then(|| {
            let text =
                |text: Option<&str>| text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""));
            let query = request.handshake.and_then(|handshake| handshake.query("c"));
            let agent =
                request.handshake.map(|handshake| handshake.headers()["user-agent"].to_str().unwrap());
            format!("{},{}", text(query.as_deref()), text(agent))
        });
        let accept = Accept { handler: Box::new(Guest { auth, handshake }), recovery, snapshot: None };
        if !is_slow {
            return Connecting::Done(Ok(accept));
        }
        Connecting::Later(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Ok(accept)
        }))
    }
}

impl SocketHandler for Guest {
    fn connected(&mut self, socket: &Socket, recovered: bool) {
        if !recovered {
            socket.join("all").unwrap();
        }
        if let Some(handshake) = &self.handshake {
            socket.emit_raw("handshake", handshake);
        }
        if !self.auth.contains("\"recovery\"") {
            socket.emit_raw("auth", &self.auth);
        }
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let arguments = event.joined_arguments();
        match event.name {
            "message" => socket.emit_binary("message-back", &arguments, event.attachments),
            "message-with-ack" => event.responder.send_binary(&arguments, event.attachments),
            "join" => event.responder.send_raw(match socket.join(&arguments) {
                Ok(()) => "true",
                Err(_) => "false",
            }),
            "shout" => socket.namespace().emit_raw("all", Some(socket.key()), "shouted", &arguments),
            "leave" => socket.leave("all"),
            "slow" => {
                let (socket, responder) = (socket.clone(), event.responder);
                return Some(Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    socket.emit_raw("slow-done", &arguments);
                    responder.send_raw("");
                }));
            }
            "later" => {
                let responder = event.responder;
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    responder.send_raw("\"late\"");
                });
            }
            "ask" => {
                let asked = socket.emit_with_acknowledgement("question", &arguments).unwrap();
                let socket = socket.clone();
                tokio::spawn(async move {
                    let reply = asked.await.unwrap();
                    socket.emit_raw("answered", &reply.arguments.join(","));
                });
            }
            "kick" => socket.disconnect(),
            _ => {}
        }
        None
    }
}

struct Echo(socketio::EngineSocket);

impl MessageHandler for Echo {
    fn message(&mut self, message: Message<'_>) -> Result<(), CloseReason> {
        self.0.send(message);
        Ok(())
    }
}

/// Short times, so that tests need not wait long.
pub(crate) fn quick_config() -> Config {
    Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 10_000,
        connect_timeout: Duration::from_secs(1),
        upgrade_timeout: Duration::from_millis(300),
        ..Config::default()
    }
}

/// Times that no test reaches.
pub(crate) fn patient_config() -> Config {
    Config { connect_timeout: Duration::from_mins(1), ..Config::default() }
}

pub(crate) async fn start(config: Config) -> TestServer {
    start_with(config, ListenerConfig::default()).await
}

pub(crate) async fn start_with(config: Config, listener_config: ListenerConfig) -> TestServer {
    let (router, socket_io) = servers(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(socketio::serve(listener, router, listener_config, std::future::pending()));
    TestServer { network: Network::Tcp(address), socket_io }
}

/// A server that is reached through pipes in memory. With the time paused, a test of it takes no time: a sleep ends when
/// nobody has anything left to do.
pub(crate) fn start_in_memory(config: Config) -> TestServer {
    let (router, socket_io) = servers(config);
    TestServer { network: Network::Memory(router), socket_io }
}

fn servers(config: Config) -> (Router, Server) {
    let engine = Server::engine(config.clone(), |socket| Box::new(Echo(socket)));
    let socket_io = Server::builder(config).namespace("/", Guests).namespace("/custom", Guests).build();
    let router =
        Router::new().route_service("/engine.io/", engine).route_service("/socket.io/", socket_io.clone());
    (router, socket_io)
}

/// Waits until nobody has anything left to do; for paused time alone.
pub(crate) async fn at_rest() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(LIMIT, wait).await.is_ok(), "{what}: did not come about in time");
}

impl TestServer {
    /// The address of a server that listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.network {
            Network::Tcp(address) => *address,
            Network::Memory(_) => panic!("this server has no address"),
        }
    }

    pub(crate) async fn dial(&self) -> Box<dyn Stream> {
        let router = match &self.network {
            Network::Tcp(address) => return Box::new(TcpStream::connect(address).await.unwrap()),
            Network::Memory(router) => router.clone(),
        };
        let (near, far) = tokio::io::duplex(64 * 1024);
        let service = hyper::service::service_fn(move |request| router.clone().call(request));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(connection.with_upgrades());
        Box::new(near)
    }

    /// A request on a connection of its own.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        read_answer(self.send_request(method, path, body).await).await
    }

    /// Sends a request and leaves the answer to be read.
    pub(crate) async fn send_request(&self, method: &str, path: &str, body: &[u8]) -> Box<dyn Stream> {
        self.send_request_with(method, path, "", body).await
    }

    /// Sends a request with further headers, each with its line break.
    pub(crate) async fn send_request_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Box<dyn Stream> {
        let mut stream = self.dial().await;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        stream
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.request("POST", path, body.as_bytes()).await
    }

    /// Opens a polling session; answers its path with the sid.
    pub(crate) async fn open_polling(&self, base: &str) -> String {
        let path = format!("{base}?EIO=4&transport=polling");
        let open = self.get(&path).await;
        assert_eq!(open.status, 200, "{open:?}");
        format!("{path}&sid={}", field(&open.body, "sid"))
    }

    /// Opens a WebSocket.
    pub(crate) async fn websocket(&self, path: &str) -> WebSocket {
        let (status, websocket) = self.try_websocket(path).await;
        assert_eq!(status, 101, "{path}");
        websocket
    }

    pub(crate) async fn try_websocket(&self, path: &str) -> (u16, WebSocket) {
        let (head, websocket) = self.websocket_with(path, "").await;
        (head.split(' ').nth(1).unwrap().parse().unwrap(), websocket)
    }

    /// Asks for a WebSocket with further headers, each with its line break; answers the head of the response.
    pub(crate) async fn websocket_with(&self, path: &str, headers: &str) -> (String, WebSocket) {
        let mut stream = self.dial().await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(LIMIT, stream.read_u8()).await.expect("no answer in time").unwrap());
        }
        (String::from_utf8(head).unwrap(), WebSocket { stream })
    }

    /// A Socket.IO client over WebSocket, not yet in a namespace.
    pub(crate) async fn open(&self) -> WebSocket {
        let mut websocket = self.websocket("/socket.io/?EIO=4&transport=websocket").await;
        assert!(websocket.text().await.starts_with("0{"));
        websocket
    }

    /// A Socket.IO client in the main namespace.
    pub(crate) async fn connect(&self) -> WebSocket {
        let mut websocket = self.open().await;
        websocket.send("40").await;
        assert!(websocket.text().await.starts_with("40{"));
        assert_eq!(websocket.text().await, r#"42["auth",{}]"#);
        websocket
    }
}
