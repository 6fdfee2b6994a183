//! Revoked tokens and suspended accounts: a copy of the store's in memory, so that connections and requests need no query.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::RwLock;

use super::claims::{Claims, Rejection};
use crate::id::Id;
use crate::store::{MAX_VOID_TOKENS, Revocation, Standing, Suspension, TokenId, VoidToken};
use crate::timestamp::Timestamp;

/// The users with revoked tokens or a suspension. No other user has an entry.
#[derive(Default)]
pub(super) struct Standings(RwLock<HashMap<Id, State>>);

#[derive(Default, Clone)]
struct State {
    revocation: Option<Revocation>,
    suspension: Option<Arc<Suspension>>,
    /// Tokens that were signed out, the oldest first; at most [`MAX_VOID_TOKENS`].
    void: Vec<VoidToken>,
}

/// Which open sockets of a user have to end after a change of standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Those with a token from before the revocation.
    Revoked(Revocation),
    /// Those with this token.
    SignedOut(TokenId),
    /// All of them.
    Suspended(Arc<Suspension>),
}

impl Standings {
    /// Whether a token with these claims is accepted at this moment.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), Rejection> {
        let states = self.0.read();
        let Some(state) = states.get(&claims.user) else { return Ok(()) };
        if state.revocation.is_some_and(|revocation| is_void(claims, revocation)) {
            return Err(Rejection::Invalid);
        }
        if state.void.iter().any(|void| void.token == claims.token) {
            return Err(Rejection::Invalid);
        }
        match &state.suspension {
            Some(suspension) if suspension.until.is_none_or(|until| Timestamp::now() < until) => {
                Err(Rejection::Suspended(Arc::clone(suspension)))
            }
            _ => Ok(()),
        }
    }

    /// Records a revocation, unless a later one is known. Returns whether it is new.
    pub(super) fn revoke(&self, user: Id, revocation: Revocation) -> bool {
        let mut states = self.0.write();
        if generation_of(states.get(&user).and_then(|state| state.revocation)) >= revocation.generation {
            return false;
        }
        states.entry(user).or_default().revocation = Some(revocation);
        true
    }

    /// Records a token that was signed out. Returns whether it is new.
    pub(super) fn void(&self, void: VoidToken) -> bool {
        let mut states = self.0.write();
        let known = &mut states.entry(void.user.clone()).or_default().void;
        if known.iter().any(|known| known.token == void.token) {
            return false;
        }
        // The store has ended all sessions of the user, or is about to: the revocation makes this one void as well.
        if known.len() >= MAX_VOID_TOKENS {
            known.remove(0);
        }
        known.push(void);
        true
    }

    /// Forgets void tokens that have expired on every node.
    pub(super) fn forget_over(&self, now: Timestamp) {
        self.0.write().retain(|_, state| {
            state.void.retain(|void| !void.is_over(now));
            !state.is_plain()
        });
    }

    /// Replaces a user's suspension, and the revocation if it is later. Returns the sockets that have to end.
    pub(super) fn set(&self, standing: Standing) -> Option<Ended> {
        set_in(&mut self.0.write(), standing)
    }

    /// Replaces all suspensions, and revocations that are later. Returns the sockets that have to end.
    pub(super) fn replace(&self, standings: Vec<Standing>) -> Vec<(Id, Ended)> {
        let mut states = self.0.write();
        // A lifted suspension is missing from `standings`; revocations are never taken back.
        let mut suspended: HashMap<Id, Arc<Suspension>> = states
            .iter_mut()
            .filter_map(|(user, state)| Some((user.clone(), state.suspension.take()?)))
            .collect();
        let mut ended = Vec::new();
        for standing in standings {
            let user = standing.user.clone();
            if let Some(before) = suspended.remove(&user) {
                states.entry(user.clone()).or_default().suspension = Some(before);
            }
            ended.extend(set_in(&mut states, standing).map(|ended| (user, ended)));
        }
        states.retain(|_, state| !state.is_plain());
        ended
    }
}

fn set_in(states: &mut HashMap<Id, State>, standing: Standing) -> Option<Ended> {
    let Standing { user, revocation, suspension } = standing;
    let mut entry = match states.entry(user) {
        Entry::Occupied(entry) => entry,
        Entry::Vacant(_) if revocation.is_none() && suspension.is_none() => return None,
        Entry::Vacant(entry) => entry.insert_entry(State::default()),
    };
    let state = entry.get_mut();
    let before = (state.revocation, state.suspension.take());
    state.revocation = latest(state.revocation, revocation);
    state.suspension = suspension.map(Arc::new);
    let ended = match (&state.suspension, state.revocation) {
        (Some(suspension), _) if before.1.as_ref() != Some(suspension) => {
            Some(Ended::Suspended(Arc::clone(suspension)))
        }
        (_, Some(revocation)) if generation_of(before.0) < revocation.generation => {
            Some(Ended::Revoked(revocation))
        }
        _ => None,
    };
    if state.is_plain() {
        entry.remove();
    }
    ended
}

impl State {
    fn is_plain(&self) -> bool {
        self.revocation.is_none() && self.suspension.is_none() && self.void.is_empty()
    }
}

/// Whether a token was issued before the revocation. Generations decide; a greater one than the known one comes from a
/// revocation that has not reached this node. Tokens without a generation, of other issuers or earlier versions, compare
/// by time, and without a time count as older.
fn is_void(claims: &Claims, revocation: Revocation) -> bool {
    match claims.generation {
        Some(generation) => generation < revocation.generation,
        None => claims.issued_at.is_none_or(|at| at < revocation.not_before),
    }
}

/// The later of two revocations. Of equal generations the new one, because the known time may be a guess from before the
/// store was read.
fn latest(known: Option<Revocation>, said: Option<Revocation>) -> Option<Revocation> {
    if generation_of(said) >= generation_of(known) { said.or(known) } else { known }
}

fn generation_of(revocation: Option<Revocation>) -> i64 {
    revocation.map_or(0, |revocation| revocation.generation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    fn user() -> Id {
        Id::parse("u").unwrap()
    }

    fn claims(generation: Option<i64>, issued_at: Option<i64>) -> Claims {
        let issued_at = issued_at.map(Timestamp);
        Claims {
            user: user(),
            role: Role::Seller,
            token: TokenId(7),
            expires_at: None,
            issued_at,
            generation,
        }
    }

    fn revocation(generation: i64, not_before: i64) -> Revocation {
        Revocation { generation, not_before: Timestamp(not_before) }
    }

    fn standing(revocation: Option<Revocation>, suspension: Option<Suspension>) -> Standing {
        Standing { user: user(), revocation, suspension }
    }

    #[test]
    fn a_number_decides_and_no_clock() {
        let standings = Standings::default();
        // Issued by nodes whose clocks are ahead and behind.
        let (ahead, behind) = (claims(Some(0), Some(9_000)), claims(Some(1), Some(1_000)));
        assert_eq!(standings.check(&ahead), Ok(()));
        assert!(standings.revoke(user(), revocation(1, 5_000)));
        assert_eq!(standings.check(&ahead), Err(Rejection::Invalid));
        assert_eq!(standings.check(&behind), Ok(()));
        // Of a revocation that is not known here yet.
        assert_eq!(standings.check(&claims(Some(2), None)), Ok(()));
        // Without a number the time decides.
        assert_eq!(standings.check(&claims(None, Some(4_999))), Err(Rejection::Invalid));
        assert_eq!(standings.check(&claims(None, None)), Err(Rejection::Invalid));
        assert_eq!(standings.check(&claims(None, Some(5_000))), Ok(()));
    }

    #[test]
    fn a_token_that_was_signed_out_is_void_alone() {
        let standings = Standings::default();
        let void = |token: i64, expires_at: Option<i64>| VoidToken {
            user: user(),
            token: TokenId(token),
            expires_at: expires_at.map(Timestamp),
        };
        assert!(standings.void(void(7, None)));
        assert!(!standings.void(void(7, None)), "known");
        assert_eq!(standings.check(&claims(Some(9), None)), Err(Rejection::Invalid));
        assert_eq!(standings.check(&Claims { token: TokenId(8), ..claims(None, None) }), Ok(()));
        let other = Id::parse("v").unwrap();
        assert_eq!(standings.check(&Claims { user: other, ..claims(None, None) }), Ok(()));
        // What the store says of the user otherwise takes nothing back.
        assert_eq!(standings.set(standing(None, None)), None);
        assert_eq!(standings.replace(Vec::new()), []);
        assert_eq!(standings.check(&claims(None, None)), Err(Rejection::Invalid));
    }

    #[test]
    fn void_tokens_are_bounded_and_forgotten_when_they_are_over() {
        let standings = Standings::default();
        let end = 1_000_000;
        for token in 0..1000 {
            standings.void(VoidToken {
                user: user(),
                token: TokenId(token),
                expires_at: Some(Timestamp(end)),
            });
        }
        assert_eq!(standings.0.read()[&user()].void.len(), MAX_VOID_TOKENS);
        standings.forget_over(Timestamp(end + VoidToken::KEPT_AFTER_END));
        assert_eq!(standings.0.read()[&user()].void.len(), MAX_VOID_TOKENS, "another clock may be behind");
        standings.forget_over(Timestamp(end + VoidToken::KEPT_AFTER_END + 1));
        assert!(standings.0.read().is_empty());
    }

    #[test]
    fn a_revocation_is_never_taken_back_and_known_once() {
        let standings = Standings::default();
        assert!(standings.revoke(user(), revocation(2, 9)));
        assert!(!standings.revoke(user(), revocation(1, 5)));
        assert_eq!(standings.set(standing(Some(revocation(2, 9)), None)), None);
        assert_eq!(standings.set(standing(None, None)), None);
        assert_eq!(standings.check(&claims(Some(1), None)), Err(Rejection::Invalid));
        let next = revocation(3, 10);
        assert_eq!(standings.set(standing(Some(next), None)), Some(Ended::Revoked(next)));
    }

    #[test]
    fn a_suspension_holds_until_it_is_lifted_or_over() {
        let standings = Standings::default();
        let suspension = Arc::new(Suspension { until: None, reason: Some("spam".to_owned()) });
        let suspended = || standing(None, Some((*suspension).clone()));
        assert_eq!(standings.set(suspended()), Some(Ended::Suspended(Arc::clone(&suspension))));
        assert_eq!(standings.set(suspended()), None);
        let refused = Err(Rejection::Suspended(Arc::clone(&suspension)));
        assert_eq!(standings.check(&claims(Some(7), Some(i64::MAX))), refused);
        assert_eq!(standings.set(standing(None, None)), None);
        assert_eq!(standings.check(&claims(None, None)), Ok(()));
        assert!(standings.0.read().is_empty());
        let over = Suspension { until: Some(Timestamp(1)), reason: None };
        standings.set(standing(None, Some(over)));
        assert_eq!(standings.check(&claims(None, None)), Ok(()));
    }

    #[test]
    fn all_that_is_known_can_be_replaced() {
        let standings = Standings::default();
        let suspended = || standing(None, Some(Suspension::default()));
        let [ended] = &standings.replace(vec![suspended()])[..] else { panic!() };
        assert_eq!(ended, &(user(), Ended::Suspended(Arc::default())));
        assert_eq!(standings.replace(vec![suspended()]), []);
        assert_eq!(standings.replace(Vec::new()), []);
        assert_eq!(standings.check(&claims(None, None)), Ok(()));
        assert_eq!(standings.replace(vec![standing(Some(revocation(1, 1)), None)]).len(), 1);
        assert_eq!(standings.replace(Vec::new()), []);
        assert_eq!(standings.check(&claims(Some(0), None)), Err(Rejection::Invalid));
    }
}
