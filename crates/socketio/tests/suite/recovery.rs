//! Connection state recovery, as the official client asks for it.

use std::time::Duration;

use socketio::{CloseReason, Config, RecoveryConfig};

use crate::client::{WebSocket, field};
use crate::server::{TestServer, eventually, patient_config, start, start_in_memory};

fn config(recovery: RecoveryConfig) -> Config {
    Config { recovery: Some(recovery), ..patient_config() }
}

/// Connects with recovery; answers the socket's id, its private id, and the reply.
async fn connect(server: &TestServer, auth: &str) -> (WebSocket, String, String) {
    let mut client = server.open().await;
    client.send(&format!(r#"40{{"recovery":true{auth}}}"#)).await;
    let reply = client.text().await;
    (client, field(&reply, "sid"), field(&reply, "pid"))
}

/// The number and the offset of `42["shouted",<number>,"<offset>"]`.
fn shouted(packet: &str) -> (u32, String) {
    let inner = packet.strip_prefix(r#"42["shouted","#).and_then(|rest| rest.strip_suffix(r#""]"#));
    let (number, offset) =
        inner.and_then(|inner| inner.split_once(",\"")).unwrap_or_else(|| panic!("{packet} is no shout"));
    (number.parse().unwrap(), offset.to_owned())
}

async fn shout(talker: &mut WebSocket, numbers: std::ops::Range<u32>) {
    for number in numbers {
        talker.send(&format!(r#"42["shout",{number}]"#)).await;
    }
    talker.is_served().await;
}

/// A client without recovery sees no offset and no pid.
#[tokio::test]
async fn who_does_not_ask_sees_nothing_of_it() {
    let server = start(config(RecoveryConfig::default())).await;
    let (mut plain, mut talker) = (server.connect().await, server.connect().await);
    let _recoverable = connect(&server, "").await;
    shout(&mut talker, 0..1).await;
    assert_eq!(plain.text().await, r#"42["shouted",0]"#);
}

#[tokio::test]
async fn missed_events_come_back_again_and_again() {
    let server = start(config(RecoveryConfig::default())).await;
    let mut talker = server.connect().await;
    let (mut client, sid, pid) = connect(&server, "").await;
    shout(&mut talker, 0..3).await;
    let (mut next, mut offset) = (0, String::new());
    for round in 1..=4_u32 {
        while next < round * 3 {
            let (number, at) = shouted(&client.packet().await);
            assert_eq!(number, next);
            (next, offset) = (number + 1, at);
        }
        drop(client);
        shout(&mut talker, round * 3..round * 3 + 3).await;
        let (again, sid_again, pid_again) =
            connect(&server, &format!(r#","pid":"{pid}","offset":"{offset}""#)).await;
        assert_eq!((sid_again, pid_again), (sid.clone(), pid.clone()), "round {round}");
        client = again;
    }
}

#[tokio::test]
async fn a_client_that_saw_no_event_recovers_too() {
    let server = start(config(RecoveryConfig::default())).await;
    let mut talker = server.connect().await;
    let (client, sid, pid) = connect(&server, "").await;
    drop(client);
    shout(&mut talker, 0..1).await;
    let (mut client, sid_again, _) = connect(&server, &format!(r#","pid":"{pid}""#)).await;
    assert_eq!(sid_again, sid);
    assert_eq!(shouted(&client.packet().await).0, 0);
}

#[tokio::test]
async fn the_server_need_not_have_noticed_the_loss() {
    let server = start(config(RecoveryConfig::default())).await;
    let mut talker = server.connect().await;
    let (mut old, sid, pid) = connect(&server, "").await;
    shout(&mut talker, 0..2).await;
    let (_, offset) = shouted(&old.packet().await);
    let (mut new, sid_again, _) = connect(&server, &format!(r#","pid":"{pid}","offset":"{offset}""#)).await;
    assert_eq!(sid_again, sid);
    assert_eq!(shouted(&new.packet().await).0, 1);
    assert_eq!(old.closed().await, None, "the old connection is cut");
    shout(&mut talker, 2..3).await;
    assert_eq!(shouted(&new.packet().await).0, 2);
    assert_eq!(server.socket_io.closed_sessions().get(CloseReason::Replaced), 1);
}

#[tokio::test]
async fn what_can_not_be_recovered_is_a_new_socket() {
    let small = RecoveryConfig { max_bytes_per_socket: 300, ..RecoveryConfig::default() };
    let server = start(config(small)).await;
    let mut talker = server.connect().await;
    let (mut client, sid, pid) = connect(&server, "").await;
    shout(&mut talker, 0..20).await;
    let (_, offset) = shouted(&client.packet().await);
    drop(client);
    for (what, auth) in [
        ("an offset that is gone", format!(r#","pid":"{pid}","offset":"{offset}""#)),
        ("no offset though events were dropped", format!(r#","pid":"{pid}""#)),
        ("an offset that never was", format!(r#","pid":"{pid}","offset":"zz""#)),
        ("another's session", format!(r#","mallory":1,"pid":"{pid}""#)),
        ("a pid that never was", r#","pid":"x","offset":"1""#.to_owned()),
    ] {
        let (mut again, sid_again, pid_again) = connect(&server, &auth).await;
        assert!(sid_again != sid && pid_again != pid, "{what}");
        shout(&mut talker, 99..100).await;
        assert_eq!(shouted(&again.packet().await).0, 99, "{what}: nothing old comes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_is_forgotten_after_the_window() {
    let brief = RecoveryConfig { window: Duration::from_millis(100), ..RecoveryConfig::default() };
    let server = start_in_memory(config(brief));
    let (mut client, sid, pid) = connect(&server, "").await;
    client.send(r#"42["message","here"]"#).await;
    assert!(client.packet().await.contains("here"));
    drop(client);
    eventually("the session ends", || server.socket_io.open_sessions() == 0).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (_, sid_again, _) = connect(&server, &format!(r#","pid":"{pid}""#)).await;
    assert_ne!(sid_again, sid);
}

#[tokio::test]
async fn who_leaves_on_purpose_is_not_recovered() {
    let server = start(config(RecoveryConfig::default())).await;
    let (mut client, sid, pid) = connect(&server, "").await;
    client.send("41").await;
    drop(client);
    eventually("the session ends", || server.socket_io.open_sessions() == 0).await;
    let (_, sid_again, _) = connect(&server, &format!(r#","pid":"{pid}""#)).await;
    assert_ne!(sid_again, sid);
}
