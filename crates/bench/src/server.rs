//! The servers under test: how each is started, found ready, and stopped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::world::{self, Export, SECRET};

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    /// The product.
    HorseTrust,
    /// The official server on Node, nothing stored.
    NodeMemory,
    /// The official server on Node, each message committed to SQLite.
    NodeDurable,
    /// The socketioxide library, nothing stored.
    Socketioxide,
}

impl Server {
    pub(crate) const ALL: [Self; 4] =
        [Self::HorseTrust, Self::NodeMemory, Self::NodeDurable, Self::Socketioxide];

    /// As readers see it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::HorseTrust => "Horse Trust",
            Self::NodeMemory => "Node in memory",
            Self::NodeDurable => "Node durable",
            Self::Socketioxide => "socketioxide",
        }
    }

    /// As files and flags name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HorseTrust => "horse-trust",
            Self::NodeMemory => "node-memory",
            Self::NodeDurable => "node-durable",
            Self::Socketioxide => "socketioxide",
        }
    }

    /// Whether clients that come back can ask for what they missed.
    pub(crate) fn recovers(self) -> bool {
        self != Self::Socketioxide
    }
}

/// Where the servers' files and programs are.
#[derive(Debug)]
pub(crate) struct Stage {
    repository: PathBuf,
    folder: PathBuf,
    export: Export,
    /// Held as long as the stage is in use.
    _lock: File,
}

/// How a server is started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StartOptions<'a> {
    /// Connection state recovery, for servers where it must be switched on.
    pub(crate) recovery: bool,
    /// The store of the product, used as it is; a fresh copy of the prepared one if absent.
    pub(crate) store: Option<&'a Path>,
}

impl Stage {
    /// Prepares `users` people and their conversations in `folder`, which is emptied first.
    ///
    /// Waits for another run of this program to end: they would measure each other.
    pub(crate) fn prepare(repository: &Path, folder: &Path, users: usize) -> Result<Self> {
        let lock = lock(&with_suffix(folder, ".lock"))?;
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let export = Export::write(&folder, users)?;
        Ok(Self { repository: repository.canonicalize()?, folder, export, _lock: lock })
    }

    /// A path in the stage's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn program(&self) -> PathBuf {
        self.repository.join("target/release/horse-trust")
    }

    /// Makes a store of the product with the stage's people, and with `messages` if given.
    pub(crate) fn import(&self, store: &Path, messages: Option<&Path>) -> Result<()> {
        let mut command = Command::new(self.program());
        command.arg("import").arg("--users").arg(&self.export.users);
        command.arg("--conversations").arg(&self.export.conversations);
        if let Some(messages) = messages {
            command.arg("--messages").arg(messages);
        }
        let status = self.environment(command.env("DATABASE_URL", database_url(store)))?.status();
        let status = status.with_context(|| format!("running {}", self.program().display()))?;
        self.check_exit("horse-trust import", status)
    }

    fn check_exit(&self, what: &str, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("{what} ended with {status}; see {}", self.log_path().display());
        }
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.path("servers.log")
    }

    /// What every program is given.
    fn environment<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        command.env("JWT_SECRET", SECRET).env("LOG", "warn").current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn command(&self, server: Server, port: u16, options: StartOptions<'_>) -> Result<Command> {
        let mut command = match server {
            Server::HorseTrust => {
                let store = match options.store {
                    Some(store) => store.to_owned(),
                    None => self.fresh_store()?,
                };
                let mut command = Command::new(self.program());
                command.arg("serve").env("DATABASE_URL", database_url(&store)).env("MESSAGE_RATE", "0");
                command
            }
            Server::NodeMemory | Server::NodeDurable => {
                let mut command = Command::new("node");
                command.arg(self.repository.join("bench/peers/node/server.js"));
                command
                    .env("NODE_ENV", "production")
                    .env("RECOVERY", if options.recovery { "1" } else { "0" });
                if server == Server::NodeDurable {
                    let store = self.path("node.db");
                    remove_store(&store)?;
                    command.env("STORE", store);
                }
                command
            }
            Server::Socketioxide => Command::new(
                self.repository.join("bench/peers/socketioxide/target/release/bench-peer-socketioxide"),
            ),
        };
        command.env("USERS", &self.export.users).env("CONVERSATIONS", &self.export.conversations);
        command.env("HOST", "127.0.0.1").env("PORT", port.to_string());
        self.environment(&mut command)?;
        Ok(command)
    }

    /// A copy of the store that was imported once.
    fn fresh_store(&self) -> Result<PathBuf> {
        let template = self.path("template.db");
        if !template.exists() {
            self.import(&template, None)?;
        }
        let store = self.path("horse-trust.db");
        remove_store(&store)?;
        for suffix in ["", "-wal"] {
            let source = with_suffix(&template, suffix);
            if source.exists() {
                fs::copy(&source, with_suffix(&store, suffix))?;
            }
        }
        Ok(store)
    }

    /// Starts a server on a free port and waits until a client could connect.
    pub(crate) async fn start(&self, server: Server, options: StartOptions<'_>) -> Result<Running> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = self.command(server, port, options)?;
        let auth = world::auth(&world::token(&world::user_id(0), SECRET));

        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}; is it built?", server.title()))?;
        let mut running = Running {
            server,
            child,
            address,
            accepted_after: Duration::ZERO,
            connected_after: Duration::ZERO,
        };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("{} ended with {status}; see {}", server.title(), self.log_path().display());
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} did not listen within {START_LIMIT:?}", server.title());
            }
            // Nothing else runs in this program yet, and the time of the start is measured finely.
            sleep(Duration::from_micros(200));
        }
        running.accepted_after = started.elapsed();
        Client::connect(address, Ipv4Addr::LOCALHOST, &auth)
            .await
            .with_context(|| format!("the first connection to {}", server.title()))?;
        running.connected_after = started.elapsed();
        Ok(running)
    }
}

fn lock(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another run to end");
        file.lock()?;
    }
    Ok(file)
}

fn database_url(store: &Path) -> String {
    format!("sqlite://{}", store.display())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_store(store: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let file = with_suffix(store, suffix);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// A server that runs; killed when dropped.
pub(crate) struct Running {
    server: Server,
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first TCP connection accepted.
    pub(crate) accepted_after: Duration,
    /// From the start of the process to the first Socket.IO connection with its token checked.
    pub(crate) connected_after: Duration,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; the tasks that hold connections end meanwhile.
    ///
    /// The product is asked, and has to follow. The others are killed: what they still have to work off is nobody's
    /// business any more, and an overloaded one takes long.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if self.server != Server::HorseTrust {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the server did not end within {STOP_LIMIT:?} of SIGTERM");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended, if `stop` was called; nothing else can go wrong with a child of our own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
