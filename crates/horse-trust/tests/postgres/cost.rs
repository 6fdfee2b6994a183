//! What the functions in the database cost: all writes of all nodes wait for them, so it has to be in proportion to what
//! is new.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{Conversation, ConversationStore, Lifecycle};
use horse_trust::timestamp::Timestamp;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::fixture::postgres::{client, database};
use crate::fixture::store::{id, open, read_page, soon};

/// As the writer has them: plans for whatever comes, without reading tables whole.
const WRITER: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan";

/// Fills a conversation with messages of the first that the second has not read.
async fn fill(client: &Client, conversation: &Conversation, messages: i64) {
    let sql = "INSERT INTO messages (conversation, seq, id, sender, sent_at, text)
        SELECT $1::bigint, n, $1::bigint || '-' || n, 0, 1705314600000 + n, 'Is it still there?'
        FROM generate_series(1, $2::bigint) n";
    client.execute(sql, &[&conversation.key, &messages]).await.unwrap();
    let sql = "UPDATE conversations SET last_seq = $2, unread_b = $2 WHERE key = $1";
    client.execute(sql, &[&conversation.key, &messages]).await.unwrap();
    let sql = "INSERT INTO unread_totals AS t VALUES ($1, $2::bigint, $2::bigint)
        ON CONFLICT (user_id) DO UPDATE SET unread = t.unread + $2, messages = t.messages + $2";
    client.execute(sql, &[&conversation.participants[1].as_str(), &messages]).await.unwrap();
}

/// How many rows of messages this connection has read so far: in this transaction, and in those before that were not
/// reported yet. Differences count.
async fn messages_read(client: &Client) -> i64 {
    let sql = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'messages'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// What is left unread costs nothing, and no message is counted twice, in whatever steps it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_costs_what_is_newly_read() {
    const MANY: i64 = 20_000;
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let conversation = open(&store, "ann", "ben").await;
    let client = client(&url).await;
    fill(&client, &conversation, MANY).await;
    client.batch_execute(&format!("ANALYZE; {WRITER}; BEGIN")).await.unwrap();
    let mark = async |up_to: i64| {
        let sql = "SELECT newly_read, unread FROM mark_read($1, 1::smallint, $2)";
        let row = client.query_one(sql, &[&conversation.key, &up_to]).await.unwrap();
        assert_eq!(row.get::<_, i64>(1), MANY - up_to);
        row.get::<_, i64>(0)
    };
    let begin = messages_read(&client).await;
    for up_to in 1..=200 {
        assert_eq!(mark(up_to).await, 1);
    }
    let one_by_one = messages_read(&client).await - begin;
    assert!(one_by_one <= 200, "{one_by_one} rows for 200");
    let mut before = 200;
    for up_to in [MANY / 2, MANY / 2 + 1, MANY - 5000, MANY - 4999, MANY - 2, MANY - 1, MANY] {
        assert_eq!(mark(up_to).await, up_to - before);
        before = up_to;
    }
    let all = messages_read(&client).await - begin;
    assert!(all <= MANY, "{all} rows for {MANY}");
    client.batch_execute("COMMIT").await.unwrap();
    soon(store.close()).await;
}

/// What is not shown costs nothing: neither a page, nor what was missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_messages_cost_nothing() {
    const MANY: i64 = 20_000;
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let conversation = open(&store, "ann", "ben").await;
    let client = client(&url).await;
    fill(&client, &conversation, MANY).await;
    let key = conversation.key;
    // Newest first and oldest first: runs grow at either end, and meet.
    for order in ["seq % 2, seq", "seq % 2, seq DESC"] {
        let sql = format!(
            "UPDATE messages SET deleted_at = 1 WHERE conversation = {key} AND seq IN (
                 SELECT seq FROM messages WHERE conversation = {key} AND seq > 100 AND deleted_at IS NULL
                 ORDER BY {order} LIMIT {})",
            MANY / 2
        );
        client.batch_execute(&sql).await.unwrap();
    }
    client
        .batch_execute(&format!("UPDATE conversations SET deleted = {MANY} - 100; ANALYZE; BEGIN"))
        .await
        .unwrap();
    let runs = client.query("SELECT first_seq, last_seq FROM deleted_runs", &[]).await.unwrap();
    let runs: Vec<(i64, i64)> = runs.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(runs, [(101, MANY)]);
    let before = messages_read(&client).await;
    let missed =
        client.query("SELECT seq FROM missed_messages('ben', NULL, 1000) WHERE seq > 0", &[]).await.unwrap();
    assert_eq!(missed.len(), 100);
    let rows = messages_read(&client).await - before;
    assert!(rows <= 101, "{rows} rows for 100");
    for (number, expected) in [(1, 71..101), (4, 1..11), (5, 0..0), (u64::MAX, 0..0)] {
        let page = read_page(&store, &conversation, number, 30).await;
        assert_eq!(
            page.iter().map(|message| message.seq).collect::<Vec<_>>(),
            expected.collect::<Vec<i64>>()
        );
    }
    let summary = soon(store.conversation_summary(key, &id("ben"))).await.unwrap().unwrap();
    assert_eq!(summary.last_message.unwrap().sent_at, Timestamp(1_705_314_600_100));
    client.batch_execute("COMMIT").await.unwrap();
    soon(store.close()).await;
}

/// A row that changes a hundred times a second keeps its place: its old versions are cleared away on its page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_often_leaves_no_dead_rows_behind() {
    const MESSAGES: i64 = 3000;
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let conversation = open(&store, "ann", "ben").await;
    let client = client(&url).await;
    client.batch_execute("ALTER TABLE conversations SET (autovacuum_enabled = off)").await.unwrap();
    fill(&client, &conversation, MESSAGES).await;
    client.batch_execute(WRITER).await.unwrap();
    let sql = "SELECT newly_read FROM mark_read($1, 1::smallint, $2)";
    for up_to in 1..=MESSAGES {
        client.query_one(sql, &[&conversation.key, &up_to]).await.unwrap();
    }
    for table in ["conversations", "unread_totals"] {
        let sql = format!("SELECT pg_relation_size('{table}'), pg_indexes_size('{table}')");
        let row = client.query_one(&sql, &[]).await.unwrap();
        let (pages, of_indexes): (i64, i64) = (row.get::<_, i64>(0) / 8192, row.get::<_, i64>(1) / 8192);
        // Without clearing away, 3000 versions of a row of some 200 bytes are more than 70 pages. A transaction that is
        // open meanwhile, as that of the silence watch, keeps some of them for a moment.
        assert!(pages <= 40 && of_indexes <= 20, "{table}: {pages} pages, {of_indexes} of indexes");
    }
    soon(store.close()).await;
}

/// A connection that writes down how each statement went, also those within functions.
async fn explaining(url: &str) -> (Client, Arc<Mutex<Vec<String>>>) {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let plans = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&plans);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                told.lock().unwrap().push(notice.message().to_owned());
            }
        }
    });
    let settings =
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_level = notice;
        SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;";
    client.batch_execute(&format!("{settings} {WRITER}")).await.unwrap();
    (client, plans)
}

/// The rows that a step of a plan read, over all of its turns.
fn rows_of(step: &str) -> Option<u64> {
    let actual = step.split_once("(actual ")?.1;
    let after = |name: &str| actual.split_once(name)?.1.split([' ', ')']).next()?.parse::<u64>().ok();
    Some(after("rows=")? * after("loops=")?)
}

/// Every statement under the lock of all writes looks up what it needs, in tables that are full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_reads_more_than_is_new() {
    const MANY: i64 = 20_000;
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let [long, other] = [open(&store, "ann", "ben").await, open(&store, "ann", "cat").await];
    let filler = client(&url).await;
    fill(&filler, &long, MANY).await;
    filler
        .batch_execute(
            "INSERT INTO conversations (id, user_a, user_b, created_at, updated_at)
                 SELECT 'c' || n, 'ann', 'u' || n, 0, 0 FROM generate_series(1, 3000) n;
             INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
                 SELECT 'h' || n, 'ann', 'cat', 'h' || n % 2000, 0, 0 FROM generate_series(1, 3000) n;
             INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
                 SELECT 'i' || n, 'ann', 'cat', 'one', 0, 0 FROM generate_series(1, 3000) n;
             INSERT INTO client_ids SELECT 'ann', 'k' || n, 1, n FROM generate_series(1, 3000) n;
             INSERT INTO blocks SELECT 'ann', 'u' || n, 0 FROM generate_series(1, 3000) n;
             INSERT INTO unread_totals SELECT 'u' || n, 0, 0 FROM generate_series(1, 3000) n;
             INSERT INTO withdrawn_texts (conversation, seq, withdrawn_at, is_deleted, text)
                 SELECT 1, n, 0, false, '' FROM generate_series(1, 3000) n;
             INSERT INTO deleted_runs SELECT 0, 3 * n, 3 * n FROM generate_series(1, 3000) n;
             ANALYZE",
        )
        .await
        .unwrap();
    let (client, plans) = explaining(&url).await;
    let (key, other) = (long.key, other.key);
    for sql in [
        format!(
            "SELECT * FROM append_messages(ARRAY[{key}, {other}, {key}], '{{0, 0, 1}}', '{{a, b, c}}', '{{x, k1, NULL}}', '{{}}', '{{}}')"
        ),
        format!("SELECT * FROM mark_read({key}, 1::smallint, 20)"),
        format!("SELECT * FROM mark_read({key}, 1::smallint, {MANY} - 20)"),
        format!("SELECT * FROM mark_read({key}, 1::smallint, NULL)"),
        format!("SELECT * FROM apply_change({key}, {MANY}, 'edited', {})", i64::MAX),
        format!("SELECT * FROM apply_change({key}, {MANY}, NULL, {})", i64::MAX),
        format!("SELECT set_delivered(ARRAY[{key}::bigint, {other}], '{{0, 1}}', '{{5, 6}}')"),
        format!("SELECT change_settings({key}, 0::smallint, true, true, NULL)"),
        format!("SELECT change_settings({key}, 1::smallint, false, NULL, true)"),
        format!("INSERT INTO listings (conversation, listing) VALUES ({key}, '{{}}')"),
        "SELECT * FROM conversations c WHERE c.horse_id = 'h7' AND c.key < 1000000 ORDER BY c.key DESC LIMIT 50".to_owned(),
        "SELECT set_block('ann', 'ben', true)".to_owned(),
        "SELECT set_block('ann', 'ben', false)".to_owned(),
        "SELECT * FROM open_conversation('new', 'ann', 'cat', NULL)".to_owned(),
        "SELECT * FROM open_conversation('new', 'ben', 'cat', NULL)".to_owned(),
        "SELECT * FROM open_conversation('new', 'cat', 'ann', 'h7')".to_owned(),
        "SELECT * FROM open_conversation('new', 'cat', 'ann', 'one')".to_owned(),
        "SELECT * FROM open_conversation('newer', 'ann', 'cat', 'unknown')".to_owned(),
    ] {
        plans.lock().unwrap().clear();
        client.query(&sql, &[]).await.unwrap();
        let plans = plans.lock().unwrap().join("\n");
        assert!(plans.contains("Query Text"), "{sql}: no plans");
        for step in plans.lines().filter(|step| step.contains("Scan") && !step.contains("CTE Scan")) {
            // The one row of the ids has no index.
            let is_whole = step.contains("Seq Scan on") && !step.contains("message_ids");
            let is_much = rows_of(step).is_some_and(|rows| rows > 50);
            assert!(!is_whole && !is_much, "{sql}: {step}\n{plans}");
        }
    }
    soon(store.close()).await;
}
