-- Erasure of users.

-- Takes the profile of a user away, makes all tokens void, and notes what is left to do. `false` if nothing is known of the
-- user.
CREATE OR REPLACE FUNCTION begin_erasure(of_user text, of_messages boolean, by_actor text, by_action text, audit_details text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM users WHERE id = of_user)
        AND NOT EXISTS (SELECT 1 FROM conversations WHERE user_a = of_user OR user_b = of_user)
        AND NOT EXISTS (SELECT 1 FROM suspensions WHERE user_id = of_user)
        AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker = of_user) THEN
        RETURN false;
    END IF;
    INSERT INTO users (id, password_hash, role, is_active, created_at, erased_at)
    VALUES (of_user, '', 'seller', true, now_ms(), now_ms())
    ON CONFLICT (id) DO UPDATE SET email = NULL, password_hash = excluded.password_hash, role = excluded.role,
        full_name = NULL, phone = NULL, profile_picture_url = NULL, is_active = excluded.is_active,
        created_at = excluded.created_at, erased_at = excluded.erased_at;
    INSERT INTO revocations AS r (user_id, generation, not_before) VALUES (of_user, 1, now_ms() + 1)
    ON CONFLICT (user_id) DO UPDATE SET generation = r.generation + 1,
        not_before = greatest(r.not_before, excluded.not_before);
    DELETE FROM suspensions WHERE user_id = of_user;
    INSERT INTO erasures AS e (user_id, with_messages, begun_at) VALUES (of_user, of_messages, now_ms())
    ON CONFLICT (user_id) DO UPDATE SET with_messages = e.with_messages OR excluded.with_messages,
        begun_at = excluded.begun_at;
    INSERT INTO audit (actor, action, target, details) VALUES (by_actor, by_action, of_user, audit_details);
    RETURN true;
END $$;

-- Deletes a message of a user who is erased, and keeps nothing of what it says or ever said. Answers as apply_change.
CREATE OR REPLACE FUNCTION erase_message(conversation_key bigint, message_seq bigint)
RETURNS TABLE (outcome text, unread bigint, total bigint, message shown_messages) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM lock_writes();
    -- First, so that the answer has none either.
    UPDATE messages SET client_id = NULL WHERE conversation = conversation_key AND seq = message_seq;
    RETURN QUERY SELECT * FROM apply_change(conversation_key, message_seq, NULL, NULL);
    DELETE FROM withdrawn_texts WHERE conversation = conversation_key AND seq = message_seq;
    UPDATE messages SET text = '', extras = NULL
    WHERE conversation = conversation_key AND seq = message_seq;
END $$;
