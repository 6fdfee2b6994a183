//! A node, and what the tests look at through it.

use std::sync::Arc;

use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{Conversation, NewMessage, Result, Store, Stored};
use tokio::sync::oneshot;

use crate::fixture::postgres::client;
use crate::fixture::store::{new_message, read_page, soon};

pub(crate) async fn node(url: &str) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(url).await.unwrap())
}

pub(crate) fn message(conversation: &Arc<Conversation>, sender: &str, client_id: &str) -> NewMessage {
    let mut message = new_message(conversation, sender, "Is it still there?");
    message.client_id = Some(client_id.to_owned());
    message
}

pub(crate) async fn send(node: &dyn Store, message: NewMessage) -> Result<Stored> {
    let (told, result) = oneshot::channel();
    node.append_message(message, Box::new(move |result| drop(told.send(result))));
    soon(result).await.unwrap()
}

/// All sequence numbers of a conversation, checked to have neither hole nor double, and ids that ascend.
pub(crate) async fn whole_history(node: &dyn Store, conversation: &Conversation) -> usize {
    let mut history = Vec::new();
    for number in 1.. {
        let mut page = read_page(node, conversation, number, 100).await;
        if page.is_empty() {
            break;
        }
        page.append(&mut history);
        history = page;
    }
    let seqs: Vec<_> = history.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..).take(history.len()).collect::<Vec<i64>>());
    assert!(history.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at));
    history.len()
}

/// Whether each user's sums are those over the user's conversations.
pub(crate) async fn sums_are_right(url: &str) -> bool {
    let sql = "SELECT bool_and((t.unread, t.messages) = (
            SELECT sum(CASE WHEN user_a = t.user_id THEN unread_a ELSE unread_b END), sum(last_seq)
            FROM conversations WHERE t.user_id IN (user_a, user_b))) FROM unread_totals t";
    client(url).await.query_one(sql, &[]).await.unwrap().get(0)
}
