//! What a comparison measured, and where it is kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::plan::{Scenario, Sizes};
use crate::scenario::Outcome;
use crate::server::Server;

/// One server in one scenario in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) round: u32,
    pub(crate) scenario: Scenario,
    pub(crate) server: Server,
    pub(crate) outcome: Outcome,
}

/// A whole comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) quick: bool,
    pub(crate) rounds: u32,
    pub(crate) sizes: Sizes,
    pub(crate) machine: Machine,
    pub(crate) runs: Vec<Run>,
}

/// Where everything that is measured is kept.
pub(crate) fn output_folder(repository: &Path) -> PathBuf {
    repository.join("bench/output")
}

/// Where servers' stores and logs are kept while they run.
pub(crate) fn stage_folder(repository: &Path) -> PathBuf {
    output_folder(repository).join("stage")
}

/// Where the results of the last comparison are kept.
pub(crate) fn results_path(repository: &Path, quick: bool) -> PathBuf {
    output_folder(repository).join(if quick { "results-quick.json" } else { "results.json" })
}

/// Reads the results of a comparison.
pub(crate) fn load(path: &Path) -> Result<Results> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Each run in a file of its own, so that an interrupted comparison leaves what it had.
pub(crate) fn keep(repository: &Path, run: &Run) -> Result<()> {
    let folder = output_folder(repository).join("runs");
    fs::create_dir_all(&folder)?;
    let name = format!("{}-{}-{}.json", run.round, run.scenario.name(), run.server.name());
    fs::write(folder.join(name), serde_json::to_vec_pretty(run)?)?;
    Ok(())
}
