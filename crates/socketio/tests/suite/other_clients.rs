//! What clients in other languages send, and the official server takes.

use std::io::Read as _;
use std::time::Duration;

use socketio::{CloseReason, Config};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout};

use crate::client::{LIMIT, Received, frame, read_answer};
use crate::server::{at_rest, eventually, patient_config, quick_config, start, start_in_memory};

/// The packets of a polling response.
fn packets(body: &str) -> Vec<&str> {
    body.split('\x1e').collect()
}

/// Opens a polling session and enters the main namespace; answers its path.
async fn polling_guest(server: &crate::server::TestServer) -> String {
    let path = server.open_polling("/socket.io/").await;
    assert_eq!(server.post(&path, "40").await.status, 200);
    let mut seen = String::new();
    while !seen.contains("42[\"auth\"") {
        seen.push_str(&server.get(&path).await.body);
    }
    path
}

/// A client for .NET does so by default.
#[tokio::test]
async fn a_websocket_upgrades_without_a_probe() {
    let server = start(patient_config()).await;
    let path = polling_guest(&server).await;
    let waiting = server.get(&path);
    let upgrade = async {
        let mut websocket = server.websocket(&path.replace("polling", "websocket")).await;
        websocket.send("5").await;
        websocket
    };
    let (waiting, mut websocket) = tokio::join!(waiting, upgrade);
    assert_eq!(waiting.body, "6", "the poll that waits is let go");
    websocket.is_served().await;
    assert_eq!(server.get(&path).await.status, 400, "the session polls no more");
}

/// Android's encoder breaks lines; others leave out the padding, or encode for URLs.
#[tokio::test]
async fn base64_is_read_however_it_is_written() {
    let server = start(patient_config()).await;
    for (base64, expected) in [
        ("AQID\n", "bAQID"),
        ("AQ\r\nID\r\n", "bAQID"),
        ("AQ", "bAQ=="),
        ("-_-_", "b+/+/"),
        ("A Q-\tI=D", "bAQ+I"),
        ("", "b"),
    ] {
        let path = server.open_polling("/engine.io/").await;
        assert_eq!(server.post(&path, &format!("4a\x1eb{base64}\x1e4z")).await.status, 200, "{base64:?}");
        assert_eq!(packets(&server.get(&path).await.body)[1..2], [expected], "{base64:?}");
    }
}

#[tokio::test]
async fn binary_in_text_form_is_binary_over_websocket() {
    let server = start(patient_config()).await;
    let mut websocket = server.websocket("/engine.io/?EIO=4&transport=websocket").await;
    websocket.text().await;
    websocket.send("bAQID\n").await;
    assert_eq!(websocket.receive().await, Received::Binary([1, 2, 3].as_slice().into()));

    let mut client = server.connect().await;
    client.send(r#"451-7["message-with-ack",{"_placeholder":true,"num":0}]"#).await;
    client.send("bAQID").await;
    assert_eq!(client.text().await, r#"461-7[{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.receive().await, Received::Binary([1, 2, 3].as_slice().into()));
}

/// The official client's `forceBase64`.
#[tokio::test]
async fn a_client_that_takes_no_binary_frames_gets_text() {
    let server = start(patient_config()).await;
    let mut websocket = server.websocket("/engine.io/?EIO=4&transport=websocket&b64=1").await;
    websocket.text().await;
    websocket.frame(0x82, &[1, 2, 3]).await;
    assert_eq!(websocket.text().await, "bAQID");

    let path = format!("{}&b64=1", server.open_polling("/engine.io/").await);
    server.post(&path, "bAQID").await;
    assert_eq!(server.get(&path).await.body, "bAQID");
}

#[tokio::test]
async fn the_first_subprotocol_that_is_offered_is_taken() {
    let server = start(patient_config()).await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    for (offer, taken) in [("chat", "chat"), ("v1.chat, v2.chat", "v1.chat"), ("x,y", "x")] {
        let (head, mut websocket) =
            server.websocket_with(path, &format!("Sec-WebSocket-Protocol: {offer}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let line = format!("sec-websocket-protocol: {taken}\r\n");
        assert!(head.to_ascii_lowercase().contains(&line), "{offer}: {head}");
        assert!(websocket.text().await.starts_with("0{"));
    }
    let (head, _) = server.websocket_with(path, "Sec-WebSocket-Protocol: a b\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (head, _) = server.websocket_with(path, "").await;
    assert!(!head.to_ascii_lowercase().contains("sec-websocket-protocol"), "{head}");
}

#[tokio::test]
async fn what_was_right_before_a_fault_is_answered_over_polling() {
    let server = start(patient_config()).await;
    for fault in ["abc", "", "4", "2", "42{}", "41/unknown,", "b\x1e", "451-[\"a\"]\x1e40"] {
        let path = polling_guest(&server).await;
        let body = format!(
            "421[\"message-with-ack\",1]\x1e422[\"later\"]\x1e423[\"slow\",3]\x1e{fault}\x1e424[\"later\"]"
        );
        let post = server.post(&path, &body).await;
        assert_eq!((post.status, post.body.as_str()), (200, "ok"), "{fault:?}");
        let mut seen = Vec::new();
        let end = loop {
            let answer = server.get(&path).await;
            if answer.status != 200 || answer.body == "1" {
                break answer;
            }
            seen.extend(packets(&answer.body).into_iter().map(str::to_owned));
        };
        seen.sort();
        assert_eq!(
            seen,
            ["42[\"slow-done\",3]", "431[1]", "432[\"late\"]", "433[]"],
            "{fault:?}, then {end:?}"
        );
        eventually("the session is closed", || server.socket_io.open_sessions() == 0).await;
        assert_eq!(server.get(&path).await.status, 400, "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_of_which_nothing_was_right_is_an_error_at_once() {
    let server = start(patient_config()).await;
    let path = polling_guest(&server).await;
    let post = timeout(Duration::from_secs(2), server.post(&path, "abc")).await.expect("an answer at once");
    assert_eq!(post.status, 400);
    assert_eq!(server.get(&path).await.status, 400);

    // Something still waits to be fetched: it may be.
    let path = server.open_polling("/engine.io/").await;
    server.post(&path, "4before").await;
    let post = timeout(Duration::from_secs(2), server.post(&path, "abc")).await.expect("an answer at once");
    assert_eq!(post.status, 400);
    assert_eq!(server.get(&path).await.body, "4before");
}

#[tokio::test]
async fn what_was_right_before_a_fault_is_answered_over_websocket() {
    let server = start(patient_config()).await;
    let right = frame(0x81, br#"421["message-with-ack",1]"#);
    let later = frame(0x81, br#"422["later"]"#);
    for (fault, code) in [
        (frame(0x81, b"abc"), 1002),
        (frame(0x81, b"42{}"), 1002),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x83, b"4x"), 1002),
        ([&[0x81, 0xff][..], &100_001_u64.to_be_bytes()].concat(), 1009),
    ] {
        let mut client = server.connect().await;
        client.raw(&[right.clone(), later.clone(), fault].concat()).await;
        assert_eq!(client.text().await, "431[1]");
        assert_eq!(client.text().await, r#"432["late"]"#);
        assert_eq!(client.closed().await, Some(code));
    }
}

/// The Python client takes a close packet as the end for good; an error it takes as a lost connection.
#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_at_shutdown_ends_with_an_error() {
    let server = start_in_memory(patient_config());
    let path = polling_guest(&server).await;
    let poll = server.get(&path);
    let close = async {
        at_rest().await;
        server.socket_io.close_sessions(Duration::ZERO, LIMIT).await;
    };
    let (poll, ()) = tokio::join!(poll, close);
    assert_eq!((poll.status, poll.body.as_str()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
    assert_eq!(server.socket_io.closed_sessions().get(CloseReason::Shutdown), 1);
}

/// `OkHttp`, on which the Java client is built, stops reading at a close frame and does not tell the client.
#[tokio::test]
async fn the_connection_ends_at_shutdown_with_or_without_a_close_frame() {
    let server = start(patient_config()).await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut clients = Vec::new();
    for (agent, code) in
        [("okhttp/3.12.12", None), ("okhttp/4.12.0", None), ("websocket-sharp/1.0", Some(1001))]
    {
        let (_, mut client) = server.websocket_with(path, &format!("User-Agent: {agent}\r\n")).await;
        client.text().await;
        client.send("40").await;
        client.text().await;
        client.text().await;
        clients.push((client, code));
    }
    let begin = Instant::now();
    let close = server.socket_io.close_sessions(Duration::ZERO, LIMIT);
    let see = async {
        for (client, code) in &mut clients {
            assert_eq!(client.closed().await, *code);
        }
        begin.elapsed()
    };
    // The clients keep their own side open.
    let ((), time) = tokio::join!(close, see);
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[tokio::test]
async fn a_body_is_text_whatever_its_type() {
    let server = start(patient_config()).await;
    for kind in [
        "",
        "Content-Type: text/plain;charset=UTF-8\r\n",
        "content-type: text/plain\r\n",
        "Content-Type: application/octet-stream\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        let path = server.open_polling("/engine.io/").await;
        let post =
            read_answer(server.send_request_with("POST", &path, kind, "4h\u{e9}".as_bytes()).await).await;
        assert_eq!(post.status, 200, "{kind}");
        assert_eq!(server.get(&path).await.body, "4h\u{e9}", "{kind}");
    }
}

#[tokio::test]
async fn queries_are_read_however_they_are_escaped() {
    let server = start(quick_config()).await;
    for query in [
        "EIO=4&transport=polling&t=Pq1abc",
        "transport=poll%69ng&E%49O=%34",
        "EIO=3&EIO=4&transport=websocket&transport=polling",
        "EIO=4&transport=polling&a=b+c&&=&x",
        "&EIO=4&transport=polling&",
    ] {
        let open = server.get(&format!("/engine.io/?{query}")).await;
        assert_eq!(open.status, 200, "{query}");
    }
    let open = server.get("/engine.io/?EIO=4&EIO=3&transport=polling").await;
    assert_eq!(open.body, r#"{"code":5,"message":"Unsupported protocol version"}"#);
}

/// Asks for what waits; answers the head of the response and its body.
async fn poll_accepting(server: &crate::server::TestServer, path: &str, accepted: &str) -> (String, Vec<u8>) {
    let headers = format!("Accept-Encoding: {accepted}\r\n");
    let mut stream = server.send_request_with("GET", path, &headers, b"").await;
    let mut bytes = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("no answer in time").unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let body = bytes.split_off(end);
    (String::from_utf8(bytes).unwrap().to_ascii_lowercase(), body)
}

#[tokio::test]
async fn long_polling_responses_are_compressed() {
    let server = start(Config { max_payload: 500_000, ..patient_config() }).await;
    // The longest are compressed on another thread.
    for length in [1024, 10_000, 400_000] {
        for (accepted, encoding) in [("gzip, deflate, br", "gzip"), ("deflate", "deflate")] {
            let path = server.open_polling("/engine.io/").await;
            let message = format!("4{}", "\u{99ac}".repeat(length / 3 + 1));
            server.post(&path, &message).await;
            let (head, body) = poll_accepting(&server, &path, accepted).await;
            assert!(head.contains(&format!("content-encoding: {encoding}\r\n")), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            assert!(body.len() < message.len() / 10, "{} of {}", body.len(), message.len());
            let mut text = String::new();
            match encoding {
                "gzip" => flate2::read::GzDecoder::new(&*body).read_to_string(&mut text).unwrap(),
                _ => flate2::read::ZlibDecoder::new(&*body).read_to_string(&mut text).unwrap(),
            };
            assert_eq!(text, message);
            assert_eq!(server.post(&path, "4next").await.status, 200);
            assert_eq!(server.get(&path).await.body, "4next");
        }
    }
}

#[tokio::test]
async fn short_responses_and_those_for_others_are_not_compressed() {
    let server = start(patient_config()).await;
    for (length, accepted) in [(1000, "gzip"), (5000, "identity"), (5000, "br"), (5000, "gzip;q=0")] {
        let path = server.open_polling("/engine.io/").await;
        let message = format!("4{}", "x".repeat(length));
        server.post(&path, &message).await;
        let (head, body) = poll_accepting(&server, &path, accepted).await;
        assert!(!head.contains("content-encoding"), "{head}");
        assert_eq!(body, message.as_bytes());
    }
    let never = start(Config { compression_threshold: None, ..patient_config() }).await;
    let path = never.open_polling("/engine.io/").await;
    never.post(&path, &format!("4{}", "x".repeat(5000))).await;
    assert!(!poll_accepting(&never, &path, "gzip").await.0.contains("content-encoding"));
}

#[tokio::test]
async fn the_application_sees_the_handshake() {
    for (keeps, expected) in
        [(true, r#"42["handshake","d e","first/1.0"]"#), (false, r#"42["handshake",null,null]"#)]
    {
        let server = start(Config { keep_handshakes: keeps, ..patient_config() }).await;
        let path = "/socket.io/?EIO=4&transport=websocket&c=d+e";
        let (_, mut client) = server.websocket_with(path, "User-Agent: first/1.0\r\n").await;
        client.text().await;
        for (connect, entered) in
            [("40{\"handshake\":1}", "40{"), ("40/custom,{\"handshake\":1}", "40/custom,{")]
        {
            client.send(connect).await;
            assert!(client.text().await.starts_with(entered));
            let seen = client.text().await;
            assert_eq!(seen.replace("/custom,", ""), expected, "also in a second namespace");
            client.text().await;
        }
    }
}
