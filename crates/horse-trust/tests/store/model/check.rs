//! Whether a store has what the model has.

use std::sync::Arc;

use horse_trust::id::Id;
use horse_trust::store::{Conversation, Message, MissedMessage, Store};

use super::world::{Model, PAIRS, USERS, World};
use crate::fixture::store::{id, list, read_page, soon};

/// Compares all that a store answers without being changed.
pub(super) async fn check(store: &dyn Store, conversations: &[Arc<Conversation>], world: &World) {
    for (conversation, model) in conversations.iter().zip(&world.conversations) {
        check_history(store, conversation, model).await;
    }
    for (user, name) in USERS.iter().enumerate() {
        check_list(store, conversations, world, user).await;
        assert_eq!(soon(store.unread_count(&id(name))).await.unwrap(), world.unread(user));
        let missed = missed(store, name, None).await;
        assert_eq!(places(&missed, conversations), world.shown(user));
        assert!(missed.is_sorted_by(|one, next| one.id < next.id));
    }
    check_positions(store, conversations, world).await;
}

async fn check_history(store: &dyn Store, conversation: &Conversation, model: &Model) {
    for limit in [3, 100] {
        let mut found = Vec::new();
        for number in 1.. {
            let mut page = read_page(store, conversation, number, limit).await;
            if page.is_empty() {
                break;
            }
            page.append(&mut found);
            found = page;
        }
        let found_messages: Vec<_> = found.iter().map(|message| fields(conversation, message)).collect();
        let expected: Vec<_> = model
            .shown()
            .map(|(seq, message)| {
                (
                    seq,
                    message.sender,
                    message.text.as_str(),
                    message.key.as_deref(),
                    message.is_read,
                    message.is_edited,
                )
            })
            .collect();
        assert_eq!(found_messages, expected);
        assert!(found.is_sorted_by(|one, next| one.id < next.id && one.sent_at <= next.sent_at));
    }
}

/// What the model knows of a message: number, side of the sender, text, idempotency key, whether it is read and edited.
fn fields<'a>(
    conversation: &Conversation,
    message: &'a Message,
) -> (usize, usize, &'a str, Option<&'a str>, bool, bool) {
    let sender = conversation.side_of(&message.sender).unwrap();
    let seq = usize::try_from(message.seq).unwrap();
    (seq, sender, &message.text, message.client_id.as_deref(), message.is_read, message.edited_at.is_some())
}

async fn check_list(store: &dyn Store, conversations: &[Arc<Conversation>], world: &World, user: usize) {
    for summary in list(store, USERS[user]).await {
        let index = conversations.iter().position(|other| other.key == summary.conversation.key).unwrap();
        let (model, pair) = (&world.conversations[index], PAIRS[index]);
        let side = pair.iter().position(|other| *other == user).unwrap();
        assert_eq!(summary.unread_count, model.unread(side));
        assert_eq!(summary.last_seq, seq(model.messages.len()));
        let last = summary
            .last_message
            .map(|last| (summary.conversation.side_of(&last.sender_id).unwrap(), last.text, last.is_read));
        let expected = model.shown().next_back();
        assert_eq!(last, expected.map(|(_, last)| (last.sender, last.text.clone(), last.is_read)));
        for (side, found) in summary.sides.iter().enumerate() {
            assert_eq!(found.read_seq, seq(model.read_seq[side]));
            assert_eq!(found.delivered_seq, seq(model.read_seq[side].max(model.delivered_seq[side])));
            assert_eq!(found.has_blocked, world.blocks[pair[side]][pair[1 - side]]);
        }
    }
}

async fn check_positions(store: &dyn Store, conversations: &[Arc<Conversation>], world: &World) {
    let users = USERS.map(id).to_vec();
    let positions = soon(store.positions_of(users.clone())).await.unwrap();
    let detailed = soon(store.detailed_positions_of(users)).await.unwrap();
    for (user, name) in USERS.iter().enumerate() {
        let expected = seq(world.position(user));
        let position = positions.iter().find(|(found, _)| *found == id(name)).map_or(0, |(_, count)| *count);
        assert_eq!(position, expected);
        let Some(found) = detailed.iter().find(|found| found.user == id(name)) else {
            assert_eq!(expected, 0);
            continue;
        };
        let mut lasts: Vec<_> = found.conversations.iter().map(|(place, last)| (place.key, *last)).collect();
        let mut expected_lasts: Vec<_> = world
            .of_user(user)
            .filter(|(_, _, model)| !model.messages.is_empty())
            .map(|(index, _, model)| (conversations[index].key, seq(model.messages.len())))
            .collect();
        lasts.sort_unstable();
        expected_lasts.sort_unstable();
        assert_eq!((found.position, lasts), (expected, expected_lasts));
    }
}

/// What a user missed after a message.
pub(super) async fn missed(store: &dyn Store, user: &str, after: Option<&Id>) -> Vec<MissedMessage> {
    let missed = soon(store.missed(&id(user), after, 1000)).await.unwrap();
    assert!(!missed.is_too_much);
    missed.messages
}

/// Messages as conversation and sequence number.
pub(super) fn places(missed: &[MissedMessage], conversations: &[Arc<Conversation>]) -> Vec<(usize, usize)> {
    let index_of = |key| conversations.iter().position(|other| other.key == key).unwrap();
    let place =
        |message: &MissedMessage| (index_of(message.conversation.key), usize::try_from(message.seq).unwrap());
    missed.iter().map(place).collect()
}

pub(super) fn seq(seq: usize) -> i64 {
    i64::try_from(seq).unwrap()
}
