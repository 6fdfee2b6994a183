//! TLS to PostgreSQL, with certificates of the tests' own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{Lifecycle, Store};
use tempfile::TempDir;

use crate::fixture::postgres::{Server, client, database, run};
use crate::fixture::store::{append, open, soon};

/// Makes a root's certificate `NAME.pem` and its key.
fn make_root(folder: &Path, name: &str) {
    let options =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let files =
        ["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem"), "-subj", &format!("/CN={name}")];
    run(Command::new("openssl").current_dir(folder).args(options).args(files));
}

/// Makes `server.crt`, issued by `root` for the name `localhost` alone, and `server.key`.
fn make_certificate(folder: &Path, root: &str) {
    std::fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let openssl = |arguments: &str| {
        run(Command::new("openssl").current_dir(folder).args(arguments.split(' ')));
    };
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server");
    openssl(&format!(
        "x509 -req -in server.csr -CA {root}.pem -CAkey {root}.key -CAcreateserial -days 2 -sha256 -out server.crt \
         -extfile extensions"
    ));
}

/// What an attempt to open says; `None` if it opened.
async fn failure(url: &str) -> Option<String> {
    match soon(PostgresStore::open(url)).await {
        Ok(store) => {
            soon(store.close()).await;
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_spoken_to_over_tls_as_the_url_says() {
    let certificates = TempDir::new().unwrap();
    let folder = certificates.path();
    make_root(folder, "right");
    make_root(folder, "wrong");
    make_certificate(folder, "right");
    // Without TLS only the database `postgres` is reached, with a password only the database `secret`.
    let rules = "host postgres all 127.0.0.1/32 trust\nhostssl secret ann 127.0.0.1/32 scram-sha-256\n\
        hostssl chat all 127.0.0.1/32 trust\n";
    let server = Server::start_with_tls(folder, rules).await;
    let admin = client(&server.url("postgres")).await;
    for sql in
        ["CREATE DATABASE chat", "CREATE ROLE ann LOGIN PASSWORD 'a?b'", "CREATE DATABASE secret OWNER ann"]
    {
        admin.batch_execute(sql).await.unwrap();
    }
    let url = |options: &str| format!("{}?{options}", server.url("chat"));
    let by_name = |options: &str| url(options).replace("127.0.0.1", "localhost");
    let file = |name: &str| format!("sslrootcert={}", folder.join(name).display());

    let store: Arc<dyn Store> = {
        let store = PostgresStore::open(&url("sslmode=require")).await.unwrap();
        assert!(store.register(true).await.unwrap());
        Arc::new(store)
    };
    let conversation = open(&*store, "ann", "ben").await;
    assert_eq!(append(&*store, &conversation, "ann", "Hello").await.unwrap().seq, 1);
    // Writer, pool and registration.
    let sql = "SELECT count(*), count(*) FILTER (WHERE s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = 'chat'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3, 3));
    soon(store.close()).await;

    let right = file("right.pem");
    for url in [
        server.url("chat"),
        url("sslmode=prefer"),
        url(&format!("sslmode=require&{right}")),
        url(&format!("sslmode=verify-ca&{right}")),
        by_name(&format!("{right}&sslmode=verify-full")),
        server.url("secret").replace("postgres@", "ann:a?b@") + "?sslmode=require&channel_binding=require",
    ] {
        assert_eq!(failure(&url).await, None, "{url}");
    }
    let wrong = file("wrong.pem");
    for (url, expected) in [
        (url("sslmode=disable"), "no encryption"),
        (url(&format!("sslmode=require&{wrong}")), "UnknownIssuer"),
        (url(&format!("sslmode=verify-ca&{wrong}")), "UnknownIssuer"),
        (by_name(&format!("sslmode=verify-full&{wrong}")), "UnknownIssuer"),
        // The server's name is another.
        (url(&format!("sslmode=verify-full&{right}")), "not valid for name"),
        // The system's roots know nothing of it, if there are any.
        (by_name("sslmode=verify-full"), "sslmode=verify-full"),
        // The tests' other server speaks no TLS.
        (database().await + "?sslmode=require", "does not support TLS"),
    ] {
        let text = failure(&url).await.unwrap_or_else(|| panic!("{url} was opened"));
        let mode = url.split("sslmode=").nth(1).unwrap().split('&').next().unwrap();
        assert!(text.contains(expected) && text.contains(&format!("sslmode={mode}")), "{url}: {text}");
        assert!(!text.contains('\n'), "{text}");
    }
    assert_eq!(failure(&(database().await + "?sslmode=prefer")).await, None);
}
