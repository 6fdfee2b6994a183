// Where messages go. Both stores keep a conversation's `last_message` and `updated_at` current, as the contract
// says; the one in memory keeps no other message, which favours it.
import Database from "better-sqlite3";

export function openStore(where, directory) {
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
