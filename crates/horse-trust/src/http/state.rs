//! What the routes share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::auth::{AddressRate, Passwords, Throttle, Tokens};
use crate::chat::Chat;
use crate::config::Secret;
use crate::metrics::Metrics;
use crate::store::Store;

/// What the routes share.
#[derive(Clone)]
pub struct AppState {
    /// The rules.
    pub chat: Arc<Chat>,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Issues and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// Computes password hashes.
    pub passwords: Arc<Passwords>,
    /// Counts wrong logins.
    pub throttle: Arc<Throttle>,
    /// How many accounts an address may make.
    pub registrations: Arc<AddressRate>,
    /// How many e-mails an address may look up.
    pub email_lookups: Arc<AddressRate>,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// What opens the metrics to others than this machine.
    pub metrics_token: Option<Secret>,
    /// Whether the server is about to end, and wants no new clients.
    pub draining: Arc<AtomicBool>,
    /// Whether the store answered when it was asked last.
    pub store_health: Arc<StoreHealth>,
}

/// When the store was asked last, and whether it answered. Held while it is asked, so that it is asked once at a time:
/// asking commits something, and anybody may ask.
pub type StoreHealth = Mutex<Option<(Instant, bool)>>;
