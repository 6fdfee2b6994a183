//! A PostgreSQL of the tests' own: on a free port, its files in a temporary folder, gone when the tests end.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// Runs the server, and stops and starts it as its standard input says; when that ends, as it does however the tests
/// end, stops it and removes its folder, which is the first argument.
const KEEPER: &str = r#"
trap '' INT HUP
folder=$1
shift
start() { "$@" 2>>"$folder/log" & server=$!; }
stop() { kill -QUIT "$server"; wait "$server"; }
start "$@"
while read -r word; do
  case $word in
    start) start "$@" ;;
    stop) stop ;;
  esac
done
stop
rm -rf "$folder"
"#;

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    keeper: Child,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_in(Self::folder(), &[], None).await
    }

    /// One that speaks TLS with `server.crt` and `server.key` of a folder, and takes those whom the rules
    /// (`pg_hba.conf`) let in.
    pub(crate) async fn start_with_tls(certificates: &Path, rules: &str) -> Self {
        let folder = Self::folder();
        for name in ["server.crt", "server.key"] {
            std::fs::copy(certificates.join(name), folder.join(name)).unwrap();
        }
        run(Command::new("chmod").arg("600").arg(folder.join("server.key")));
        let place = |name: &str| folder.join(name).display().to_string();
        let certificate = format!("ssl_cert_file={}", place("server.crt"));
        let key = format!("ssl_key_file={}", place("server.key"));
        Self::start_in(folder, &["ssl=on", &certificate, &key], Some(rules)).await
    }

    fn folder() -> PathBuf {
        TempDir::with_prefix("horse-trust-postgres-").unwrap().keep()
    }

    async fn start_in(folder: PathBuf, settings: &[&str], rules: Option<&str>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres:"]).arg(&folder));
        }
        let data = folder.join("data");
        let options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        run(command("initdb").args(options).arg(&data));
        if let Some(rules) = rules {
            // Written into, not anew: it belongs to another user when root.
            std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        }
        let mut server = command("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(&folder).arg("-p").arg(port.to_string());
        for setting in [&["listen_addresses=127.0.0.1", "max_connections=300"], settings].concat() {
            server.args(["-c", setting]);
        }
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(server.get_program())
            .args(server.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { folder, port, keeper };
        server.wait_until(true).await;
        server
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Has the server end at once, as in a crash.
    pub(crate) async fn stop(&mut self) {
        self.say("stop");
        self.wait_until(false).await;
    }

    pub(crate) async fn start_again(&mut self) {
        self.say("start");
        self.wait_until(true).await;
    }

    fn say(&mut self, word: &str) {
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    async fn wait_until(&self, is_up: bool) {
        let begun = Instant::now();
        let url = self.url("postgres");
        while tokio_postgres::connect(&url, NoTls).await.is_ok() != is_up {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "the server did not start or stop:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A connection to a database.
pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The URL of a new database on the server that all tests share.
pub(crate) async fn database() -> String {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(Server::start).await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let admin = client(&server.url("postgres")).await;
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
    server.url(&name)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program of PostgreSQL, as another user when root, with whom it does not run.
fn command(program: &str) -> Command {
    let path = programs().join(program);
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
    command
}

/// Where the newest PostgreSQL is; Debian keeps it out of the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|version| version.path()).max_by_key(|folder| number(folder));
    newest.expect("PostgreSQL is missing: scripts/test-requirements installs it").join("bin")
}

pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
