//! The columns of a message. A new one is named here, in `migrations/postgres/functions/messages.sql` (the view
//! `shown_messages` and `append_messages`), and in a migration of the table `messages`. An optional part that no statement
//! looks into needs none of this: it is a field of [`MessageExtras`].

use tokio_postgres::types::ToSql;

use super::codec::check_text;
use crate::id::Id;
use crate::store::columns::columns;
use crate::store::error::Result;
use crate::store::types::{Conversation, Message, MessageExtras, NewMessage, Quote};
use crate::timestamp::Timestamp;

columns! {
    /// A message of `shown_messages m`.
    struct MessageRow of postgres "m" {
        id: Id,
        seq: i64,
        sender: i16,
        text: String,
        is_read: bool,
        sent_at: Timestamp,
        client_id: Option<String>,
        quoted_id: Option<Id>,
        quoted_seq: Option<i64>,
        quoted_sender: Option<i16>,
        quoted_text: Option<String>,
        extras: Option<MessageExtras>,
        edited_at: Option<Timestamp>,
        deleted_at: Option<Timestamp>,
    }
}

impl MessageRow {
    pub(super) fn into_message(self, conversation: &Conversation) -> Message {
        let reply_to = match (self.quoted_id, self.quoted_seq, self.quoted_sender, self.quoted_text) {
            (Some(id), Some(seq), Some(sender), Some(text)) => {
                Some(Quote { id, seq, sender: sender_at(conversation, sender), text })
            }
            _ => None,
        };
        Message {
            id: self.id,
            seq: self.seq,
            sender: sender_at(conversation, self.sender),
            text: self.text,
            is_read: self.is_read,
            sent_at: self.sent_at,
            client_id: self.client_id,
            reply_to,
            extras: self.extras.map(Box::new),
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
        }
    }
}

/// The sender of whom this is stored.
pub(super) fn sender_at(conversation: &Conversation, stored: i16) -> Id {
    conversation.sender_at(usize::try_from(stored).unwrap_or(usize::MAX))
}

/// Why a message can't be stored, if it can't.
pub(super) fn check(new: &NewMessage) -> Result<()> {
    new.conversation.require_sender(&new.sender)?;
    check_text(&new.text)?;
    check_text(new.client_id.as_deref().unwrap_or_default())
}

/// The function that stores messages; its parameters are [`append_parameters`].
pub(super) const APPEND: &str = "append_messages($1, $2, $3, $4, $5, $6)";

/// How many parameters that are; a statement may have more behind them.
pub(super) const APPEND_PARAMETERS: usize = 6;

/// A list of each thing that the messages have; [`check`] has looked at their senders.
pub(super) fn append_parameters<'a>(messages: &[&'a NewMessage]) -> Vec<Box<dyn ToSql + Sync + Send + 'a>> {
    fn column<'a, T: ToSql + Sync + Send + 'a>(
        messages: &[&'a NewMessage],
        value: impl Fn(&'a NewMessage) -> T,
    ) -> Box<dyn ToSql + Sync + Send + 'a> {
        Box::new(messages.iter().map(|message| value(message)).collect::<Vec<T>>())
    }
    vec![
        column(messages, |message| message.conversation.key),
        column(messages, |message| {
            i16::from(message.conversation.require_sender(&message.sender).unwrap_or_default())
        }),
        column(messages, |message| message.text.as_str()),
        column(messages, |message| message.client_id.as_deref()),
        column(messages, |message| message.reply_to.as_ref().map(|quote| quote.seq)),
        column(messages, |message| message.extras.as_deref()),
    ]
}
