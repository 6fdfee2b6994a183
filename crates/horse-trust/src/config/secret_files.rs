//! Secrets from files, as Docker, Kubernetes and systemd hand them to a process: each setting that may hold a secret has
//! a twin whose name ends with `_FILE`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::ConfigError;
use super::parse::parse_path;
use super::values::Perhaps;

/// The greatest size of a file with a secret or a key, in bytes. A path may name a device that has no end.
const MAX_FILE: u64 = 64 * 1024;

/// The files with secrets. A new one is a field here and two lines in `Config::read_secret_files`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "a flag is called as its field")]
pub(super) struct SecretFiles {
    /// File that holds `JWT_SECRET`; a line break at its end is no part of the secret [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) jwt_secret_file: Perhaps<PathBuf>,
    /// File that holds `DATABASE_URL` [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) database_url_file: Perhaps<PathBuf>,
    /// File that holds `REDIS_URL` [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) redis_url_file: Perhaps<PathBuf>,
    /// File that holds `METRICS_TOKEN` [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) metrics_token_file: Perhaps<PathBuf>,
    /// File that holds `API_KEYS` [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) api_keys_file: Perhaps<PathBuf>,
    /// File that holds `WEBHOOK_SECRET` [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) webhook_secret_file: Perhaps<PathBuf>,
}

/// Sets `value` to what the file holds, if there is a file. `name` is the setting's; `is_set`, whether it has a value
/// already.
pub(super) fn fill<T>(
    name: &str,
    value: &mut T,
    is_set: bool,
    file: Option<PathBuf>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<(), ConfigError> {
    let Some(path) = file else { return Ok(()) };
    let file_setting = format!("{name}_FILE");
    if is_set {
        return Err(ConfigError::new(&file_setting, format!("{name} is set, too; set one of the two")));
    }
    let text = read_file(&file_setting, &path)?;
    *value = parse(&text)
        .map_err(|problem| ConfigError::new(&file_setting, format!("{}: {problem}", path.display())))?;
    Ok(())
}

/// The text of a file without one line break at its end, which editors and `echo` add. An error names the setting and the
/// path, and shows nothing of the text.
pub(super) fn read_file(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let error = |problem: &str| ConfigError::new(setting, format!("{}: {problem}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|problem| error(&problem.to_string()))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|problem| error(&problem.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(error("larger than 64 KiB"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| error("not UTF-8 text"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.trim().is_empty() { Err(error("empty")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Database;
    use crate::config::check::tests::config;

    /// A file with this content; its folder goes with the first.
    fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn each_secret_can_be_in_a_file() {
        let (_jwt, jwt) = file("hush hush\r\n");
        let (_database, database) = file("postgres://user:hush@host/database\n");
        let (_redis, redis) = file("redis://host:6379");
        let (_keys, keys) = file("0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210\n");
        let (_metrics, metrics) = file("0123456789abcdef\n");
        let set = config(&[
            "--jwt-secret-file",
            &jwt,
            "--database-url-file",
            &database,
            "--redis-url-file",
            &redis,
            "--metrics-token-file",
            &metrics,
            "--api-keys-file",
            &keys,
        ])
        .unwrap();
        assert_eq!(set.jwt_secret.as_ref().unwrap().expose(), "hush hush");
        assert!(
            matches!(set.database(), Database::Postgres(url) if url.expose() == "postgres://user:hush@host/database")
        );
        assert_eq!(set.redis_url.unwrap().expose(), "redis://host:6379");
        assert_eq!(set.api_keys.len(), 2);
        assert_eq!(set.metrics_token.unwrap().expose(), "0123456789abcdef");
    }

    #[test]
    fn what_is_wrong_with_a_file_names_setting_and_path_alone() {
        let (folder, path) = file("hush");
        let refused = |flags: &[&str]| config(flags).unwrap_err();
        assert_eq!(
            refused(&["--jwt-secret-file", &path, "--jwt-secret", "x"]),
            "JWT_SECRET_FILE: JWT_SECRET is set, too; set one of the two"
        );
        assert_eq!(
            refused(&["--metrics-token-file", &path]),
            format!(
                "METRICS_TOKEN_FILE: {path}: at least 16 characters; make one with: openssl rand -hex 32"
            )
        );
        let absent = format!("{path}-absent");
        assert_eq!(
            refused(&["--redis-url-file", &absent]),
            format!("REDIS_URL_FILE: {absent}: No such file or directory (os error 2)")
        );
        let of_folder = refused(&["--jwt-secret-file", folder.path().to_str().unwrap()]);
        assert!(of_folder.ends_with(": Is a directory (os error 21)"), "{of_folder}");
        assert_eq!(
            refused(&["--jwt-secret-file", "/dev/zero"]),
            "JWT_SECRET_FILE: /dev/zero: larger than 64 KiB"
        );
        for (content, problem) in
            [(&b""[..], "empty"), (b"\n", "empty"), (b" \r\n", "empty"), (b"hush\xff", "not UTF-8 text")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(refused(&["--jwt-secret-file", &path]), format!("JWT_SECRET_FILE: {path}: {problem}"));
        }
        assert!(config(&["--jwt-secret-file", ""]).is_ok(), "an empty setting is none");
    }

    proptest! {
        #[test]
        fn one_line_break_at_the_end_is_cut(secret in "[!-~][ -~\n]{0,40}", end in "\n|\r\n|") {
            prop_assume!(!end.is_empty() || !secret.ends_with('\n'));
            let (_folder, path) = file(format!("{secret}{end}"));
            prop_assert_eq!(read_file("NAME", Path::new(&path)).unwrap(), secret);
        }
    }
}
