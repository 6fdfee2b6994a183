//! A recoverable socket goes from one server to another.

use axum::Router;
use socketio::{
    Accept, Config, ConnectRequest, Connecting, Event, EventFuture, ListenerConfig, Namespace,
    NamespaceHandler, RecoveryConfig, Server, Socket, SocketHandler, SocketSnapshot,
};
use tokio::net::TcpListener;

use crate::client::{WebSocket, field};
use crate::server::{Network, TestServer, patient_config};

/// Two servers that hand sockets over to each other.
struct Pair {
    namespaces: [Namespace; 2],
    servers: [TestServer; 2],
}

/// Takes sockets from the other, through JSON as between two machines.
struct Taker {
    other: Namespace,
}

struct Guest {
    rooms: Vec<Box<str>>,
}

impl NamespaceHandler for Taker {
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting {
        let is_mallory = request.auth.is_some_and(|auth| auth.get().contains("mallory"));
        let owner = if is_mallory { "mallory" } else { "alice" };
        let given =
            request.lost.and_then(|lost| self.other.recoverable(lost.pid)?.export(owner, lost.offset));
        let mut given: Option<SocketSnapshot> =
            given.map(|given| serde_json::from_str(&serde_json::to_string(&given).unwrap()).unwrap());
        let rooms = given.as_mut().map(|given| std::mem::take(&mut given.rooms)).unwrap_or_default();
        Connecting::Done(Ok(Accept {
            handler: Box::new(Guest { rooms }),
            recovery: Some(owner.to_owned()),
            snapshot: given.map(Box::new),
        }))
    }
}

impl SocketHandler for Guest {
    fn connected(&mut self, socket: &Socket, recovered: bool) {
        if recovered {
            self.rooms.iter().for_each(|room| socket.join(room).unwrap());
        }
    }

    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture> {
        socket.join(event.name).unwrap();
        event.responder.send_raw("");
        None
    }
}

async fn pair() -> Pair {
    let config = |number: u64| {
        let recovery = RecoveryConfig {
            id_prefix: format!("{number}.").into(),
            first_offset: number << 32,
            ..Default::default()
        };
        Config { recovery: Some(recovery), ..patient_config() }
    };
    let namespaces = [1, 2].map(|number| Namespace::new("/", &config(number)));
    let mut servers = Vec::new();
    for (number, namespace) in namespaces.iter().enumerate() {
        let taker = Taker { other: namespaces[1 - number].clone() };
        let socket_io = Server::builder(config(1)).with(namespace, taker).build();
        let router = Router::new().route_service("/socket.io/", socket_io.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(socketio::serve(listener, router, ListenerConfig::default(), std::future::pending()));
        servers.push(TestServer { network: Network::Tcp(address), socket_io });
    }
    Pair { namespaces, servers: servers.try_into().unwrap_or_else(|_| panic!("two servers")) }
}

/// Connects; answers the socket's id, its private id, and whether it is an old one.
async fn connect(server: &TestServer, auth: &str) -> (WebSocket, String, String) {
    let mut client = server.open().await;
    client.send(&format!("40{{{auth}}}")).await;
    let reply = client.text().await;
    (client, field(&reply, "sid"), field(&reply, "pid"))
}

/// The text and the offset of an event.
async fn event(client: &mut WebSocket) -> (String, String) {
    let packet = client.text().await;
    let inner = packet.strip_prefix(r#"42["news",""#).and_then(|rest| rest.strip_suffix(r#""]"#));
    let (text, offset) = inner.unwrap_or_else(|| panic!("{packet}")).split_once("\",\"").unwrap();
    (text.to_owned(), offset.to_owned())
}

#[tokio::test]
async fn it_brings_its_rooms_and_what_was_missed_there_and_back() {
    let Pair { namespaces: [one, two], servers: [first, second] } = pair().await;
    let emit = |namespace: &Namespace, text: &str| namespace.emit("room", None, "news", text).unwrap();
    let (mut client, sid, pid) = connect(&first, "").await;
    assert!(pid.starts_with("1."), "{pid}");
    client.send(r#"420["room"]"#).await;
    assert_eq!(client.text().await, "430[]");
    emit(&one, "a");
    let (_, offset) = event(&mut client).await;
    emit(&one, "b");
    let old = format!(r#""pid":"{pid}","offset":"{offset}""#);
    // Its owner alone can have it; the old connection is still there.
    let (_, other, _) = connect(&second, &format!(r#"{old},"user":"mallory""#)).await;
    assert_ne!(other, sid);
    let (_, other, _) = connect(&second, &format!(r#""pid":"{pid}","offset":"77""#)).await;
    assert_ne!(other, sid, "an offset that never was");
    let (mut again, sid_again, pid_again) = connect(&second, &old).await;
    assert_eq!((&sid_again, &pid_again), (&sid, &pid));
    let seen = event(&mut again).await;
    assert_eq!(seen.0, "b");
    assert_eq!(event(&mut client).await.0, "b");
    assert_eq!(client.closed().await, None, "the old connection is cut");
    emit(&one, "not here any more");
    emit(&two, "c");
    assert_eq!(event(&mut again).await.0, "c");
    assert!(one.is_empty("room") && one.recoverable(&pid).is_none());
    drop(again);
    // Back, from what it has seen by then.
    let (mut back, sid_again, _) = connect(&first, &format!(r#""pid":"{pid}","offset":"{}""#, seen.1)).await;
    assert_eq!(sid_again, sid);
    assert_eq!(event(&mut back).await.0, "c");
    emit(&one, "d");
    assert_eq!(event(&mut back).await.0, "d");
    assert!(two.is_empty("room"));
}
