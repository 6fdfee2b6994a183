//! What every engine's store does. [`suite`] makes a test of each check for an engine.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use horse_trust::id::Id;
use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::sqlite::SqliteStore;
use horse_trust::store::{
    Conversation, ConversationSummary, ListQuery, MarkRead, Message, NewConversation, NewMessage, Page,
    Profile, Range, Result, Role, Store, StoreError, User,
};
use horse_trust::timestamp::Timestamp;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::postgres_server;
use crate::store_delivery::{
    a_client_id_names_one_message, a_repeat_of_a_changed_message_finds_it, blocks_go_one_way_and_hide_both,
    complaints_keep_what_was_said, how_far_conversations_go_is_known,
    messages_are_read_by_pages_of_bounded_bytes, messages_can_be_edited_and_deleted_for_some_time,
    receipts_never_go_back, slices_have_no_holes, unread_counts_follow_each_write,
    what_was_committed_before_was_told, what_was_missed_is_known,
};
use crate::store_standing::{
    changes_of_users_are_followed, revocations_count_by_the_store, whose_tokens_are_not_accepted_is_known,
};

/// A store that is empty but for what a check puts there.
pub(crate) type AnyStore = Arc<dyn Store>;

pub(crate) fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("nothing came for 30 s")
}

/// Appends at once; the result comes after the commit.
pub(crate) fn append(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    sender: &str,
    text: &str,
) -> impl Future<Output = Result<Message>> + use<> {
    let (told, result) = oneshot::channel();
    let message = NewMessage {
        conversation: Arc::clone(conversation),
        sender: id(sender),
        text: text.to_owned(),
        client_id: None,
    };
    store.append_message(
        message,
        Box::new(move |result| {
            told.send(result.map(|(_, stored)| stored.message)).expect("the test waits for the result");
        }),
    );
    async { soon(result).await.expect("the callback is called") }
}

pub(crate) async fn open(store: &dyn Store, first: &str, second: &str) -> Arc<Conversation> {
    let new = NewConversation { participants: [id(first), id(second)], horse_id: None };
    Arc::new(soon(store.open_conversation(new)).await.unwrap())
}

/// What `user` sees in the whole list.
pub(crate) async fn list(store: &dyn Store, user: &str) -> Vec<ConversationSummary> {
    let places = soon(store.conversation_list(&id(user), ListQuery::default())).await.unwrap();
    let keys: Vec<_> = places.iter().map(|place| place.key).collect();
    soon(store.conversation_summaries(&keys, &id(user))).await.unwrap()
}

pub(crate) fn user(name: &str) -> User {
    let profile = Profile { id: id(name), full_name: Some(format!("The {name}")), profile_picture_url: None };
    User {
        profile,
        email: format!("{name}@example.org"),
        password_hash: "$argon2id$hash".to_owned(),
        role: Role::Seller,
        phone: Some("+5491112345678".to_owned()),
        is_active: true,
        created_at: Timestamp(1_705_314_600_123),
    }
}

/// A page of history.
pub(crate) async fn read_page(
    store: &dyn Store,
    conversation: &Conversation,
    number: u64,
    limit: u64,
) -> Vec<Message> {
    soon(store.history(conversation, Range::Page(Page { number, limit }))).await.unwrap().messages
}

/// Marks all as read; answers how many messages that were not read now are.
pub(crate) async fn mark_read(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    reader: &str,
) -> Result<u64> {
    let (told, result) = oneshot::channel();
    let mark = MarkRead { conversation: Arc::clone(conversation), reader: id(reader), up_to: None };
    store.mark_read(mark, Box::new(move |read| told.send(read.map(|read| read.newly_read)).unwrap()));
    soon(result).await.expect("the callback is called")
}

/// The sequence numbers of a page.
async fn page(store: &dyn Store, conversation: &Conversation, number: u64, limit: u64) -> Vec<i64> {
    read_page(store, conversation, number, limit).await.iter().map(|message| message.seq).collect()
}

async fn messages_come_back_as_they_were_stored(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let odd = "\u{1}\u{feff}🐴\r\n\"'\\ \u{2028}".to_owned() + &"é".repeat(2000);
    let before = Timestamp::now();
    let mut stored = Vec::new();
    for (sender, text) in [("ann", "Hello"), ("ben", &odd), ("ben", " ")] {
        stored.push(append(&*store, &conversation, sender, text).await.unwrap());
    }
    let after = Timestamp::now();
    assert!(stored.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].sent_at <= pair[1].sent_at));
    assert!(stored.iter().all(|message| (before..=after).contains(&message.sent_at)));
    let read = read_page(&*store, &conversation, 1, 30).await;
    for (index, (read, stored)) in read.iter().zip(&stored).enumerate() {
        assert_eq!(read.seq, i64::try_from(index).unwrap() + 1);
        assert_eq!((&read.id, read.seq, &read.sender), (&stored.id, stored.seq, &stored.sender));
        assert_eq!((&read.text, read.sent_at, read.is_read), (&stored.text, stored.sent_at, false));
    }
    assert_eq!((read.len(), read[1].text.as_str(), read[1].sender.as_str()), (3, odd.as_str(), "ben"));
}

/// PostgreSQL can't store U+0000: such a text, which the chat refuses before, fails and takes no other with it.
async fn a_text_with_u0000_is_kept_or_fails_alone(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let texts = ["before", "with \0", "after"];
    let sent: Vec<_> = texts.map(|text| append(&*store, &conversation, "ann", text)).into_iter().collect();
    let mut kept = Vec::new();
    for (text, result) in texts.into_iter().zip(sent) {
        match result.await {
            Ok(message) => kept.push((message.seq, text.to_owned())),
            Err(_) => assert_eq!(text, texts[1]),
        }
    }
    let history = read_page(&*store, &conversation, 1, 30).await;
    let read: Vec<_> = history.into_iter().map(|message| (message.seq, message.text)).collect();
    assert_eq!(read, kept);
    assert_eq!(soon(store.unread_count(&id("ben"))).await.unwrap(), kept.len() as u64);
}

async fn pages_count_from_the_newest(store: AnyStore) {
    const NONE: [i64; 0] = [];
    let conversation = open(&*store, "ann", "ben").await;
    let other = open(&*store, "ann", "cat").await;
    let sent: Vec<_> = (0..25)
        .flat_map(|_| {
            [append(&*store, &conversation, "ann", "here"), append(&*store, &other, "ann", "elsewhere")]
        })
        .collect();
    for result in sent {
        result.await.unwrap();
    }
    assert_eq!(page(&*store, &conversation, 1, 10).await, (16..=25).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 3, 10).await, (1..=5).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 1, 100).await, (1..=25).collect::<Vec<_>>());
    assert_eq!(page(&*store, &conversation, 4, 10).await, NONE);
    assert_eq!(page(&*store, &conversation, u64::MAX, 100).await, NONE);
    let empty = open(&*store, "ben", "cat").await;
    assert_eq!(page(&*store, &empty, 1, 30).await, NONE);
}

async fn what_is_sent_without_waiting_keeps_its_order(store: AnyStore) {
    const MESSAGES: i64 = 3000;
    let conversations = [
        open(&*store, "ann", "ben").await,
        open(&*store, "ann", "cat").await,
        open(&*store, "ben", "cat").await,
    ];
    let told = Arc::new(Mutex::new(Vec::new()));
    let (done, all_done) = oneshot::channel();
    let mut done = Some(done);
    for number in 0..MESSAGES {
        let conversation = &conversations[usize::try_from(number % 3).unwrap()];
        let sender = conversation.participants[usize::try_from(number % 2).unwrap()].clone();
        let message = NewMessage {
            conversation: Arc::clone(conversation),
            sender,
            text: number.to_string(),
            client_id: None,
        };
        let told = Arc::clone(&told);
        let done = if number == MESSAGES - 1 { done.take() } else { None };
        store.append_message(
            message,
            Box::new(move |result| {
                let message = result.unwrap().1.message;
                told.lock().unwrap().push((message.text.parse::<i64>().unwrap(), message.seq, message.id));
                if let Some(done) = done {
                    done.send(()).unwrap();
                }
            }),
        );
    }
    soon(all_done).await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 3000);
    for (index, (number, seq, _)) in (0..).zip(told.iter()) {
        assert_eq!((*number, *seq), (index, index / 3 + 1));
    }
    assert!(told.windows(2).all(|pair| pair[0].2 < pair[1].2));
}

async fn two_who_write_at_once_see_one_order(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let writers = ["ann", "ben"].map(|sender| {
        let (store, conversation) = (Arc::clone(&store), Arc::clone(&conversation));
        tokio::spawn(async move {
            for number in 0..50 {
                append(&*store, &conversation, sender, &number.to_string()).await.unwrap();
            }
        })
    });
    for writer in writers {
        soon(writer).await.unwrap();
    }
    let history = read_page(&*store, &conversation, 1, 100).await;
    assert_eq!(history.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    for sender in ["ann", "ben"] {
        let theirs = history.iter().filter(|message| message.sender == id(sender));
        let numbers: Vec<_> = theirs.map(|message| message.text.parse::<i64>().unwrap()).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }
}

async fn reading_marks_what_the_other_wrote(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for (sender, text) in [("ann", "1"), ("ann", "2"), ("ben", "3")] {
        append(&*store, &conversation, sender, text).await.unwrap();
    }
    let unread = async |user: &str| soon(store.unread_count(&id(user))).await.unwrap();
    assert_eq!((unread("ann").await, unread("ben").await, unread("cat").await), (1, 2, 0));
    assert_eq!(mark_read(&*store, &conversation, "ben").await.unwrap(), 2);
    assert_eq!(mark_read(&*store, &conversation, "ben").await.unwrap(), 0);
    assert!(mark_read(&*store, &conversation, "cat").await.is_err());
    assert_eq!((unread("ann").await, unread("ben").await), (1, 0));
    append(&*store, &conversation, "ann", "4").await.unwrap();
    let history = read_page(&*store, &conversation, 1, 30).await;
    let read: Vec<_> = history.iter().map(|message| message.is_read).collect();
    assert_eq!(read, [true, true, false, false]);
    assert_eq!((unread("ann").await, unread("ben").await), (1, 1));
    let list = list(&*store, "ben").await;
    assert_eq!(list[0].unread_count, 1);
    assert!(!list[0].last_message.as_ref().unwrap().is_read);
    mark_read(&*store, &conversation, "ben").await.unwrap();
    let summary = soon(store.conversation_summary(conversation.key, &id("ann"))).await.unwrap().unwrap();
    assert!(summary.last_message.unwrap().is_read);
    assert_eq!(summary.unread_count, 1);
}

async fn the_list_has_the_newest_first(store: AnyStore) {
    soon(store.create_user(user("ben"))).await.unwrap();
    let with_ben = open(&*store, "ann", "ben").await;
    let with_cat = open(&*store, "cat", "ann").await;
    let with_dan = open(&*store, "ann", "dan").await;
    open(&*store, "ben", "cat").await;
    for conversation in [&with_cat, &with_dan, &with_ben] {
        // Dates count milliseconds; the order of these is what is tested.
        tokio::time::sleep(Duration::from_millis(2)).await;
        append(&*store, conversation, "ann", &format!("to {}", conversation.key)).await.unwrap();
    }
    let listed = list(&*store, "ann").await;
    let keys: Vec<_> = listed.iter().map(|summary| summary.conversation.key).collect();
    assert_eq!(keys, [with_ben.key, with_dan.key, with_cat.key]);
    assert_eq!(listed[0].conversation, *with_ben);
    assert_eq!(listed[0].profiles, [None, Some(user("ben").profile)]);
    let snapshot = listed[2].last_message.as_ref().unwrap();
    assert_eq!((&snapshot.text, &snapshot.sender_id), (&format!("to {}", with_cat.key), &id("ann")));
    assert_eq!(snapshot.sent_at, listed[2].updated_at);
    assert!(list(&*store, "eve").await.is_empty());
    let empty = open(&*store, "dan", "eve").await;
    let summary = soon(store.conversation_summary(empty.key, &id("eve"))).await.unwrap().unwrap();
    assert_eq!((summary.updated_at, summary.last_message), (empty.created_at, None));
    assert!(soon(store.conversation_summary(i64::MAX, &id("eve"))).await.unwrap().is_none());
}

async fn nobody_sees_what_the_other_opened_and_never_wrote_in(store: AnyStore) {
    let sees = async |user: &str| list(&*store, user).await.len();
    let partners = async |user: &str| soon(store.partners_of(vec![id(user)])).await.unwrap().remove(0);
    let with_ben = open(&*store, "ann", "ben").await;
    assert_eq!((sees("ann").await, sees("ben").await), (1, 0));
    assert!(!list(&*store, "ann").await[0].is_mutual);
    assert!(partners("ann").await.is_empty() && partners("ben").await.is_empty());
    open(&*store, "ann", "ben").await;
    assert_eq!((sees("ann").await, sees("ben").await), (1, 0), "asking twice does not show it");
    append(&*store, &with_ben, "ann", "Is it still there?").await.unwrap();
    assert_eq!((sees("ann").await, sees("ben").await), (1, 1));
    assert!(list(&*store, "ben").await[0].is_mutual);
    assert_eq!((partners("ann").await, partners("ben").await), (vec![id("ben")], vec![id("ann")]));

    open(&*store, "cat", "dan").await;
    assert_eq!((sees("cat").await, sees("dan").await), (1, 0));
    open(&*store, "dan", "cat").await;
    assert_eq!((sees("cat").await, sees("dan").await), (1, 1));
    assert_eq!(partners("dan").await, [id("cat")]);
}

async fn lists_come_in_pages(store: AnyStore) {
    let mut conversations = Vec::new();
    for number in 0..25 {
        let other = format!("other{number}");
        let [first, second] = if number % 2 == 0 { ["ann", &other] } else { [&other, "ann"] };
        let conversation = open(&*store, first, second).await;
        // Some of these have the same time.
        append(&*store, &conversation, if number % 5 == 0 { "ann" } else { &other }, "Hello").await.unwrap();
        conversations.push(conversation);
    }
    let page = async |query: ListQuery| soon(store.conversation_list(&id("ann"), query)).await.unwrap();
    let whole = page(ListQuery::default()).await;
    assert_eq!(whole.len(), 25);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let places = page(ListQuery { before, limit: Some(4), only_unread: false }).await;
        let Some(last) = places.last() else { break };
        before = Some(*last);
        paged.extend(places);
        // What moves to the top meanwhile comes neither twice nor in another's place.
        if paged.len() == 8 {
            let moved = conversations.iter().find(|other| other.key == paged[2].key).unwrap();
            append(&*store, moved, "ann", "again").await.unwrap();
        }
    }
    assert_eq!(paged, whole);
    let unread = page(ListQuery { only_unread: true, ..ListQuery::default() }).await;
    assert_eq!(unread.len(), 20);
    let keys: Vec<_> = unread.iter().map(|place| place.key).collect();
    let summaries = soon(store.conversation_summaries(&keys, &id("ann"))).await.unwrap();
    assert!(summaries.iter().all(|summary| summary.unread_count == 1));
    assert_eq!(summaries.iter().map(|summary| summary.conversation.key).collect::<Vec<_>>(), keys);
    assert!(page(ListQuery { limit: Some(0), ..ListQuery::default() }).await.is_empty());
}

async fn two_have_one_conversation_about_a_horse(store: AnyStore) {
    let ask = async |first: &str, second: &str, horse: Option<&str>| {
        let new = NewConversation { participants: [id(first), id(second)], horse_id: horse.map(id) };
        soon(store.open_conversation(new)).await.unwrap()
    };
    let plain = ask("ann", "ben", None).await;
    assert_eq!((&plain.participants, &plain.horse_id), (&[id("ann"), id("ben")], &None));
    assert_eq!(ask("ben", "ann", None).await, plain);
    let horse = ask("ben", "ann", Some("h1")).await;
    assert_eq!(ask("ann", "ben", Some("h1")).await, horse);
    assert_eq!(horse.horse_id, Some(id("h1")));
    let others = [ask("ann", "ben", Some("h2")).await, ask("ann", "cat", Some("h1")).await];
    assert!(others.iter().all(|other| other.key != horse.key && other.key != plain.key));
    assert_eq!(soon(store.conversation(&horse.id)).await.unwrap(), Some(horse));
    assert_eq!(soon(store.conversation(&id("unknown"))).await.unwrap(), None);

    let asked: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&store);
            let participants = if number % 2 == 0 { ["dan", "eve"] } else { ["eve", "dan"] }.map(id);
            tokio::spawn(async move {
                store.open_conversation(NewConversation { participants, horse_id: Some(id("h3")) }).await
            })
        })
        .collect();
    let mut keys = Vec::new();
    for answer in asked {
        keys.push(soon(answer).await.unwrap().unwrap().key);
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
}

async fn accounts_have_an_email_each(store: AnyStore) {
    let ann = user("ann");
    soon(store.create_user(ann.clone())).await.unwrap();
    let twin = User { email: ann.email.clone(), ..user("twin") };
    assert!(matches!(soon(store.create_user(twin)).await, Err(StoreError::EmailTaken)));
    let admin = User { role: Role::Admin, is_active: false, phone: None, ..user("boss") };
    soon(store.create_user(admin)).await.unwrap();
    let both = [
        soon(store.user(&id("ann"))).await.unwrap().unwrap(),
        soon(store.user_by_email("ann@example.org")).await.unwrap().unwrap(),
    ];
    for found in both {
        assert_eq!((&found.profile, &found.email), (&ann.profile, &ann.email));
        assert_eq!((&found.password_hash, &found.phone), (&ann.password_hash, &ann.phone));
        assert_eq!((found.role, found.is_active, found.created_at), (Role::Seller, true, ann.created_at));
    }
    let boss = soon(store.user(&id("boss"))).await.unwrap().unwrap();
    assert_eq!((boss.role, boss.is_active, boss.phone), (Role::Admin, false, None));
    soon(store.set_password_hash(&id("ann"), "new")).await.unwrap();
    assert_eq!(soon(store.user(&id("ann"))).await.unwrap().unwrap().password_hash, "new");
    assert_eq!(soon(store.profile(&id("ann"))).await.unwrap(), Some(ann.profile));
    assert_eq!(soon(store.profile(&id("twin"))).await.unwrap(), None);
    assert!(soon(store.user_by_email("twin@example.org")).await.unwrap().is_none());
}

async fn after_the_close_appends_fail(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let sent: Vec<_> = (0..100).map(|_| append(&*store, &conversation, "ann", "last")).collect();
    soon(store.ping()).await.unwrap();
    soon(store.close()).await;
    for result in sent {
        result.await.unwrap();
    }
    assert!(append(&*store, &conversation, "ann", "late").await.is_err());
}

/// Where a store is, so that it can be opened more than once.
pub(crate) enum Place {
    /// A folder with an SQLite file.
    Folder(TempDir),
    /// The URL of a PostgreSQL database.
    Database(String),
}

impl Place {
    pub(crate) async fn new(engine: &str) -> Self {
        match engine {
            "sqlite" => Self::Folder(TempDir::new().unwrap()),
            _ => Self::Database(postgres_server::database().await),
        }
    }

    pub(crate) async fn open(&self) -> AnyStore {
        match self {
            Self::Folder(folder) => open_sqlite(folder.path()),
            Self::Database(url) => Arc::new(PostgresStore::open(url).await.unwrap()),
        }
    }
}

/// Gives a check a store of its own.
async fn with_store<F: Future<Output = ()>>(engine: &str, check: impl FnOnce(AnyStore) -> F) {
    let place = Place::new(engine).await;
    let store = place.open().await;
    check(Arc::clone(&store)).await;
    store.close().await;
}

suite!(
    over [sqlite, postgresql],
    with with_store,
    [
        messages_come_back_as_they_were_stored,
        a_text_with_u0000_is_kept_or_fails_alone,
        pages_count_from_the_newest,
        what_is_sent_without_waiting_keeps_its_order,
        two_who_write_at_once_see_one_order,
        reading_marks_what_the_other_wrote,
        the_list_has_the_newest_first,
        nobody_sees_what_the_other_opened_and_never_wrote_in,
        lists_come_in_pages,
        two_have_one_conversation_about_a_horse,
        accounts_have_an_email_each,
        after_the_close_appends_fail,
        a_client_id_names_one_message,
        a_repeat_of_a_changed_message_finds_it,
        unread_counts_follow_each_write,
        slices_have_no_holes,
        what_was_missed_is_known,
        messages_are_read_by_pages_of_bounded_bytes,
        what_was_committed_before_was_told,
        how_far_conversations_go_is_known,
        messages_can_be_edited_and_deleted_for_some_time,
        receipts_never_go_back,
        blocks_go_one_way_and_hide_both,
        complaints_keep_what_was_said,
        revocations_count_by_the_store,
        changes_of_users_are_followed,
        whose_tokens_are_not_accepted_is_known,
    ]
);

pub(crate) fn open_sqlite(folder: &Path) -> AnyStore {
    Arc::new(SqliteStore::open(&folder.join("data/chat.db")).unwrap())
}

/// The database and its log, copied while the server writes, are what a power cut would leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_what_it_told_through_a_crash() {
    let folder = TempDir::new().unwrap();
    let store = open_sqlite(folder.path());
    let conversation = open(&*store, "ann", "ben").await;
    let writer = {
        let (store, conversation) = (Arc::clone(&store), Arc::clone(&conversation));
        tokio::spawn(async move {
            let mut told = 0;
            loop {
                let batch: Vec<_> =
                    (0..20).map(|_| append(&*store, &conversation, "ann", "Is it still there?")).collect();
                for result in batch {
                    match result.await {
                        Ok(_) => told += 1,
                        Err(_) => return told,
                    }
                }
            }
        })
    };
    for round in 0..5 {
        let told = soon(async {
            loop {
                let told = soon(store.unread_count(&id("ben"))).await.unwrap();
                if told > round * 100 {
                    return told;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        let crashed = TempDir::new().unwrap();
        std::fs::create_dir(crashed.path().join("data")).unwrap();
        for file in ["data/chat.db", "data/chat.db-wal"] {
            std::fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
        }
        let copy = open_sqlite(crashed.path());
        let found = soon(copy.unread_count(&id("ben"))).await.unwrap();
        assert!(found >= told, "{found} of {told}");
        let next = append(&*copy, &conversation, "ben", "yes").await.unwrap();
        assert_eq!(next.seq, i64::try_from(found).unwrap() + 1);
        let last = page(&*copy, &conversation, 1, 100).await;
        assert_eq!(last, (1.max(next.seq - 99)..=next.seq).collect::<Vec<_>>());
        soon(copy.close()).await;
    }
    soon(store.close()).await;
    let told: u64 = soon(writer).await.unwrap();
    drop(store);
    assert_eq!(soon(open_sqlite(folder.path()).unread_count(&id("ben"))).await.unwrap(), told);
}
