//! Test servers, and a client that can also break the rules. Every wait has a time limit.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use socketio::{
    Accept, CloseReason, Config, ConnectRequest, Connecting, Event, EventFuture, ListenerConfig, Message,
    MessageHandler, NamespaceHandler, Refuse, Server, Socket, SocketHandler,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The longest any wait may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A server on a free port; ends with the test's runtime.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) socket_io: Server,
}

/// The conformance server's conduct, and some events more.
pub(crate) struct Guests;

pub(crate) struct Guest {
    auth: String,
    /// What is told of the handshake, if the auth asks for it.
    handshake: Option<String>,
}

impl NamespaceHandler for Guests {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let auth = request.auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned());
        if auth.contains("\"refuse\"") {
            let refuse = Refuse { message: "no".into(), data: Some("{\"why\":1}".into()) };
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
        let accept = Accept { handler: Box::new(Guest { auth, handshake }), recovery, handed_over: None };
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
            socket.emit("handshake", handshake);
        }
        if !self.auth.contains("\"recovery\"") {
            socket.emit("auth", &self.auth);
        }
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let arguments = event.joined_arguments();
        match event.name {
            "message" => socket.emit_binary("message-back", &arguments, event.attachments),
            "message-with-ack" => event.responder.send_binary(&arguments, event.attachments),
            "join" => event.responder.send(match socket.join(&arguments) {
                Ok(()) => "true",
                Err(_) => "false",
            }),
            "shout" => socket.namespace().emit("all", Some(socket.key()), "shouted", &arguments),
            "leave" => socket.leave("all"),
            "slow" => {
                let (socket, responder) = (socket.clone(), event.responder);
                return Some(Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    socket.emit("slow-done", &arguments);
                    responder.send("");
                }));
            }
            "later" => {
                let responder = event.responder;
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    responder.send("\"late\"");
                });
            }
            "ask" => {
                let asked = socket.emit_with_acknowledgement("question", &arguments).unwrap();
                let socket = socket.clone();
                tokio::spawn(async move {
                    let reply = asked.await.unwrap();
                    socket.emit("answered", &reply.arguments.join(","));
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
    let engine = Server::engine(config.clone(), |socket| Box::new(Echo(socket)));
    let socket_io = Server::builder(config).namespace("/", Guests).namespace("/custom", Guests).build();
    let router =
        Router::new().route_service("/engine.io/", engine).route_service("/socket.io/", socket_io.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(socketio::serve(listener, router, listener_config, std::future::pending()));
    TestServer { address, socket_io }
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

/// An answer to an HTTP request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl TestServer {
    /// A request on a connection of its own.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        read_answer(self.send_request(method, path, body).await).await
    }

    /// Sends a request and leaves the answer to be read.
    pub(crate) async fn send_request(&self, method: &str, path: &str, body: &[u8]) -> TcpStream {
        self.send_request_with(method, path, "", body).await
    }

    /// Sends a request with further headers, each with its line break.
    pub(crate) async fn send_request_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
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
        let mut stream = TcpStream::connect(self.address).await.unwrap();
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

/// Reads the answer to the only request of a connection.
pub(crate) async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("no answer in time").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}"));
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), body: body.to_owned() }
}

/// The value of a text field of a JSON object, by hand: ours hold nothing that is escaped.
pub(crate) fn field(json: &str, name: &str) -> String {
    let start = json.find(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name} in {json}"));
    json[start + name.len() + 4..].split('"').next().unwrap().to_owned()
}

/// What a WebSocket receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Bytes),
    Pong(Bytes),
    Close(u16),
    /// The TCP connection ended.
    Gone,
}

pub(crate) struct WebSocket {
    pub(crate) stream: TcpStream,
}

impl WebSocket {
    pub(crate) async fn send(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes()).await;
    }

    /// Sends a masked frame with any first byte.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.raw(&frame(first, payload)).await;
    }

    /// Sends bytes as they are. That the server may have closed meanwhile is for the test to see.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        drop(timeout(LIMIT, self.stream.write_all(bytes)).await.expect("the server reads no more"));
    }

    pub(crate) async fn receive(&mut self) -> Received {
        timeout(LIMIT, self.read()).await.expect("nothing came in time").unwrap_or(Received::Gone)
    }

    async fn read(&mut self) -> std::io::Result<Received> {
        let first = self.stream.read_u8().await?;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        Ok(match first {
            0x81 => Received::Text(String::from_utf8(payload).unwrap()),
            0x82 => Received::Binary(payload.into()),
            0x8a => Received::Pong(payload.into()),
            0x88 => Received::Close(u16::from_be_bytes(payload[..2].try_into().unwrap())),
            other => panic!("a frame that begins with {other:x}"),
        })
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        match self.receive().await {
            Received::Text(text) => text,
            other => panic!("a text was due, {other:?} came"),
        }
    }

    /// The next text that is no ping; pings are answered.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.text().await.as_str() {
                "2" => self.send("3").await,
                text => return text.to_owned(),
            }
        }
    }

    /// Waits for the end; answers the close code if there was one. Texts before it are passed over.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.receive().await {
                Received::Close(received) => code = Some(received),
                Received::Gone => return code,
                _ => {}
            }
        }
    }

    /// Emits `["echo-probe"]`-like traffic to see that the server still answers this client.
    pub(crate) async fn is_served(&mut self) {
        self.send(r#"4299["message-with-ack","here"]"#).await;
        assert_eq!(self.packet().await, r#"4399["here"]"#);
    }
}

/// A client's frame, masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 11, 13, 17];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..=65_535 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
