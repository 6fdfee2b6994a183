//! The machine and the programs that the figures belong to; nothing that names the machine or its folders.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::process::kilobytes;
use crate::stats::Spread;

const SYNCS: usize = 200;

/// Where the figures come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gigabytes: u64,
    pub(crate) kernel: String,
    /// How long the disk takes to make 4 kB durable, in milliseconds.
    pub(crate) sync_milliseconds: Spread,
    /// Names and versions of the programs compared.
    pub(crate) versions: Vec<(String, String)>,
}

impl Machine {
    /// Reads it from the kernel and from the lock files.
    ///
    /// `folder` is on the disk where the servers' stores will be.
    pub(crate) fn describe(repository: &Path, folder: &Path) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
        let meminfo = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
        let kernel =
            fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the kernel's release")?;
        Ok(Self {
            processor: processor(&cpuinfo).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gigabytes: kilobytes(&meminfo, "MemTotal:").unwrap_or_default().div_ceil(1 << 20),
            kernel: kernel.trim().to_owned(),
            sync_milliseconds: time_syncs(&folder.join("sync")).context("timing the disk")?,
            versions: versions(repository),
        })
    }
}

/// What bounds every durable server: the time from writing a page to its being safe.
fn time_syncs(path: &Path) -> Result<Spread> {
    let mut file = File::create(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(path)?;
    Spread::of(times).context("nothing was timed")
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// What can't be found out is left out: a comparison need not include every server.
fn versions(repository: &Path) -> Vec<(String, String)> {
    let mut versions = vec![("horse-trust".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    if let Ok(node) = Command::new("node").arg("--version").output() {
        let version = String::from_utf8_lossy(&node.stdout);
        versions.push(("Node".to_owned(), version.trim().trim_start_matches('v').to_owned()));
    }
    let npm = fs::read_to_string(repository.join("bench/peers/node/package-lock.json")).unwrap_or_default();
    let cargo =
        fs::read_to_string(repository.join("bench/peers/socketioxide/Cargo.lock")).unwrap_or_default();
    for package in ["socket.io", "ws", "bufferutil", "better-sqlite3"] {
        versions.extend(npm_version(&npm, package).map(|version| (package.to_owned(), version)));
    }
    for package in ["socketioxide", "tokio"] {
        versions.extend(cargo_version(&cargo, package).map(|version| (package.to_owned(), version)));
    }
    versions
}

fn npm_version(lock: &str, package: &str) -> Option<String> {
    let lock: serde_json::Value = serde_json::from_str(lock).ok()?;
    Some(lock["packages"][format!("node_modules/{package}")]["version"].as_str()?.to_owned())
}

fn cargo_version(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_lock_files() {
        let npm = r#"{"packages":{"node_modules/ws":{"version":"8.18.3"}}}"#;
        assert_eq!(npm_version(npm, "ws").as_deref(), Some("8.18.3"));
        assert_eq!(npm_version(npm, "socket.io"), None);
        let cargo = "[[package]]\nname = \"tokio\"\nversion = \"1.50.0\"\n";
        assert_eq!(cargo_version(cargo, "tokio").as_deref(), Some("1.50.0"));
        assert_eq!(cargo_version(cargo, "oki"), None);
    }

    #[test]
    fn the_processor_is_named() {
        assert_eq!(processor("processor : 0\nmodel name\t: AMD EPYC\n"), Some("AMD EPYC"));
    }
}
