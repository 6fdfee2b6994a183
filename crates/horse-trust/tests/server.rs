//! A server of the tests' own, on a free port and a store in a temporary folder, and a client for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use horse_trust::app::{self, RunError};
use horse_trust::auth::Tokens;
use horse_trust::config::{Config, Flags};
use horse_trust::id::Id;
use horse_trust::store::{Role, Store};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::store::soon;

const SECRET: &str = "a secret of the tests, long enough for HS256";

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tokens: Tokens,
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
    _folder: TempDir,
}

/// What a server says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Flags)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = app::open_store(&config(folder.path(), |_| {})).await.unwrap();
        Self::over(store, folder, change).await
    }

    /// A server over a store that was made elsewhere.
    pub(crate) async fn over(
        store: Arc<dyn Store>,
        folder: TempDir,
        change: impl FnOnce(&mut Flags),
    ) -> Self {
        let config = config(folder.path(), change);
        let listener = app::listen(&config).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let tokens = Tokens::new(SECRET, config.jwt_expires_in);
        let shutdown = async { stopped.await.unwrap_or(()) };
        let running = tokio::spawn(app::run(config, Arc::clone(&store), listener, shutdown));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { store, tokens, url, client, stop, running, _folder: folder }
    }

    /// Stops the server as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.running).await.unwrap().unwrap();
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let request = request.body(Full::new(body.into())).unwrap();
        let response = soon(self.client.request(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = soon(body.collect()).await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.authorized(Method::GET, path, token), "").await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: impl ToString) -> Answer {
        let request = self.authorized(Method::POST, path, token);
        self.send(request.header("content-type", "application/json"), body.to_string()).await
    }

    /// A request with a token, or without if it is empty.
    fn authorized(&self, method: Method, path: &str, token: &str) -> http::request::Builder {
        let request = self.request(method, path);
        if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) }
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.tokens.issue(&Id::parse(user).unwrap(), Role::Seller, 0)
    }
}

fn config(folder: &Path, change: impl FnOnce(&mut Flags)) -> Config {
    let mut flags = Flags {
        port: Some("0".to_owned()),
        jwt_secret: Some(SECRET.to_owned()),
        database_url: Some(format!("sqlite://{}", folder.join("test.db").display())),
        ..Flags::default()
    };
    change(&mut flags);
    Config::new(&flags).unwrap()
}

/// A Socket.IO client over HTTP long-polling, as small as the tests need it.
pub(crate) struct Socket<'a> {
    server: &'a Server,
    path: String,
    received: Vec<String>,
}

impl<'a> Socket<'a> {
    pub(crate) async fn connect(server: &'a Server, token: &str) -> Self {
        let path = "/socket.io/?EIO=4&transport=polling";
        let opened = server.get(path, "").await;
        let handshake: Value = serde_json::from_str(&opened.text()[1..]).unwrap();
        let path = format!("{path}&sid={}", handshake["sid"].as_str().unwrap());
        let mut socket = Self { server, path, received: Vec::new() };
        socket.emit(&format!(r#"40{{"token":"{token}"}}"#)).await;
        socket.receive(r#"40{"sid""#).await;
        socket
    }

    /// Sends a packet as it stands.
    pub(crate) async fn emit(&self, packet: &str) {
        let answer = self.server.post(&self.path, "", packet).await;
        assert_eq!(answer.text(), "ok");
    }

    /// The packets up to the first that begins with `start`.
    pub(crate) async fn receive(&mut self, start: &str) -> Vec<String> {
        let found = soon(async {
            loop {
                if let Some(index) = self.received.iter().position(|packet| packet.starts_with(start)) {
                    return self.received.drain(..=index).collect();
                }
                let polled = self.server.get(&self.path, "").await;
                self.received.extend(polled.text().split('\x1e').map(str::to_owned));
            }
        });
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("the packet comes within 20 s")
    }
}
