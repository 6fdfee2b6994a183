//! What the functions in the database cost: all writes of all nodes wait for them, so it has to be in proportion to what
//! is new.

use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{Conversation, Store};
use tokio_postgres::Client;

use crate::postgres_server::{client, database};
use crate::store::{open, soon};

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

/// How many rows of messages this transaction has read so far.
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
    for up_to in 1..=200 {
        assert_eq!(mark(up_to).await, 1);
    }
    let one_by_one = messages_read(&client).await;
    assert!(one_by_one <= 200, "{one_by_one} rows for 200");
    let mut before = 200;
    for up_to in [MANY / 2, MANY / 2 + 1, MANY - 5000, MANY - 4999, MANY - 2, MANY - 1, MANY] {
        assert_eq!(mark(up_to).await, up_to - before);
        before = up_to;
    }
    let all = messages_read(&client).await;
    assert!(all <= MANY, "{all} rows for {MANY}");
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
        assert!(pages <= 20 && of_indexes <= 10, "{table}: {pages} pages, {of_indexes} of indexes");
    }
    soon(store.close()).await;
}
