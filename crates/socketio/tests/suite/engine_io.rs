//! What the official Engine.IO suite asks, over pipes in memory and in made-up time.

use std::time::Duration;

use crate::client::{Received, field};
use crate::server::{at_rest, quick_config, start_in_memory};

const BASE: &str = "/engine.io/";
const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test(start_paused = true)]
async fn a_polling_handshake_says_what_the_session_is() {
    let server = start_in_memory(quick_config());
    let open = server.get(POLLING).await;
    assert_eq!(open.status, 200);
    let sid = field(&open.body, "sid");
    assert_eq!(
        open.body,
        format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":10000}}"#
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_websocket_handshake_offers_no_upgrade() {
    let server = start_in_memory(quick_config());
    let open = server.websocket(WEBSOCKET).await.text().await;
    assert!(open.contains(r#""upgrades":[],"#), "{open}");
}

#[tokio::test(start_paused = true)]
async fn handshake_errors_have_codes() {
    let server = start_in_memory(quick_config());
    for (method, query, code, message) in [
        ("GET", "", 0, "Transport unknown"),
        ("GET", "?EIO=4", 0, "Transport unknown"),
        ("GET", "?EIO=4&transport=abc", 0, "Transport unknown"),
        ("GET", "?EIO=4&transport=polling&sid=nobody", 1, "Session ID unknown"),
        ("GET", "?EIO=4&transport=polling&sid=__proto__", 1, "Session ID unknown"),
        ("POST", "?EIO=4&transport=polling", 2, "Bad handshake method"),
        ("PUT", "?EIO=4&transport=polling", 2, "Bad handshake method"),
        ("GET", "?EIO=4&transport=websocket", 3, "Bad request"),
        ("GET", "?transport=polling", 5, "Unsupported protocol version"),
        ("GET", "?EIO=abc&transport=polling", 5, "Unsupported protocol version"),
    ] {
        let answer = server.request(method, &format!("{BASE}{query}"), b"").await;
        assert_eq!(answer.status, 400, "{method} {query}");
        assert_eq!(answer.body, format!(r#"{{"code":{code},"message":"{message}"}}"#), "{method} {query}");
    }
    for query in ["?transport=websocket", "?EIO=abc&transport=websocket", "?EIO=4", "?EIO=4&transport=abc"] {
        assert_eq!(server.try_websocket(&format!("{BASE}{query}")).await.0, 400, "{query}");
    }
    assert_eq!(server.socket_io.open_sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn polled_messages_come_back_in_order() {
    let server = start_in_memory(quick_config());
    for body in ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="] {
        let path = server.open_polling(BASE).await;
        let post = server.post(&path, body).await;
        assert_eq!((post.status, post.body.as_str()), (200, "ok"));
        assert_eq!(server.get(&path).await.body, body);
    }
}

#[tokio::test(start_paused = true)]
async fn websocket_messages_come_back() {
    let server = start_in_memory(quick_config());
    let mut websocket = server.websocket(WEBSOCKET).await;
    websocket.text().await;
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");
    websocket.frame(0x82, &[1, 2, 3, 4]).await;
    assert_eq!(websocket.receive().await, Received::Binary([1, 2, 3, 4].as_slice().into()));
    websocket.frame(0x89, b"ping").await;
    assert_eq!(websocket.receive().await, Received::Pong(b"ping".as_slice().into()));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_packet_closes_the_session() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    assert_eq!(server.post(&path, "abc").await.status, 400);
    assert_eq!(server.get(&path).await.status, 400);
    for packet in ["abc", "", "2", "é"] {
        let mut websocket = server.websocket(WEBSOCKET).await;
        websocket.text().await;
        websocket.send(packet).await;
        assert_eq!(websocket.closed().await, Some(1002), "{packet:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_polls_at_once_close_the_session() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    let second = async {
        at_rest().await;
        server.get(&path).await
    };
    let (first, second) = tokio::join!(server.get(&path), second);
    assert_eq!((first.status, first.body.as_str()), (200, "1"));
    assert_eq!(second.status, 400);
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_given_up_closes_the_session() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    let poll = server.send_request("GET", &path, b"").await;
    at_rest().await;
    drop(poll);
    at_rest().await;
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_is_kept_over_polling() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    for _ in 0..3 {
        assert_eq!(server.get(&path).await.body, "2");
        assert_eq!(server.post(&path, "3").await.body, "ok");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_is_kept_over_websocket() {
    let server = start_in_memory(quick_config());
    let mut websocket = server.websocket(WEBSOCKET).await;
    websocket.text().await;
    for _ in 0..3 {
        assert_eq!(websocket.text().await, "2");
        websocket.send("3").await;
    }
    assert_eq!(websocket.text().await, "2");
    assert_eq!(websocket.closed().await, None, "a client that does not answer is cut");
}

/// The two requests come over two connections, in whatever order.
#[tokio::test(start_paused = true)]
async fn a_poll_that_comes_after_the_close_is_answered_once() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    assert_eq!(server.post(&path, "1").await.status, 200);
    let poll = server.get(&path).await;
    assert_eq!((poll.status, poll.body.as_str()), (200, "6"));
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_close_its_session() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    let close = async {
        at_rest().await;
        server.post(&path, "1").await
    };
    let (poll, post) = tokio::join!(server.get(&path), close);
    assert_eq!((poll.status, poll.body.as_str()), (200, "6"));
    assert_eq!(post.status, 200);
    assert_eq!(server.get(&path).await.status, 400);

    let mut websocket = server.websocket(WEBSOCKET).await;
    websocket.text().await;
    websocket.send("1").await;
    assert_eq!(websocket.closed().await, Some(1000));
}

#[tokio::test(start_paused = true)]
async fn a_polling_session_upgrades() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    let mut websocket = server.websocket(&path.replace("polling", "websocket")).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(server.get(&path).await.body, "6", "a poll is let go, so that the client can switch");
    server.post(&path, "4before").await;
    websocket.send("5").await;
    assert_eq!(websocket.text().await, "4before", "what waited goes over the new transport");
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");

    let late = server.get(&path).await;
    assert_eq!((late.status, late.body.as_str()), (400, r#"{"code":3,"message":"Bad request"}"#));
    let mut second = server.websocket(&path.replace("polling", "websocket")).await;
    assert_eq!(second.closed().await, Some(1002));
    websocket.send("4still here").await;
    assert_eq!(websocket.text().await, "4still here");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_fails_leaves_the_polling_session_alone() {
    let server = start_in_memory(quick_config());
    let path = server.open_polling(BASE).await;
    let upgrade = path.replace("polling", "websocket");
    let mut wrong = server.websocket(&upgrade).await;
    wrong.send("4hello").await;
    assert_eq!(wrong.closed().await, Some(1002), "a message before the upgrade");
    let mut twice = server.websocket(&upgrade).await;
    twice.send("2probe").await;
    assert_eq!(twice.text().await, "3probe");
    twice.send("2probe").await;
    assert_eq!(twice.closed().await, Some(1002), "a second probe");
    let mut silent = server.websocket(&upgrade).await;
    assert_eq!(silent.closed().await, Some(1002), "no probe in time");
    server.post(&path, "3").await;
    server.post(&path, "4hello").await;
    assert!(server.get(&path).await.body.contains("4hello"));
}
