-- How often all sessions of the user were ended. Tokens that are issued from now on carry the number; earlier ones have
-- none and go by `not_before`.
ALTER TABLE revocations ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;

-- What changed of users, by whatever process, for the server to take over within a second. Numbers are not used again
-- after rows were deleted.
CREATE TABLE user_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    -- With whom `user` has a block that was set or taken back; NULL for all else.
    other TEXT,
    -- In milliseconds; `strftime` so that any version of the sqlite3 tool can change a row that has a trigger.
    changed_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER) * 1000)
);

CREATE INDEX user_changes_by_time ON user_changes (changed_at);

CREATE INDEX users_inactive ON users (id) WHERE is_active = 0;

CREATE TRIGGER user_made AFTER INSERT ON users BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.id);
END;

CREATE TRIGGER user_changed AFTER UPDATE ON users
WHEN OLD.full_name IS NOT NEW.full_name OR OLD.profile_picture_url IS NOT NEW.profile_picture_url
    OR OLD.is_active IS NOT NEW.is_active OR OLD.role IS NOT NEW.role
BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.id);
END;

CREATE TRIGGER user_gone AFTER DELETE ON users BEGIN
    INSERT INTO user_changes (user) VALUES (OLD.id);
END;

CREATE TRIGGER revocation_made AFTER INSERT ON revocations BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.user);
END;

CREATE TRIGGER revocation_changed AFTER UPDATE ON revocations BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.user);
END;

CREATE TRIGGER block_made AFTER INSERT ON blocks BEGIN
    INSERT INTO user_changes (user, other) VALUES (NEW.blocker, NEW.blocked);
END;

CREATE TRIGGER block_gone AFTER DELETE ON blocks BEGIN
    INSERT INTO user_changes (user, other) VALUES (OLD.blocker, OLD.blocked);
END;
