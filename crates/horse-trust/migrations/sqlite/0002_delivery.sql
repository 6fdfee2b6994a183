ALTER TABLE messages ADD COLUMN edited_at INTEGER;
-- The sender's own name for the message, if there was one; also in `client_ids`.
ALTER TABLE messages ADD COLUMN client_id TEXT;

-- Up to where each of the two has been handed what the other wrote; written some time after it happened.
ALTER TABLE conversations ADD COLUMN delivered_seq_a INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN delivered_seq_b INTEGER NOT NULL DEFAULT 0;

-- Which message a sender's name for it means: a repeat finds the first.
CREATE TABLE client_ids (
    sender TEXT NOT NULL,
    client_id TEXT NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (sender, client_id)
) WITHOUT ROWID;

-- Texts that were edited away or deleted, kept for a dispute for some time.
CREATE TABLE withdrawn_texts (
    key INTEGER NOT NULL PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    withdrawn_at INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX withdrawn_texts_by_message ON withdrawn_texts (conversation, seq);
CREATE INDEX withdrawn_texts_by_time ON withdrawn_texts (withdrawn_at);

-- Who wants to hear nothing of whom.
CREATE TABLE blocks (
    blocker TEXT NOT NULL,
    blocked TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (blocker, blocked)
) WITHOUT ROWID;

-- Messages that somebody complained of, as they were then.
CREATE TABLE reports (
    key INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    reporter TEXT NOT NULL,
    reason TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    text TEXT NOT NULL
);

-- Tokens of a user that were issued before this are void.
CREATE TABLE revocations (
    user TEXT NOT NULL PRIMARY KEY,
    not_before INTEGER NOT NULL
) WITHOUT ROWID;

-- When a user's last device went.
CREATE TABLE last_seen (
    user TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
