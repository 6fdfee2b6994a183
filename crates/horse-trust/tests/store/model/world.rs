//! The model: what a store should have.

use super::step::At;

pub(super) const USERS: [&str; 3] = ["ann", "ben", "cat"];
/// The conversations, by the index of their users.
pub(super) const PAIRS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 0]];

#[derive(Debug, Clone)]
pub(super) struct ModelMessage {
    /// Its place among all messages, in the order of commits.
    pub(super) order: usize,
    /// Which of the two wrote it.
    pub(super) sender: usize,
    pub(super) text: String,
    pub(super) key: Option<String>,
    pub(super) is_read: bool,
    pub(super) is_edited: bool,
    pub(super) is_deleted: bool,
}

/// What a conversation should be.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) messages: Vec<ModelMessage>,
    /// Up to where each of the two has read.
    pub(super) read_seq: [usize; 2],
    /// Up to where messages have reached a device of each of the two.
    pub(super) delivered_seq: [usize; 2],
}

impl Model {
    pub(super) fn unread(&self, side: usize) -> u64 {
        let is_unread =
            |message: &&ModelMessage| message.sender != side && !message.is_read && !message.is_deleted;
        self.messages.iter().filter(is_unread).count() as u64
    }

    /// The messages that are shown, each with its sequence number.
    pub(super) fn shown(&self) -> impl DoubleEndedIterator<Item = (usize, &ModelMessage)> {
        (1..).zip(&self.messages).collect::<Vec<_>>().into_iter().filter(|(_, message)| !message.is_deleted)
    }

    /// Marks as read; answers how many messages newly are.
    pub(super) fn read(&mut self, side: usize, up_to: usize) -> u64 {
        let before = self.unread(side);
        self.read_seq[side] = self.read_seq[side].max(up_to);
        for message in self.messages.iter_mut().take(up_to).filter(|message| message.sender != side) {
            message.is_read = true;
        }
        before - self.unread(side)
    }
}

/// What a store should have.
#[derive(Debug)]
pub(super) struct World {
    pub(super) conversations: Vec<Model>,
    /// Whether the first user blocks the second.
    pub(super) blocks: [[bool; 3]; 3],
    /// Whether several nodes may use the store, so that it looks at blocks and counts positions.
    pub(super) is_shared: bool,
    /// How many messages there ever were.
    messages: usize,
    /// How many texts there ever were.
    texts: usize,
}

impl World {
    pub(super) fn new(is_shared: bool) -> Self {
        let conversations = vec![Model::default(); PAIRS.len()];
        Self { conversations, blocks: [[false; 3]; 3], is_shared, messages: 0, texts: 0 }
    }

    /// A text that no message had before.
    pub(super) fn new_text(&mut self) -> String {
        self.texts += 1;
        format!("text {}", self.texts)
    }

    /// Adds a message; answers its sequence number.
    pub(super) fn push(
        &mut self,
        conversation: usize,
        sender: usize,
        text: String,
        key: Option<String>,
    ) -> &mut ModelMessage {
        self.messages += 1;
        let order = self.messages;
        let messages = &mut self.conversations[conversation].messages;
        messages.push(ModelMessage {
            order,
            sender,
            text,
            key,
            is_read: false,
            is_edited: false,
            is_deleted: false,
        });
        messages.last_mut().expect("one was pushed")
    }

    /// The sequence number at a part of a conversation; `None` if it is empty.
    pub(super) fn seq_at(&self, at: At) -> Option<usize> {
        let count = self.conversations[at.conversation].messages.len();
        (count > 0).then(|| index_at(at.part, count) + 1)
    }

    /// Whether a store refuses a text from one of the two in a conversation, and whether the sender is who blocks.
    pub(super) fn refusal(&self, conversation: usize, sender: usize) -> Option<bool> {
        let [sender, recipient] = [PAIRS[conversation][sender], PAIRS[conversation][1 - sender]];
        if !self.is_shared {
            None
        } else if self.blocks[sender][recipient] {
            Some(true)
        } else {
            self.blocks[recipient][sender].then_some(false)
        }
    }

    /// The conversations of a user, each with the side that the user is.
    pub(super) fn of_user(&self, user: usize) -> impl Iterator<Item = (usize, usize, &Model)> {
        self.conversations.iter().enumerate().filter_map(move |(index, model)| {
            let side = PAIRS[index].iter().position(|other| *other == user)?;
            Some((index, side, model))
        })
    }

    /// How many messages the conversations of a user have.
    pub(super) fn position(&self, user: usize) -> usize {
        self.of_user(user).map(|(_, _, model)| model.messages.len()).sum()
    }

    /// How many messages a user has not read.
    pub(super) fn unread(&self, user: usize) -> u64 {
        self.of_user(user).map(|(_, side, model)| model.unread(side)).sum()
    }

    /// The messages that a user is shown, in the order of commits: conversation and sequence number.
    pub(super) fn shown(&self, user: usize) -> Vec<(usize, usize)> {
        let mut shown: Vec<_> = self
            .of_user(user)
            .flat_map(|(index, _, model)| {
                model.shown().map(move |(seq, message)| (message.order, index, seq))
            })
            .collect();
        shown.sort_unstable();
        shown.into_iter().map(|(_, index, seq)| (index, seq)).collect()
    }
}

/// The index at a part of `count` things, of which there is one at least.
pub(super) fn index_at(part: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "vectors here are short"
    )]
    let index = (part * count as f64) as usize;
    index.min(count - 1)
}
