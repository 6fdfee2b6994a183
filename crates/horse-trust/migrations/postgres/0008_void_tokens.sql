-- Tokens that their users signed out, until a day after they end by themselves.
CREATE TABLE void_tokens (
    user_id text COLLATE "C" NOT NULL,
    -- The first 8 bytes of the SHA-256 of its header and claims.
    token bigint NOT NULL,
    -- In milliseconds; NULL if it does not end.
    expires_at bigint,
    PRIMARY KEY (user_id, token)
);

CREATE INDEX void_tokens_by_end ON void_tokens (expires_at);

-- The token that was signed out; NULL for all else.
ALTER TABLE user_changes ADD COLUMN token bigint, ADD COLUMN token_expires_at bigint;

CREATE FUNCTION note_void_token() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id, token, token_expires_at) VALUES (NEW.user_id, NEW.token, NEW.expires_at);
    RETURN NULL;
END $$;

CREATE TRIGGER token_made_void AFTER INSERT ON void_tokens FOR EACH ROW EXECUTE FUNCTION note_void_token();
