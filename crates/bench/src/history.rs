//! What a long history costs: the same requests to the product on a large store and on a small one.
//!
//! Both stores have the same people and conversations, and a tenth of all messages lies in one conversation. Its
//! pages, the list and the count are asked for over HTTP by one of its two people, on one connection, one request
//! after the other; sends are those of the closed loop.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::figures::{cell, number};
use crate::http::Connection;
use crate::results::{output_folder, stage_folder};
use crate::scenario::{Target, as_f64, chat};
use crate::server::{Server, Stage, StartOptions};
use crate::stats::Spread;
use crate::world;

const USERS: usize = 20_000;
const PAGE: usize = 30;
const PAIRS: usize = 50;
const REQUESTS: usize = 300;
const REQUESTS_NOT_MEASURED: usize = 30;

#[derive(Debug, Args)]
pub(crate) struct HistoryOptions {
    /// Messages in the large store.
    #[arg(long, default_value_t = 10_000_000, value_parser = at_least_ten_pages)]
    messages: usize,
    /// Messages in the small store.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_ten_pages)]
    baseline: usize,
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of sending in each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The repository's folder, in which everything has been built.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

fn at_least_ten_pages(text: &str) -> Result<usize, String> {
    let least = 10 * 10 * PAGE;
    text.parse()
        .ok()
        .filter(|&number| number >= least)
        .ok_or_else(|| format!("must be a number from {least} on"))
}

/// One operation in milliseconds or microseconds, by round.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    operation: String,
    small: Vec<f64>,
    large: Vec<f64>,
}

/// What was measured, as it is kept for the report.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct History {
    messages: usize,
    baseline: usize,
    import_seconds: f64,
    store_bytes: u64,
    rows: Vec<Row>,
}

/// Fills two stores, measures them in turn, prints the table and keeps it for the report.
pub(crate) async fn run(options: HistoryOptions) -> Result<()> {
    let stage = Stage::prepare(&options.repository, &stage_folder(&options.repository), USERS)?;
    let (small, _) = fill(&stage, "small.db", options.baseline)?;
    let (large, import_seconds) = fill(&stage, "large.db", options.messages)?;
    let store_bytes = fs::metadata(&large)?.len();
    println!("imported {} messages in {import_seconds:.1} s", number(as_f64(options.messages), 0));

    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=options.rounds {
        let stores = [(&small, options.baseline, false), (&large, options.messages, true)];
        for (store, messages, is_large) in stores {
            let figures = measure(&stage, store, messages, Duration::from_secs(options.seconds)).await?;
            for (index, (operation, value)) in figures.into_iter().enumerate() {
                if rows.len() == index {
                    rows.push(Row { operation: operation.to_owned(), small: Vec::new(), large: Vec::new() });
                }
                let row = &mut rows[index];
                if is_large { row.large.push(value) } else { row.small.push(value) }
            }
        }
        println!("round {round} of {}", options.rounds);
    }
    let history =
        History { messages: options.messages, baseline: options.baseline, import_seconds, store_bytes, rows };
    println!("\n{}", history.table());
    fs::write(path(&options.repository), serde_json::to_vec_pretty(&history)?)?;
    Ok(())
}

fn path(repository: &Path) -> PathBuf {
    output_folder(repository).join("history.json")
}

/// What was measured last, if anything was.
pub(crate) fn load(repository: &Path) -> Result<Option<History>> {
    let path = path(repository);
    if !path.exists() {
        return Ok(None);
    }
    let named = || format!("reading {}", path.display());
    serde_json::from_str(&fs::read_to_string(&path).with_context(named)?).with_context(named).map(Some)
}

/// Makes a store with so many messages; returns it and the seconds that the import took.
fn fill(stage: &Stage, name: &str, messages: usize) -> Result<(PathBuf, f64)> {
    let file = stage.path("messages.jsonl");
    world::write_messages(&file, messages, USERS / 2)?;
    let store = stage.path(name);
    let began = Instant::now();
    stage.import(&store, Some(&file))?;
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_file(&file)?;
    Ok((store, seconds))
}

async fn measure(
    stage: &Stage,
    store: &Path,
    messages: usize,
    duration: Duration,
) -> Result<Vec<(&'static str, f64)>> {
    let options = StartOptions { recovery: false, store: Some(store) };
    let running = stage.start(Server::HorseTrust, options).await?;
    let mut connection = Connection::open(running.address)?;
    let token = world::token(&world::user_id(0), world::SECRET);
    let history =
        format!("/api/chat/conversations/{}/messages?limit={PAGE}&page=", world::conversation_id(0));
    let in_conversation = messages / 10;
    let requests = [
        ("page 1, ms", format!("{history}1")),
        ("page 10, ms", format!("{history}10")),
        ("last page, ms", format!("{history}{}", in_conversation / PAGE)),
        ("conversation list, ms", "/api/chat/conversations".to_owned()),
        ("unread count, ms", "/api/chat/unread-count".to_owned()),
    ];
    let mut figures = Vec::new();
    for (operation, path) in &requests {
        figures.push((*operation, median_milliseconds(&mut connection, path, &token)?));
    }
    drop(connection);

    let pace = chat::Pace::ClosedLoop { think: Duration::ZERO };
    let chat = chat::Options { pairs: PAIRS, pace, warm_up: Duration::from_secs(1), duration };
    let target = Target::of_world(vec![running.address], running.pid(), USERS, world::SECRET);
    let outcome = chat::run(&target, chat).await?;
    for (operation, figure) in [
        ("`send_message`, CPU, µs", "cpu_per_message_us"),
        ("`send_message` to acknowledgement, median, ms", "acknowledgement_p50_ms"),
    ] {
        figures.push((operation, *outcome.figures.get(figure).context("the chat lacks a figure")?));
    }
    running.stop().await?;
    Ok(figures)
}

fn median_milliseconds(connection: &mut Connection, path: &str, token: &str) -> Result<f64> {
    let mut times = Vec::with_capacity(REQUESTS);
    for request in 0..REQUESTS_NOT_MEASURED + REQUESTS {
        let began = Instant::now();
        connection.get(path, token)?;
        if request >= REQUESTS_NOT_MEASURED {
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(Spread::of(times).context("nothing was asked")?.median)
}

impl History {
    /// The Markdown table with the sentence before it.
    pub(crate) fn table(&self) -> String {
        let [large, small] = [self.messages, self.baseline].map(|messages| number(as_f64(messages), 0));
        let mut text = format!(
            "The same requests on a store of {large} messages and on one of {small}, a tenth of them in the \
             conversation that is read. The import of the large one took {:.0} s; its file has {} MB.\n\n\
             | operation | {small} messages | {large} messages | ratio |\n|---|--:|--:|--:|\n",
            self.import_seconds,
            number(as_f64(usize::try_from(self.store_bytes / 1_000_000).unwrap_or(usize::MAX)), 0)
        );
        for Row { operation, small, large } in &self.rows {
            let ratio = Spread::of(large.iter().zip(small).map(|(large, small)| large / small));
            let [small, large] = [small, large].map(|values| cell(Spread::of(values.iter().copied()), 2));
            let _ = writeln!(text, "| {operation} | {small} | {large} | {} |", cell(ratio, 2));
        }
        text
    }
}
