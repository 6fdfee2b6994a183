//! The part of the official JavaScript client's own test server that its tests of connection state recovery
//! and of retries ask for, on `PORT` (3210).

use std::error::Error;
use std::time::Duration;

use axum::Router;
use socketio::{
    Accept, Config, ConnectRequest, Connecting, Event, EventFuture, ListenerConfig, NamespaceHandler,
    RecoveryConfig, Server, Socket, SocketHandler,
};
use tower_http::cors::CorsLayer;

/// Lets everybody in, and recovers everybody.
struct Everybody;

impl NamespaceHandler for Everybody {
    fn connect(&self, _request: ConnectRequest<'_>) -> Connecting {
        Connecting::Done(Ok(Accept {
            handler: Box::new(Tester),
            recovery: Some("everybody".to_owned()),
            handed_over: None,
        }))
    }
}

struct Tester;

impl SocketHandler for Tester {
    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        match event.name {
            "hi" => socket.emit("hi", ""),
            "echo" => event.responder.send(event.arguments.first().map_or("null", |argument| argument.get())),
            "getId" => event.responder.send(&format!("\"{}\"", socket.id())),
            "ack" => match socket.emit_with_acknowledgement("ack", "") {
                Ok(asked) => {
                    let socket = socket.clone();
                    tokio::spawn(async move {
                        if asked.await.is_ok() {
                            socket.emit("got it", "");
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "an acknowledgement can't be asked for"),
            },
            _ => {}
        }
        None
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let config = Config {
        ping_interval: Duration::from_secs(2),
        recovery: Some(RecoveryConfig::default()),
        ..Config::default()
    };
    let server = Server::builder(config).namespace("/", Everybody).namespace("/foo", Everybody).build();
    let router = Router::new().route_service("/socket.io/", server).layer(CorsLayer::permissive());
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse::<u16>().map_err(|error| format!("PORT: {port:?}: {error}"))?,
        Err(_) => 3210,
    };
    let listener = tokio::net::TcpListener::bind(("localhost", port)).await?;
    socketio::serve(listener, router, ListenerConfig::default(), std::future::pending()).await?;
    Ok(())
}
