//! One person on many devices: each message goes to all of them.
//!
//! The other person writes the next message when the acknowledgement of the last one has come and each device has
//! received its `new_message`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{CpuMeter, FirstError, Outcome, Target, as_f64};
use crate::client::{Client, source};
use crate::packet::{self, Packet};
use crate::stats::Latencies;
use crate::world::{message_text, parse_text};

const MESSAGE_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) devices: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What the devices report to the writer.
#[derive(Default)]
struct Board {
    delivered: Cell<usize>,
    out_of_order: Cell<usize>,
    all_delivered: Notify,
    error: FirstError,
}

/// Runs the scenario. A refused message, a lost connection or a message that a device does not get is an error.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(2)?;
    let conversation = &target.conversations[0];
    let board = Rc::new(Board::default());
    let mut devices = JoinSet::new();
    for index in 0..options.devices {
        let mut client = Client::connect(target.address(1), source(index), &target.auths[1]).await?;
        client.join(0, conversation, |_, _| {}).await?;
        devices.spawn_local(read_device(client, Rc::clone(&board), options.devices));
    }
    let mut writer = Client::connect(target.address(0), source(0), &target.auths[0]).await?;

    let latencies = RefCell::new(Latencies::new());
    let (mut number, mut measured) = (0, 0);
    let begin = Instant::now() + options.warm_up;
    let mut meter = None;
    loop {
        let now = Instant::now();
        if meter.is_none() && now >= begin {
            meter = Some(CpuMeter::start(target.pid)?);
            measured = 0;
        }
        if now >= begin + options.duration {
            break;
        }
        number += 1;
        board.delivered.set(0);
        let message = send_to_all(&mut writer, &board, conversation, number);
        let Ok(sent) = timeout(MESSAGE_LIMIT, message).await else {
            board.error.check()?;
            bail!("message {number} reached {} of {} devices", board.delivered.get(), options.devices);
        };
        sent?;
        measured += 1;
        if meter.is_some() {
            latencies.borrow_mut().record(now.elapsed());
        }
    }
    board.error.check()?;

    let Some(meter) = meter else { bail!("the warm-up did not end") };
    let spent = meter.stop()?;
    let deliveries = measured * options.devices;
    let mut outcome = Outcome::default();
    outcome.figure("devices", as_f64(options.devices));
    outcome.figure("deliveries_per_second", as_f64(deliveries) / spent.elapsed.as_secs_f64());
    spent.record(&mut outcome, "delivery", deliveries);
    outcome.latency("last_device", &latencies);
    outcome.figure("out_of_order", as_f64(board.out_of_order.get()));
    Ok(outcome)
}

/// Sends one message; returns when it is acknowledged and every device has it.
async fn send_to_all(writer: &mut Client, board: &Board, conversation: &str, number: usize) -> Result<()> {
    let mut packet = String::new();
    packet::send_message(&mut packet, number as u64, conversation, &message_text('a', number));
    writer.sender().send(&packet)?;
    loop {
        if let Packet::Acknowledgement { arguments, .. } = writer.next().await? {
            if !packet::is_success(arguments) {
                bail!("a message was refused: {arguments}");
            }
            break;
        }
    }
    board.all_delivered.notified().await;
    Ok(())
}

async fn read_device(mut client: Client, board: Rc<Board>, devices: usize) {
    let mut last = 0;
    loop {
        match client.next().await {
            Ok(Packet::Event { name: "new_message", arguments }) => {
                let number =
                    packet::string_field(arguments, "text").and_then(parse_text).map_or(0, |text| text.1);
                if number != last + 1 {
                    board.out_of_order.set(board.out_of_order.get() + 1);
                }
                last = number;
                board.delivered.set(board.delivered.get() + 1);
                if board.delivered.get() == devices {
                    board.all_delivered.notify_one();
                }
            }
            Ok(_) => {}
            Err(error) => return board.error.set(error),
        }
    }
}
