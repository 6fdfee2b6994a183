//! The ground of the official Socket.IO suite, and rooms, acknowledgements, order.

use std::time::Duration;

use socketio::Config;
use tokio::time::Instant;

use crate::client::{LIMIT, Received, field};
use crate::server::{TestServer, patient_config, quick_config, start, start_in_memory};

async fn patient() -> TestServer {
    start(patient_config()).await
}

#[tokio::test]
async fn clients_are_let_into_namespaces() {
    let server = patient().await;
    for (connect, prefix) in [
        ("40", ""),
        (r#"40{"token":"123"}"#, ""),
        ("40/custom,", "/custom,"),
        ("40/custom", "/custom,"),
        (r#"40/custom,{"token":"abc"}"#, "/custom,"),
    ] {
        let mut client = server.open().await;
        client.send(connect).await;
        let reply = client.text().await;
        assert_eq!(reply, format!(r#"40{prefix}{{"sid":"{}"}}"#, field(&reply, "sid")));
        let auth = connect.find('{').map_or("{}", |at| &connect[at..]);
        assert_eq!(client.text().await, format!(r#"42{prefix}["auth",{auth}]"#));
    }
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_and_the_session_lives_on() {
    let server = patient().await;
    let mut client = server.open().await;
    client.send("40/random").await;
    assert_eq!(client.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    client.send(r#"40{"refuse":1}"#).await;
    assert_eq!(client.text().await, r#"44{"message":"no","data":{"why":1}}"#);
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
}

#[tokio::test]
async fn what_is_no_packet_or_not_allowed_closes_the_connection() {
    let server = patient().await;
    for packet in [
        "4abc",
        "42{}",
        "42[]",
        r#"42abc["message-with-ack"]"#,
        "4",
        "47",
        r#"42["connect"]"#,
        "44{}",
        "40[]",
        r#"42/custom,["message",1]"#,
        "41/custom,",
        "40",
        r#"451-["message",{"_placeholder":true,"num":1}]"#,
    ] {
        let mut client = server.connect().await;
        client.send(packet).await;
        if packet.starts_with("451-") {
            client.frame(0x82, b"x").await;
        }
        assert_eq!(client.closed().await, Some(1002), "{packet}");
    }
    let mut early = server.open().await;
    early.send(r#"42["message",1]"#).await;
    assert_eq!(early.closed().await, Some(1002), "an event before CONNECT");
}

#[tokio::test]
async fn a_client_that_never_connects_is_closed() {
    let server = start(quick_config()).await;
    let mut client = server.open().await;
    for _ in 0..3 {
        assert_eq!(client.text().await, "2");
        client.send("3").await;
    }
    assert_eq!(client.closed().await, Some(1008));
}

#[tokio::test]
async fn events_and_acknowledgements_carry_anything() {
    let server = patient().await;
    let mut client = server.connect().await;
    client.send(r#"42["message",1,"2",{"3":[true]}]"#).await;
    assert_eq!(client.text().await, r#"42["message-back",1,"2",{"3":[true]}]"#);
    client.send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#).await;
    assert_eq!(client.text().await, r#"43456[1,"2",{"3":[false]}]"#);
    client.send(r#"42["message"]"#).await;
    assert_eq!(client.text().await, r#"42["message-back"]"#);
    for (packet, back) in [
        (
            r#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            r#"452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        ),
        (
            r#"452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            r#"462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        ),
    ] {
        client.send(packet).await;
        client.frame(0x82, &[1, 2, 3]).await;
        client.frame(0x82, &[4, 5, 6]).await;
        assert_eq!(client.text().await, back);
        assert_eq!(client.receive().await, Received::Binary([1, 2, 3].as_slice().into()));
        assert_eq!(client.receive().await, Received::Binary([4, 5, 6].as_slice().into()));
    }
}

#[tokio::test]
async fn a_namespace_may_be_left_and_the_others_stay() {
    let server = patient().await;
    let mut client = server.connect().await;
    client.send("40/custom").await;
    client.text().await;
    client.text().await;
    client.send("41/custom").await;
    client.send(r#"42["message","to main"]"#).await;
    assert_eq!(client.text().await, r#"42["message-back","to main"]"#);
    client.send("40/custom").await;
    assert!(client.text().await.starts_with("40/custom,"));
}

#[tokio::test]
async fn events_are_taken_one_after_another() {
    let server = patient().await;
    let mut client = server.connect().await;
    let mut bytes = Vec::new();
    for number in 0..20 {
        let event = if number % 3 == 0 { "slow" } else { "message" };
        bytes.extend(crate::client::frame(0x81, format!(r#"42["{event}",{number}]"#).as_bytes()));
    }
    client.raw(&bytes).await;
    for number in 0..20 {
        let text = client.text().await;
        assert!(text.ends_with(&format!(",{number}]")), "{number} was due, {text} came");
    }
}

#[tokio::test]
async fn packets_behind_a_slow_connect_wait_for_it() {
    let server = patient().await;
    let mut client = server.open().await;
    client.send(r#"40{"slow":1}"#).await;
    client.send(r#"42["message",1]"#).await;
    assert!(client.text().await.starts_with("40{"));
    assert_eq!(client.text().await, r#"42["auth",{"slow":1}]"#);
    assert_eq!(client.text().await, r#"42["message-back",1]"#);
}

#[tokio::test]
async fn rooms_get_what_is_emitted_to_them() {
    let server = patient().await;
    let (mut one, mut two, mut three) =
        (server.connect().await, server.connect().await, server.connect().await);
    three.send(r#"42["leave"]"#).await;
    three.is_served().await;
    one.send(r#"42["shout","hello"]"#).await;
    assert_eq!(two.text().await, r#"42["shouted","hello"]"#);
    one.is_served().await;
    three.is_served().await;
    drop(two);
    one.send(r#"42["shout","anybody?"]"#).await;
    one.is_served().await;
}

#[tokio::test]
async fn the_server_may_ask_for_acknowledgements() {
    let server = patient().await;
    let mut client = server.connect().await;
    client.send(r#"42["ask",1]"#).await;
    assert_eq!(client.text().await, r#"420["question",1]"#);
    client.send("4399[]").await;
    client.send(r#"430["yes",2]"#).await;
    assert_eq!(client.text().await, r#"42["answered","yes",2]"#);
    client.send(r#"430["again"]"#).await;
    client.is_served().await;
}

#[tokio::test]
async fn a_socket_that_is_put_out_is_told() {
    let server = patient().await;
    let mut client = server.connect().await;
    client.send(r#"42["kick"]"#).await;
    assert_eq!(client.text().await, "41");
    assert_eq!(client.closed().await, Some(1000));
}

#[tokio::test]
async fn polling_clients_chat_too() {
    let server = patient().await;
    let path = server.open_polling("/socket.io/").await;
    server.post(&path, r#"40{"slow":1}"#).await;
    let mut body = server.get(&path).await.body;
    if !body.contains("auth") {
        body.push_str(&server.get(&path).await.body);
    }
    assert!(body.starts_with("40{") && body.contains(r#"42["auth","#), "{body}");
    let mut other = server.connect().await;
    server.post(&path, "42[\"shout\",1]\x1e42[\"shout\",2]").await;
    assert_eq!(other.text().await, r#"42["shouted",1]"#);
    assert_eq!(other.text().await, r#"42["shouted",2]"#);
    other.send(r#"42["shout","é"]"#).await;
    assert_eq!(server.get(&path).await.body, r#"42["shouted","é"]"#);
}

#[tokio::test]
async fn closing_the_server_answers_what_is_in_work() {
    let server = patient().await;
    let mut client = server.connect().await;
    let path = server.open_polling("/socket.io/").await;
    client.send(r#"421["later"]"#).await;
    client.is_served().await;
    server.post(&path, "40").await;
    server.post(&path, r#"421["later"]"#).await;
    let closing = tokio::spawn({
        let server = server.socket_io.clone();
        async move { server.close_sessions(Duration::ZERO, Duration::from_secs(5)).await }
    });
    assert_eq!(client.text().await, r#"431["late"]"#);
    assert_eq!(client.closed().await, Some(1001));
    let mut body = String::new();
    loop {
        let answer = server.get(&path).await;
        if answer.status != 200 {
            assert_eq!(
                answer.body, r#"{"code":1,"message":"Session ID unknown"}"#,
                "clients open another session"
            );
            break;
        }
        body.push_str(&answer.body);
    }
    assert!(body.contains(r#"431["late"]"#), "{body}");
    closing.await.unwrap();
    assert_eq!(server.socket_io.open_sessions(), 0);
    assert_eq!(server.get("/socket.io/?EIO=4&transport=polling").await.status, 503);
}

/// All at once would bring all clients back at once, to a server that has others already.
#[tokio::test(start_paused = true)]
async fn sessions_are_closed_evenly_over_the_time() {
    const CLIENTS: u32 = 60;
    let server = start_in_memory(patient_config());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.connect().await);
    }
    let begin = Instant::now();
    let over = Duration::from_millis(600);
    let ends = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            assert_eq!(client.closed().await, Some(1001));
            begin.elapsed()
        })
    });
    let ends: Vec<_> = ends.collect();
    server.socket_io.close_sessions(over, LIMIT).await;
    assert_eq!(server.socket_io.open_sessions(), 0);
    let mut times = Vec::new();
    for end in ends {
        times.push(end.await.unwrap());
    }
    times.sort();
    // Two each 20 ms.
    for (index, time) in (0..).zip(&times) {
        assert_eq!(time.as_millis(), 20 * (index / 2), "{index}: {times:?}");
    }
}

#[tokio::test]
async fn what_waits_is_seen_from_outside() {
    let server = start(Config { session_prefix: "a-".into(), ..patient_config() }).await;
    let _websocket = server.connect().await;
    let path = server.open_polling("/socket.io/").await;
    assert!(path.contains("sid=a-"), "{path}");
    server.post(&path, "40").await;
    let statistics = server.socket_io.statistics();
    assert_eq!((statistics.websocket, statistics.polling), (1, 1));
    assert!(statistics.waiting_bytes > 0, "the answer to CONNECT is not yet fetched: {statistics:?}");
    assert_eq!(statistics.most_waiting_bytes, statistics.waiting_bytes);
    while server.socket_io.statistics().waiting_bytes > 0 {
        server.get(&path).await;
    }
}
