//! The command line of Horse Trust's real-time server.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what the commands answer goes to the terminal"
)]

use std::collections::HashMap;
use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use horse_trust::app::{self, RunError};
use horse_trust::auth::{Passwords, Tokens};
use horse_trust::command;
use horse_trust::command::client::{AdminClient, CallError};
use horse_trust::command::reports::{self, ReportsCommand};
use horse_trust::command::users::{self, UsersCommand};
use horse_trust::command::webhooks::{self, WebhooksCommand};
use horse_trust::config::{
    Config, Database, Secret, all_cores_but_one, explain, new_webhook_secret, parse_duration,
};
use horse_trust::demo;
use horse_trust::env_file;
use horse_trust::id::Id;
use horse_trust::import::{self, ImportOptions};
use horse_trust::logging;
use horse_trust::store::postgres::PostgresImport;
use horse_trust::store::{ImportTarget, Role, sqlite};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The real-time server of Horse Trust: conversations between buyers and sellers of horses.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the chat
    Serve {
        #[command(flatten)]
        config: Config,
    },
    /// Try what the settings name (store, Redis, files of secrets, webhooks), and say what is wrong, without starting
    Check {
        #[command(flatten)]
        config: Config,
    },
    /// Serve on an embedded store with two accounts and a conversation already there
    Demo {
        #[command(flatten)]
        config: Config,
    },
    /// Bring in what mongoexport wrote; all or nothing a file, and twice changes nothing
    Import {
        /// Users, as JSON records one after another, or an array
        #[arg(long)]
        users: Option<PathBuf>,
        /// Conversations
        #[arg(long)]
        conversations: Option<PathBuf>,
        /// Messages
        #[arg(long)]
        messages: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Read the reports of a running server, and decide on them
    Reports {
        #[command(subcommand)]
        command: ReportsCommand,
        #[command(flatten)]
        server: command::client::Server,
    },
    /// Read and change the users of a running server
    Users {
        #[command(subcommand)]
        command: UsersCommand,
        #[command(flatten)]
        server: command::client::Server,
    },
    /// What is sent to the platform by HTTP
    Webhooks {
        #[command(subcommand)]
        command: WebhooksCommand,
        #[command(flatten)]
        server: command::client::Server,
    },
    /// Print a token for a user
    Token {
        /// The user's id
        #[arg(value_parser = parse_id)]
        user_id: Id,
        /// seller or admin
        #[arg(long, default_value = "seller", value_parser = parse_role)]
        role: Role,
        /// How long it is valid: 30m, 12h, 7d [default: as `JWT_EXPIRES_IN` says]
        #[arg(long, value_parser = parse_duration)]
        expires_in: Option<Duration>,
        #[command(flatten)]
        config: Config,
    },
}

/// Something that was given is wrong; a line each. The exit code is 1 if a check found it, else 2.
struct Failure {
    lines: Vec<String>,
    code: u8,
}

impl Failure {
    fn new(line: String) -> Self {
        Self { lines: vec![line], code: 2 }
    }
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { lines, code }) => {
            for line in lines {
                eprintln!("horse-trust: {}", line.replace('\n', " "));
            }
            ExitCode::from(code)
        }
    }
}

fn start() -> Result<(), Failure> {
    let is_check = std::env::args_os().nth(1).is_some_and(|name| name == "check");
    let bad_settings = |message| Failure { lines: vec![message], code: if is_check { 1 } else { 2 } };
    let file = env_file::read(Path::new(".env")).map_err(|error| bad_settings(format!(".env: {error}")))?;
    let command = with_settings_of(&file, Cli::command());
    let cli = match command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // Help and version.
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return Ok(());
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(Failure::new(
                "give a command: serve, check, demo, import, reports, users, webhooks, token; --help says more"
                    .to_owned(),
            ));
        }
        Err(error) => {
            let settings = Config::augment_args(clap::Command::new("settings"));
            let message = explain(&error, &command::client::Server::augment_args(settings));
            return Err(bad_settings(message));
        }
    };
    match cli.command {
        Command::Serve { config } => serve(config.check()?),
        Command::Check { config } => check(config),
        Command::Demo { config } => run_demo(config.check()?),
        Command::Import { users, conversations, messages, config } => {
            run_import(&config.check()?, &ImportOptions { users, conversations, messages })
        }
        Command::Reports { command, server } => {
            on_running_server(server, async |client| reports::run(client, command).await)
        }
        Command::Users { command, server } => on_running_server(server, async |client| {
            users::run(client, command, &mut std::io::stdout()).await
        }),
        Command::Webhooks { command: WebhooksCommand::Secret, .. } => {
            println!("{}", new_webhook_secret()?);
            Ok(())
        }
        Command::Webhooks { command: WebhooksCommand::List { limit, after }, server } => {
            on_running_server(server, async |client| webhooks::list(client, limit, after).await)
        }
        Command::Webhooks { command: WebhooksCommand::Retry { id }, server } => {
            on_running_server(server, async |client| webhooks::retry(client, id).await)
        }
        Command::Token { user_id, role, expires_in, config } => {
            print_token(&config.check()?, &user_id, role, expires_in)
        }
    }
}

/// `command` with the settings of the `.env` file as defaults, below flags and environment.
fn with_settings_of(file: &HashMap<String, String>, command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| {
        subcommand.mut_args(|argument| {
            let value = argument.get_env().and_then(|name| file.get(name.to_str()?));
            match value {
                Some(value) => argument.default_value(value.clone()).hide_default_value(true),
                None => argument,
            }
        })
    })
}

fn serve(config: Config) -> Result<(), Failure> {
    // A bad key is reported before the store is opened.
    Tokens::from_config(&config)?;
    let is_short = config.jwt_secret.as_ref().is_some_and(|secret| secret.expose().len() < 32);
    let _log = logging::init(&config.log, config.log_format);
    // RFC 7518, section 3.2.
    if is_short {
        tracing::warn!(
            "JWT_SECRET has fewer than 32 bytes, so that it may be guessed; make one with: openssl rand -hex 32"
        );
    }
    on_runtime(config.worker_threads, async move {
        let shutdown = shutdown_signal()?;
        let store = app::open_store(&config).await?;
        let listener = app::listen(&config).await?;
        app::run(config, store, listener, shutdown).await
    })
}

/// Says what works and what does not. A bad setting ends it as it ends a start, but with the exit code of a check.
fn check(config: Config) -> Result<(), Failure> {
    let findings = match config.check() {
        Ok(config) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(command::check::check(&config))
        }
        Err(error) => error.into(),
    };
    for line in findings.good {
        println!("{line}");
    }
    let lines = findings.problems;
    if lines.is_empty() { Ok(()) } else { Err(Failure { lines, code: 1 }) }
}

fn run_demo(mut config: Config) -> Result<(), Failure> {
    if !config.has_accounts() {
        return Err(Failure::new(
            "ACCOUNTS: the demo signs two people in with a password; `serve` needs none".to_owned(),
        ));
    }
    let default = || Database::Sqlite(demo::DEFAULT_DATABASE.into());
    // The secret is kept beside the file; with a PostgreSQL, beside where the file would be.
    let database = match config.database_url.get_or_insert_with(default) {
        Database::Sqlite(path) => path.clone(),
        Database::Postgres(_) => demo::DEFAULT_DATABASE.into(),
    };
    let _log = logging::init(&config.log, config.log_format);
    on_runtime(config.worker_threads, async move {
        let shutdown = shutdown_signal()?;
        let store = app::open_store(&config).await?;
        let secret = match config.jwt_secret.clone() {
            Some(secret) => secret,
            None => Secret::new(demo::secret(&database).map_err(|error| RunError::Demo(error.to_string()))?),
        };
        config.jwt_secret = Some(secret);
        let prepared = demo::prepare(&store, &Passwords::new(all_cores_but_one())).await;
        let conversation = prepared.map_err(|error| RunError::Demo(error.to_string()))?;
        let listener = app::listen(&config).await?;
        let address = listener.local_addr().map_err(RunError::Serve)?;
        let tokens = Tokens::from_config(&config)?;
        println!("Horse Trust demo: http://{address}{}\n", config.base_path.as_str());
        for account in demo::ACCOUNTS {
            println!("{}", account.name);
            println!("  user id   {}", account.id());
            println!("  e-mail    {}", account.email);
            println!("  password  {}", account.password);
            let generation = store.session_generation(&account.id()).await?;
            let token = tokens.issue(&account.id(), Role::Seller, generation);
            println!("  token     {}\n", token.map_err(|error| RunError::Demo(error.to_string()))?);
        }
        println!("Conversation  {}\n\nCtrl-C stops it.\n", conversation.id);
        app::run(config, store, listener, shutdown).await
    })
}

fn run_import(config: &Config, options: &ImportOptions) -> Result<(), Failure> {
    if options.users.is_none() && options.conversations.is_none() && options.messages.is_none() {
        return Err(Failure::new(
            "import: give at least one of --users, --conversations, --messages".to_owned(),
        ));
    }
    let _log = logging::init(&config.log, config.log_format);
    let mut target: Box<dyn ImportTarget> = match config.database() {
        Database::Sqlite(path) => Box::new(sqlite::Database::open(&path)?),
        Database::Postgres(url) => Box::new(PostgresImport::open(url.expose())?),
    };
    for (name, counts) in import::run(options, &mut *target)? {
        let future = match counts.brought_back {
            0 => String::new(),
            1 => ", 1 date in the future brought back to the time of the import".to_owned(),
            dates => format!(", {dates} dates in the future brought back to the time of the import"),
        };
        println!("{name}: {} imported, {} already there{future}", counts.imported, counts.known);
    }
    Ok(())
}

fn parse_id(text: &str) -> Result<Id, String> {
    Id::parse(text).map_err(|error| format!("{text:?}: {error}"))
}

fn parse_role(text: &str) -> Result<Role, String> {
    match text {
        "seller" => Ok(Role::Seller),
        "admin" => Ok(Role::Admin),
        _ => Err(format!("{text:?} is neither seller nor admin")),
    }
}

fn print_token(config: &Config, user: &Id, role: Role, expires_in: Option<Duration>) -> Result<(), Failure> {
    let expires_in = expires_in.unwrap_or(config.jwt_expires_in);
    let token = Tokens::from_config(config)?.issue_for(user, role, expires_in, None);
    println!("{}", token.map_err(|error| Failure::new(format!("JWT_PUBLIC_KEY_FILE: {error}")))?);
    Ok(())
}

/// Asks a running server, and prints what it answers.
fn on_running_server(
    server: command::client::Server,
    work: impl AsyncFnOnce(&AdminClient) -> Result<String, CallError>,
) -> Result<(), Failure> {
    let client = AdminClient::new(server)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(work(&client))?;
    if !answer.is_empty() {
        println!("{answer}");
    }
    Ok(())
}

/// Runs `work` on `threads` threads.
fn on_runtime(
    threads: NonZeroUsize,
    work: impl Future<Output = Result<(), RunError>>,
) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads.get()).enable_all().build()?;
    let result = runtime.block_on(work);
    // What still runs (a connection that does not take its last bytes) has had its time.
    runtime.shutdown_background();
    Ok(result?)
}

/// Ready at SIGTERM or Ctrl-C.
fn shutdown_signal() -> Result<impl Future<Output = ()>, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Serve)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Serve)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
