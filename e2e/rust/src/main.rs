//! Two `rust_socketio` clients chat; ends with "all is well", or with what went wrong.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, RawClient, TransportType};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

/// The name of an event and its arguments.
type Received = (String, Vec<Value>);

fn values(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Text(values) => values,
        other => panic!("text was expected, not {other:?}"),
    }
}

fn report(events: &Sender<Received>, name: &'static str) -> impl FnMut(Payload, RawClient) + Send + use<> {
    let events = events.clone();
    // The receiver is gone when the test is over.
    move |payload, _| drop(events.send((name.to_owned(), values(payload))))
}

fn connect(url: &str, auth: Value, transport: TransportType) -> (Client, Receiver<Received>) {
    let (sender, receiver) = channel();
    let builder = ClientBuilder::new(url).auth(auth).transport_type(transport).reconnect(false);
    let builder = ["new_message", "message_notification", "user_typing"]
        .into_iter()
        .fold(builder, |builder, name| builder.on(name, report(&sender, name)));
    let connected = sender.clone();
    let client = builder
        .on(Event::Connect, move |_, _| drop(connected.send(("connect".to_owned(), Vec::new()))))
        .on(Event::Error, report(&sender, "error"))
        .connect()
        .expect("the transport opens");
    (client, receiver)
}

fn next(events: &Receiver<Received>, name: &str) -> Vec<Value> {
    let (received, arguments) = events.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(received, name, "{arguments:?}");
    arguments
}

/// Emits, and waits for the acknowledgement.
fn call(client: &Client, event: &str, argument: Value) -> Value {
    let (sender, receiver) = channel();
    let answered = move |payload, _: RawClient| drop(sender.send(values(payload)));
    client.emit_with_ack(event, argument, LIMIT, answered).expect("the event is sent");
    let answer = receiver.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("{event}: {error}"));
    // The client gives the list of an acknowledgement's arguments as one value.
    match answer.into_iter().next() {
        Some(Value::Array(mut arguments)) => arguments.remove(0),
        Some(value) => value,
        None => panic!("{event}: an acknowledgement without arguments"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, first_token, second_token, conversation, transport] = &arguments[..] else {
        panic!("URL, two tokens, a conversation and a transport are needed");
    };
    let transport = || match transport.as_str() {
        "websocket" => TransportType::Websocket,
        "polling" => TransportType::Polling,
        _ => TransportType::WebsocketUpgrade,
    };
    for bad in [json!({"token": "garbage"}), json!({})] {
        let (_client, events) = connect(url, bad, transport());
        next(&events, "error");
    }
    let (first, first_events) = connect(url, json!({"token": first_token}), transport());
    next(&first_events, "connect");
    let (second, second_events) = connect(url, json!({"token": second_token}), transport());
    next(&second_events, "connect");
    let success = json!({"success": true});
    assert_eq!(call(&first, "join_conversation", json!(conversation)), success);
    assert_eq!(call(&second, "join_conversation", json!(conversation)), success);
    let unknown = json!({"success": false, "message": "Conversation not found"});
    assert_eq!(call(&first, "join_conversation", json!("nowhere")), unknown);
    assert_eq!(call(&first, "typing", json!(conversation)), success);
    assert_eq!(next(&second_events, "user_typing").len(), 1);
    for number in 0..20 {
        let text = format!("número {number} 🐴");
        let answer = call(&first, "send_message", json!({"conversation_id": conversation, "text": text}));
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(next(&second_events, "new_message"), [answer["data"].clone()]);
        assert_eq!(next(&second_events, "message_notification")[0]["preview"], text.as_str());
        assert_eq!(next(&first_events, "new_message"), [answer["data"].clone()]);
    }
    first.disconnect().expect("the first leaves");
    second.disconnect().expect("the second leaves");
    println!("all is well");
}
