-- What admins and the platform changed over the admin API. Numbers are not used again after rows were deleted.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- `key 1`, by its place in API_KEYS, or `user ID`.
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    -- A JSON object without secrets, texts, names and e-mails.
    details TEXT
);
