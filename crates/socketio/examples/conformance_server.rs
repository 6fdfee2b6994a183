//! The server that the official protocol test suites expect: an Engine.IO echo server under `/engine.io/`
//! and a Socket.IO server under `/socket.io/`, on `PORT` (3000).
//!
//! `PING_INTERVAL` and `PING_TIMEOUT` (milliseconds, 300 and 200) may be set to measure idle connections.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use socketio::{
    Accept, Config, ConnectRequest, Connecting, EngineSocket, Event, EventFuture, ListenerConfig, Message,
    MessageHandler, NamespaceHandler, Server, Socket, SocketHandler,
};
use tower_http::cors::CorsLayer;

/// Sends each message back.
struct Echo(EngineSocket);

impl MessageHandler for Echo {
    fn message(&mut self, message: Message<'_>) -> Result<(), socketio::CloseReason> {
        self.0.send(message);
        Ok(())
    }
}

/// Lets everybody in.
struct Open;

impl NamespaceHandler for Open {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let auth = request.auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned());
        Connecting::Done(Ok(Accept { handler: Box::new(Guest { auth }), recovery: None, snapshot: None }))
    }
}

struct Guest {
    auth: String,
}

impl SocketHandler for Guest {
    fn connected(&mut self, socket: &Socket, _recovered: bool) {
        socket.emit_raw("auth", &self.auth);
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        let arguments = event.joined_arguments();
        match event.name {
            "message" => socket.emit_binary("message-back", &arguments, event.attachments),
            "message-with-ack" => event.responder.send_binary(&arguments, event.attachments),
            _ => {}
        }
        None
    }
}

/// A number out of the environment.
fn setting<T: FromStr<Err: Display>>(name: &str, default: T) -> Result<T, String> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|error| format!("{name}: {text:?}: {error}")),
        Err(_) => Ok(default),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let config = Config {
        ping_interval: Duration::from_millis(setting("PING_INTERVAL", 300)?),
        ping_timeout: Duration::from_millis(setting("PING_TIMEOUT", 200)?),
        max_payload: 1_000_000,
        connect_timeout: Duration::from_secs(1),
        ..Config::default()
    };
    let engine = Server::engine(config.clone(), |socket| Box::new(Echo(socket)));
    let socket_io = Server::builder(config).namespace("/", Open).namespace("/custom", Open).build();
    let router = Router::new()
        .route_service("/engine.io/", engine)
        .route_service("/socket.io/", socket_io)
        .layer(CorsLayer::permissive());
    let port = setting::<u16>("PORT", 3000)?;
    let listener = tokio::net::TcpListener::bind(("localhost", port)).await?;
    let shutdown = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can't be waited for");
            std::future::pending::<()>().await;
        }
    };
    socketio::serve(listener, router, ListenerConfig::default(), shutdown).await?;
    Ok(())
}
