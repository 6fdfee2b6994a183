//! The chat's events on the `socketioxide` library: tokens and participants checked, the same events emitted to
//! the same rooms, nothing stored. Configured by the environment as the Node peer is: `HOST`, `PORT`,
//! `JWT_SECRET`, `USERS`, `CONVERSATIONS`.

mod directory;
mod id;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, Extension, SocketRef, State, TryData};
use socketioxide::handler::ConnectHandler;
use time::OffsetDateTime;
use time::macros::format_description;

use directory::{Conversation, Directory, Profile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Application {
    directory: Directory,
    key: DecodingKey,
    validation: Validation,
}

type Shared = Arc<Application>;

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "userId")]
    user_id: String,
}

#[derive(Clone)]
struct UserId(Arc<str>);

#[derive(Deserialize)]
struct SendMessage {
    conversation_id: String,
    text: String,
}

#[derive(Serialize)]
struct Message<'a> {
    _id: &'a str,
    conversation_id: &'a str,
    sender_id: &'a Profile,
    text: &'a str,
    is_read: bool,
    sent_at: &'a str,
}

#[derive(Serialize)]
struct Notification<'a> {
    conversation_id: &'a str,
    sender: &'a str,
    preview: &'a str,
}

#[derive(Serialize)]
struct Sent<'a> {
    success: bool,
    data: Message<'a>,
}

async fn authenticate(
    socket: SocketRef,
    State(application): State<Shared>,
    TryData(auth): TryData<Auth>,
) -> Result<(), &'static str> {
    let auth = auth.map_err(|_| "Authentication error: no token")?;
    let claims = jsonwebtoken::decode::<Claims>(&auth.token, &application.key, &application.validation)
        .map_err(|_| "Authentication error: invalid token")?
        .claims;
    let user = claims.user_id;
    socket.join(format!("user:{user}"));
    socket.extensions.insert(UserId(user.into()));
    // Here and not in the connect handler: that one runs after CONNECT has gone out, and what a client sends at
    // once would find no handler.
    socket.on("join_conversation", join_conversation);
    socket.on("send_message", send_message);
    socket.on("typing", async |socket, user, application, id, ack| {
        typing("user_typing", socket, user, application, id, ack).await;
    });
    socket.on("stop_typing", async |socket, user, application, id, ack| {
        typing("user_stop_typing", socket, user, application, id, ack).await;
    });
    Ok(())
}

fn not_found() -> Value {
    json!({ "success": false, "message": "Conversation not found" })
}

/// An event sent without asking for an acknowledgement has no use for one.
fn acknowledge<T: Serialize>(ack: AckSender, answer: &T) {
    ack.send(answer).ok();
}

async fn join_conversation(
    socket: SocketRef,
    Extension(UserId(user)): Extension<UserId>,
    State(application): State<Shared>,
    Data(id): Data<String>,
    ack: AckSender,
) {
    if application.directory.conversation_for(&user, &id).is_none() {
        return acknowledge(ack, &not_found());
    }
    socket.join(format!("conv:{id}"));
    acknowledge(ack, &json!({ "success": true }));
}

async fn typing(
    event: &'static str,
    socket: SocketRef,
    Extension(UserId(user)): Extension<UserId>,
    State(application): State<Shared>,
    Data(id): Data<String>,
    ack: AckSender,
) {
    if application.directory.conversation_for(&user, &id).is_none() {
        return acknowledge(ack, &not_found());
    }
    let who = json!({ "userId": &*user, "conversation_id": id });
    socket.to(format!("conv:{id}")).emit(event, &who).await.ok();
    acknowledge(ack, &json!({ "success": true }));
}

fn refusal(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        Some("Message text is required")
    } else if text.contains('\0') {
        Some("Invalid message")
    } else if text.len() > 2000 && text.encode_utf16().count() > 2000 {
        Some("Message is too long (maximum 2000 characters)")
    } else {
        None
    }
}

/// The first 60 UTF-16 units, less the half of a pair that the cut would leave.
fn preview(text: &str) -> &str {
    let mut units = 0;
    let cut = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > 60
    });
    cut.map_or(text, |(end, _)| &text[..end])
}

async fn send_message(
    io: SocketIo,
    Extension(UserId(user)): Extension<UserId>,
    State(application): State<Shared>,
    TryData(payload): TryData<SendMessage>,
    ack: AckSender,
) {
    let Ok(SendMessage { conversation_id, text }) = payload else {
        return acknowledge(ack, &json!({ "success": false, "message": "Invalid message" }));
    };
    let Some(conversation) = application.directory.conversation_for(&user, &conversation_id) else {
        return acknowledge(ack, &not_found());
    };
    if let Some(refused) = refusal(&text) {
        return acknowledge(ack, &json!({ "success": false, "message": refused }));
    }
    emit(&io, &application.directory, conversation, &conversation_id, &user, &text, ack).await;
}

async fn emit(
    io: &SocketIo,
    directory: &Directory,
    conversation: &Conversation,
    conversation_id: &str,
    user: &str,
    text: &str,
    ack: AckSender,
) {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let sent_at = OffsetDateTime::now_utc().format(&format).expect("the present can be formatted");
    let message = Message {
        _id: &id::new_id(),
        conversation_id,
        sender_id: directory.profile(user),
        text,
        is_read: false,
        sent_at: &sent_at,
    };
    // Emitting into a room where nobody listens any more is no error of the sender's.
    io.to(format!("conv:{conversation_id}")).emit("new_message", &message).await.ok();
    let notification = Notification { conversation_id, sender: user, preview: preview(text) };
    let recipient = conversation.other_than(user);
    io.to(format!("user:{recipient}")).emit("message_notification", &notification).await.ok();
    acknowledge(ack, &Sent { success: true, data: message });
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} must be set"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = Directory::load(&variable("USERS")?, &variable("CONVERSATIONS")?)?;
    let key = DecodingKey::from_secret(variable("JWT_SECRET")?.as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    // As in the contract: `exp` and `nbf` count when they are there.
    validation.required_spec_claims.clear();
    validation.leeway = 0;
    validation.validate_nbf = true;

    let (layer, io) =
        SocketIo::builder().with_state(Arc::new(Application { directory, key, validation })).build_layer();
    io.ns("/", (async || ()).with(authenticate));

    let host = variable("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let address: SocketAddr = format!("{host}:{}", variable("PORT")?).parse()?;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // tokio's own 1 024 would drop what connects at once; the kernel caps this at its own limit.
    socket.listen(16_384)?;
    let listener = tokio::net::TcpListener::from_std(socket.into())?;
    // Node sets TCP_NODELAY by itself; a connection that is already gone shows itself at the first read.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}
