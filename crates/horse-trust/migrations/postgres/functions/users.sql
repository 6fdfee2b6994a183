-- Users: blocks, and what changes of users for each node to take over.

-- A block holds from its commit on, whatever a node still remembers: each message and each edit looks for it under the
-- lock of all writes.
CREATE OR REPLACE FUNCTION set_block(by_user text, other text, is_blocked boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_writes();
    IF is_blocked THEN
        INSERT INTO blocks (blocker, blocked, created_at) VALUES (by_user, other, now_ms())
        ON CONFLICT (blocker, blocked) DO NOTHING;
    ELSE
        DELETE FROM blocks WHERE blocker = by_user AND blocked = other;
    END IF;
END $$;

-- The triggers on what a node has to take over run with their owner's rights and tables: an operator who changes a row
-- needs none but on that.

CREATE OR REPLACE FUNCTION note_user_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id) VALUES (coalesce(NEW.id, OLD.id));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_revocation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id) VALUES (NEW.user_id);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id, other)
    VALUES (coalesce(NEW.blocker, OLD.blocker), coalesce(NEW.blocked, OLD.blocked));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_void_token() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id, token, token_expires_at) VALUES (NEW.user_id, NEW.token, NEW.expires_at);
    RETURN NULL;
END $$;

-- Whoever writes a time without a number has it counted.
CREATE OR REPLACE FUNCTION count_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.not_before > OLD.not_before AND NEW.generation = OLD.generation THEN
        NEW.generation := OLD.generation + 1;
    END IF;
    RETURN NEW;
END $$;
