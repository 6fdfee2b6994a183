//! What fuzzing and the property tests check of the parsers. `crates/socketio/fuzz` calls these with what
//! libFuzzer makes up; `cargo test` calls them with the committed corpus and with what proptest makes up.

use std::io::{self, Read, Write};

use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use crate::engine::packet::EnginePacket;
use crate::http::handshake;
use crate::protocol::encode::{self, join};
use crate::protocol::packet::{Content, Limits, Packet, placeholders_are_valid};
use crate::websocket::decoder::Decoder;
use crate::websocket::message::{self, Incoming};

const PACKET_LIMITS: Limits = Limits { attachments: 10, nesting: 100, event_name: 128 };
const FRAME_LIMITS: message::Limits = message::Limits { message: 4096, fragments: 1 << 20 };

/// Any text is a packet or is refused; an event or acknowledgement that is written again is the same.
pub fn packet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Whether it is an Engine.IO packet as well is of no matter here; it must not panic.
    drop(EnginePacket::parse(text));
    let Ok(packet) = Packet::parse(text, PACKET_LIMITS) else { return };
    match packet.content {
        Content::Event { id, name, arguments, attachments } => {
            placeholders_are_valid(&arguments, attachments);
            let arguments = join(&arguments);
            let frame = encode::event(packet.namespace, id, &name, &arguments, None, attachments);
            let written = std::str::from_utf8(&frame.payload()[1..]).expect("frames are text");
            let again = Packet::parse(written, Limits { event_name: usize::MAX, ..PACKET_LIMITS });
            let Content::Event { id: id_again, name: name_again, arguments: arguments_again, .. } =
                again.unwrap_or_else(|error| panic!("{text:?} was written as {written:?}: {error}")).content
            else {
                panic!("{text:?} was written as {written:?}")
            };
            assert_eq!((id, name, arguments), (id_again, name_again, join(&arguments_again)), "{text:?}");
        }
        Content::Acknowledgement { id, arguments, attachments } => {
            let arguments = join(&arguments);
            let frame = encode::acknowledgement(packet.namespace, id, &arguments, attachments);
            let written = std::str::from_utf8(&frame.payload()[1..]).expect("frames are text");
            let again = Packet::parse(written, PACKET_LIMITS).map(|packet| packet.content);
            assert!(
                matches!(&again, Ok(Content::Acknowledgement { id: again, .. }) if *again == id),
                "{text:?} was written as {written:?}: {again:?}"
            );
        }
        Content::Connect(_) | Content::Disconnect | Content::ConnectError => {}
    }
}

/// Any query asks for something or is refused.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for is_upgrade in [true, false] {
        // The answer is looked at by the unit tests; it must not panic.
        drop(handshake::parse(&http::Method::GET, text, is_upgrade));
    }
}

/// The first byte says into which pieces the rest is split: any split gives the same messages as the whole,
/// and the messages that tungstenite sees.
pub fn websocket(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let (messages, end) = decode(bytes, bytes.len().max(1));
    let split = decode(bytes, usize::from(*piece).max(1));
    assert_eq!((&messages, end), (&split.0, split.1), "in pieces of {piece}");
    let (oracle_messages, oracle) = decode_with_tungstenite(bytes);
    let is_prefix = messages.starts_with(&oracle_messages) || oracle_messages.starts_with(&messages);
    match (end, oracle) {
        // Ours refuses at a header what tungstenite refuses when the frame is whole, or takes: a control frame
        // whose length is written longer than it has to be.
        (End::Violation, _) => assert!(is_prefix, "{messages:?}, not {oracle_messages:?}"),
        // Ours looks at UTF-8 when the message is whole; control frames may come before that.
        (End::WithinMessage, Oracle::Refuses) => {
            assert!(messages.starts_with(&oracle_messages), "{messages:?}, not {oracle_messages:?}");
        }
        (End::BetweenMessages, Oracle::Refuses) => {
            panic!("tungstenite refuses what is taken here: {messages:?}")
        }
        (_, Oracle::Waits) => assert_eq!(messages, oracle_messages),
    }
}

/// Where decoding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    BetweenMessages,
    WithinMessage,
    Violation,
}

/// All messages up to the first violation or close frame.
fn decode(bytes: &[u8], piece: usize) -> (Vec<String>, End) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    'pieces: for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut position = 0;
        loop {
            match decoder.next(&mut piece, &mut position, FRAME_LIMITS) {
                Ok(Some(Incoming::Close(_))) => break 'pieces,
                Ok(Some(message)) => messages.push(match message {
                    Incoming::Text(text) => format!("text {text}"),
                    Incoming::Binary(bytes) => format!("binary {bytes:?}"),
                    Incoming::Ping(bytes) => format!("ping {bytes:?}"),
                    Incoming::Pong | Incoming::Close(_) => "pong".to_owned(),
                }),
                Ok(None) => break,
                Err(_) => return (messages, End::Violation),
            }
        }
        assert_eq!(position, piece.len(), "bytes were left though more was asked for");
    }
    let end = if decoder.is_within_message() { End::WithinMessage } else { End::BetweenMessages };
    (messages, end)
}

enum Oracle {
    Waits,
    Refuses,
}

fn decode_with_tungstenite(bytes: &[u8]) -> (Vec<String>, Oracle) {
    struct Wire<'a>(&'a [u8]);
    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        }
    }
    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_LIMITS.message))
        .max_frame_size(Some(FRAME_LIMITS.message));
    let mut websocket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        messages.push(match websocket.read() {
            Ok(tungstenite::Message::Text(text)) => format!("text {text}"),
            Ok(tungstenite::Message::Binary(bytes)) => format!("binary {:?}", &bytes[..]),
            Ok(tungstenite::Message::Ping(bytes)) => format!("ping {:?}", &bytes[..]),
            Ok(tungstenite::Message::Pong(_)) => "pong".to_owned(),
            Ok(tungstenite::Message::Close(_) | tungstenite::Message::Frame(_)) => {
                return (messages, Oracle::Waits);
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (messages, Oracle::Waits);
            }
            Err(_) => return (messages, Oracle::Refuses),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_passes() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (target, check) in
            [("packet", packet as fn(&[u8])), ("query", query as fn(&[u8])), ("websocket", websocket)]
        {
            let files = std::fs::read_dir(corpus.join(target)).unwrap();
            let mut count = 0;
            for file in files {
                check(&std::fs::read(file.unwrap().path()).unwrap());
                count += 1;
            }
            assert!(count > 0, "no corpus for {target}");
        }
    }

    /// A client's frame: mostly by the rules.
    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88]),
            1 => any::<u8>(),
        ];
        let payload = prop_oneof![
            "[a-zé🐴]{0,40}".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..140),
            vec(any::<u8>(), 1000..1500),
        ];
        (first, payload, any::<[u8; 4]>(), prop::bool::weighted(0.98)).prop_map(
            |(first, payload, mask, is_masked)| {
                let bit = if is_masked { 0x80 } else { 0 };
                let mut frame = vec![first];
                match u8::try_from(payload.len()) {
                    Ok(short @ 0..=125) => frame.push(bit | short),
                    _ => {
                        frame.push(bit | 0x7e);
                        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
                    }
                }
                if is_masked {
                    frame.extend(mask);
                }
                frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
                frame
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn frames_are_what_tungstenite_sees(piece in 1_u8.., frames in vec(any_frame(), 1..8)) {
            let mut data = vec![piece];
            data.extend(frames.concat());
            websocket(&data);
        }

        #[test]
        fn packets_survive_being_written_again(
            kind in "[0-6]", head in "(10-|2-)?(/[a-z]{1,4},)?[0-9]{0,3}",
            name in "[a-z\\\\\"é]{0,8}", arguments in vec("(1|null|\"\\\\ud800\"|\\{\"a\":\\[\\]\\}| true )", 0..4)
        ) {
            let name = serde_json::to_string(&name).unwrap();
            let elements = std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(",");
            packet(format!("{kind}{head}[{elements}]").as_bytes());
        }

        #[test]
        fn any_text_is_a_packet_or_refused(text in "\\PC{0,60}") {
            packet(text.as_bytes());
            query(text.as_bytes());
        }
    }
}
