//! A fair queue for a bounded number of places. Its lanes are served in an order of trust, and within a lane the parties
//! (accounts or networks) take turns, so that neither one party nor a flood of strangers keeps others out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use socketio::network;
use tokio::sync::oneshot;

/// How many requests may wait in each lane.
const MAX_WAITING: usize = 200;
/// How often a lane that is not empty is passed over before it is served ahead of the lanes above it.
const MAX_PASSED_OVER: u32 = 4;

/// Too many requests wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub struct Busy;

/// The lanes of the queue, the first to be served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A login to an account from an address that logged in to it before.
    FamiliarLogin,
    /// A login from an address without recent failures.
    Login,
    /// A login from any other address.
    SuspectLogin,
    /// A registration.
    Registration,
}

/// A request's lane, and the party for which it waits. Parties take turns, however many requests each has.
#[derive(Debug, Clone)]
pub struct Turn {
    pub(super) lane: Lane,
    party: Party,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Party {
    Network(IpAddr),
    Account(Arc<str>),
}

impl Turn {
    /// For a login to `account` from a familiar address. Its party is the account, because the owner of one account may have
    /// logged in to it from many addresses.
    pub(super) fn familiar(account: &str) -> Self {
        Self { lane: Lane::FamiliarLogin, party: Party::Account(account.into()) }
    }

    /// For a client at `address`, whose network is the party.
    pub fn new(lane: Lane, address: IpAddr) -> Self {
        Self { lane, party: Party::Network(network(address)) }
    }
}

/// The queue and its places.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// By [`Lane`].
    lanes: [Waiting; 4],
}

/// The requests that wait in one lane.
#[derive(Default)]
struct Waiting {
    by_party: HashMap<Party, VecDeque<oneshot::Sender<Place>>>,
    /// The parties with waiting requests, each once, in the order of their turns.
    turns: VecDeque<Party>,
    count: usize,
    /// How often lanes above were served since this one was, while requests waited here.
    passed_over: u32,
}

/// A place; returned when it is dropped.
pub(super) struct Place(Turns);

impl Turns {
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places, lanes: Default::default() })))
    }

    /// Waits for a place. Fails with [`Busy`] if the lane is full and no party in it has more requests than this one.
    pub(super) async fn take(&self, turn: Turn) -> Result<Place, Busy> {
        let place = {
            let mut state = self.0.lock();
            // A place is free only while nobody waits.
            if state.free > 0 {
                state.free -= 1;
                return Ok(Place(self.clone()));
            }
            state.lanes[turn.lane as usize].push(turn.party)?
        };
        // The sender was dropped: the request made room for another.
        place.await.map_err(|_| Busy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        while let Some(next) = state.next() {
            match next.send(Self(self.0.clone())) {
                Ok(()) => return,
                // The request is gone. The place goes to the next one; dropping it would lock the queue again.
                Err(place) => std::mem::forget(place),
            }
        }
        state.free += 1;
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let waits = |lane: &usize| !self.lanes[*lane].turns.is_empty();
        let is_due = |lane: &usize| waits(lane) && self.lanes[*lane].passed_over >= MAX_PASSED_OVER;
        let lanes = 0..self.lanes.len();
        let lane = lanes.clone().rev().find(is_due).or_else(|| lanes.clone().find(waits))?;
        for later in &mut self.lanes[lane + 1..] {
            later.passed_over += u32::from(!later.turns.is_empty());
        }
        self.lanes[lane].passed_over = 0;
        self.lanes[lane].pop()
    }
}

impl Waiting {
    fn push(&mut self, party: Party) -> Result<oneshot::Receiver<Place>, Busy> {
        if self.count >= MAX_WAITING {
            self.forget_closed();
        }
        if self.count >= MAX_WAITING {
            self.make_room(&party)?;
        }
        let (sender, receiver) = oneshot::channel();
        let waiting = self.by_party.entry(party.clone()).or_default();
        if waiting.is_empty() {
            self.turns.push_back(party);
        }
        waiting.push_back(sender);
        self.count += 1;
        Ok(receiver)
    }

    /// Drops requests whose client is gone.
    fn forget_closed(&mut self) {
        self.by_party.retain(|_, waiting| {
            waiting.retain(|turn| !turn.is_closed());
            !waiting.is_empty()
        });
        self.turns.retain(|party| self.by_party.contains_key(party));
        self.count = self.by_party.values().map(VecDeque::len).sum();
    }

    /// Drops the last request of the party that has most, if that is more than `party` would have.
    fn make_room(&mut self, party: &Party) -> Result<(), Busy> {
        let own = self.by_party.get(party).map_or(0, VecDeque::len);
        let most = self.by_party.values_mut().max_by_key(|waiting| waiting.len()).ok_or(Busy)?;
        if most.len() <= own + 1 {
            return Err(Busy);
        }
        most.pop_back();
        self.count -= 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Place>> {
        let party = self.turns.pop_front()?;
        let waiting = self.by_party.get_mut(&party)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.by_party.remove(&party);
        } else {
            self.turns.push_back(party);
        }
        self.count -= usize::from(next.is_some());
        next
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn address(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
    }

    /// Lets all tasks come as far as they can: the runtime polls some dozens between two turns of the test.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// Starts to wait, and has the place's number in `order` once it is there.
    fn wait(
        turns: &Turns,
        lane: Lane,
        number: usize,
        order: &Arc<Mutex<Vec<(Lane, usize)>>>,
    ) -> tokio::task::JoinHandle<Result<(), Busy>> {
        let (turns, order) = (turns.clone(), Arc::clone(order));
        tokio::spawn(async move {
            let place = turns.take(Turn::new(lane, address(number))).await?;
            order.lock().push((lane, number));
            drop(place);
            Ok(())
        })
    }

    #[tokio::test]
    async fn addresses_take_turns_and_logins_go_first() {
        let turns = Turns::new(1);
        let place = turns.take(Turn::new(Lane::Registration, address(0))).await.unwrap();
        let order = Arc::default();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(wait(&turns, Lane::Registration, 1, &order));
        }
        for number in [1, 1, 1, 1, 1, 2, 3] {
            tasks.push(wait(&turns, Lane::Login, number, &order));
        }
        settle().await;
        drop(place);
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let (login, registration) = (Lane::Login, Lane::Registration);
        assert_eq!(
            *order.lock(),
            [
                (login, 1),
                (login, 2),
                (login, 3),
                (login, 1),
                (registration, 1),
                (login, 1),
                (login, 1),
                (login, 1),
                (registration, 1),
                (registration, 1),
            ]
        );
        assert_eq!(turns.0.lock().free, 1);
    }

    #[tokio::test]
    async fn a_flood_of_strangers_holds_no_familiar_login_up() {
        let turns = Turns::new(1);
        let place = turns.take(Turn::new(Lane::Login, address(0))).await.unwrap();
        let order = Arc::default();
        let mut flood = Vec::new();
        for lane in [Lane::Login, Lane::SuspectLogin] {
            flood.extend((0..480).map(|number| wait(&turns, lane, number, &order)));
        }
        // The owner of one account, who logged in from everywhere, has one turn of two.
        let familiar = |account: &'static str| {
            let (turns, order) = (turns.clone(), Arc::<Mutex<_>>::clone(&order));
            tokio::spawn(async move {
                let place = turns.take(Turn::familiar(account)).await?;
                order.lock().push((Lane::FamiliarLogin, usize::from(account == "victim")));
                drop(place);
                Ok::<_, Busy>(())
            })
        };
        flood.extend((0..480).map(|_| familiar("attacker")));
        settle().await;
        let victims: Vec<_> = (0..4).map(|_| familiar("victim")).collect();
        settle().await;
        drop(place);
        for victim in victims {
            victim.await.unwrap().expect("a familiar login is not refused");
        }
        let order = order.lock();
        let last = order.iter().rposition(|turn| *turn == (Lane::FamiliarLogin, 1)).unwrap();
        assert!(last < 4 * 5, "the last one was number {last}");
        // Nobody waits for ever: each lane has had a turn.
        for lane in [Lane::Login, Lane::SuspectLogin] {
            assert!(order.iter().any(|turn| turn.0 == lane), "{lane:?}");
        }
        drop(order);
        for waiting in flood {
            waiting.abort();
        }
    }

    #[tokio::test]
    async fn one_address_can_not_fill_the_queue_of_others() {
        let turns = Turns::new(1);
        let place = turns.take(Turn::new(Lane::Login, address(0))).await.unwrap();
        let order = Arc::default();
        let filling: Vec<_> = (0..260).map(|_| wait(&turns, Lane::Login, 1, &order)).collect();
        settle().await;
        let others: Vec<_> = (2..62).map(|number| wait(&turns, Lane::Login, number, &order)).collect();
        let registering = wait(&turns, Lane::Registration, 1, &order);
        settle().await;
        drop(place);
        for task in others {
            task.await.unwrap().expect("others have their turn");
        }
        registering.await.unwrap().expect("the lanes are apart");
        let mut refused = 0;
        for task in filling {
            refused += usize::from(task.await.unwrap() == Err(Busy));
        }
        assert_eq!(refused, 260 - (MAX_WAITING - 60), "those with most make room");
    }

    #[tokio::test]
    async fn who_has_gone_holds_nobody_up() {
        let turns = Turns::new(1);
        let place = turns.take(Turn::new(Lane::Login, address(0))).await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..MAX_WAITING {
            let mut gone = pin!(turns.take(Turn::new(Lane::Login, address(number))));
            assert!(matches!(gone.as_mut().poll(&mut context), Poll::Pending));
        }
        let mut waiting = pin!(turns.take(Turn::new(Lane::Login, address(1))));
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Pending));
        drop(place);
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    }
}
