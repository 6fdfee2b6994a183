//! `horse-trust users`: the platform's people on a running server.

use std::io::Write;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::client::{AdminClient, CallError};
use super::{list_of, pretty, shown};

/// What `horse-trust users` does.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List users in the order of their ids: id, role, state, name, e-mail
    List {
        /// Those with this in their name or e-mail
        #[arg(long)]
        query: Option<String>,
        /// The one with this e-mail
        #[arg(long)]
        email: Option<String>,
        /// How many, at most 100
        #[arg(long, default_value_t = 30)]
        limit: u8,
        /// Go on after the cursor that the list before ended with
        #[arg(long)]
        after: Option<String>,
    },
    /// Show a user, as JSON
    Show {
        /// The user's id
        id: String,
    },
    /// Make or change a user; what is not given stays, an empty text takes it away
    Set(SetUser),
    /// Suspend a user, or end the suspension
    Suspend {
        /// The user's id
        id: String,
        /// Why; the user sees it
        #[arg(long)]
        reason: Option<String>,
        /// Until when, such as 2030-01-31T00:00:00Z; without it there is no end
        #[arg(long)]
        until: Option<String>,
        /// End the suspension
        #[arg(long, conflicts_with_all = ["reason", "until"])]
        end: bool,
    },
    /// Erase a user for good
    Erase {
        /// The user's id
        id: String,
        /// What becomes of what they wrote
        #[arg(long, value_enum, default_value_t = Messages::Keep)]
        messages: Messages,
        /// Without it nothing is erased: there is no way back
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Write everything that is kept of a user to the standard output, a JSON object a line
    Export {
        /// The user's id
        id: String,
    },
}

/// A user to make or change.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("field").multiple(true).required(true))]
pub struct SetUser {
    /// The user's id
    id: String,
    /// The name that others see
    #[arg(long, group = "field")]
    full_name: Option<String>,
    /// The URL of the picture
    #[arg(long, group = "field")]
    profile_picture_url: Option<String>,
    /// The e-mail
    #[arg(long, group = "field")]
    email: Option<String>,
    /// The phone number, such as +5491112345678
    #[arg(long, group = "field")]
    phone: Option<String>,
    /// The rights
    #[arg(long, value_enum, group = "field")]
    role: Option<Role>,
    /// Whether the account may be used
    #[arg(long, group = "field")]
    active: Option<bool>,
}

/// The rights of a user.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// A user.
    Seller,
    /// An admin.
    Admin,
}

/// What becomes of the messages of a user who is erased.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Messages {
    /// They stay readable to the other.
    Keep,
    /// Their texts are deleted, too.
    Delete,
}

impl SetUser {
    /// The id, and the body of the request.
    fn into_parts(self) -> (String, Value) {
        let mut body = Map::new();
        let texts = [
            ("full_name", self.full_name),
            ("profile_picture_url", self.profile_picture_url),
            ("email", self.email),
            ("phone", self.phone),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                let value = if text.is_empty() { Value::Null } else { Value::String(text) };
                body.insert(name.to_owned(), value);
            }
        }
        if let Some(role) = self.role {
            let name = match role {
                Role::Seller => "seller",
                Role::Admin => "admin",
            };
            body.insert("role".to_owned(), name.into());
        }
        if let Some(is_active) = self.active {
            body.insert("is_active".to_owned(), is_active.into());
        }
        (self.id, Value::Object(body))
    }
}

/// Runs the command; answers what it prints. An export is written to `output` as it comes.
pub async fn run(
    client: &AdminClient,
    command: UsersCommand,
    output: &mut (dyn Write + Send),
) -> Result<String, CallError> {
    match command {
        UsersCommand::List { query, email, limit, after } => {
            let mut parameters = vec![("limit", limit.to_string())];
            parameters.extend(query.map(|text| ("query", text)));
            parameters.extend(email.map(|email| ("email", email)));
            parameters.extend(after.map(|cursor| ("after", cursor)));
            Ok(list_of(&client.request(Method::GET, &["users"], &parameters, None).await?, line))
        }
        UsersCommand::Show { id } => {
            let answer = client.request(Method::GET, &["users", &id], &[], None).await?;
            Ok(pretty(&answer["data"]))
        }
        UsersCommand::Set(user) => {
            let (id, body) = user.into_parts();
            let answer = client.request(Method::PUT, &["users", &id], &[], Some(&body)).await?;
            Ok(line(&answer["data"]))
        }
        UsersCommand::Suspend { id, end: true, .. } => {
            let path = ["users", &*id, "suspension"];
            let answer = client.request(Method::DELETE, &path, &[], None).await?;
            Ok(suspension(&id, &answer["data"]))
        }
        UsersCommand::Suspend { id, reason, until, end: false } => {
            let body = json!({"reason": reason, "until": until});
            let path = ["users", &*id, "suspension"];
            let answer = client.request(Method::PUT, &path, &[], Some(&body)).await?;
            Ok(suspension(&id, &answer["data"]))
        }
        UsersCommand::Erase { id, messages, .. } => {
            let messages = match messages {
                Messages::Keep => "keep",
                Messages::Delete => "delete",
            };
            let query = [("messages", messages.to_owned())];
            let (status, _) =
                client.request_with_status(Method::DELETE, &["users", &id], &query, None).await?;
            let outcome = if status == StatusCode::ACCEPTED { "being erased; it goes on" } else { "erased" };
            Ok(format!("{}\t{outcome}", shown(&id)))
        }
        UsersCommand::Export { id } => {
            client.download(&["users", &id, "export"], output).await?;
            Ok(String::new())
        }
    }
}

/// A user in a line, with a tab between the fields.
fn line(user: &Value) -> String {
    let text = |name: &str| shown(user[name].as_str().unwrap_or_default());
    let state = if user["suspension"].is_object() { "suspended" } else { "active" };
    [text("_id"), text("role"), state.to_owned(), text("full_name"), text("email")].join("\t")
}

/// What holds of a user after a change of the suspension, in a line.
fn suspension(id: &str, suspension: &Value) -> String {
    let id = shown(id);
    if !suspension.is_object() {
        return format!("{id}\tactive");
    }
    let until = suspension["until"]
        .as_str()
        .map_or("without an end".to_owned(), |until| format!("until {}", shown(until)));
    format!("{id}\tsuspended {until}\t{}", shown(suspension["reason"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_a_user() {
        let ana = json!({"_id": "a", "role": "seller", "full_name": "Ana\u{1b}", "email": "ana@example.com"});
        let bob = json!({"_id": "b", "role": "admin", "full_name": null, "suspension": {"until": null}});
        let expected =
            "a\tseller\tactive\tAna\\u{1b}\tana@example.com\nb\tadmin\tsuspended\t\t\nmore: --after b";
        assert_eq!(list_of(&json!({"data": [ana, bob], "cursor": "b"}), line), expected);
        assert_eq!(list_of(&json!({"data": []}), line), "");
    }

    #[test]
    fn what_holds_after_a_suspension_is_said() {
        let day = json!({"until": "2030-01-31T00:00:00.000Z", "reason": "Fraud"});
        assert_eq!(suspension("a", &day), "a\tsuspended until 2030-01-31T00:00:00.000Z\tFraud");
        assert_eq!(suspension("a", &json!({"until": null, "reason": null})), "a\tsuspended without an end\t");
        assert_eq!(suspension("a", &Value::Null), "a\tactive");
    }

    #[test]
    fn what_is_not_given_stays_and_an_empty_text_takes_away() {
        let none = SetUser {
            id: "a".to_owned(),
            full_name: Some("Ana".to_owned()),
            profile_picture_url: None,
            email: None,
            phone: Some(String::new()),
            role: Some(Role::Admin),
            active: Some(false),
        };
        let expected = json!({"full_name": "Ana", "phone": null, "role": "admin", "is_active": false});
        assert_eq!(none.into_parts(), ("a".to_owned(), expected));
    }
}
