-- As in migrations/sqlite/0017_erasures.sql, of which see for what is not said here.
CREATE TABLE erasures (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    with_messages boolean NOT NULL,
    begun_at bigint NOT NULL
);

CREATE INDEX reports_by_sender ON reports (sender);
CREATE INDEX reports_by_reporter ON reports (reporter);
