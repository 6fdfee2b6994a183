-- Messages that came lately, in the order in which they came: a batch of messages of many conversations is written to
-- a page or two here, where `messages` needs two for each. While one of the two tables fills, what is in the other is
-- moved to `messages`, the messages of a conversation together; then the other is emptied, and they change places.
-- What is here was never changed.
CREATE TABLE recent_a (
    id NOT NULL PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    client_id TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX recent_a_by_place ON recent_a (conversation, seq);

CREATE TABLE recent_b (
    id NOT NULL PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    client_id TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX recent_b_by_place ON recent_b (conversation, seq);

-- All messages, wherever they are. What was moved counts where it is now. The casts give all parts the same types,
-- without which SQLite reads each part whole before it sorts.
CREATE VIEW all_messages AS
    SELECT conversation, seq, id, sender, sent_at, text, client_id, is_read, read_at, deleted_at, edited_at
    FROM messages
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_a r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq)
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_b r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq);
