//! Who has their turn next, where many wait for few places: logins before registrations, and the addresses of each in
//! turns, so that one address fills neither the places nor the queue for others.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use socketio::network;
use tokio::sync::oneshot;

use super::passwords::Busy;

/// How many may wait in each lane.
const MAX_WAITING: usize = 200;
/// Of so many turns in a row, one is a registration's if one waits: logins go first, and do not shut registrations out.
const LOGINS_IN_A_ROW: u32 = 4;

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody who has an account wants to use it.
    Login,
    /// Somebody without an account wants one.
    Registration,
}

/// A number of places, given to those who wait in turns.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    lanes: [Waiting; 2],
    /// Turns of logins since the last one of a registration.
    logins: u32,
}

/// Those who wait in one lane.
#[derive(Default)]
struct Waiting {
    by_network: HashMap<IpAddr, VecDeque<oneshot::Sender<Place>>>,
    /// The networks with somebody who waits, each once, in the order of their turns.
    turns: VecDeque<IpAddr>,
    count: usize,
}

/// A place, given back when it is dropped.
pub(super) struct Place(Turns);

impl Turns {
    pub(super) fn new(places: usize) -> Self {
        let lanes = [Waiting::default(), Waiting::default()];
        Self(Arc::new(Mutex::new(State { free: places, lanes, logins: 0 })))
    }

    /// Waits for a place; [`Busy`] if too many wait already, and none of them is of an address that has more.
    pub(super) async fn take(&self, lane: Lane, address: IpAddr) -> Result<Place, Busy> {
        let turn = {
            let mut state = self.0.lock();
            // While a place is free, nobody waits.
            if state.free > 0 {
                state.free -= 1;
                return Ok(Place(self.clone()));
            }
            state.lanes[lane as usize].push(network(address))?
        };
        // Whoever had to make room is not given a place any more.
        turn.await.map_err(|_| Busy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        while let Some(next) = state.next() {
            match next.send(Self(self.0.clone())) {
                Ok(()) => return,
                // The one whose turn it was has stopped waiting. The place is given to another, not given back.
                Err(place) => std::mem::forget(place),
            }
        }
        state.free += 1;
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let [logins, registrations] = &mut self.lanes;
        if self.logins >= LOGINS_IN_A_ROW
            && let Some(next) = registrations.pop()
        {
            self.logins = 0;
            return Some(next);
        }
        if let Some(next) = logins.pop() {
            self.logins += 1;
            return Some(next);
        }
        self.logins = 0;
        registrations.pop()
    }
}

impl Waiting {
    fn push(&mut self, network: IpAddr) -> Result<oneshot::Receiver<Place>, Busy> {
        if self.count >= MAX_WAITING {
            self.forget_closed();
        }
        if self.count >= MAX_WAITING {
            self.make_room(network)?;
        }
        let (sender, receiver) = oneshot::channel();
        let waiting = self.by_network.entry(network).or_default();
        if waiting.is_empty() {
            self.turns.push_back(network);
        }
        waiting.push_back(sender);
        self.count += 1;
        Ok(receiver)
    }

    /// Those whose client has gone hold nobody up.
    fn forget_closed(&mut self) {
        self.by_network.retain(|_, waiting| {
            waiting.retain(|turn| !turn.is_closed());
            !waiting.is_empty()
        });
        self.turns.retain(|network| self.by_network.contains_key(network));
        self.count = self.by_network.values().map(VecDeque::len).sum();
    }

    /// Turns the last one away of the network that has most, if that is more than `network` would have.
    fn make_room(&mut self, network: IpAddr) -> Result<(), Busy> {
        let own = self.by_network.get(&network).map_or(0, VecDeque::len);
        let most = self.by_network.values_mut().max_by_key(|waiting| waiting.len()).ok_or(Busy)?;
        if most.len() <= own + 1 {
            return Err(Busy);
        }
        most.pop_back();
        self.count -= 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Place>> {
        let network = self.turns.pop_front()?;
        let waiting = self.by_network.get_mut(&network)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.by_network.remove(&network);
        } else {
            self.turns.push_back(network);
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
            let place = turns.take(lane, address(number)).await?;
            order.lock().push((lane, number));
            drop(place);
            Ok(())
        })
    }

    #[tokio::test]
    async fn addresses_take_turns_and_logins_go_first() {
        let turns = Turns::new(1);
        let place = turns.take(Lane::Registration, address(0)).await.unwrap();
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
    async fn one_address_can_not_fill_the_queue_of_others() {
        let turns = Turns::new(1);
        let place = turns.take(Lane::Login, address(0)).await.unwrap();
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
        let place = turns.take(Lane::Login, address(0)).await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..MAX_WAITING {
            let mut gone = pin!(turns.take(Lane::Login, address(number)));
            assert!(matches!(gone.as_mut().poll(&mut context), Poll::Pending));
        }
        let mut waiting = pin!(turns.take(Lane::Login, address(1)));
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Pending));
        drop(place);
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    }
}
