//! `message.unseen`: who has been away for long enough since the first message that they have not read.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::chat::Chat;
use crate::store::{Store, StoreError, UnseenDue, UnseenOutcome};

/// How many conversations are looked at together.
const BATCH: usize = 200;
/// How long after a start clients may take to come back before anybody counts as away.
const RECONNECT: Duration = Duration::from_mins(1);
const LEASE: Duration = Duration::from_secs(25);
const NAME: &str = "unseen";

/// What becomes of a conversation whose time has come.
fn decide(due: &UnseenDue, is_online: bool, after: Duration) -> UnseenOutcome {
    let Some((seq, sent_ago)) = due.first_unread else { return UnseenOutcome::Forget };
    if is_online {
        // Whoever leaves in the meantime is looked at before they were away for long enough.
        return UnseenOutcome::Wait(after);
    }
    let away = due.last_seen.map_or(sent_ago, |seen_ago| seen_ago.min(sent_ago));
    match after.checked_sub(away) {
        None | Some(Duration::ZERO) => UnseenOutcome::Notify(seq),
        Some(left) => UnseenOutcome::Wait(left),
    }
}

/// Looks for them, as long as it runs; on one node at a time.
pub(super) async fn run(chat: Arc<Chat>, store: Arc<dyn Store>, holder: Arc<str>, after: Duration) {
    let ready_at = Instant::now() + after.min(RECONNECT);
    tokio::time::sleep_until(ready_at).await;
    let pause = after.min(LEASE / 4).max(Duration::from_millis(100));
    loop {
        let wait = match look(&chat, &*store, &holder, after).await {
            Ok(Some(next)) => next.min(pause),
            Ok(None) => pause,
            Err(error) => {
                tracing::warn!(%error, "unread messages were not looked at");
                pause
            }
        };
        sleep(wait.max(Duration::from_millis(20))).await;
    }
}

/// Looks once; answers when to look again, at the latest.
async fn look(
    chat: &Chat,
    store: &dyn Store,
    holder: &str,
    after: Duration,
) -> Result<Option<Duration>, StoreError> {
    if !store.take_lease(NAME, holder, LEASE).await? {
        return Ok(None);
    }
    let (due, next) = store.unseen_due(BATCH).await?;
    if due.is_empty() {
        return Ok(next);
    }
    let readers = due.iter().map(|due| due.conversation.participants[due.side].clone());
    let online = chat.online_among(readers.collect()).await;
    let outcomes = due.iter().map(|due| {
        let reader = &due.conversation.participants[due.side];
        (due.conversation.key, due.side, reader.clone(), decide(due, online.contains(reader), after))
    });
    store.settle_unseen(outcomes.collect()).await?;
    Ok(Some(if due.len() == BATCH { Duration::ZERO } else { next.unwrap_or(after) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::store::Conversation;
    use crate::timestamp::Timestamp;

    const AFTER: Duration = Duration::from_mins(5);

    fn decided(first_unread: Option<u64>, last_seen: Option<u64>, is_online: bool) -> UnseenOutcome {
        let id = |text| Id::parse(text).unwrap();
        let conversation = Conversation {
            key: 1,
            id: id("c"),
            participants: [id("ann"), id("ben")],
            horse_id: None,
            created_at: Timestamp(0),
        };
        let due = UnseenDue {
            conversation: Arc::new(conversation),
            side: 0,
            first_unread: first_unread.map(|seconds| (7, Duration::from_secs(seconds))),
            last_seen: last_seen.map(Duration::from_secs),
        };
        decide(&due, is_online, AFTER)
    }

    #[test]
    fn whoever_is_away_for_long_enough_is_told_of_the_first_message() {
        assert_eq!(decided(None, None, false), UnseenOutcome::Forget);
        assert_eq!(decided(Some(300), None, false), UnseenOutcome::Notify(7));
        assert_eq!(decided(Some(900), Some(300), false), UnseenOutcome::Notify(7));
        assert_eq!(decided(Some(300), Some(9000), false), UnseenOutcome::Notify(7));
        assert_eq!(decided(Some(900), Some(100), false), UnseenOutcome::Wait(Duration::from_secs(200)));
        assert_eq!(decided(Some(100), None, false), UnseenOutcome::Wait(Duration::from_secs(200)));
        assert_eq!(decided(Some(9000), Some(9000), true), UnseenOutcome::Wait(AFTER));
    }
}
