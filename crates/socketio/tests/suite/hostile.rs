//! Peers that break the rules: each is closed, and the others notice nothing.

use std::time::Duration;

use socketio::{CloseReason, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{LIMIT, frame};
use crate::server::{at_rest, eventually, patient_config, start, start_in_memory};

#[tokio::test]
async fn frames_against_the_protocol_close_the_connection() {
    let server = start(patient_config()).await;
    let mut friend = server.connect().await;
    let unmasked = b"\x81\x02hi".to_vec();
    for (what, bytes, code) in [
        ("an unmasked frame", unmasked, 1002),
        ("a reserved bit", frame(0xc1, b"4x"), 1002),
        ("a reserved opcode", frame(0x83, b"4x"), 1002),
        ("a reserved control opcode", frame(0x8b, b""), 1002),
        ("a continuation of nothing", frame(0x80, b"4x"), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("text that is no UTF-8", frame(0x81, b"42[\"\xff\"]"), 1007),
        ("a length of 2^62", [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes()].concat(), 1009),
        ("a length over the bound", [&[0x81, 0xff][..], &100_001_u64.to_be_bytes()].concat(), 1009),
        (
            "fragments over the bound",
            [frame(0x01, &vec![b'4'; 60_000]), frame(0x80, &vec![b'4'; 60_000])].concat(),
            1009,
        ),
        ("tiny fragments", [frame(0x01, b"4"), frame(0x00, b"x").repeat(2000)].concat(), 1009),
        ("an attachment that nothing announced", frame(0x82, b"x"), 1002),
        (
            "text while an attachment is due",
            [frame(0x81, br#"451-["message",1]"#), frame(0x81, b"42[\"a\"]")].concat(),
            1002,
        ),
        ("eleven attachments", frame(0x81, br#"4511-["message",1]"#), 1002),
        (
            "JSON that is nested too deep",
            frame(0x81, format!("42[\"a\",{}1{}]", "[".repeat(40_000), "]".repeat(40_000)).as_bytes()),
            1002,
        ),
        ("an id that is too great", frame(0x81, br#"4299999999999999999999["a"]"#), 1002),
        ("a long event name", frame(0x81, format!("42[\"{}\"]", "x".repeat(200)).as_bytes()), 1002),
    ] {
        let mut peer = server.connect().await;
        peer.raw(&bytes).await;
        let closed = peer.closed().await;
        // The rest of what was sent may have reset the connection before the close frame was read.
        assert!(closed.is_none_or(|closed| closed == code), "{what}: {closed:?}");
        friend.is_served().await;
    }
    eventually("all but the friend are gone", || server.socket_io.open_sessions() == 1).await;
}

#[tokio::test]
async fn who_is_in_no_namespace_may_send_little() {
    let server = start(patient_config()).await;
    for bytes in [
        frame(0x81, format!("40{{\"x\":\"{}\"}}", "x".repeat(20_000)).as_bytes()),
        [frame(0x01, &vec![b'4'; 10_000]), frame(0x80, &vec![b'4'; 10_000])].concat(),
    ] {
        let mut stranger = server.open().await;
        stranger.raw(&bytes).await;
        let closed = stranger.closed().await;
        assert!(closed.is_none_or(|closed| closed == 1009), "{closed:?}");
    }
    // Behind its CONNECT, in the same bytes, a client may send as much as any other.
    let mut hasty = server.open().await;
    let long = format!(r#"421["message-with-ack","{}"]"#, "x".repeat(50_000));
    hasty.raw(&[frame(0x81, b"40"), frame(0x81, long.as_bytes())].concat()).await;
    assert!(hasty.packet().await.starts_with("40{"));
    assert!(hasty.packet().await.starts_with(r#"42["auth""#));
    assert!(hasty.packet().await.starts_with("431["));
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_when_its_outbox_is_full() {
    let config = Config { outbox_limit: 256 * 1024, ..patient_config() };
    let server = start(config).await;
    let (mut talker, sleeper) = (server.connect().await, server.connect().await);
    let text = "x".repeat(50_000);
    // The kernel's buffers take some megabytes before the outbox fills.
    for _ in 0..400 {
        talker.send(&format!(r#"42["shout","{text}"]"#)).await;
        talker.is_served().await;
        if server.socket_io.open_sessions() == 1 {
            break;
        }
    }
    eventually("the sleeper is gone", || server.socket_io.open_sessions() == 1).await;
    assert_eq!(server.socket_io.closed_sessions().get(CloseReason::OutboxOverflow), 1);
    drop(sleeper);
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_when_time_is_over() {
    let config = Config {
        outbox_limit: 64 * 1024 * 1024,
        write_timeout: Duration::from_millis(300),
        ..patient_config()
    };
    let server = start(config).await;
    let (mut talker, sleeper) = (server.connect().await, server.connect().await);
    let text = "x".repeat(90_000);
    for _ in 0..200 {
        talker.send(&format!(r#"42["shout","{text}"]"#)).await;
        talker.is_served().await;
    }
    eventually("the sleeper is gone", || server.socket_io.open_sessions() == 1).await;
    assert_eq!(server.socket_io.closed_sessions().get(CloseReason::WriteTimeout), 1);
    drop(sleeper);
}

#[tokio::test(start_paused = true)]
async fn an_overlap_of_posts_closes_the_session() {
    let server = start_in_memory(patient_config());
    let path = server.open_polling("/engine.io/").await;
    let mut slow = server.dial().await;
    slow.write_all(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n4").as_bytes())
        .await
        .unwrap();
    at_rest().await;
    assert_eq!(server.post(&path, "4x").await.status, 400);
    assert_eq!(server.get(&path).await.status, 400);
}

#[tokio::test]
async fn readers_that_stop_are_cut_when_together_they_are_too_many() {
    // No outbox is ever full: all of them together hold too much.
    let config = Config {
        outbox_limit: 64 * 1024 * 1024,
        max_waiting_bytes: 1024 * 1024,
        write_timeout: LIMIT * 10,
        ..patient_config()
    };
    let server = start(config).await;
    let mut talker = server.connect().await;
    let mut sleepers = Vec::new();
    for _ in 0..4 {
        sleepers.push(server.connect().await);
    }
    let text = "x".repeat(50_000);
    for _ in 0..1000 {
        talker.send(&format!(r#"42["shout","{text}"]"#)).await;
        talker.is_served().await;
        if server.socket_io.open_sessions() < 5 {
            break;
        }
    }
    eventually("one that had most is gone", || server.socket_io.open_sessions() < 5).await;
    assert!(server.socket_io.statistics().waiting_bytes <= 2 * 1024 * 1024);
    talker.is_served().await;
}

#[tokio::test]
async fn messages_that_never_end_are_cut_when_together_they_are_too_many() {
    let server = start(Config { max_unfinished_bytes: 400_000, ..patient_config() }).await;
    let mut friend = server.connect().await;
    let mut peers = Vec::new();
    for number in 0..8 {
        let mut peer = server.connect().await;
        // Attachments that are announced and never sent are no better.
        if number % 2 == 0 {
            peer.raw(&frame(0x01, &vec![b'4'; 90_000])).await;
        } else {
            peer.raw(&[frame(0x81, br#"452-["message",1]"#), frame(0x82, &vec![1; 90_000])].concat()).await;
        }
        peers.push(peer);
    }
    eventually("some are gone", || server.socket_io.closed_sessions().get(CloseReason::PayloadTooLarge) >= 3)
        .await;
    assert!(server.socket_io.open_sessions() >= 4, "those who fit stay");
    friend.is_served().await;
    drop(peers);
    eventually("all are gone", || server.socket_io.open_sessions() == 1).await;
    let mut next = server.connect().await;
    next.raw(&frame(0x01, &vec![b'4'; 90_000])).await;
    next.raw(&frame(0x80, b"x")).await;
    next.closed().await;
    assert_eq!(
        server.socket_io.closed_sessions().get(CloseReason::PayloadTooLarge),
        4,
        "there is room again"
    );
}

#[tokio::test]
async fn polling_bodies_that_never_end_are_refused_when_together_they_are_too_many() {
    let server = start(Config { max_unfinished_bytes: 200_000, ..patient_config() }).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let path = server.open_polling("/engine.io/").await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &vec![b'4'; 90_000]].concat()).await.unwrap();
        slow.push(stream);
    }
    let mut status = [0; 12];
    let answered = tokio::time::timeout(LIMIT, slow[3].read_exact(&mut status)).await;
    answered.expect("the last is refused").unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    drop(slow);
    let path = server.open_polling("/engine.io/").await;
    eventually("their room is free again", || server.socket_io.open_sessions() <= 3).await;
    assert_eq!(server.post(&path, &"4".repeat(90_000)).await.status, 200);
}

#[tokio::test]
async fn who_probes_an_upgrade_may_send_little() {
    let server = start(patient_config()).await;
    let path = server.open_polling("/engine.io/").await;
    let mut probing = server.websocket(&path.replace("polling", "websocket")).await;
    // Its message never ends: only its length can end it.
    probing.raw(&frame(0x01, &[b'2'; 200])).await;
    assert_eq!(probing.closed().await, Some(1002));
    let mut next = server.websocket(&path.replace("polling", "websocket")).await;
    next.send("2probe").await;
    assert_eq!(next.text().await, "3probe");
    // What comes behind the upgrade, in the same bytes, may be as long as any message.
    let long = format!("4{}", "x".repeat(90_000));
    next.raw(&[frame(0x81, b"5"), frame(0x81, long.as_bytes())].concat()).await;
    assert_eq!(next.text().await, long);
}
