//! `horse-trust webhooks`: the events that were given up, and another attempt to send them.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::client::{AdminClient, CallError};
use super::{list_of, shown};

/// What `horse-trust webhooks` does.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Print a new `WEBHOOK_SECRET`
    Secret,
    /// List events that were given up: id, type, time, origin, attempts, when given up, error
    List {
        /// How many, at most 100
        #[arg(long, default_value_t = 30)]
        limit: u8,
        /// Go on after the cursor that the list before ended with
        #[arg(long)]
        after: Option<String>,
    },
    /// Send events that were given up, all or one
    Retry {
        /// The event's id; all without it
        id: Option<String>,
    },
}

/// Lists events; answers what it prints.
pub async fn list(client: &AdminClient, limit: u8, after: Option<String>) -> Result<String, CallError> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(after.map(|cursor| ("after", cursor)));
    Ok(list_of(&client.request(Method::GET, &["webhooks"], &query, None).await?, line))
}

/// Has events sent; answers what it prints.
pub async fn retry(client: &AdminClient, id: Option<String>) -> Result<String, CallError> {
    let body = id.map_or_else(|| json!({}), |id| json!({"id": id}));
    let answer = client.request(Method::POST, &["webhooks", "retry"], &[], Some(&body)).await?;
    Ok(format!("{} to be sent again", answer["data"]["retried"]))
}

/// An event in a line, with a tab between its fields.
fn line(event: &Value) -> String {
    let text = |name: &str| shown(event[name].as_str().unwrap_or_default());
    [
        text("_id"),
        text("type"),
        text("timestamp"),
        text("origin"),
        event["attempts"].to_string(),
        text("given_up_at"),
        text("error"),
    ]
    .join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_an_event() {
        let event = json!({
            "_id": "msg_1", "type": "message.created", "timestamp": "t1", "origin": "https://a.example", "attempts": 11,
            "given_up_at": "t2", "error": "500",
        });
        let expected = "msg_1\tmessage.created\tt1\thttps://a.example\t11\tt2\t500\nmore: --after 1-7";
        assert_eq!(list_of(&json!({"data": [event], "cursor": "1-7"}), line), expected);
    }
}
