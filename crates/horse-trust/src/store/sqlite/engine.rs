//! The engine of the group commit: one transaction and one sync a batch, on a thread of its own.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use super::append_buffer::{self, AppendBuffer};
use super::checkpoint::Checkpoints;
use super::codec::count;
use super::job::Job;
use super::memory::{Context, Memory};
use super::outbox_rows::{self, NewEvent};
use super::{client_ids, conversations, erased_message, messages, people, statements, unseen};
use crate::id::{Id, IdGenerator};
use crate::store::clock::held_forward;
use crate::store::error::{Result, StoreError};
use crate::store::group_commit::{Engine, Write};
use crate::store::outbox::{OutboxPlan, SharedPlan};
use crate::store::types::{
    Change, Changed, EventKind, MarkRead, Message, NewMessage, Read, Stored, Unread, integer,
};
use crate::timestamp::Timestamp;

/// The connection that writes, and what it knows of the file.
pub(super) struct SqliteEngine {
    path: PathBuf,
    connection: Connection,
    checkpoints: Checkpoints,
    ids: Arc<IdGenerator>,
    memory: Memory,
    buffer: AppendBuffer,
    plan: SharedPlan,
    /// Whether the last batch was committed, so that `memory` is what the file has.
    is_in_step: bool,
    /// Given back when the engine ends.
    _lock: File,
}

impl SqliteEngine {
    /// `lock` keeps other processes away.
    pub(super) fn new(path: PathBuf, mut connection: Connection, lock: File) -> rusqlite::Result<Self> {
        let ids = Arc::new(IdGenerator::new());
        if let Some(last) = messages::greatest_message_id(&connection, IdGenerator::MADE_UP_SECONDS)? {
            ids.continue_after(&last);
        }
        Ok(Self {
            checkpoints: Checkpoints::start(&path, &mut connection)?,
            path,
            connection,
            ids,
            memory: Memory::default(),
            buffer: AppendBuffer::default(),
            plan: SharedPlan::default(),
            is_in_step: true,
            _lock: lock,
        })
    }

    /// Makes the ids of all that is stored.
    pub(super) fn ids(&self) -> Arc<IdGenerator> {
        Arc::clone(&self.ids)
    }

    /// What is written to the outbox, once that is known.
    pub(super) fn plan(&self) -> SharedPlan {
        Arc::clone(&self.plan)
    }

    /// Does all writes in one transaction. An error here is one of the transaction, of which nothing is stored.
    fn commit_batch(&mut self, writes: &mut [Write<Job>]) -> Result<()> {
        if !std::mem::take(&mut self.is_in_step) {
            self.memory.clear();
        }
        self.memory.trim();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            connection: &transaction,
            ids: &self.ids,
            memory: &mut self.memory,
            buffer: self.buffer,
            plan: self.plan.get(),
            added: HashMap::new(),
            appended: 0,
        };
        for write in writes {
            batch.write(write)?;
        }
        batch.update_conversations()?;
        if let Err(error) = batch.buffer.advance(&transaction, batch.appended) {
            let error = batch.alone(error.into())?;
            tracing::error!(%error, path = %self.path.display(), "messages stay in the append buffer");
        }
        let buffer = batch.buffer;
        transaction.commit()?;
        self.buffer = buffer;
        self.is_in_step = true;
        if let Some(plan) = self.plan.get() {
            plan.after_commit();
        }
        Ok(())
    }
}

impl Engine for SqliteEngine {
    type Custom = Job;

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    async fn commit(&mut self, writes: &mut [Write<Job>]) -> Result<()> {
        self.commit_batch(writes)
    }

    fn after_commit(&mut self) {
        self.checkpoints.after_commit(&self.connection);
    }

    fn close(mut self) {
        if let Err(error) = append_buffer::flush_all(&mut self.connection) {
            tracing::warn!(%error, path = %self.path.display(), "the append buffer is flushed at the next start");
        }
        self.checkpoints.close();
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, path = %self.path.display(), "the write-ahead log stays until the next start");
        }
    }
}

fn mark_read(context: &mut Context<'_>, mark: &MarkRead, plan: Option<&OutboxPlan>) -> Result<Read> {
    let side = mark.conversation.require_side_of(&mark.reader)?;
    let read = messages::mark_read(context, &mark.conversation, side, mark.up_to)?;
    if let Some(plan) = plan.filter(|_| read.newly_read > 0 && read.unread.conversation > 0) {
        unseen::watch(context.connection, plan, mark.conversation.key, side)?;
    }
    Ok(read)
}

fn change_message(context: &mut Context<'_>, change: &Change, plan: Option<&OutboxPlan>) -> Result<Changed> {
    if change.is_erasure {
        return erased_message::erase(context, change);
    }
    let changed = messages::change_message(context, change)?;
    if let (Some(plan), Changed::Done { message, unread }) = (plan, &changed) {
        let (kind, at) = match (message.deleted_at, message.edited_at) {
            (Some(at), _) => (EventKind::MessageDeleted, at),
            (None, at) => (EventKind::MessageUpdated, at.unwrap_or(message.sent_at)),
        };
        let unread = unread.map(|unread| integer(unread.total));
        let event = NewEvent::new(kind, change.conversation.key, change.seq, at);
        outbox_rows::add(context.connection, plan, &NewEvent { unread, ..event })?;
    }
    Ok(changed)
}

/// A transaction while it is filled.
struct Batch<'a> {
    connection: &'a Connection,
    ids: &'a IdGenerator,
    memory: &'a mut Memory,
    buffer: AppendBuffer,
    plan: Option<&'a OutboxPlan>,
    /// How many messages each of the two has to read more in a conversation whose row does not know it yet.
    added: HashMap<i64, [i64; 2]>,
    /// How many messages the batch has so far.
    appended: usize,
}

impl Batch<'_> {
    /// Does a write and resolves it; an error is the transaction's.
    fn write(&mut self, write: &mut Write<Job>) -> Result<()> {
        match write {
            Write::Append(append) => {
                self.appended += 1;
                let outcome = self.append(&append.input)?;
                append.resolve(outcome);
            }
            Write::Change(change) => {
                let plan = self.plan;
                let outcome = self.alone_or_undone(|context| change_message(context, &change.input, plan))?;
                change.resolve(outcome);
            }
            Write::MarkRead(mark) => {
                let plan = self.plan;
                let outcome = self.alone_or_undone(|context| mark_read(context, &mark.input, plan))?;
                mark.resolve(outcome);
            }
            Write::SetBlock(block) => {
                let plan = self.plan;
                let outcome = self.alone_or_undone(|context| {
                    Ok(people::set_block(context.connection, &block.input, plan)?)
                })?;
                block.resolve(outcome);
            }
            Write::Touch(touch) => {
                let outcome = self.alone_or_undone(|context| Ok(statements::touch(context.connection)?))?;
                touch.resolve(outcome);
            }
            Write::Flush(flush) => flush.resolve(Ok(())),
            // It keeps its own outcome.
            Write::Custom(job) => drop(self.alone_or_undone(|context| job.run(context.connection))?),
        }
        Ok(())
    }

    /// Stores a message; its conversation's row follows in [`Batch::update_conversations`]. The outer error is the
    /// transaction's, the inner one the message's own.
    fn append(&mut self, new: &NewMessage) -> Result<Result<Stored>> {
        match self.try_append(new) {
            Ok(stored) => Ok(Ok(stored)),
            // An answer, by which nothing was changed.
            Err(StoreError::ClientIdUsed) => Ok(Err(StoreError::ClientIdUsed)),
            Err(error) => {
                let error = self.alone(error)?;
                // What is remembered may be what misled it; what was added so far has to be in the file then.
                self.update_conversations()?;
                self.memory.clear();
                if let Some(client_id) = &new.client_id {
                    client_ids::forget(self.connection, &new.sender, client_id)?;
                }
                Ok(Err(error))
            }
        }
    }

    fn try_append(&mut self, new: &NewMessage) -> Result<Stored> {
        let conversation = &new.conversation;
        let sender = conversation.require_sender(&new.sender)?;
        let key = conversation.key;
        let mut last = match self.memory.last.get(&key) {
            Some(last) => *last,
            None => conversations::last_of(self.connection, key)?,
        };
        let seq = last.seq + 1;
        if let Some(client_id) = &new.client_id
            && !client_ids::insert(self.connection, &new.sender, client_id, key, seq)?
        {
            let (conversation, message) =
                messages::message_of_client(self.connection, &new.sender, client_id)?;
            if !message.is_repeated_by(&conversation, new) {
                return Err(StoreError::ClientIdUsed);
            }
            return Ok(Stored { conversation, message, is_new: false, unread: None, positions: None });
        }
        for (_, recipient) in conversation.recipients_of(&new.sender) {
            if self.memory.change_total(recipient, 0).is_none() {
                self.update_conversations()?;
                self.memory.read_total(self.connection, recipient)?;
            }
        }
        let message = new.stored_as(self.ids.next(), seq, held_forward(Timestamp::now(), last.sent_at));
        // Before the message: of one that then fails there is an event without a message, which is not sent.
        if let Some(plan) = self.plan {
            self.add_created(plan, new, &message, last.unread)?;
        }
        self.buffer.insert(self.connection, key, sender, &message)?;
        last.seq = seq;
        last.sent_at = message.sent_at;
        let added = self.added.entry(key).or_default();
        let mut unread = None;
        for (side, recipient) in conversation.recipients_of(&new.sender) {
            added[side] += 1;
            last.unread[side] += 1;
            let total = self.memory.change_total(recipient, 1).unwrap_or(last.unread[side]);
            unread = Some(Unread { conversation: count(last.unread[side]), total: count(total) });
        }
        self.memory.last.insert(key, last);
        let unread = unread.filter(|_| new.sender != Id::SYSTEM);
        Ok(Stored { conversation: Arc::clone(conversation), message, is_new: true, unread, positions: None })
    }

    /// Adds the event of a message, and watches its recipients who had nothing to read before.
    fn add_created(
        &mut self,
        plan: &OutboxPlan,
        new: &NewMessage,
        message: &Message,
        unread_before: [i64; 2],
    ) -> Result<()> {
        let key = new.conversation.key;
        // A message of the platform has two recipients, whose counts are read when it is sent.
        let unread = match new.conversation.other(&new.sender) {
            Some(recipient) => self.memory.change_total(recipient, 0).map(|total| total + 1),
            None => None,
        };
        let event = NewEvent::new(EventKind::MessageCreated, key, message.seq, message.sent_at);
        outbox_rows::add(self.connection, plan, &NewEvent { unread, ..event })?;
        for (side, _) in new.conversation.recipients_of(&new.sender) {
            if unread_before[side] == 0 {
                unseen::watch(self.connection, plan, key, side)?;
            }
        }
        Ok(())
    }

    /// Does `work` whole or not at all. The outer error is the transaction's, the inner one that of `work`.
    fn alone_or_undone<T>(&mut self, work: impl FnOnce(&mut Context<'_>) -> Result<T>) -> Result<Result<T>> {
        // It has to read what the writes before it wrote.
        self.update_conversations()?;
        self.memory.begin();
        statements::execute(self.connection, "SAVEPOINT job")?;
        let mut outcome = work(&mut Context { connection: self.connection, memory: self.memory });
        if let Err(error) = outcome {
            outcome = Err(self.alone(error)?);
            // All else is still true: to add up what a user has not read costs in proportion to the conversations.
            self.memory.roll_back();
            statements::execute(self.connection, "ROLLBACK TO job")?;
        }
        statements::execute(self.connection, "RELEASE job")?;
        Ok(outcome)
    }

    /// Whether `error` is that of one write; some, as of a full disk, take the whole transaction with them.
    fn alone(&self, error: StoreError) -> Result<StoreError> {
        if self.connection.is_autocommit() { Err(error) } else { Ok(error) }
    }

    /// Brings the rows of the conversations that got messages up to date, one update each.
    fn update_conversations(&mut self) -> Result<()> {
        for (key, added) in self.added.drain() {
            conversations::update_conversation(self.connection, key, self.memory.last[&key], added)?;
        }
        Ok(())
    }
}
