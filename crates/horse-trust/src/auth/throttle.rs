//! Limits on guessing passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long failures count.
const WINDOW: Duration = Duration::from_mins(15);
/// Failures for one account from one address.
const PER_ACCOUNT_AND_ADDRESS: u32 = 20;
/// Failures for one account from anywhere. Higher, so that a stranger does not soon lock the owner out.
const PER_ACCOUNT: u32 = 100;
/// Failures from one address for any account.
const PER_ADDRESS: u32 = 100;
/// How many counters are kept; over it those whose window is over go, then all.
const MAX_COUNTERS: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    AccountAndAddress(String, IpAddr),
    Account(String),
    Address(IpAddr),
}

/// Counts wrong logins per account and per address.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, (u32, Instant)>>,
}

impl Throttle {
    /// Whether another try is allowed; if not, how long to wait.
    pub fn check(&self, account: &str, address: IpAddr) -> Result<(), Duration> {
        self.check_at(account, address, Instant::now())
    }

    /// A try was wrong.
    pub fn failed(&self, account: &str, address: IpAddr) {
        self.failed_at(account, address, Instant::now());
    }

    /// A try was right: the account's failures from there are forgiven.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        self.lock().remove(&Key::AccountAndAddress(account.to_owned(), address));
    }

    fn check_at(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let failures = self.lock();
        for (key, most) in keys(account, address) {
            if let Some((count, since)) = failures.get(&key)
                && *count >= most
                && let Some(rest) = WINDOW.checked_sub(now.saturating_duration_since(*since))
            {
                return Err(rest);
            }
        }
        Ok(())
    }

    fn failed_at(&self, account: &str, address: IpAddr, now: Instant) {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= WINDOW;
        let mut failures = self.lock();
        if failures.len() >= MAX_COUNTERS {
            failures.retain(|_, (_, since)| !is_over(*since));
            if failures.len() >= MAX_COUNTERS {
                failures.clear();
            }
        }
        for (key, _) in keys(account, address) {
            let (count, since) = failures.entry(key).or_insert((0, now));
            if is_over(*since) {
                (*count, *since) = (0, now);
            }
            *count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (u32, Instant)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(account: &str, address: IpAddr) -> [(Key, u32); 3] {
    [
        (Key::AccountAndAddress(account.to_owned(), address), PER_ACCOUNT_AND_ADDRESS),
        (Key::Account(account.to_owned()), PER_ACCOUNT),
        (Key::Address(address), PER_ADDRESS),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_is_limited_per_account_and_per_address() {
        let throttle = Throttle::default();
        let (here, there): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        let now = Instant::now();
        for _ in 0..PER_ACCOUNT_AND_ADDRESS {
            assert!(throttle.check_at("a", here, now).is_ok());
            throttle.failed_at("a", here, now);
        }
        assert_eq!(throttle.check_at("a", here, now + WINDOW / 3), Err(WINDOW * 2 / 3));
        assert!(throttle.check_at("a", there, now).is_ok(), "the owner gets in from elsewhere");
        assert!(throttle.check_at("b", here, now).is_ok());
        assert!(throttle.check_at("a", here, now + WINDOW + Duration::from_secs(1)).is_ok());
        for account in 0..PER_ADDRESS {
            throttle.failed_at(&account.to_string(), here, now);
        }
        assert!(throttle.check_at("never tried", here, now).is_err());
        throttle.failed_at("a", here, now + WINDOW);
        assert!(throttle.check_at("a", here, now + WINDOW).is_ok());
    }

    #[test]
    fn success_forgives() {
        let throttle = Throttle::default();
        let here = "127.0.0.1".parse().unwrap();
        for _ in 0..PER_ACCOUNT_AND_ADDRESS {
            throttle.failed("a", here);
        }
        throttle.succeeded("a", here);
        assert!(throttle.check("a", here).is_ok());
    }
}
