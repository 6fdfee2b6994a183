//! Limits on guessing passwords: counters of wrong logins.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use socketio::network;

use super::turns::{Lane, Turn};

/// How long failures count.
const WINDOW: Duration = Duration::from_mins(15);
/// Failures for one account from one address.
const PER_ACCOUNT_AND_ADDRESS: u32 = 20;
/// Failures for one account from all addresses. It does not apply to an address that has logged in to the account
/// before, so that strangers do not lock the owner out.
const PER_ACCOUNT: u32 = 100;
/// Failures from one address for any account; and wrong keys of the admin API, which count by themselves: behind one
/// proxy, wrong passwords of users do not keep the platform out.
const PER_ADDRESS: u32 = 100;
/// How many pairs of an account and an address that logged in to it are remembered.
const MAX_FAMILIAR: usize = 50_000;
/// How many counters are kept. Beyond, expired counters are dropped, then the lowest ones, at least a quarter of all, so
/// that this is rare. To have a counter of n dropped, an attacker has to raise 75 000 others to n, which takes 25 000 * n
/// wrong passwords.
const MAX_COUNTERS: usize = 100_000;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    AccountAndAddress(String, IpAddr),
    Account(String),
    Address(IpAddr),
    ApiKeys(IpAddr),
}

/// The number of failures, and the time of the first.
type Failures = HashMap<Key, (u32, Instant)>;

/// Counts wrong logins per account and per address.
pub struct Throttle {
    failures: Mutex<Failures>,
    familiar: Cache<(String, IpAddr), ()>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { failures: Mutex::default(), familiar: Cache::new(MAX_FAMILIAR) }
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl Throttle {
    /// Whether a login may be tried; the error is how long to wait.
    pub fn check(&self, account: &str, address: IpAddr) -> Result<(), Duration> {
        self.check_at(account, address, Instant::now())
    }

    /// Counts a wrong password.
    pub fn failed(&self, account: &str, address: IpAddr) {
        self.failed_at(account, address, Instant::now());
    }

    /// Whether the address may try another key; the error is how long to wait.
    pub fn check_key(&self, address: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        match self.failures.lock().get(&Key::ApiKeys(network(address))) {
            Some((count, since)) if *count >= PER_ADDRESS && !is_over(*since, now) => {
                Err(WINDOW.saturating_sub(now.saturating_duration_since(*since)))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong key.
    pub fn key_failed(&self, address: IpAddr) {
        let now = Instant::now();
        count(&mut self.failures.lock(), Key::ApiKeys(network(address)), now);
    }

    /// Notes a right password: the address becomes familiar, and the account's failures from it are forgotten.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        let place = (account.to_owned(), network(address));
        self.familiar.insert(place.clone(), ());
        self.failures.lock().remove(&Key::AccountAndAddress(place.0, place.1));
    }

    /// The place of a login in the queue for password checks.
    pub fn turn(&self, account: &str, address: IpAddr) -> Turn {
        self.turn_at(account, address, Instant::now())
    }

    fn turn_at(&self, account: &str, address: IpAddr, now: Instant) -> Turn {
        let network = network(address);
        if self.familiar.get(&(account.to_owned(), network)).is_some() {
            return Turn::familiar(account);
        }
        let failures = self.failures.lock();
        let is_suspect = failures.get(&Key::Address(network)).is_some_and(|(_, since)| !is_over(*since, now));
        Turn::new(if is_suspect { Lane::SuspectLogin } else { Lane::Login }, address)
    }

    fn check_at(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let is_familiar = self.familiar.get(&(account.to_owned(), network(address))).is_some();
        let failures = self.failures.lock();
        for (key, most) in keys(account, address) {
            if is_familiar && matches!(key, Key::Account(_)) {
                continue;
            }
            if let Some((count, since)) = failures.get(&key)
                && *count >= most
                && !is_over(*since, now)
            {
                return Err(WINDOW.saturating_sub(now.saturating_duration_since(*since)));
            }
        }
        Ok(())
    }

    fn failed_at(&self, account: &str, address: IpAddr, now: Instant) {
        let mut failures = self.failures.lock();
        for (key, _) in keys(account, address) {
            count(&mut failures, key, now);
        }
    }
}

fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= WINDOW
}

/// Counts a failure.
fn count(failures: &mut Failures, key: Key, now: Instant) {
    if failures.len() >= MAX_COUNTERS {
        make_room(failures, now);
    }
    let (count, since) = failures.entry(key).or_insert((0, now));
    if is_over(*since, now) {
        (*count, *since) = (0, now);
    }
    *count += 1;
}

/// See [`MAX_COUNTERS`].
fn make_room(failures: &mut Failures, now: Instant) {
    failures.retain(|_, (_, since)| !is_over(*since, now));
    let mut lowest = 1;
    while failures.len() > MAX_COUNTERS / 4 * 3 {
        failures.retain(|_, (count, _)| *count > lowest);
        lowest += 1;
    }
}

fn keys(account: &str, address: IpAddr) -> [(Key, u32); 3] {
    let address = network(address);
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
    fn strangers_do_not_lock_the_owner_out_of_a_familiar_place() {
        let throttle = Throttle::default();
        let home = "192.0.2.1".parse().unwrap();
        throttle.succeeded("a", home);
        for stranger in 0..PER_ACCOUNT {
            throttle.failed("a", std::net::Ipv4Addr::from_bits(stranger).into());
        }
        assert!(throttle.check("a", "192.0.2.2".parse().unwrap()).is_err());
        assert!(throttle.check("a", home).is_ok());
    }

    #[test]
    fn nobody_resets_counters_by_filling_the_table() {
        let throttle = Throttle::default();
        let (now, attacker) = (Instant::now(), "192.0.2.1".parse().unwrap());
        for _ in 0..PER_ACCOUNT_AND_ADDRESS {
            throttle.failed_at("victim", attacker, now);
        }
        // Each makes three counters.
        for stranger in 0..u32::try_from(MAX_COUNTERS).unwrap() {
            let address = std::net::Ipv4Addr::from_bits(stranger).into();
            throttle.failed_at(&stranger.to_string(), address, now);
            assert!(throttle.failures.lock().len() <= MAX_COUNTERS + 3);
        }
        assert!(throttle.check_at("victim", attacker, now).is_err());
        assert!(throttle.check_at("victim", attacker, now + WINDOW).is_ok(), "the window ends all the same");
    }

    #[test]
    fn a_login_has_its_turn_by_what_is_known_of_it() {
        let throttle = Throttle::default();
        let (home, elsewhere): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = Instant::now();
        let lane = |account, address, at| throttle.turn_at(account, address, at).lane;
        assert_eq!(lane("a", home, now), Lane::Login);
        throttle.failed_at("a", home, now);
        assert_eq!(lane("b", home, now), Lane::SuspectLogin);
        throttle.succeeded("a", home);
        assert_eq!(lane("a", home, now), Lane::FamiliarLogin);
        assert_eq!(lane("b", home, now), Lane::SuspectLogin);
        assert_eq!(lane("b", home, now + WINDOW), Lane::Login);
        assert_eq!(lane("a", elsewhere, now), Lane::Login);
    }

    #[test]
    fn a_network_of_version_6_is_one_party() {
        let throttle = Throttle::default();
        for host in 0..PER_ACCOUNT_AND_ADDRESS {
            throttle.failed("a", format!("2001:db8::{host:x}").parse().unwrap());
        }
        assert!(throttle.check("a", "2001:db8::ffff".parse().unwrap()).is_err());
        assert!(throttle.check("a", "2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn guesses_of_keys_are_limited_per_address_and_apart_from_logins() {
        let throttle = Throttle::default();
        let [here, there]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        for guess in 0..PER_ADDRESS {
            throttle.failed(&guess.to_string(), here);
            assert!(throttle.check_key(here).is_ok());
            throttle.key_failed(here);
        }
        assert!(throttle.check_key(here).is_err_and(|wait| wait <= WINDOW));
        assert!(throttle.check_key(there).is_ok());
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
