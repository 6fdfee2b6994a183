//! What a durable message costs: CPU by group size, and the time to the acknowledgement at a fixed rate.
//!
//! `append_cost DATABASE [MESSAGES [CONVERSATIONS]]`: 50 conversations if nothing is said, which fit a few pages;
//! with 20 000, each message is on a page of its own, and checkpoints have much to copy.
//! Linux alone: CPU is read from `/proc`.
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a tool for the terminal, which rounds"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use horse_trust::id::Id;
use horse_trust::store::sqlite::SqliteStore;
use horse_trust::store::{
    Conversation, ConversationStore, Lifecycle, MessageStore, NewConversation, NewMessage, StoreError,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const TEXT: &str = "Hello, is this horse still available? I could come and see it on Saturday.";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("append_cost DATABASE [MESSAGES [CONVERSATIONS]]")?);
    let messages: usize = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let conversation_count: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let begun = Instant::now();
    let store = Arc::new(SqliteStore::open(&path)?);
    println!("opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let mut conversations = Vec::new();
    for number in 0..conversation_count {
        let participants = [Id::parse(&format!("buyer-{number}"))?, Id::parse(&format!("seller-{number}"))?];
        let new = NewConversation { participants, horse_id: None };
        let store = Arc::clone(&store);
        conversations.push(tokio::spawn(async move { store.open_conversation(new).await.map(Arc::new) }));
    }
    let conversations = all(conversations).await?;
    for group in [1, 10, 25, 50] {
        in_groups(&store, &conversations, group, messages / 50 * group.min(50)).await?;
    }
    closed_loop(&store, &conversations, messages).await?;
    for rate in [100, 2000] {
        at_rate(&store, &conversations, rate, Duration::from_secs(10)).await?;
    }
    store.close().await;
    Ok(())
}

async fn all<T>(tasks: Vec<JoinHandle<Result<T, StoreError>>>) -> Result<Vec<T>, Failure> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await??);
    }
    Ok(results)
}

fn message(conversation: &Arc<Conversation>, number: usize) -> NewMessage {
    let sender = conversation.participants[number % 2].clone();
    NewMessage::new(conversation, sender, TEXT)
}

/// Appends `group` messages, each in another conversation, waits for all of them, and so on.
async fn in_groups(
    store: &SqliteStore,
    conversations: &[Arc<Conversation>],
    group: usize,
    messages: usize,
) -> Result<(), Failure> {
    let (told, mut results) = mpsc::unbounded_channel();
    let (cpu, begun) = (Cpu::read()?, Instant::now());
    for round in 0..messages / group {
        for number in 0..group {
            let told = told.clone();
            let conversation = &conversations[(round * group + number) % conversations.len()];
            store.append_message(
                message(conversation, round),
                Box::new(move |result| drop(told.send(result.map(drop)))),
            );
        }
        for _ in 0..group {
            results.recv().await.ok_or("the store is gone")??;
        }
    }
    report(&format!("groups of {group:3}"), &cpu, begun, messages)
}

/// Fifty people each write, wait for the callback, and write again, in one conversation after the other.
async fn closed_loop(
    store: &Arc<SqliteStore>,
    conversations: &[Arc<Conversation>],
    messages: usize,
) -> Result<(), Failure> {
    const WRITERS: usize = 50;
    let (cpu, begun) = (Cpu::read()?, Instant::now());
    let writers = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(store);
            let own: Vec<_> = conversations.iter().skip(writer).step_by(WRITERS).cloned().collect();
            tokio::spawn(async move {
                for (round, conversation) in (0..messages / WRITERS).zip(own.iter().cycle()) {
                    let (told, result) = oneshot::channel();
                    store.append_message(
                        message(conversation, round),
                        Box::new(move |result| drop(told.send(result.map(drop)))),
                    );
                    // Without a result the store is gone, and the next call says so.
                    result.await.unwrap_or(Ok(()))?;
                }
                Ok(())
            })
        })
        .collect();
    all(writers).await?;
    report("closed loop of 50", &cpu, begun, messages)
}

fn report(name: &str, before: &Cpu, begun: Instant, messages: usize) -> Result<(), Failure> {
    let (cpu, elapsed) = (Cpu::read()?.since(before), begun.elapsed());
    let each = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
    println!(
        "{name}: {:6.1} µs CPU a message ({:6.1} the writer), {:7.0} messages a second",
        each(cpu.all),
        each(cpu.writer),
        messages as f64 / elapsed.as_secs_f64()
    );
    Ok(())
}

/// Appends at a fixed rate and measures from the intended time to the callback.
async fn at_rate(
    store: &SqliteStore,
    conversations: &[Arc<Conversation>],
    rate: u32,
    duration: Duration,
) -> Result<(), Failure> {
    let (told, mut results) = mpsc::unbounded_channel();
    let (cpu, begun) = (Cpu::read()?, Instant::now());
    let mut sent = 0_u32;
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    while begun.elapsed() < duration {
        tick.tick().await;
        while Duration::from_secs(1) / rate * sent <= begun.elapsed() {
            let due = begun + Duration::from_secs(1) / rate * sent;
            let told = told.clone();
            let number = sent as usize;
            store.append_message(
                message(&conversations[number % conversations.len()], number / conversations.len()),
                Box::new(move |result| drop(told.send(result.map(|_| due.elapsed())))),
            );
            sent += 1;
        }
    }
    let mut times = Vec::new();
    for _ in 0..sent {
        times.push(results.recv().await.ok_or("the store is gone")??);
    }
    let cpu = Cpu::read()?.since(&cpu);
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{rate} a second: to the callback {:.2} ms median, {:.2} p99, {:.2} p99.9, {:.2} longest; {:.1} µs CPU",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        cpu.all.as_secs_f64() * 1e6 / f64::from(sent)
    );
    Ok(())
}

/// CPU time of this process and of the thread that writes.
struct Cpu {
    all: Duration,
    writer: Duration,
}

impl Cpu {
    fn read() -> Result<Self, Failure> {
        let (mut all, mut writer) = (Duration::ZERO, Duration::ZERO);
        for thread in std::fs::read_dir("/proc/self/task")? {
            let thread = thread?.path();
            let (Some(time), Ok(name)) = (on_cpu(&thread), std::fs::read_to_string(thread.join("comm")))
            else {
                // It ended meanwhile.
                continue;
            };
            all += time;
            if name.trim() == "store-writer" {
                writer += time;
            }
        }
        Ok(Self { all, writer })
    }

    fn since(&self, before: &Self) -> Self {
        Self { all: self.all.saturating_sub(before.all), writer: self.writer.saturating_sub(before.writer) }
    }
}

fn on_cpu(thread: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
