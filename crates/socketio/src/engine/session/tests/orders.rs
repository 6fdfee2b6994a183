//! Whatever the order of what happens: nothing is lost, nothing comes twice, all comes in order, what is held is bounded,
//! nobody waits for what has come, and it always ends.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::Input;
use super::random::Random;
use super::world::World;
use crate::engine::close::CloseReason;
use crate::engine::packet::EnginePacket;

const ORDERS: u64 = 100_000;
/// A session that closes: five seconds for events in work, five for what waits.
const MOST_TO_END: Duration = Duration::from_secs(10);

/// Does one thing that the client, the application, the network or time may do.
fn step(world: &mut World, random: &mut Random) {
    match random.below(32) {
        0..=4 => {
            let limit = if random.one_in(30) { 100 } else { usize::MAX };
            world.push(1 + random.below(3), limit);
        }
        5..=7 => world.begin_poll_if_none(),
        8..=9 if !world.has_post() => world.begin_post(),
        // Two at once.
        8..=9 if random.one_in(20) => world.begin_post(),
        10..=11 if world.is_receiving_body => world.send_body(),
        12 if world.is_receiving_body && random.one_in(2) => world.cancel_post(Input::PostCancelled),
        12 if world.is_receiving_body && random.one_in(8) => world.cancel_post(Input::PostGone),
        13 if random.one_in(16) => world.begin_poll(),
        13 if random.one_in(16) => world.give_up_poll(),
        13 if random.one_in(4) => world.give_up_probe(),
        14 => world.begin_probe(),
        15 if world.is_probing => world.input(Input::Probed),
        16 => world.complete_probe(),
        17..=20 => world.run_task(),
        21..=22 => world.run_poll(),
        23 => world.run_post(),
        24 => world.take_body(),
        25 => world.is_peer_blocked |= random.one_in(4),
        26 => world.unblock_peer(),
        27 => world.pass(Duration::from_millis(random.below(4000) as u64)),
        28 => world.input(Input::Packet(EnginePacket::Pong(""))),
        29 => world.settle(),
        30 => {
            world.cork(true);
            world.push(1, usize::MAX);
            world.run_poll();
            world.cork(false);
            world.input(Input::Established);
        }
        31 if random.one_in(20) => {
            let packet = if random.one_in(2) { EnginePacket::Close } else { EnginePacket::Ping("") };
            world.input(Input::Packet(packet));
        }
        31 if random.one_in(10) => world.close(CloseReason::ALL[random.below(CloseReason::ALL.len())]),
        _ => {}
    }
}

/// Brings a session to its end: nobody but those who were woken does anything.
fn end(world: &mut World, random: &mut Random) {
    // Either the application closes, or the client falls silent; it may go on fetching what waits.
    let fetches = random.one_in(2);
    let is_in_time = world.session.closing().is_none();
    let finishes = random.one_in(2);
    if random.one_in(2) {
        world.close(CloseReason::ALL[random.below(CloseReason::ALL.len())]);
    }
    let mut closing_since = world.session.closing().map(|_| world.now);
    for _ in 0..1000 {
        if world.is_receiving_body {
            world.cancel_post(Input::PostCancelled);
        }
        world.settle();
        if finishes && random.one_in(4) {
            // The last event in work is acknowledged.
            world.push(1, usize::MAX);
            world.finish_work();
        }
        world.settle();
        if fetches && !world.is_websocket && world.ended.is_none() && world.session.closing().is_some() {
            world.begin_poll_if_none();
        }
        world.settle();
        if let Some(reason) = world.ended {
            let was_owed = fetches && is_in_time && !world.is_websocket && reason.is_orderly();
            assert!(!was_owed || world.has_all(), "who fetches in time does not get what waits");
            let since = closing_since.unwrap_or(world.now);
            assert!(world.now.duration_since(since) <= MOST_TO_END, "the end takes too long");
            world.push(1, usize::MAX);
            world.settle();
            return;
        }
        assert!(world.pass_to_deadline() || world.session.closing().is_some(), "nothing will ever end this");
        if world.session.closing().is_some() {
            closing_since.get_or_insert(world.now);
        }
    }
    panic!("it never ends");
}

/// What happened in all orders: an order in which nothing happens keeps every promise.
#[derive(Debug, Default)]
struct Seen {
    upgrades: u64,
    bodies: u64,
    frames: u64,
    reasons: [u64; CloseReason::ALL.len()],
}

impl Seen {
    fn add(&mut self, world: &World) {
        self.upgrades += u64::from(world.is_upgraded);
        self.bodies += world.bodies_taken;
        self.frames += world.received;
        if let Some(reason) = world.ended {
            self.reasons[reason as usize] += 1;
        }
    }
}

#[test]
fn any_order_keeps_the_promises() {
    let began = Instant::now();
    let seen = Mutex::new(Seen::default());
    for seed in 0..ORDERS {
        let order = || {
            let mut random = Random(seed);
            let mut world = World::new(!random.one_in(4));
            for _ in 0..random.below(120) {
                step(&mut world, &mut random);
            }
            end(&mut world, &mut random);
            seen.lock().add(&world);
        };
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(order)) {
            println!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
    let seen = seen.into_inner();
    println!("{ORDERS} orders in {:?}: {seen:?}", began.elapsed());
    let Seen { upgrades, bodies, frames, reasons } = seen;
    assert!([upgrades, bodies, frames].iter().all(|count| *count > ORDERS / 100), "too little happens");
    assert!(reasons.iter().all(|count| *count > ORDERS / 1000), "some ends never come");
}
