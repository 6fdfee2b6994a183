-- Users: accounts and what others see of them.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    full_name TEXT,
    phone TEXT,
    profile_picture_url TEXT,
    is_active INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Conversations of two. What changes with every message are a few integers, so that a batch of messages
-- dirties few pages; the text of the last message is read from where it is.
CREATE TABLE conversations (
    key INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_a TEXT NOT NULL,
    user_b TEXT NOT NULL,
    horse_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- The sequence number of the last message, 0 if there is none. They have no holes.
    last_seq INTEGER NOT NULL DEFAULT 0,
    -- Up to where each of the two has read what the other wrote.
    read_seq_a INTEGER NOT NULL DEFAULT 0,
    read_seq_b INTEGER NOT NULL DEFAULT 0,
    -- How many messages of the other each has not read; always what a recount would give.
    unread_a INTEGER NOT NULL DEFAULT 0,
    unread_b INTEGER NOT NULL DEFAULT 0,
    -- How many messages are deleted: without any, a page of history is a range of sequence numbers.
    deleted INTEGER NOT NULL DEFAULT 0
);

-- No index on updated_at: it would change with every message, and a user has few conversations to sort.
CREATE INDEX conversations_by_users ON conversations (user_a, user_b);
CREATE INDEX conversations_by_user_b ON conversations (user_b);

-- Messages, stored in the order in which they are read: a page of history is one range.
CREATE TABLE messages (
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    -- 12 bytes for an id of 24 hexadecimal digits, else its text.
    id NOT NULL,
    -- 0 for user_a, 1 for user_b.
    sender INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    -- Set by an import alone; what is read here is known by read_seq_a and read_seq_b.
    is_read INTEGER,
    read_at INTEGER,
    deleted_at INTEGER,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

-- Ids made here ascend, so that this index grows at its right end alone.
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- The snapshot of the last message, of conversations that were imported without their messages.
CREATE TABLE imported_last_messages (
    conversation INTEGER NOT NULL PRIMARY KEY,
    sender TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    is_read INTEGER NOT NULL
);
