// Where messages go. All stores keep a conversation's `last_message` and `updated_at` current, as the contract
// says; the one in memory keeps no other message, which favours it.
import Database from "better-sqlite3";
import pg from "pg";

export function openStore(where, directory) {
  if (where.startsWith("postgres://")) return postgresStore(where, directory);
  return where === "memory" ? memoryStore(directory) : sqliteStore(where, directory);
}

function memoryStore({ conversations }) {
  return {
    append({ conversation_id, text, sent_at }, sender_id) {
      const conversation = conversations.get(conversation_id);
      conversation.last_message = { text, sender_id, sent_at, is_read: false };
      conversation.updated_at = sent_at;
    },
    close() {},
  };
}

/** Each message is a transaction of its own, on the disk when `append` returns. */
function sqliteStore(path, { conversations }) {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec(`
    CREATE TABLE IF NOT EXISTS conversations (
      id TEXT PRIMARY KEY, last_text TEXT, last_sender_id TEXT, updated_at TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS messages (
      sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, conversation_id TEXT NOT NULL, sender_id TEXT NOT NULL,
      text TEXT NOT NULL, is_read INTEGER NOT NULL DEFAULT 0, sent_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS messages_of_conversation ON messages (conversation_id, sequence);
  `);
  const addConversation = database.prepare("INSERT OR IGNORE INTO conversations (id) VALUES (?)");
  database.transaction(() => {
    for (const id of conversations.keys()) addConversation.run(id);
  })();

  const insert = database.prepare(
    "INSERT INTO messages (id, conversation_id, sender_id, text, sent_at) VALUES (?, ?, ?, ?, ?)",
  );
  const touch = database.prepare(
    "UPDATE conversations SET last_text = ?, last_sender_id = ?, updated_at = ? WHERE id = ?",
  );
  const append = database.transaction(({ _id, conversation_id, text, sent_at }, sender_id) => {
    insert.run(_id, conversation_id, sender_id, text, sent_at);
    touch.run(text, sender_id, sent_at, conversation_id);
  });
  return { append, close: () => database.close() };
}

/**
 * Each message is a transaction of its own, committed when `append` resolves: one statement, so that it is one round
 * trip. Counting `seq` locks the conversation's row, so that there are no holes, whichever process writes.
 */
async function postgresStore(url, { conversations }) {
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", (error) => console.error("an idle connection to PostgreSQL failed:", error.message));
  // Several processes start on one database.
  await pool.query(`
    BEGIN;
    SELECT pg_advisory_xact_lock(1);
    CREATE TABLE IF NOT EXISTS conversations (
      id text PRIMARY KEY, last_seq bigint NOT NULL DEFAULT 0, last_text text, last_sender_id text, updated_at timestamptz
    );
    CREATE TABLE IF NOT EXISTS messages (
      conversation_id text NOT NULL REFERENCES conversations, seq bigint NOT NULL, id text NOT NULL UNIQUE,
      sender_id text NOT NULL, text text NOT NULL, is_read boolean NOT NULL DEFAULT false, sent_at timestamptz NOT NULL,
      PRIMARY KEY (conversation_id, seq)
    );
    COMMIT
  `);
  await pool.query("INSERT INTO conversations (id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", [[...conversations.keys()]]);

  const statement = {
    name: "append",
    text: `
      WITH conversation AS (
        UPDATE conversations SET last_seq = last_seq + 1, last_text = $4, last_sender_id = $3, updated_at = $5
        WHERE id = $2 RETURNING last_seq
      )
      INSERT INTO messages (id, conversation_id, sender_id, text, sent_at, seq)
      SELECT $1, $2, $3, $4, $5, last_seq FROM conversation RETURNING seq`,
  };
  /** What a conversation's next message waits for here: an earlier one of the same sender has to be stored first. */
  const tails = new Map();
  const append = (message, sender_id) => {
    const { _id, conversation_id, text, sent_at } = message;
    const write = async () => {
      const { rows } = await pool.query({ ...statement, values: [_id, conversation_id, sender_id, text, sent_at] });
      message.seq = Number(rows[0].seq);
    };
    const written = (tails.get(conversation_id) ?? Promise.resolve()).then(write);
    // The next one is written whether this one was or not; the sender of this one gets the error.
    const tail = written.catch(() => {}).then(() => tails.get(conversation_id) === tail && tails.delete(conversation_id));
    tails.set(conversation_id, tail);
    return written;
  };
  return { append, close: () => pool.end() };
}
