-- Users may have no e-mail, and may have been erased: then `erased_at` is set and nothing of the profile is left. SQLite
-- takes a NOT NULL away by a copy of the table alone.
CREATE TABLE users_copy (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    full_name TEXT,
    phone TEXT,
    profile_picture_url TEXT,
    is_active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    erased_at INTEGER
) WITHOUT ROWID;
INSERT INTO users_copy
    SELECT id, email, password_hash, role, full_name, phone, profile_picture_url, is_active, created_at, NULL FROM users;
DROP TABLE users;
ALTER TABLE users_copy RENAME TO users;

CREATE INDEX users_inactive ON users (id) WHERE is_active = 0;

-- Whether the profile changed, of which others are notified.
ALTER TABLE user_changes ADD COLUMN is_profile INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER user_made AFTER INSERT ON users BEGIN
    INSERT INTO user_changes (user, is_profile) VALUES (NEW.id, 1);
END;

CREATE TRIGGER user_changed AFTER UPDATE ON users
WHEN OLD.full_name IS NOT NEW.full_name OR OLD.profile_picture_url IS NOT NEW.profile_picture_url
    OR OLD.is_active IS NOT NEW.is_active OR OLD.role IS NOT NEW.role OR OLD.erased_at IS NOT NEW.erased_at
BEGIN
    INSERT INTO user_changes (user, is_profile) VALUES (NEW.id, OLD.full_name IS NOT NEW.full_name
        OR OLD.profile_picture_url IS NOT NEW.profile_picture_url OR OLD.erased_at IS NOT NEW.erased_at);
END;

CREATE TRIGGER user_gone AFTER DELETE ON users BEGIN
    INSERT INTO user_changes (user, is_profile) VALUES (OLD.id, 1);
END;

-- Accounts that may not be used, until a time or without an end.
CREATE TABLE suspensions (
    user TEXT NOT NULL PRIMARY KEY,
    until INTEGER,
    reason TEXT
) WITHOUT ROWID;

CREATE TRIGGER suspension_made AFTER INSERT ON suspensions BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.user);
END;

CREATE TRIGGER suspension_changed AFTER UPDATE ON suspensions BEGIN
    INSERT INTO user_changes (user) VALUES (NEW.user);
END;

CREATE TRIGGER suspension_ended AFTER DELETE ON suspensions BEGIN
    INSERT INTO user_changes (user) VALUES (OLD.user);
END;
