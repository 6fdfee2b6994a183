//! Bounds of the configuration, each reached.

use std::time::Duration;

use socketio::{Config, ListenerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::client::LIMIT;
use crate::server::{eventually, patient_config, start, start_with};

/// Waits until the server has closed the connection; answers what it had sent.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends it as well.
    drop(timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("the connection is still open"));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn slow_headers_are_cut_off() {
    let listener = ListenerConfig { header_timeout: Duration::from_millis(200), ..ListenerConfig::default() };
    let server = start_with(patient_config(), listener).await;
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"GET /socket.io/ HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    read_to_end(&mut silent).await;
    read_to_end(&mut slow).await;
}

/// Reads the answer to a request on a connection that is kept; its body is the open packet.
async fn open_session(stream: &mut TcpStream) {
    let request = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let byte = timeout(LIMIT, stream.read_u8()).await.expect("no answer in time").unwrap();
        answer.push(char::from(byte));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A balancer keeps connections longer than a request's headers may take.
#[tokio::test]
async fn idling_between_requests_has_a_limit_of_its_own() {
    let listener = ListenerConfig {
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(1500),
        ..ListenerConfig::default()
    };
    let server = start_with(patient_config(), listener).await;
    let (mut idle, mut slow) = (
        TcpStream::connect(server.address()).await.unwrap(),
        TcpStream::connect(server.address()).await.unwrap(),
    );
    open_session(&mut idle).await;
    open_session(&mut slow).await;
    // Idles for longer than headers may take, and is served again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    open_session(&mut idle).await;
    let begin = Instant::now();
    slow.write_all(b"GET /engine.io/ HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    read_to_end(&mut slow).await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(900), "headers: {took:?}");
    read_to_end(&mut idle).await;
    assert!(begin.elapsed() >= Duration::from_millis(1400), "idling: {:?}", begin.elapsed());
}

/// The time for headers is over long before the poll is answered.
#[tokio::test]
async fn a_poll_may_wait_longer_than_headers_may_take() {
    let listener = ListenerConfig { header_timeout: Duration::from_millis(100), ..ListenerConfig::default() };
    let server =
        start_with(Config { ping_interval: Duration::from_millis(400), ..patient_config() }, listener).await;
    let path = server.open_polling("/engine.io/").await;
    assert_eq!(server.get(&path).await.body, "2");
}

#[tokio::test]
async fn slow_bodies_are_cut_off() {
    let server = start(Config { body_timeout: Duration::from_millis(200), ..patient_config() }).await;
    let path = server.open_polling("/engine.io/").await;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n4");
    slow.write_all(head.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut slow).await.starts_with("HTTP/1.1 408"));
    assert_eq!(server.get(&path).await.status, 400, "the session is gone");
}

#[tokio::test]
async fn great_headers_are_refused() {
    let server = start(patient_config()).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!("GET /socket.io/ HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    drop(stream.write_all(head.as_bytes()).await);
    let answer = read_to_end(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn connections_are_counted() {
    let listener = ListenerConfig { max_connections: Some(2), ..ListenerConfig::default() };
    let server = start_with(patient_config(), listener).await;
    let mut first = server.connect().await;
    let second = server.connect().await;
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(read_to_end(&mut third).await, "");
    first.is_served().await;
    drop(second);
    eventually("the second is gone", || server.socket_io.open_sessions() == 1).await;
    server.connect().await.is_served().await;
}

#[tokio::test]
async fn connections_are_counted_per_address() {
    let listener = ListenerConfig { max_connections_per_address: Some(1), ..ListenerConfig::default() };
    let server = start_with(patient_config(), listener).await;
    let mut first = server.connect().await;
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(read_to_end(&mut second).await, "");
    first.is_served().await;
}

#[tokio::test]
async fn sessions_are_counted_per_address_behind_a_proxy() {
    let config = Config { max_sessions_per_address: Some(1), ..patient_config() };
    let listener = ListenerConfig {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..ListenerConfig::default()
    };
    let server = start_with(config, listener).await;
    let open = async |client: &str| {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await[9..12].to_owned()
    };
    assert_eq!(open("1.2.3.4").await, "200");
    assert_eq!(open("1.2.3.4").await, "429");
    assert_eq!(open("1.2.3.5").await, "200");
    // The port is the connection's, not the client's.
    assert_eq!(open("1.2.3.4:51008").await, "429");
    // Clients that the proxy does not name by an address share neither the proxy's place nor each other's.
    for client in ["_one", "_two", "[2001:db8::1]:443"] {
        assert_eq!(open(client).await, "200", "{client}");
        assert_eq!(open(client).await, "429", "{client}");
    }
}

#[tokio::test]
async fn polling_bodies_are_bounded() {
    let config = Config { max_payload: 1000, max_packets_per_body: 10, ..patient_config() };
    let server = start(config).await;
    let path = server.open_polling("/engine.io/").await;
    assert_eq!(server.post(&path, &"4".repeat(1001)).await.status, 413);
    assert_eq!(server.post(&path, &"4".repeat(1000)).await.status, 200);
    let mut chunked = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "4".repeat(1024));
    chunked.write_all(format!("{head}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut chunked).await.starts_with("HTTP/1.1 413"));
    assert_eq!(server.post(&path, &"6\x1e".repeat(10)).await.status, 400, "too many packets");
    assert_eq!(server.get(&path).await.body, "4".repeat(1000), "what came before is still answered");
    assert_eq!(server.get(&path).await.body, "1");
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test]
async fn rooms_are_bounded() {
    let server = start(Config { max_rooms: 3, ..patient_config() }).await;
    let mut client = server.connect().await;
    for (room, joined) in [(1, true), (2, true), (2, true), (3, false)] {
        client.send(&format!(r#"420["join",{room}]"#)).await;
        assert_eq!(client.packet().await, format!("430[{joined}]"), "room {room}");
    }
}

#[tokio::test]
async fn events_in_work_are_bounded_and_none_is_lost() {
    let server = start(Config { max_in_flight: 4, ..patient_config() }).await;
    let mut client = server.connect().await;
    let mut bytes = Vec::new();
    for number in 0..20 {
        bytes.extend(crate::client::frame(0x81, format!(r#"42{number}["later"]"#).as_bytes()));
    }
    client.raw(&bytes).await;
    let mut answered: Vec<String> = Vec::new();
    for _ in 0..20 {
        answered.push(client.packet().await);
    }
    answered.sort();
    let mut expected: Vec<String> = (0..20).map(|number| format!(r#"43{number}["late"]"#)).collect();
    expected.sort();
    assert_eq!(answered, expected);
}
