-- Tokens that their users signed out, until a day after they end by themselves.
CREATE TABLE void_tokens (
    user TEXT NOT NULL,
    -- The first 8 bytes of the SHA-256 of its header and claims.
    token INTEGER NOT NULL,
    -- In milliseconds; NULL if it does not end.
    expires_at INTEGER,
    PRIMARY KEY (user, token)
) WITHOUT ROWID;

CREATE INDEX void_tokens_by_end ON void_tokens (expires_at);

-- The token that was signed out; NULL for all else.
ALTER TABLE user_changes ADD COLUMN token INTEGER;
ALTER TABLE user_changes ADD COLUMN token_expires_at INTEGER;

CREATE TRIGGER token_made_void AFTER INSERT ON void_tokens BEGIN
    INSERT INTO user_changes (user, token, token_expires_at) VALUES (NEW.user, NEW.token, NEW.expires_at);
END;
