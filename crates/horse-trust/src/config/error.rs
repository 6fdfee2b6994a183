//! A setting that can't be used.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A setting that can't be used. One line that names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct ConfigError {
    name: String,
    message: String,
}

impl ConfigError {
    /// `message` is wrong with the setting `name`.
    pub(crate) fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), message: message.into() }
    }
}

/// What is wrong with a command line, in one line. A value is quoted only by its own parser, for it may be a secret; its
/// setting is called by the name of its environment variable, if it has one in `command`.
pub fn explain(error: &clap::Error, command: &clap::Command) -> String {
    if let (ErrorKind::ValueValidation, Some(ContextValue::String(argument)), Some(source)) =
        (error.kind(), error.get(ContextKind::InvalidArg), error.source())
    {
        // As usage shows it: `--port <PORT>`, or `<USER_ID>`.
        let flag = argument.split(' ').next().unwrap_or(argument).trim_matches(['<', '>']);
        let is_this = |known: &&clap::Arg| known.get_long().is_some_and(|long| flag == format!("--{long}"));
        let variable = command.get_arguments().find(is_this).and_then(clap::Arg::get_env);
        let name = variable.map_or_else(|| flag.to_owned(), |name| name.to_string_lossy().into_owned());
        return ConfigError::new(&name, source.to_string()).to_string();
    }
    // What follows the first paragraph is the usage.
    let message = error.to_string();
    let problem: Vec<&str> = message.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    problem.join(" ").trim_start_matches("error: ").to_owned()
}
