//! The state that the routes share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::admin::{Erasures, People};
use crate::auth::{AddressRate, ApiKeys, Passwords, Throttle, Tokens};
use crate::chat::Chat;
use crate::config::Secret;
use crate::metrics::Metrics;
use crate::store::Store;

/// The state that the routes share.
#[derive(Clone)]
pub struct AppState {
    /// The rules of the chat.
    pub chat: Arc<Chat>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Erases users.
    pub erasures: Arc<Erasures>,
    /// What admins and the platform do with people.
    pub people: Arc<People>,
    /// Issues and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// The platform's keys for the admin API.
    pub api_keys: Arc<ApiKeys>,
    /// Computes password hashes.
    pub passwords: Arc<Passwords>,
    /// Limits wrong logins.
    pub throttle: Arc<Throttle>,
    /// Limits registrations by address.
    pub registrations: Arc<AddressRate>,
    /// Counters and timers.
    pub metrics: Arc<Metrics>,
    /// The Bearer token of `/metrics`; without one only this machine may read them.
    pub metrics_token: Option<Secret>,
    /// Whether the server is shutting down and takes no new clients.
    pub draining: Arc<AtomicBool>,
    /// The result of the last check of the store.
    pub store_health: Arc<StoreHealth>,
}

/// The time of the last check of the store, and whether it answered. Locked during a check, so that there is one at a
/// time: a check commits a transaction, and anybody may ask for it.
pub type StoreHealth = Mutex<Option<(Instant, bool)>>;
