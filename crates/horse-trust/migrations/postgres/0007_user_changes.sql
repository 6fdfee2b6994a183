-- How often all sessions of the user were ended. Tokens that are issued from now on carry the number; earlier ones have
-- none and go by `not_before`, which from now on is by the database's clock.
ALTER TABLE revocations ADD COLUMN generation bigint NOT NULL DEFAULT 1;
UPDATE revocations SET not_before = least(not_before, now_ms());

-- What changed of users, by whatever process, for each node to take over within a second. Transactions do not commit in
-- the order of their numbers: a reader keeps the snapshot of its last look, and reads what that did not see.
CREATE TABLE user_changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    user_id text COLLATE "C" NOT NULL,
    -- With whom the user has a block that was set or taken back; NULL for all else.
    other text COLLATE "C",
    changed_at bigint NOT NULL DEFAULT now_ms()
);
CREATE INDEX user_changes_by_transaction ON user_changes (transaction_id);

CREATE INDEX user_changes_by_time ON user_changes (changed_at);

CREATE INDEX users_inactive ON users (id) WHERE NOT is_active;

-- The functions run with their owner's rights and tables, so that an operator needs none but on what is changed.
CREATE FUNCTION note_user_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO user_changes (user_id) VALUES (OLD.id);
    ELSE
        INSERT INTO user_changes (user_id) VALUES (NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER user_made_or_gone AFTER INSERT OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION note_user_change();
CREATE TRIGGER user_changed AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.full_name, OLD.profile_picture_url, OLD.is_active, OLD.role)
        IS DISTINCT FROM (NEW.full_name, NEW.profile_picture_url, NEW.is_active, NEW.role))
    EXECUTE FUNCTION note_user_change();

CREATE FUNCTION note_revocation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id) VALUES (NEW.user_id);
    RETURN NULL;
END $$;

CREATE TRIGGER revocation_made_or_changed AFTER INSERT OR UPDATE ON revocations
    FOR EACH ROW EXECUTE FUNCTION note_revocation();

-- A node of the version before, which is still running, knows no numbers.
CREATE FUNCTION count_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.not_before > OLD.not_before AND NEW.generation = OLD.generation THEN
        NEW.generation := OLD.generation + 1;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER revocation_counted BEFORE UPDATE ON revocations
    FOR EACH ROW EXECUTE FUNCTION count_revocation();

CREATE FUNCTION note_block() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO user_changes (user_id, other) VALUES (OLD.blocker, OLD.blocked);
    ELSE
        INSERT INTO user_changes (user_id, other) VALUES (NEW.blocker, NEW.blocked);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER block_made_or_gone AFTER INSERT OR DELETE ON blocks
    FOR EACH ROW EXECUTE FUNCTION note_block();
