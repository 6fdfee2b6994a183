//! `horse-trust reports`: the reports that wait, what was said around one, and a decision on it.

use clap::{Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::client::{AdminClient, CallError};
use super::{list_of, pretty, shown};

/// What `horse-trust reports` does.
#[derive(Debug, Subcommand)]
pub enum ReportsCommand {
    /// List reports, newest first: id, state, time, reporter, sender, reason
    List {
        /// Those in this state alone
        #[arg(long, value_enum)]
        state: Option<State>,
        /// How many, at most 100
        #[arg(long, default_value_t = 30)]
        limit: u8,
        /// Go on after the cursor that the list before ended with
        #[arg(long)]
        after: Option<String>,
    },
    /// Show a report with what was said around it, as JSON
    Show {
        /// The report's id
        id: String,
    },
    /// Decide on a report
    Resolve {
        /// The report's id
        id: String,
        /// What becomes of it
        #[arg(long, value_enum, default_value_t = State::Resolved)]
        state: State,
        /// A note for moderators; an empty one takes the note away, without the flag it stays
        #[arg(long)]
        note: Option<String>,
    },
}

/// The state of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// It waits for an admin.
    Open,
    /// An admin has acted on it.
    Resolved,
    /// An admin found nothing to act on.
    Dismissed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
        }
    }
}

/// Runs the command; answers what it prints.
pub async fn run(client: &AdminClient, command: ReportsCommand) -> Result<String, CallError> {
    match command {
        ReportsCommand::List { state, limit, after } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(state.map(|state| ("state", state.name().to_owned())));
            query.extend(after.map(|cursor| ("after", cursor)));
            Ok(list_of(&client.request(Method::GET, &["reports"], &query, None).await?, line))
        }
        ReportsCommand::Show { id } => {
            let answer = client.request(Method::GET, &["reports", &id], &[], None).await?;
            Ok(pretty(&answer["data"]))
        }
        ReportsCommand::Resolve { id, state, note } => {
            let mut body = json!({"state": state.name()});
            if let Some(note) = note {
                body["note"] = Value::String(note);
            }
            let answer = client.request(Method::PATCH, &["reports", &id], &[], Some(&body)).await?;
            Ok(line(&answer["data"]))
        }
    }
}

/// A report in a line, with a tab between its fields.
fn line(report: &Value) -> String {
    let text = |value: &Value| shown(value.as_str().unwrap_or_default());
    let name = |profile: &Value| match profile["full_name"].as_str() {
        Some(name) => format!("{} ({})", shown(name), text(&profile["_id"])),
        None => text(&profile["_id"]),
    };
    [
        text(&report["_id"]),
        text(&report["state"]),
        text(&report["reported_at"]),
        name(&report["reporter"]),
        name(&report["message"]["sender_id"]),
        text(&report["reason"]),
    ]
    .join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_a_report() {
        let report = json!({
            "_id": "r1", "state": "open", "reported_at": "2024-01-15T10:30:00.000Z", "reason": "two\nlines",
            "reporter": {"_id": "b", "full_name": "Bruno"},
            "message": {"sender_id": {"_id": "a", "full_name": null}},
        });
        let shown = list_of(&json!({"data": [report], "cursor": "7"}), line);
        let expected = "r1\topen\t2024-01-15T10:30:00.000Z\tBruno (b)\ta\ttwo\\nlines\nmore: --after 7";
        assert_eq!(shown, expected);
        assert_eq!(list_of(&json!({"data": []}), line), "");
    }
}
