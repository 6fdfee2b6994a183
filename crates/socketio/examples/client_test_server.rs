//! What the official JavaScript client's own test server does, on `PORT` (3210): all tests of that client which talk to
//! a server pass against this one.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use socketio::{
    Accept, Config, ConnectError, ConnectRequest, Connecting, Event, EventFuture, ListenerConfig,
    NamespaceHandler, RecoveryConfig, Server, Socket, SocketHandler,
};
use tower_http::cors::CorsLayer;

/// A date as the client's tests take any.
const DATE: &str = "\"2026-01-02T03:04:05.678Z\"";
/// An argument in place of which the first attachment goes.
const ATTACHED: &str = r#"{"_placeholder":true,"num":0}"#;
/// How long a handshake takes: a test needs it to be longer than a millisecond.
const DELAY: Duration = Duration::from_millis(10);

/// What a namespace does with who wants in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Lets in, unless the query has `fail`.
    Main,
    /// Lets in, and says what it saw of the handshake.
    Telling,
    /// Lets in.
    Open,
    /// Lets nobody in.
    Shut,
}

impl NamespaceHandler for Door {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let fails = request.handshake.and_then(|handshake| handshake.query("fail")).is_some();
        let refusal = match self {
            Self::Main if fails => Some("Auth failed (main namespace)"),
            Self::Shut => Some("Auth failed (custom namespace)"),
            _ => None,
        };
        if let Some(message) = refusal {
            return Connecting::Done(Err(ConnectError { message: message.to_owned(), data: None }));
        }
        let tester =
            Tester { door: *self, handshake: handshake(&request).to_string(), abuff1: false, blobs: 0 };
        // Everybody is recovered.
        let recovery = Some("everybody".to_owned());
        Connecting::Done(Ok(Accept { handler: Box::new(tester), recovery, snapshot: None }))
    }
}

/// The handshake in the form of the official server's `socket.handshake`.
fn handshake(request: &ConnectRequest<'_>) -> Value {
    let auth =
        request.auth.map_or_else(|| json!({}), |auth| serde_json::from_str(auth.get()).unwrap_or_default());
    let mut seen = json!({ "auth": auth, "address": request.address, "query": {}, "headers": {} });
    if let Some(handshake) = request.handshake {
        for (name, value) in handshake.query_pairs() {
            seen["query"][&*name] = Value::String(value.into_owned());
        }
        for (name, value) in handshake.headers() {
            seen["headers"][name.as_str()] = String::from_utf8_lossy(value.as_bytes()).into();
        }
    }
    seen
}

struct Tester {
    door: Door,
    /// As JSON.
    handshake: String,
    /// Whether `abuff1` came.
    abuff1: bool,
    /// How many of the three blobs came in their order.
    blobs: u8,
}

impl SocketHandler for Tester {
    fn connected(&mut self, socket: &Socket, _recovered: bool) {
        if self.door == Door::Telling {
            socket.emit_raw("handshake", &self.handshake);
        }
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let first = event.arguments.first().map_or("null", |argument| argument.get());
        let is_binary = first == ATTACHED && event.attachments.len() == 1;
        match event.name {
            "hi" => socket.emit_raw("hi", ""),
            "echo" => event.responder.send_raw(first),
            "getId" => event.responder.send_raw(&format!("\"{}\"", socket.id())),
            "getHandshake" => event.responder.send_raw(&self.handshake),
            "ack" => ask(socket),
            "getAckDate" => event.responder.send_raw(DATE),
            "getDate" => socket.emit_raw("takeDate", DATE),
            "getDateObj" => socket.emit_raw("takeDateObj", &format!("{{\"date\":{DATE}}}")),
            "getUtf8" => {
                for text in
                    ["\u{3066}\u{3059}\u{3068}", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]
                {
                    socket.emit_raw("takeUtf8", &json!(text).to_string());
                }
            }
            "false" => socket.emit_raw("false", "false"),
            "doge" => socket.emit_binary("doge", ATTACHED, &["asdfasdf".into()]),
            "getbin" => socket.emit_binary("takebin", ATTACHED, &["asdfasdf".into()]),
            "buffa" if is_binary => socket.emit_raw("buffack", ""),
            "blob" if is_binary => socket.emit_raw("back", ""),
            "jsonbuff" if has_attachment(&event) => socket.emit_raw("jsonbuff-ack", ""),
            "jsonblob" if has_attachment(&event) => socket.emit_raw("jsonblob-ack", ""),
            "abuff1" => self.abuff1 = is_binary,
            "abuff2" if self.abuff1 => socket.emit_raw("abuff2-ack", ""),
            "blob1" if is_binary => self.blobs = 1,
            "blob2" if self.blobs == 1 && first == "\"second\"" => self.blobs = 2,
            "blob3" if self.blobs == 2 && is_binary => socket.emit_raw("blob3-ack", ""),
            _ => {}
        }
        None
    }
}

/// Asks the client for an acknowledgement with `5` and `{test: true}`.
fn ask(socket: &Socket) {
    match socket.emit_with_acknowledgement("ack", "") {
        Ok(asked) => {
            let socket = socket.clone();
            tokio::spawn(async move {
                let is_expected = |arguments: &[Box<str>]| matches!(arguments, [first, second] if &**first == "5" && second.contains("true"));
                if asked.await.is_ok_and(|reply| is_expected(&reply.arguments)) {
                    socket.emit_raw("got it", "");
                }
            });
        }
        Err(error) => tracing::warn!(%error, "an acknowledgement can't be asked for"),
    }
}

/// Whether the argument is the object that the client's tests send, with binary in the place of `message`.
fn has_attachment(event: &Event<'_>) -> bool {
    let parse = |argument: &&RawValue| serde_json::from_str::<Value>(argument.get()).ok();
    let expected = json!({"hello": "lol", "message": {"_placeholder": true, "num": 0}, "goodbye": "gotcha"});
    event.arguments.first().and_then(parse) == Some(expected) && event.attachments.len() == 1
}

/// Delays the handshakes.
async fn delay(request: Request, next: Next) -> axum::response::Response {
    if !request.uri().query().is_some_and(|query| query.contains("sid=")) {
        tokio::time::sleep(DELAY).await;
    }
    next.run(request).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let config = Config {
        ping_interval: Duration::from_secs(2),
        recovery: Some(RecoveryConfig::default()),
        ..Config::default()
    };
    let mut builder = Server::builder(config)
        .namespace("/", Door::Main)
        .namespace("/abc", Door::Telling)
        .namespace("/no", Door::Shut);
    for name in ["/foo", "/timeout_socket", "/valid", "/asd"] {
        builder = builder.namespace(name, Door::Open);
    }
    let router = Router::new()
        .route_service("/socket.io/", builder.build())
        .layer(middleware::from_fn(delay))
        .layer(CorsLayer::permissive());
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse::<u16>().map_err(|error| format!("PORT: {port:?}: {error}"))?,
        Err(_) => 3210,
    };
    let listener = tokio::net::TcpListener::bind(("localhost", port)).await?;
    socketio::serve(listener, router, ListenerConfig::default(), std::future::pending()).await?;
    Ok(())
}
