//! Pairs of people chatting.
//!
//! Each pair is one conversation that both have joined; the first of the two writes. In the closed loop a sender
//! writes his next message when the acknowledgement of the last one has reached him *and* its `new_message` has
//! reached the other: one message of each pair is under way at any time. At a fixed rate messages go out when
//! they are due, whatever came of those before, and latencies count from when a message was due.
//!
//! For each message four packets must come: the acknowledgement, `new_message` to either side, and
//! `message_notification` to the recipient. All are counted and must carry the next number.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use super::{CpuMeter, FirstError, Outcome, Target, as_f64, wait_until};
use crate::client::{Client, Sender, source};
use crate::pace::Pacer;
use crate::packet::{self, Packet};
use crate::process;
use crate::stats::Latencies;
use crate::world::{message_text, parse_text};

const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// When messages are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// One after the other, with a pause to think in between.
    ClosedLoop { think: Duration },
    /// So many a second over all pairs.
    Fixed { per_second: f64 },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) pairs: usize,
    pub(crate) pace: Pace,
    /// Time before anything is measured.
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What all pairs share.
struct Board {
    think: Option<Duration>,
    measuring: Cell<bool>,
    stopped: Cell<bool>,
    acknowledged_while_measuring: Cell<usize>,
    out_of_order: Cell<usize>,
    to_acknowledgement: RefCell<Latencies>,
    to_delivery: RefCell<Latencies>,
    error: FirstError,
}

/// One conversation. The counters are numbers of messages; the message after `n` others has number `n + 1`, and
/// number 0 is the acknowledgement of joining.
struct Pair {
    board: Rc<Board>,
    conversation: String,
    sender: Rc<Sender>,
    /// When message `index + 1` was due.
    due: RefCell<Vec<Instant>>,
    acknowledged: Cell<usize>,
    delivered: Cell<usize>,
    own: Cell<usize>,
    notified: Cell<usize>,
    scratch: RefCell<String>,
}

impl Pair {
    fn sent(&self) -> usize {
        self.due.borrow().len()
    }

    fn is_complete(&self) -> bool {
        let counters = [&self.acknowledged, &self.delivered, &self.own, &self.notified];
        counters.iter().all(|counter| counter.get() >= self.sent())
    }

    fn send(&self, due: Instant) -> Result<()> {
        let mut times = self.due.borrow_mut();
        times.push(due);
        let number = times.len();
        let mut packet = self.scratch.borrow_mut();
        packet::send_message(&mut packet, number as u64, &self.conversation, &message_text('a', number));
        self.sender.send(&packet)
    }

    fn send_or_fail(&self, due: Instant) {
        if let Err(error) = self.send(due) {
            self.board.error.set(error);
        }
    }

    /// Counts one of the packets of message `number`.
    fn count(&self, counter: &Cell<usize>, number: usize) {
        if number != counter.get() + 1 {
            self.board.out_of_order.set(self.board.out_of_order.get() + 1);
        }
        counter.set(counter.get() + 1);
    }

    fn record(&self, latencies: &RefCell<Latencies>, number: usize) {
        if self.board.measuring.get()
            && let Some(due) = number.checked_sub(1).and_then(|index| self.due.borrow().get(index).copied())
        {
            latencies.borrow_mut().record(due.elapsed());
        }
    }

    fn on_acknowledgement(self: &Rc<Self>, number: u64, arguments: &str) -> Result<()> {
        if !packet::is_success(arguments) {
            bail!("a message was refused: {arguments}");
        }
        let number = usize::try_from(number)?;
        self.count(&self.acknowledged, number);
        self.record(&self.board.to_acknowledgement, number);
        if self.board.measuring.get() {
            let acknowledged = &self.board.acknowledged_while_measuring;
            acknowledged.set(acknowledged.get() + 1);
        }
        self.continue_loop();
        Ok(())
    }

    fn on_sender_event(&self, name: &str, arguments: &str) {
        if name == "new_message"
            && let Some(number) = message_number(arguments)
        {
            self.count(&self.own, number);
        }
    }

    fn on_recipient_event(self: &Rc<Self>, name: &str, arguments: &str) {
        match name {
            "new_message" => {
                if let Some(number) = message_number(arguments) {
                    self.count(&self.delivered, number);
                    self.record(&self.board.to_delivery, number);
                    self.continue_loop();
                }
            }
            "message_notification" => self.count(&self.notified, self.notified.get() + 1),
            _ => {}
        }
    }

    /// In the closed loop, sends the next message if the last one has come back by both ways.
    fn continue_loop(self: &Rc<Self>) {
        let Some(think) = self.board.think else { return };
        if self.board.stopped.get() || self.acknowledged.get().min(self.delivered.get()) < self.sent() {
            return;
        }
        if think.is_zero() {
            self.send_or_fail(Instant::now());
        } else {
            let pair = Rc::clone(self);
            spawn_local(async move {
                sleep(think).await;
                if !pair.board.stopped.get() {
                    pair.send_or_fail(Instant::now());
                }
            });
        }
    }
}

fn message_number(arguments: &str) -> Option<usize> {
    Some(parse_text(packet::string_field(arguments, "text")?)?.1)
}

async fn read_sender(pair: Rc<Pair>, mut client: Client) {
    loop {
        let outcome = match client.next().await {
            Ok(Packet::Acknowledgement { number, arguments }) => pair.on_acknowledgement(number, arguments),
            Ok(Packet::Event { name, arguments }) => {
                pair.on_sender_event(name, arguments);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            return pair.board.error.set(error);
        }
    }
}

async fn read_recipient(pair: Rc<Pair>, mut client: Client) {
    loop {
        match client.next().await {
            Ok(Packet::Event { name, arguments }) => pair.on_recipient_event(name, arguments),
            Ok(_) => {}
            Err(error) => return pair.board.error.set(error),
        }
    }
}

/// Runs the scenario. A refused message or a lost connection is an error; lost or disordered packets are figures.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(2 * options.pairs)?;
    let think = match options.pace {
        Pace::ClosedLoop { think } => Some(think),
        Pace::Fixed { .. } => None,
    };
    let board = Rc::new(Board {
        think,
        measuring: Cell::new(false),
        stopped: Cell::new(false),
        acknowledged_while_measuring: Cell::new(0),
        out_of_order: Cell::new(0),
        to_acknowledgement: RefCell::new(Latencies::new()),
        to_delivery: RefCell::new(Latencies::new()),
        error: FirstError::default(),
    });
    // Dropping the set ends the tasks and with them the connections.
    let mut tasks = JoinSet::new();
    let pairs = connect_pairs(target, options.pairs, &board, &mut tasks).await?;
    start(&pairs, options.pace, &mut tasks)?;

    sleep(options.warm_up).await;
    // For who reads the CPU of more processes over the same time.
    eprintln!("measuring");
    let meter = CpuMeter::start(target.pid)?;
    board.measuring.set(true);
    sleep(options.duration).await;
    board.measuring.set(false);
    let spent = meter.stop()?;
    eprintln!("measured");

    board.stopped.set(true);
    let drained = wait_until(DRAIN_LIMIT, || pairs.iter().all(|pair| pair.is_complete())).await;
    board.error.check()?;

    let acknowledged = board.acknowledged_while_measuring.get();
    if acknowledged == 0 {
        bail!("no message was acknowledged in {:?}", options.duration);
    }
    let mut outcome = Outcome::default();
    outcome.figure("messages", as_f64(acknowledged));
    outcome.figure("acknowledged_per_second", as_f64(acknowledged) / spent.elapsed.as_secs_f64());
    spent.record(&mut outcome, "message", acknowledged);
    outcome.latency("acknowledgement", &board.to_acknowledgement);
    outcome.latency("delivery", &board.to_delivery);
    let missing = |counter: fn(&Pair) -> usize| -> f64 {
        as_f64(pairs.iter().map(|pair| pair.sent().saturating_sub(counter(pair))).sum())
    };
    outcome.figure("unacknowledged", missing(|pair| pair.acknowledged.get()));
    outcome.figure("undelivered", missing(|pair| pair.delivered.get()));
    outcome.figure("unnotified", missing(|pair| pair.notified.get()));
    outcome.figure("undelivered_to_sender", missing(|pair| pair.own.get()));
    outcome.figure("out_of_order", as_f64(board.out_of_order.get()));
    outcome.figure("drained", f64::from(u8::from(drained)));
    outcome.figure("resident_bytes", as_f64(usize::try_from(process::resident_bytes(target.pid)?)?));
    Ok(outcome)
}

async fn connect_pairs(
    target: &Target,
    count: usize,
    board: &Rc<Board>,
    tasks: &mut JoinSet<()>,
) -> Result<Vec<Rc<Pair>>> {
    let mut pairs = Vec::with_capacity(count);
    for (index, conversation) in target.conversations.iter().take(count).enumerate() {
        let mut sides = Vec::with_capacity(2);
        for user in [2 * index, 2 * index + 1] {
            let mut client = Client::connect(target.address(user), source(user), &target.auths[user]).await?;
            client.join(0, conversation, |_, _| {}).await?;
            sides.push(client);
        }
        let (Some(recipient), Some(sender)) = (sides.pop(), sides.pop()) else {
            unreachable!("two were pushed")
        };
        let pair = Rc::new(Pair {
            board: Rc::clone(board),
            conversation: conversation.clone(),
            sender: sender.sender(),
            due: RefCell::default(),
            acknowledged: Cell::default(),
            delivered: Cell::default(),
            own: Cell::default(),
            notified: Cell::default(),
            scratch: RefCell::default(),
        });
        tasks.spawn_local(read_sender(Rc::clone(&pair), sender));
        tasks.spawn_local(read_recipient(Rc::clone(&pair), recipient));
        pairs.push(pair);
    }
    Ok(pairs)
}

fn start(pairs: &[Rc<Pair>], pace: Pace, tasks: &mut JoinSet<()>) -> Result<()> {
    match pace {
        Pace::ClosedLoop { .. } => {
            for pair in pairs {
                pair.send(Instant::now())?;
            }
        }
        Pace::Fixed { per_second } => {
            let mut pacer = Pacer::new(per_second)?;
            let pairs = pairs.to_vec();
            tasks.spawn_local(async move {
                loop {
                    match pacer.tick().await {
                        Ok(_) if pairs[0].board.stopped.get() => return,
                        Ok(due) => pairs[pacer.choose(pairs.len())].send_or_fail(due),
                        Err(error) => return pairs[0].board.error.set(error),
                    }
                }
            });
        }
    }
    Ok(())
}
