//! Webhooks: events of the outbox, sent to the platform's URLs. `docs/webhooks.md` is for whoever receives them.
//!
//! `queue` and `schedule` decide, without clock or network; `dispatcher` does what they say, one task a URL; `payload` makes
//! the bodies, `sender` signs and sends them; `unseen` looks for those who are away.

mod dispatcher;
mod metrics;
mod payload;
mod queue;
mod schedule;
mod sender;
mod unseen;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use self::dispatcher::{Dispatcher, MOST_IN_FLIGHT};
use self::metrics::Figures;
use self::sender::Sender;
use crate::chat::Chat;
use crate::config::{Secret, WebhookUrl};
use crate::metrics::Metrics;
use crate::store::{EventKind, EventKinds, NewSubscriber, OutboxSettings, Store, SubscriberId};

/// How long what was given up is kept.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How many events may wait for one URL; the oldest are given up beyond.
const MOST_WAITING: u64 = 1_000_000;
/// How often what waits is counted.
const COUNTING: Duration = Duration::from_secs(15);

/// What the settings say of webhooks.
pub struct Settings {
    /// Where to, at least one.
    pub urls: Vec<WebhookUrl>,
    /// What bodies are signed with, at least one.
    pub secrets: Vec<Secret>,
    /// Which events.
    pub events: EventKinds,
    /// How long a recipient is away before `message.unseen`.
    pub unseen_after: Duration,
}

/// Tasks that send, and what they hold.
pub struct Webhooks {
    holder: Arc<str>,
}

impl Webhooks {
    /// Lets another node send at once. To be called when the tasks have ended.
    pub async fn close(self, store: &dyn Store) {
        if let Err(error) = store.release_leases(&self.holder).await {
            tracing::warn!(%error, "the lease of webhooks ends by itself");
        }
    }
}

/// Opens the outbox and starts the tasks that send; to be called before the first write. One line says what failed.
pub async fn start(
    settings: Settings,
    chat: &Arc<Chat>,
    store: &Arc<dyn Store>,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> Result<Webhooks, String> {
    let Settings { urls, secrets, events, unseen_after } = settings;
    let subscribers = urls.iter().map(|url| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(url.expose().as_str()));
        NewSubscriber { digest, origin: url.origin() }
    });
    let settings = OutboxSettings { subscribers: subscribers.collect(), kinds: events, unseen_after };
    let outbox = store.open_outbox(settings).await.map_err(|error| error.to_string())?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    let holder: Arc<str> = URL_SAFE_NO_PAD.encode(random).into();
    let client = Sender::client(MOST_IN_FLIGHT)?;
    let figures = Figures::new(metrics);
    // Each dispatcher waits for the notification by itself.
    let wakers: Vec<Arc<tokio::sync::Notify>> = urls.iter().map(|_| Arc::default()).collect();
    for ((url, subscriber), added) in urls.into_iter().zip(&outbox.subscribers).zip(&wakers) {
        let origin = url.origin();
        let sender = Sender::new(client.clone(), url, &secrets).map_err(|error| error.to_string())?;
        let dispatcher = Dispatcher {
            chat: Arc::clone(chat),
            store: Arc::clone(store),
            subscriber: *subscriber,
            sender: Arc::new(sender),
            origin,
            holder: Arc::clone(&holder),
            added: Arc::clone(added),
            figures: figures.clone(),
        };
        tasks.spawn(dispatcher.run());
    }
    let added = outbox.added;
    tasks.spawn(async move {
        loop {
            added.notified().await;
            for waker in &wakers {
                waker.notify_one();
            }
        }
    });
    tasks.spawn(count(Arc::clone(store), outbox.subscribers, figures));
    if events.contains(EventKind::MessageUnseen) {
        tasks.spawn(unseen::run(Arc::clone(chat), Arc::clone(store), Arc::clone(&holder), unseen_after));
    }
    Ok(Webhooks { holder })
}

/// Keeps the figures true and the outbox within its bounds, as long as it runs.
async fn count(store: Arc<dyn Store>, subscribers: Vec<SubscriberId>, figures: Figures) {
    let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    loop {
        let (mut waiting, mut given_up, mut oldest) = (0, 0, Duration::ZERO);
        for subscriber in &subscribers {
            match store.outbox_counts(*subscriber).await {
                Ok(counts) => {
                    waiting += counts.waiting;
                    given_up += counts.given_up;
                    oldest = oldest.max(counts.oldest.unwrap_or_default());
                }
                Err(error) => tracing::warn!(%error, "what waits of webhooks was not counted"),
            }
        }
        figures.waiting.set(gauge(waiting));
        figures.given_up.set(gauge(given_up));
        figures.oldest.set(gauge(oldest.as_secs()));
        match store.tidy_outbox(&subscribers, KEPT, MOST_WAITING).await {
            Ok(0) => {}
            Ok(given_up) => tracing::error!(given_up, "webhooks were given up: too many wait"),
            Err(error) => tracing::warn!(%error, "the outbox was not tidied"),
        }
        tokio::time::sleep(COUNTING).await;
    }
}
