-- Users who are being erased. What is left to do is looked up, so that whoever finds a row here after a crash does the rest.
CREATE TABLE erasures (
    user TEXT NOT NULL PRIMARY KEY,
    -- Whether the texts of all messages go, too.
    with_messages INTEGER NOT NULL,
    -- What was sent later is of a new account with the same id, and stays.
    begun_at INTEGER NOT NULL,
    -- Whether only the store's log is left to be emptied.
    is_done INTEGER NOT NULL
) WITHOUT ROWID;

-- By which the reports are found that say something of a user who is erased.
CREATE INDEX reports_by_sender ON reports (sender);
CREATE INDEX reports_by_reporter ON reports (reporter);
