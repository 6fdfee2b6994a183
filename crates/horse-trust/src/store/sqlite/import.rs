//! An import into the file.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::accounts::insert_user;
use super::codec::MessageId;
use super::database::Database;
use super::deleted;
use super::statements::is_constraint_violation;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::import::{ImportFile, ImportTarget, Staged, StagedConversation, StagedMessage};
use crate::store::types::User;

impl ImportTarget for Database {
    fn begin(&mut self) -> Result<Box<dyn ImportFile + '_>> {
        Ok(Box::new(Transaction::begin(&mut self.connection)?))
    }
}

struct Transaction<'a> {
    transaction: rusqlite::Transaction<'a>,
}

impl<'a> Transaction<'a> {
    fn begin(connection: &'a mut Connection) -> rusqlite::Result<Self> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(
            "CREATE TEMP TABLE staged (
                id NOT NULL PRIMARY KEY, conversation INTEGER NOT NULL, sender INTEGER NOT NULL,
                sent_at INTEGER NOT NULL, place INTEGER NOT NULL, text TEXT NOT NULL, extras TEXT, is_read INTEGER, read_at INTEGER,
                deleted_at INTEGER
            ) WITHOUT ROWID",
        )?;
        Ok(Self { transaction })
    }

    /// Adds an account.
    fn user(&self, user: &User) -> rusqlite::Result<Staged> {
        match insert_user(&self.transaction, user) {
            Ok(()) => Ok(Staged::Added),
            Err(error) if is_constraint_violation(&error) => {
                let known: Option<i64> = self
                    .transaction
                    .prepare_cached("SELECT 1 FROM users WHERE id = ?1")?
                    .query_row([&user.profile.id], |row| row.get(0))
                    .optional()?;
                Ok(if known.is_some() { Staged::Known } else { Staged::EMAIL_TAKEN })
            }
            Err(error) => Err(error),
        }
    }

    /// Adds a conversation.
    fn conversation(&self, conversation: &StagedConversation) -> rusqlite::Result<Staged> {
        let added = self
            .transaction
            .prepare_cached(
                "INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                conversation.id,
                conversation.participants[0],
                conversation.participants[1],
                conversation.horse_id,
                conversation.created_at.0,
                conversation.updated_at.0
            ])?;
        if added == 0 {
            return Ok(Staged::Known);
        }
        if let Some(last) = &conversation.last_message {
            self.transaction
                .prepare_cached(
                    "INSERT INTO imported_last_messages (conversation, sender, sent_at, text, is_read)
                     VALUES (last_insert_rowid(), ?1, ?2, ?3, ?4)",
                )?
                .execute(params![last.sender_id, last.sent_at.0, last.text, last.is_read])?;
        }
        Ok(Staged::Added)
    }

    /// Adds a message; the commit puts it in its place.
    fn message(&self, message: &StagedMessage) -> rusqlite::Result<Staged> {
        let id = MessageId(message.id.clone());
        let found: Option<(i64, Id, Id)> = self
            .transaction
            .prepare_cached("SELECT key, user_a, user_b FROM conversations WHERE id = ?1")?
            .query_row([&message.conversation_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((key, user_a, user_b)) = found else {
            return Ok(Staged::NO_CONVERSATION);
        };
        let side = match &message.sender_id {
            sender if *sender == user_a => 0,
            sender if *sender == user_b => 1,
            _ => return Ok(Staged::NO_PARTICIPANT),
        };
        let known: Option<i64> = self
            .transaction
            .prepare_cached("SELECT 1 FROM messages WHERE id = ?1")?
            .query_row([&id], |row| row.get(0))
            .optional()?;
        if known.is_some() {
            return Ok(Staged::Known);
        }
        let added = self
            .transaction
            .prepare_cached(
                "INSERT INTO staged (id, conversation, sender, sent_at, place, text, extras, is_read, read_at, deleted_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                id,
                key,
                side,
                message.sent_at.0,
                message.order.0,
                message.text,
                message.extras.as_deref(),
                message.is_read.then_some(1),
                message.read_at.map(|at| at.0),
                message.deleted_at.map(|at| at.0)
            ])?;
        Ok(Staged::added_or_known(added == 1))
    }
}

/// Does one after the other, up to the first that is refused.
fn each<T>(records: &[T], mut add: impl FnMut(&T) -> rusqlite::Result<Staged>) -> Result<Vec<Staged>> {
    let mut outcomes = Vec::with_capacity(records.len());
    for record in records {
        let outcome = add(record)?;
        outcomes.push(outcome);
        if matches!(outcome, Staged::Refused(..)) {
            break;
        }
    }
    Ok(outcomes)
}

impl ImportFile for Transaction<'_> {
    fn users(&mut self, users: &[User]) -> Result<Vec<Staged>> {
        each(users, |user| self.user(user))
    }

    fn conversations(&mut self, conversations: &[StagedConversation]) -> Result<Vec<Staged>> {
        each(conversations, |conversation| self.conversation(conversation))
    }

    fn messages(&mut self, messages: &[StagedMessage]) -> Result<Vec<Staged>> {
        each(messages, |message| self.message(message))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.transaction.execute_batch(
            "INSERT INTO messages
                 (conversation, seq, id, sender, sent_at, text, extras, is_read, read_at, deleted_at)
             SELECT s.conversation,
                 c.last_seq + row_number() OVER (PARTITION BY s.conversation ORDER BY s.place, s.id),
                 s.id, s.sender, s.sent_at, s.text, s.extras, s.is_read, s.read_at, s.deleted_at
             FROM staged s JOIN conversations c ON c.key = s.conversation;

             UPDATE conversations AS c SET
                 last_seq = c.last_seq + n.messages,
                 deleted = c.deleted + n.deleted,
                 unread_a = c.unread_a + n.unread_a,
                 unread_b = c.unread_b + n.unread_b
             FROM (
                 SELECT conversation, count(*) AS messages,
                     sum(deleted_at IS NOT NULL) AS deleted,
                     sum(sender = 1 AND is_read IS NULL AND deleted_at IS NULL) AS unread_a,
                     sum(sender = 0 AND is_read IS NULL AND deleted_at IS NULL) AS unread_b
                 FROM staged GROUP BY conversation
             ) AS n WHERE n.conversation = c.key;

             DELETE FROM imported_last_messages WHERE conversation IN (SELECT conversation FROM staged);",
        )?;
        self.transaction.execute_batch(deleted::FIND_OF_STAGED)?;
        self.transaction.execute_batch("DROP TABLE staged")?;
        Ok(self.transaction.commit()?)
    }
}
