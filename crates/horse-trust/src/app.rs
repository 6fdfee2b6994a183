//! Chooses the store and the bus, and wires everything together.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use crate::admin::{Erasures, People};
use crate::auth::{AddressRate, ApiKeys, Passwords, Throttle, Tokens};
use crate::bus::{Bus, Delegate, Hub, NodeName, RedisBus, RedisError};
use crate::chat::{Chat, ChatConfig};
use crate::config::{Config, ConfigError, Database, Secret, all_cores_but_one};
use crate::http::{self, AppState};
use crate::id::Id;
use crate::metrics::{MeasuredStore, Metrics};
use crate::realtime::{Expiries, Realtime};
use crate::store::postgres::{self, PostgresStore};
use crate::store::sqlite::{OpenError, SqliteStore};
use crate::store::{Profile, Store, StoreError};
use crate::webhooks;

/// How many bytes of messages a slice of history has at most, if it has more than one message.
const MAX_SLICE_BYTES: usize = 256 * 1024;
/// How often memory that is no longer needed is freed.
const TIDY_INTERVAL: Duration = Duration::from_mins(1);
/// How long the audit is kept: a dispute or an inquiry may come late.
const AUDIT_RETENTION: Duration = Duration::from_hours(2 * 365 * 24);
/// How long the last sockets may take to finish and close at shutdown.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Registrations of an address: the burst, and the period of one more. A school or a mobile network shares one address; a
/// script wants thousands.
const REGISTRATIONS: (NonZeroU32, Duration) = (NonZeroU32::new(100).unwrap(), Duration::from_secs(5));
/// How many connections may wait to be accepted; after a restart all clients reconnect at once.
const BACKLOG: u32 = 4096;

/// Why the server does not run. One line that names the thing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The address.
    #[error("HOST, PORT: {address}: {source}")]
    Listen {
        /// The address that was to be listened on.
        address: String,
        /// Why it can't be.
        source: io::Error,
    },
    /// The demo's accounts or secret.
    #[error("demo: {0}")]
    Demo(String),
    /// What connects several nodes.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The PostgreSQL.
    #[error("DATABASE_URL: {0}")]
    Postgres(#[from] postgres::OpenError),
    /// Another node uses the database, and this one could not exchange events with it.
    #[error(
        "REDIS_URL: another node uses this database: set it on all nodes, so that they exchange events (or \
         ALLOW_NODES_WITHOUT_REDIS=true, and users on different nodes do not get each other's messages live)"
    )]
    OtherNode,
    /// A node without Redis uses the database.
    #[error(
        "REDIS_URL: a node without it uses this database: set it there, too (or wait for an import to end)"
    )]
    LoneNode,
    /// What is in the store.
    #[error("reading the store: {0}")]
    Read(#[from] StoreError),
    /// What sends events to the platform.
    #[error("WEBHOOK_URL: {0}")]
    Webhooks(String),
    /// The accept loop.
    #[error("serving: {0}")]
    Serve(io::Error),
}

/// Binds the configured address.
pub async fn listen(config: &Config) -> Result<TcpListener, RunError> {
    let listen_error =
        |source| RunError::Listen { address: format!("{}:{}", config.host, config.port), source };
    let addresses = tokio::net::lookup_host((config.host.as_str(), config.port)).await;
    let mut last_error = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.map_err(listen_error)? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(listen_error(last_error))
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Opens the configured store. A PostgreSQL that other nodes use is opened only if all of them have Redis.
pub async fn open_store(config: &Config) -> Result<Arc<dyn Store>, RunError> {
    let url = match config.database() {
        Database::Sqlite(path) => return Ok(Arc::new(SqliteStore::open(&path)?)),
        Database::Postgres(url) => url,
    };
    let store = PostgresStore::open(url.expose()).await?;
    let is_cluster = config.redis_url.is_some();
    if !config.allow_nodes_without_redis && !store.register(is_cluster).await? {
        return Err(if is_cluster { RunError::LoneNode } else { RunError::OtherNode });
    }
    Ok(Arc::new(store))
}

/// Serves until `shutdown`; then says that it is not ready, serves on for the drain's delay, takes no new connection,
/// finishes what is in work, closes the sockets over the drain's time in a way that clients come back, and closes
/// the store. Ends within ten seconds with the drain's defaults, else within their sum and eight seconds.
pub async fn run(
    config: Config,
    store: Arc<dyn Store>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::new());
    let store: Arc<dyn Store> = Arc::new(MeasuredStore::new(store, &metrics));
    let tokens = Arc::new(Tokens::from_config(&config)?);
    let mut engine = config.engine();
    let node = NodeName::random()?;
    if let (Some(recovery), Some(_)) = (&mut engine.recovery, &config.redis_url) {
        node.mark(recovery)?;
    }
    let namespace = socketio::Namespace::new("/", &engine);
    let hub = Arc::new(Hub::new(namespace.clone()));
    let redis = match &config.redis_url {
        Some(url) => {
            let (hub, metrics) = (Arc::clone(&hub), metrics.bus());
            Some(RedisBus::connect(url.expose(), config.redis_cluster, node, hub, metrics).await?)
        }
        None => None,
    };
    let bus: Arc<dyn Bus> = match &redis {
        Some(redis) => Arc::clone(redis) as Arc<dyn Bus>,
        None => Arc::clone(&hub) as Arc<dyn Bus>,
    };
    let chat = Chat::new(Arc::clone(&store), Arc::clone(&bus), Arc::clone(&tokens), chat_config(&config));
    if let Some(redis) = &redis {
        let delegate: Arc<dyn Delegate> = Arc::clone(&chat) as Arc<dyn Delegate>;
        redis.set_delegate(Arc::downgrade(&delegate));
    }
    let expiries = Arc::<Expiries>::default();
    let cursor = chat.read_standings().await?;
    let realtime = Realtime::new(
        Arc::clone(&chat),
        Arc::clone(&tokens),
        Arc::clone(&hub),
        Arc::clone(&expiries),
        Arc::clone(&metrics),
    );
    let engine = socketio::Server::builder(engine).with(&namespace, realtime).build();
    let (burst, period) = REGISTRATIONS;
    let registrations = Arc::new(AddressRate::new(burst, period, config.message_rate.is_some()));
    let draining = Arc::new(AtomicBool::new(false));
    let figures = Arc::clone(&metrics);
    let erasures = Arc::new(Erasures::new(Arc::clone(&chat), Arc::clone(&store)));
    let state = AppState {
        metrics,
        metrics_token: config.metrics_token.clone(),
        draining: Arc::clone(&draining),
        store_health: Arc::default(),
        erasures: Arc::clone(&erasures),
        people: Arc::new(People::new(Arc::clone(&chat), Arc::clone(&store), Arc::clone(&tokens))),
        chat: Arc::clone(&chat),
        store: Arc::clone(&store),
        tokens,
        api_keys: Arc::new(ApiKeys::new(config.api_keys.iter().map(Secret::expose))),
        passwords: Arc::new(Passwords::new(all_cores_but_one())),
        throttle: Arc::new(Throttle::default()),
        registrations: Arc::clone(&registrations),
    };
    let has_accounts = config.has_accounts();
    let router = http::router(state, engine.clone(), &config.cors_origins, &config.base_path, has_accounts);
    let mut background = chat.start(cursor);
    let webhooks = match webhooks_settings(&config) {
        Some(settings) => {
            let started = webhooks::start(settings, &chat, &store, &figures, &mut background).await;
            Some(started.map_err(RunError::Webhooks)?)
        }
        None => None,
    };
    background.spawn(erasures.run());
    background.spawn(expiries.run());
    background.spawn(tidy(Arc::clone(&chat), Arc::clone(&store), registrations));
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move {
        // A dropped sender means the same.
        drop(stopped.await);
    };
    let serving = tokio::spawn(socketio::serve(listener, router, config.listener(), stopped));
    shutdown.await;
    tracing::info!("shutting down");
    draining.store(true, Ordering::Release);
    tokio::time::sleep(config.drain_delay).await;
    // No further session is opened. Connections are still taken until the last session has ended: a polling
    // client fetches its acknowledgements, and the close, with further requests.
    engine.close_sessions(config.drain_time, CLOSE_TIMEOUT).await;
    drop(stop);
    let served = serving.await;
    background.shutdown().await;
    if let Some(webhooks) = webhooks {
        webhooks.close(&*store).await;
    }
    chat.close().await;
    bus.close().await;
    store.close().await;
    tracing::info!("stopped");
    served.map_err(io::Error::other).and_then(|result| result).map_err(RunError::Serve)
}

/// What is set of webhooks; `None` if nobody wants any.
fn webhooks_settings(config: &Config) -> Option<webhooks::Settings> {
    (!config.webhook_url.is_empty()).then(|| webhooks::Settings {
        urls: config.webhook_url.clone(),
        secrets: config.webhook_secret.clone(),
        events: config.webhook_events,
        unseen_after: config.unseen_after,
    })
}

fn chat_config(config: &Config) -> ChatConfig {
    ChatConfig {
        message_rate: config.message_rate,
        connection_rate: config.connection_rate,
        system: Arc::new(Profile {
            id: Id::SYSTEM,
            full_name: Some(config.system_name.to_string()),
            profile_picture_url: None,
            is_deleted: false,
        }),
        edit_window: config.edit_window,
        withdrawn_retention: config.withdrawn_retention,
        presence_grace: config.presence_grace,
        // Of what may wait for a client: it may ask for more before it has taken that.
        slice_bytes: MAX_SLICE_BYTES.min(config.outbox_bytes / 4),
    }
}

/// Frees memory that is no longer needed, as long as it runs.
async fn tidy(chat: Arc<Chat>, store: Arc<dyn Store>, registrations: Arc<AddressRate>) {
    let mut interval = tokio::time::interval(TIDY_INTERVAL);
    loop {
        interval.tick().await;
        registrations.tidy();
        chat.tidy().await;
        if let Err(error) = store.forget_audit(AUDIT_RETENTION).await {
            tracing::warn!(%error, "old entries of the audit were not forgotten");
        }
    }
}
