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
    INSERT INTO user_changes (user_id, is_profile) VALUES (coalesce(NEW.id, OLD.id), TG_OP <> 'UPDATE'
        OR (OLD.full_name, OLD.profile_picture_url, OLD.erased_at)
            IS DISTINCT FROM (NEW.full_name, NEW.profile_picture_url, NEW.erased_at));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_suspension() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO user_changes (user_id) VALUES (coalesce(NEW.user_id, OLD.user_id));
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

-- Makes a user, or changes the fields of one that `fields` names, and notes it in the audit. `is_taken`: nothing was done,
-- as the e-mail is another user's. A user who was erased is made anew.
CREATE OR REPLACE FUNCTION set_user(of_user text, fields text[], new_full_name text, new_picture text, new_email text,
    new_phone text, new_role text, new_is_active boolean, by_actor text, OUT is_created boolean, OUT is_taken boolean)
LANGUAGE plpgsql AS $$
DECLARE
    old users;
    new users;
    changed text[];
BEGIN
    is_taken := false;
    SELECT * INTO old FROM users WHERE id = of_user FOR UPDATE;
    is_created := NOT FOUND OR old.erased_at IS NOT NULL;
    IF is_created THEN
        new.id := of_user;
        new.password_hash := '';
        new.role := 'seller';
        new.is_active := true;
        new.created_at := now_ms();
    ELSE
        new := old;
    END IF;
    IF 'full_name' = ANY (fields) THEN new.full_name := new_full_name; END IF;
    IF 'profile_picture_url' = ANY (fields) THEN new.profile_picture_url := new_picture; END IF;
    IF 'email' = ANY (fields) THEN new.email := new_email; END IF;
    IF 'phone' = ANY (fields) THEN new.phone := new_phone; END IF;
    IF 'role' = ANY (fields) THEN new.role := new_role; END IF;
    IF 'is_active' = ANY (fields) THEN new.is_active := new_is_active; END IF;
    changed := array_remove(ARRAY[
        CASE WHEN new.full_name IS DISTINCT FROM old.full_name THEN 'full_name' END,
        CASE WHEN new.profile_picture_url IS DISTINCT FROM old.profile_picture_url THEN 'profile_picture_url' END,
        CASE WHEN new.email IS DISTINCT FROM old.email THEN 'email' END,
        CASE WHEN new.phone IS DISTINCT FROM old.phone THEN 'phone' END,
        CASE WHEN new.role IS DISTINCT FROM old.role THEN 'role' END,
        CASE WHEN new.is_active IS DISTINCT FROM old.is_active THEN 'is_active' END], NULL);
    IF NOT is_created AND changed = '{}' THEN
        RETURN;
    END IF;
    INSERT INTO users VALUES (new.*) ON CONFLICT (id) DO UPDATE SET
        full_name = excluded.full_name, profile_picture_url = excluded.profile_picture_url, email = excluded.email,
        phone = excluded.phone, role = excluded.role, is_active = excluded.is_active,
        password_hash = excluded.password_hash, created_at = excluded.created_at, erased_at = NULL;
    INSERT INTO audit (actor, action, target, details) VALUES (by_actor,
        CASE WHEN is_created THEN 'user.create' ELSE 'user.update' END, of_user,
        jsonb_build_object('fields', to_jsonb(changed))::text);
EXCEPTION WHEN unique_violation THEN
    is_taken := true;
END $$;
