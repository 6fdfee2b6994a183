//! Bad reception: pairs of people chatting while their connections break at random.
//!
//! Both of each pair write, at a fixed rate in all. Each connection is cut after a random time, 10 s on average,
//! and its owner comes back after 0.5 to 1.5 s, which is the official client's first delay. Who is offline when
//! it is his turn does not write. In the end everybody is online and has time to catch up; then each
//! acknowledged message must have reached the other side once.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{CpuMeter, FirstError, Outcome, Target, as_f64, wait_until};
use crate::client::{Client, Sender, source};
use crate::pace::{Pacer, exponential};
use crate::packet::{self, Packet};
use crate::world::{message_text, parse_text};

const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// When everybody is online and nothing has arrived for so long, nothing will.
const QUIET: Duration = Duration::from_secs(2);
const RECONNECT_MILLISECONDS: std::ops::Range<u64> = 500..1500;

/// What a client does about the messages that it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatchUp {
    /// Nothing: it joins its conversation again.
    Plain,
    /// Connection state recovery, as the official client does it; `auth.recovery` asks for it where that is needed.
    Recovery,
    /// It names the last message it has in `auth.serverOffset`.
    Offset,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) pairs: usize,
    pub(crate) per_second: f64,
    pub(crate) mean_connection: Duration,
    pub(crate) duration: Duration,
    pub(crate) catch_up: CatchUp,
}

/// What one person wrote to the other.
#[derive(Default)]
struct Direction {
    sent: Cell<usize>,
    /// By number, from 1.
    acknowledged: RefCell<Vec<bool>>,
    /// How often each arrived, by number.
    arrived: RefCell<Vec<u8>>,
    last_arrived: Cell<usize>,
    arrivals: Cell<usize>,
    out_of_order: Cell<usize>,
}

impl Direction {
    fn next_number(&self) -> usize {
        let number = self.sent.get() + 1;
        self.sent.set(number);
        self.acknowledged.borrow_mut().resize(number + 1, false);
        self.arrived.borrow_mut().resize(number + 1, 0);
        number
    }

    fn acknowledge(&self, number: u64) {
        let mut acknowledged = self.acknowledged.borrow_mut();
        if let Some(entry) = usize::try_from(number).ok().and_then(|number| acknowledged.get_mut(number)) {
            *entry = true;
        }
    }

    fn arrive(&self, number: usize) {
        let mut arrived = self.arrived.borrow_mut();
        let Some(times) = arrived.get_mut(number) else { return };
        if *times == 0 && number < self.last_arrived.get() {
            self.out_of_order.set(self.out_of_order.get() + 1);
        }
        *times = times.saturating_add(1);
        self.arrivals.set(self.arrivals.get() + 1);
        self.last_arrived.set(self.last_arrived.get().max(number));
    }

    fn count_acknowledged(&self) -> usize {
        self.acknowledged.borrow().iter().filter(|&&acknowledged| acknowledged).count()
    }

    fn count_missed(&self) -> usize {
        let arrived = self.arrived.borrow();
        let acknowledged = self.acknowledged.borrow();
        acknowledged
            .iter()
            .zip(arrived.iter())
            .filter(|&(&acknowledged, &times)| acknowledged && times == 0)
            .count()
    }

    fn count_doubled(&self) -> usize {
        self.arrived.borrow().iter().filter(|&&times| times > 1).count()
    }
}

/// What all people share.
#[derive(Default)]
struct Board {
    /// No more cuts and no more messages.
    calm: Cell<bool>,
    cuts: Cell<usize>,
    recovered: Cell<usize>,
    /// Connections that ended otherwise than by a cut.
    lost: Cell<usize>,
    first_loss: FirstError,
}

/// What a client remembers from one connection to the next.
#[derive(Default)]
struct Memory {
    pid: Option<String>,
    recovery_offset: Option<String>,
    last_message: Option<String>,
}

struct Person {
    board: Rc<Board>,
    options: Options,
    index: usize,
    side: char,
    /// Without the braces around it.
    auth: String,
    conversation: String,
    outgoing: Rc<Direction>,
    incoming: Rc<Direction>,
    sender: RefCell<Option<Rc<Sender>>>,
    memory: RefCell<Memory>,
}

impl Person {
    fn auth(&self) -> String {
        let memory = self.memory.borrow();
        let mut auth = format!("{{{}", self.auth);
        let mut add = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                write!(auth, ",\"{name}\":\"{value}\"").expect("writing to a string does not fail");
            }
        };
        match self.options.catch_up {
            CatchUp::Plain => {}
            CatchUp::Recovery => {
                add("pid", &memory.pid);
                add("offset", &memory.recovery_offset);
                auth.push_str(",\"recovery\":true");
            }
            CatchUp::Offset => add("serverOffset", &memory.last_message),
        }
        auth.push('}');
        auth
    }

    fn on_event(&self, name: &str, arguments: &str) {
        if self.options.catch_up == CatchUp::Recovery
            && let Some(offset) = packet::recovery_offset(arguments)
        {
            self.memory.borrow_mut().recovery_offset = Some(offset.to_owned());
        }
        if name != "new_message" {
            return;
        }
        if self.options.catch_up == CatchUp::Offset {
            self.memory.borrow_mut().last_message = packet::string_field(arguments, "_id").map(str::to_owned);
        }
        if let Some((side, number)) = packet::string_field(arguments, "text").and_then(parse_text)
            && side != self.side
        {
            self.incoming.arrive(number);
        }
    }

    /// Comes back again and again.
    async fn live(self: Rc<Self>, server: std::net::SocketAddr, mut random: fastrand::Rng) {
        loop {
            let outcome = self.connection(server, &mut random).await;
            *self.sender.borrow_mut() = None;
            match outcome {
                Ok(()) => self.board.cuts.set(self.board.cuts.get() + 1),
                Err(error) => {
                    self.board.lost.set(self.board.lost.get() + 1);
                    self.board.first_loss.set(error);
                }
            }
            sleep(Duration::from_millis(random.u64(RECONNECT_MILLISECONDS))).await;
        }
    }

    /// One connection, until it is cut.
    async fn connection(&self, server: std::net::SocketAddr, random: &mut fastrand::Rng) -> Result<()> {
        let on_event = |name: &str, arguments: &str| self.on_event(name, arguments);
        let mut client = Client::reconnect(server, source(self.index), &self.auth(), on_event).await?;
        let pid = packet::string_field(&client.welcome, "pid").map(str::to_owned);
        let recovered = pid.is_some() && pid == self.memory.borrow().pid;
        self.memory.borrow_mut().pid = pid;
        if recovered {
            self.board.recovered.set(self.board.recovered.get() + 1);
        } else {
            client.join(0, &self.conversation, on_event).await?;
        }
        *self.sender.borrow_mut() = Some(client.sender());

        let cut = Instant::now() + exponential(random, self.options.mean_connection.as_secs_f64());
        loop {
            tokio::select! {
                packet = client.next() => match packet? {
                    Packet::Event { name, arguments } => self.on_event(name, arguments),
                    Packet::Acknowledgement { number, arguments } if packet::is_success(arguments) => {
                        self.outgoing.acknowledge(number);
                    }
                    other => bail!("unexpected: {other:?}"),
                },
                () = sleep_until(cut), if !self.board.calm.get() => {
                    if !self.board.calm.get() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn write(&self) {
        let sender = self.sender.borrow().clone();
        let Some(sender) = sender else { return };
        let number = self.outgoing.next_number();
        let mut packet = String::new();
        packet::send_message(
            &mut packet,
            number as u64,
            &self.conversation,
            &message_text(self.side, number),
        );
        // A connection that has just died shows itself to its reader, and the message was not acknowledged.
        let _ = sender.send(&packet);
    }
}

/// Runs the scenario; what was missed, doubled or disordered is a figure.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(2 * options.pairs)?;
    let board = Rc::new(Board::default());
    let people = people(target, options, &board);
    let mut tasks = JoinSet::new();
    for person in &people {
        let random = fastrand::Rng::with_seed(person.index as u64);
        tasks.spawn_local(Rc::clone(person).live(target.address(person.index), random));
    }
    let everybody_online = || people.iter().all(|person| person.sender.borrow().is_some());
    if !wait_until(SETTLE_LIMIT, || people.iter().any(|person| person.sender.borrow().is_some())).await {
        board.first_loss.check()?;
        bail!("nobody connected within {SETTLE_LIMIT:?}");
    }

    let meter = CpuMeter::start(target.pid)?;
    let mut pacer = Pacer::new(options.per_second)?;
    let end = Instant::now() + options.duration;
    while Instant::now() < end {
        pacer.tick().await?;
        people[pacer.choose(people.len())].write();
    }
    let spent = meter.stop()?;
    board.calm.set(true);
    let directions = || people.iter().map(|person| &person.outgoing);
    let missed = || directions().map(|direction| direction.count_missed()).sum::<usize>();
    let settled = wait_until(SETTLE_LIMIT, everybody_online).await;
    let arrivals = || directions().map(|direction| direction.arrivals.get()).sum::<usize>();
    let (mut last, mut since) = (arrivals(), Instant::now());
    wait_until(SETTLE_LIMIT, || {
        if arrivals() != last {
            (last, since) = (arrivals(), Instant::now());
        }
        missed() == 0 || since.elapsed() > QUIET
    })
    .await;

    let total =
        |count: fn(&Direction) -> usize| directions().map(|direction| count(direction)).sum::<usize>();
    let acknowledged = total(Direction::count_acknowledged);
    if acknowledged == 0 {
        board.first_loss.check()?;
        bail!("no message was acknowledged in {:?}", options.duration);
    }
    if let Err(error) = board.first_loss.check() {
        eprintln!(
            "{} connections were lost otherwise than by a cut, the first so: {error:#}",
            board.lost.get()
        );
    }
    let mut outcome = Outcome::default();
    outcome.figure("messages", as_f64(acknowledged));
    outcome.figure("missed", as_f64(missed()));
    outcome.figure("delivered_percent", 100.0 - 100.0 * as_f64(missed()) / as_f64(acknowledged));
    outcome.figure("doubled", as_f64(total(Direction::count_doubled)));
    outcome.figure("out_of_order", as_f64(total(|direction| direction.out_of_order.get())));
    outcome.figure("unacknowledged", as_f64(total(|direction| direction.sent.get()) - acknowledged));
    outcome.figure("cuts", as_f64(board.cuts.get()));
    outcome.figure("recovered", as_f64(board.recovered.get()));
    outcome.figure("lost_connections", as_f64(board.lost.get()));
    outcome.figure("everybody_back", f64::from(u8::from(settled)));
    spent.record(&mut outcome, "message", acknowledged);
    Ok(outcome)
}

fn people(target: &Target, options: Options, board: &Rc<Board>) -> Vec<Rc<Person>> {
    let mut people = Vec::with_capacity(2 * options.pairs);
    for (pair, conversation) in target.conversations.iter().take(options.pairs).enumerate() {
        let [first, second] = [(); 2].map(|()| Rc::new(Direction::default()));
        let sides = [('a', &first, &second), ('b', &second, &first)];
        for (offset, (side, outgoing, incoming)) in sides.into_iter().enumerate() {
            let index = 2 * pair + offset;
            people.push(Rc::new(Person {
                board: Rc::clone(board),
                options,
                index,
                side,
                auth: target.auths[index].trim_matches(['{', '}']).to_owned(),
                conversation: conversation.clone(),
                outgoing: Rc::clone(outgoing),
                incoming: Rc::clone(incoming),
                sender: RefCell::default(),
                memory: RefCell::default(),
            }));
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_doubled_and_late_messages_are_told_apart() {
        let direction = Direction::default();
        for _ in 0..5 {
            direction.next_number();
        }
        for number in [1, 2, 3, 4] {
            direction.acknowledge(number);
        }
        // 3 comes late, 1 comes twice, 4 never; 5 was not acknowledged, so nobody has to see it.
        for number in [1, 2, 1, 5, 3] {
            direction.arrive(number);
        }
        assert_eq!(direction.count_acknowledged(), 4);
        assert_eq!(direction.count_missed(), 1);
        assert_eq!(direction.count_doubled(), 1);
        assert_eq!(direction.out_of_order.get(), 1);
    }

    #[test]
    fn numbers_nobody_sent_change_nothing() {
        let direction = Direction::default();
        direction.acknowledge(7);
        direction.arrive(7);
        assert_eq!((direction.count_missed(), direction.count_doubled()), (0, 0));
    }
}
