//! Everything that is kept of a user, line by line, in bounded memory.
//!
//! The store is read in pages, and holds neither a connection nor a snapshot between them: a client that reads slowly keeps
//! none from others. What changes while an export runs may be in it or not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::view;
use crate::chat;
use crate::contract::ExportLine;
use crate::id::Id;
use crate::json;
use crate::store::{
    Actor, ConversationSummary, ListFilter, ListQuery, Message, Person, Profile, Range, Store, StoreError,
};

/// How long a client may take for a chunk. One that takes less than that is cut off.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an export may take in all. A million messages take less than two minutes.
const EXPORT_TIMEOUT: Duration = Duration::from_hours(1);
/// Lines are gathered up to this many bytes, and sent together.
const CHUNK_BYTES: usize = 64 * 1024;
/// Messages and texts of a page: a megabyte of the longest.
const TEXTS_AT_ONCE: u32 = 128;
/// Conversations of a page.
const CONVERSATIONS_AT_ONCE: usize = 100;
/// Blocks of a page, and reports and audit entries of everybody that are looked at in one read.
const ROWS_AT_ONCE: u32 = 500;

/// Why an export ended before its last line.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nobody reads it any more.
    #[error("the client is gone")]
    Gone,
    /// The client took a chunk too slowly, or the whole took too long.
    #[error("the client took too long")]
    TooSlow,
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// It panicked.
    #[error("the work broke off: {0}")]
    Broken(String),
}

/// An export that may begin.
pub struct Export {
    store: Arc<dyn Store>,
    user: Id,
    person: Option<Person>,
    /// The store's keys of the user's conversations at the beginning.
    conversations: Vec<i64>,
    /// The place among the exports that run.
    _place: OwnedSemaphorePermit,
}

impl Export {
    /// Finds what is kept of `user`; `None` if that is nothing.
    pub(super) async fn prepare(
        store: Arc<dyn Store>,
        user: &Id,
        place: OwnedSemaphorePermit,
    ) -> Result<Option<Self>, StoreError> {
        let person = store.person(user).await?;
        // All at once, 16 bytes each: page by page, one that moves to the top meanwhile would be passed over.
        let all = ListQuery { filter: ListFilter::All, ..ListQuery::default() };
        let places = store.conversation_list(user, all).await?;
        if person.is_none() && places.is_empty() {
            return Ok(None);
        }
        let conversations = places.iter().map(|place| place.key).collect();
        Ok(Some(Self { store, user: user.clone(), person, conversations, _place: place }))
    }

    /// Sends all lines. The receiver takes them as fast as its client does.
    pub async fn run(self, chunks: &Sender<Bytes>) -> Result<(), ExportError> {
        timeout(EXPORT_TIMEOUT, self.write_all(Lines { chunks, buffer: Vec::new() }))
            .await
            .unwrap_or(Err(ExportError::TooSlow))
    }

    async fn write_all(self, mut lines: Lines<'_>) -> Result<(), ExportError> {
        if let Some(person) = &self.person {
            let last_seen = self.store.last_seen(&self.user).await?;
            lines.add(&ExportLine::User(view::exported_user(person, last_seen))).await?;
        }
        self.write_blocks(&mut lines).await?;
        for keys in self.conversations.chunks(CONVERSATIONS_AT_ONCE) {
            for summary in self.store.conversation_summaries(keys, &self.user).await? {
                self.write_conversation(&summary, &mut lines).await?;
            }
        }
        self.write_reports(&mut lines).await?;
        self.write_audit(&mut lines).await?;
        lines.flush().await
    }

    async fn write_blocks(&self, lines: &mut Lines<'_>) -> Result<(), ExportError> {
        let mut after: Option<Id> = None;
        loop {
            let blocks = self.store.blocks_of(&self.user, after.as_ref(), ROWS_AT_ONCE).await?;
            let Some(last) = blocks.last() else { return Ok(()) };
            after = Some(last.user.clone());
            for block in &blocks {
                lines.add(&ExportLine::Block(view::exported_block(block))).await?;
            }
        }
    }

    /// The conversation, what the user wrote in it, and what of that was withdrawn.
    async fn write_conversation(
        &self,
        summary: &ConversationSummary,
        lines: &mut Lines<'_>,
    ) -> Result<(), ExportError> {
        let conversation = &summary.conversation;
        let Some(side) = conversation.side_of(&self.user) else { return Ok(()) };
        lines.add(&ExportLine::Conversation(view::exported_conversation(summary, side))).await?;
        let profile: Option<&Profile> = summary.profiles[side].as_ref();
        let mut seq = 0;
        loop {
            lines.check()?;
            let range = Range::After(seq, TEXTS_AT_ONCE.into());
            let messages: Vec<Message> = self.store.history(conversation, range).await?.messages;
            let Some(last) = messages.last() else { break };
            seq = last.seq;
            for message in messages.iter().filter(|message| message.sender == self.user) {
                lines.add(&ExportLine::Message(chat::view::message(conversation, profile, message))).await?;
            }
        }
        let mut after = (0, 0);
        loop {
            lines.check()?;
            let texts = self.store.withdrawn_in(conversation, after, TEXTS_AT_ONCE).await?;
            let Some((place, _)) = texts.last() else { return Ok(()) };
            after = *place;
            for (_, text) in texts.iter().filter(|(_, text)| text.sender == self.user) {
                lines.add(&ExportLine::WithdrawnText(view::exported_text(text))).await?;
            }
        }
    }

    async fn write_reports(&self, lines: &mut Lines<'_>) -> Result<(), ExportError> {
        let mut after = 0;
        loop {
            lines.check()?;
            let found = self.store.reports_of(&self.user, after, ROWS_AT_ONCE).await?;
            for report in &found.reports {
                if report.reporter == self.user {
                    lines.add(&ExportLine::Report(view::exported_report(report))).await?;
                }
                if report.sender == self.user {
                    lines.add(&ExportLine::ReportedMessage(view::exported_reported(report))).await?;
                }
            }
            let Some(next) = found.next else { return Ok(()) };
            after = next;
        }
    }

    async fn write_audit(&self, lines: &mut Lines<'_>) -> Result<(), ExportError> {
        let mut before = None;
        loop {
            lines.check()?;
            let entries = self.store.audit(before, ROWS_AT_ONCE).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            before = Some(last.number);
            let is_own =
                |actor: &Option<Actor>| matches!(actor, Some(Actor::User(user)) if *user == self.user);
            for entry in &entries {
                if entry.target.as_ref() == Some(&self.user) || is_own(&entry.actor) {
                    lines.add(&ExportLine::Audit(view::audit_entry(entry))).await?;
                }
            }
        }
    }
}

/// Lines on their way to a client.
struct Lines<'a> {
    chunks: &'a Sender<Bytes>,
    buffer: Vec<u8>,
}

impl Lines<'_> {
    async fn add(&mut self, line: &ExportLine<'_>) -> Result<(), ExportError> {
        self.buffer.extend_from_slice(json::encode(line).as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Fails once the client is gone: it may go while nothing is found to be sent.
    fn check(&self) -> Result<(), ExportError> {
        if self.chunks.is_closed() { Err(ExportError::Gone) } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), ExportError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = timeout(CHUNK_TIMEOUT, self.chunks.send(chunk)).await;
        sent.map_err(|_| ExportError::TooSlow)?.map_err(|_| ExportError::Gone)
    }
}
