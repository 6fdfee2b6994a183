-- What admins and the platform changed over the admin API.
CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL DEFAULT now_ms(),
    -- `key 1`, by its place in API_KEYS, or `user ID`.
    actor text NOT NULL,
    action text NOT NULL,
    target text COLLATE "C",
    -- A JSON object without secrets, texts, names and e-mails.
    details text
);
