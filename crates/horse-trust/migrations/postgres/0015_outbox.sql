-- As in migrations/sqlite/0015_outbox.sql, of which see for what is not said here.

CREATE TABLE outbox_subscribers (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text COLLATE "C" NOT NULL UNIQUE,
    origin text NOT NULL
);

-- Who sends the events of a subscriber, until when by the database's clock.
CREATE TABLE outbox_leases (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    leased_until bigint NOT NULL
);

-- Taken under the lock of all writes, so numbers ascend in the order of commits.
CREATE SEQUENCE outbox_numbers;

CREATE TABLE outbox (
    number bigint NOT NULL,
    lane bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    unread bigint,
    subscriber smallint NOT NULL,
    kind smallint NOT NULL,
    detail text,
    PRIMARY KEY (subscriber, number)
    -- Each row is removed soon: by the share of a table that is nearly empty, too many dead rows would wait.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE outbox_waiting (
    lane bigint NOT NULL,
    number bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    due_at bigint,
    unread bigint,
    attempts integer NOT NULL,
    subscriber smallint NOT NULL,
    kind smallint NOT NULL,
    detail text,
    error text,
    PRIMARY KEY (subscriber, lane, number)
);
-- By which the oldest are found when too many wait.
CREATE INDEX outbox_waiting_by_number ON outbox_waiting (subscriber, number);
CREATE INDEX outbox_waiting_due ON outbox_waiting (subscriber, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE outbox_given_up (
    number bigint NOT NULL,
    lane bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    given_up_at bigint NOT NULL,
    unread bigint,
    attempts integer NOT NULL,
    subscriber smallint NOT NULL,
    kind smallint NOT NULL,
    detail text,
    error text NOT NULL,
    PRIMARY KEY (subscriber, number)
);
CREATE INDEX outbox_given_up_by_time ON outbox_given_up (given_up_at);

CREATE TABLE unseen (
    conversation bigint NOT NULL,
    due_at bigint,
    notified_seq bigint,
    side smallint NOT NULL,
    PRIMARY KEY (conversation, side)
);
CREATE INDEX unseen_due ON unseen (due_at) WHERE due_at IS NOT NULL;
