//! Rate limits by client address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use socketio::network;

/// A rate limit for each address, and one of ten times as much for all addresses together. An IPv6 network (/64) counts as
/// one address.
pub struct AddressRate(Option<Rates>);

struct Rates {
    each: DefaultKeyedRateLimiter<IpAddr>,
    all: DefaultDirectRateLimiter,
}

impl AddressRate {
    /// Allows `burst` requests at once, then one each `period`; without `is_limited`, any number.
    pub fn new(burst: NonZeroU32, period: Duration, is_limited: bool) -> Self {
        let all = NonZeroU32::new(burst.get().saturating_mul(10)).unwrap_or(burst);
        let quota = |burst, period| Some(Quota::with_period(period)?.allow_burst(burst));
        let rates = || {
            Some(Rates {
                each: RateLimiter::keyed(quota(burst, period)?),
                all: RateLimiter::direct(quota(all, period / 10)?),
            })
        };
        Self(is_limited.then(rates).flatten())
    }

    /// Counts a request; if there are too many, the error is how long to wait. A request that an address is refused does not
    /// count towards the limit of all.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(Rates { each, all }) = &self.0 else { return Ok(()) };
        let now = DefaultClock::default().now();
        each.check_key(&network(address)).map_err(|not_until| not_until.wait_time_from(now))?;
        all.check().map_err(|not_until| not_until.wait_time_from(now))
    }

    /// Frees the counters of addresses that are idle. To be called every minute or so.
    pub fn tidy(&self) {
        if let Some(rates) = &self.0 {
            rates.each.retain_recent();
            rates.each.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(5);

    #[test]
    fn each_address_has_a_burst_and_all_have_ten_times_as_much() {
        let rate = AddressRate::new(NonZeroU32::new(3).unwrap(), PERIOD, true);
        let taken = |address: &str| (0..10).filter(|_| rate.check(address.parse().unwrap()).is_ok()).count();
        assert_eq!(taken("192.0.2.1"), 3);
        assert_eq!(taken("::ffff:192.0.2.1"), 0, "the same address, as IPv6 writes it");
        let wait = rate.check("192.0.2.1".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= PERIOD, "{wait:?}");
        assert_eq!((taken("2001:db8::1"), taken("2001:db8::2"), taken("2001:db8:0:1::1")), (3, 0, 3));
        let others: usize = (10..20).map(|host| taken(&format!("192.0.2.{host}"))).sum();
        assert_eq!(others, 30 - 9);
    }

    #[test]
    fn without_a_limit_all_is_taken() {
        let rate = AddressRate::new(NonZeroU32::MIN, PERIOD, false);
        assert!((0..1000).all(|_| rate.check("192.0.2.1".parse().unwrap()).is_ok()));
    }
}
