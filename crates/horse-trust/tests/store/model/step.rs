//! What is done to a store.

use proptest::prelude::*;

/// A message by its conversation and a part of it; there may be none.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) conversation: usize,
    pub(super) part: f64,
}

/// A message to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) conversation: usize,
    /// Which of the two writes.
    pub(super) side: usize,
    pub(super) has_key: bool,
}

/// How a message is sent again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Again {
    Same,
    OtherText,
    OtherConversation,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Messages in a row without waiting.
    Send(Vec<Sent>),
    /// The idempotency key of that message is used once more, by the same sender.
    Repeat { at: At, again: Again },
    /// The text of that message is changed.
    Edit(At),
    /// That message is deleted.
    Delete(At),
    /// One of the two in a conversation blocks the other, or no longer.
    Block { conversation: usize, side: usize, is_blocked: bool },
    /// One of the two reads up to that message, or everything.
    ReadUpTo { at: At, side: usize, is_all: bool },
    /// What is before that message has reached a device of one of the two.
    Deliver { at: At, side: usize },
    /// A user asks what came after that part of what they have.
    Missed { user: usize, part: f64 },
    /// The store is closed and opened again.
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let at = || (0..3_usize, 0.0..1.0_f64).prop_map(|(conversation, part)| At { conversation, part });
    let sent = (0..3_usize, 0..2_usize, any::<bool>()).prop_map(|(conversation, side, has_key)| Sent {
        conversation,
        side,
        has_key,
    });
    let again = prop_oneof![Just(Again::Same), Just(Again::OtherText), Just(Again::OtherConversation)];
    let block = (0..3_usize, 0..2_usize, any::<bool>());
    prop_oneof![
        5 => prop::collection::vec(sent, 1..12).prop_map(Step::Send),
        3 => (at(), again).prop_map(|(at, again)| Step::Repeat { at, again }),
        2 => at().prop_map(Step::Edit),
        3 => at().prop_map(Step::Delete),
        1 => block.prop_map(|(conversation, side, is_blocked)| Step::Block { conversation, side, is_blocked }),
        4 => (at(), 0..2_usize, prop::bool::weighted(0.3))
            .prop_map(|(at, side, is_all)| Step::ReadUpTo { at, side, is_all }),
        2 => (at(), 0..2_usize).prop_map(|(at, side)| Step::Deliver { at, side }),
        2 => (0..3_usize, 0.0..1.0_f64).prop_map(|(user, part)| Step::Missed { user, part }),
        1 => Just(Step::Reopen),
    ]
}
