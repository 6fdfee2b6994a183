//! What the kernel says about a process, from outside.

use std::fs;
use std::ops::Sub;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;

/// CPU time that a process has used, in user and kernel mode, over all its threads and the children that it has
/// waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuTime(pub(crate) Duration);

impl Sub for CpuTime {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Reads the CPU time of process `pid`; the kernel counts it in ticks of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Result<CpuTime> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = parse_ticks(&stat).with_context(|| format!("{path} has an unknown form"))?;
    Ok(CpuTime(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?))
}

/// The CPU time of this program.
pub(crate) fn own_cpu_time() -> Result<CpuTime> {
    cpu_time(std::process::id())
}

/// utime, stime, cutime and cstime: fields 14 to 17, counted behind the command, which may hold blanks.
fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().skip(11).take(4).map(|field| field.parse::<u64>().ok()).sum()
}

/// The resident memory of process `pid`, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    kilobytes(&status, "VmRSS:")
        .map(|resident| resident * 1024)
        .with_context(|| format!("{path} has no VmRSS"))
}

/// The number behind `key` in a file such as `/proc/meminfo`, in kB.
pub(crate) fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Waits until the resident memory has changed by less than one part in 200 over a second, 20 s at most, and
/// returns it.
pub(crate) async fn settled_resident_bytes(pid: u32) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = resident_bytes(pid)?;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = resident_bytes(pid)?;
        if now.abs_diff(last) < last / 200 || Instant::now() > deadline {
            return Ok(now);
        }
        last = now;
    }
}

/// Room for the files of a program itself, beside its connections.
const SPARE_FILES: u64 = 200;

/// Raises the limit of open files of this process, and so of the servers that it starts, to what so many connections
/// need.
pub(crate) fn raise_open_files(connections: usize) -> Result<()> {
    let needed = connections as u64 + SPARE_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    // Beyond the hard limit only with the privilege to raise it; as far as it if not.
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok() {
        return Ok(());
    }
    bail!("{needed} open files are needed; raise the hard limit (`ulimit -Hn`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_of_user_kernel_and_children_are_summed() {
        let stat = "12 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 9 0";
        assert_eq!(parse_ticks(stat), Some(127));
        assert_eq!(parse_ticks("12 (node"), None);
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert!(own_cpu_time().is_ok());
    }

    #[test]
    fn a_line_of_meminfo() {
        assert_eq!(kilobytes("MemTotal:       24 kB\nMemFree: 1 kB\n", "MemFree:"), Some(1));
        assert_eq!(kilobytes("MemTotal:       24 kB\n", "Cached:"), None);
    }
}
