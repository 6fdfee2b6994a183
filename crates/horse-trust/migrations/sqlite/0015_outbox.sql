-- Events for other systems. Nothing is written to these tables unless a subscriber is set.

-- Whom events are sent to. Of the URL, which may hold a secret, only a digest and the origin are kept.
CREATE TABLE outbox_subscribers (
    id INTEGER NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL
);

-- New events, in the order of commits: they are added at the end and taken from the beginning. Ids and sequence numbers
-- alone, no text.
CREATE TABLE outbox (
    subscriber INTEGER NOT NULL,
    number INTEGER NOT NULL,
    -- The key of the conversation, or a negative number of two users: events of one lane are sent in their order.
    lane INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    unread INTEGER,
    detail TEXT,
    PRIMARY KEY (subscriber, number)
) WITHOUT ROWID;

-- Events that were tried in vain, and those behind them in their lane, which have no due_at.
CREATE TABLE outbox_waiting (
    subscriber INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    unread INTEGER,
    detail TEXT,
    attempts INTEGER NOT NULL,
    due_at INTEGER,
    error TEXT,
    PRIMARY KEY (subscriber, lane, number)
) WITHOUT ROWID;
-- By which the oldest are found when too many wait.
CREATE INDEX outbox_waiting_by_number ON outbox_waiting (subscriber, number);
CREATE INDEX outbox_waiting_due ON outbox_waiting (subscriber, due_at) WHERE due_at IS NOT NULL;

-- Events that are not tried again, for thirty days.
CREATE TABLE outbox_given_up (
    subscriber INTEGER NOT NULL,
    number INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    unread INTEGER,
    detail TEXT,
    attempts INTEGER NOT NULL,
    given_up_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (subscriber, number)
) WITHOUT ROWID;
CREATE INDEX outbox_given_up_by_time ON outbox_given_up (given_up_at);

-- When to look whether a participant (side 0 or 1) with unread messages is away. Without due_at the event of the message
-- notified_seq was added, and no other is added until that message is read.
CREATE TABLE unseen (
    conversation INTEGER NOT NULL,
    side INTEGER NOT NULL,
    due_at INTEGER,
    notified_seq INTEGER,
    PRIMARY KEY (conversation, side)
) WITHOUT ROWID;
CREATE INDEX unseen_due ON unseen (due_at) WHERE due_at IS NOT NULL;
