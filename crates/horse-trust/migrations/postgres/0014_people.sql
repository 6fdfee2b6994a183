-- Users may have no e-mail, and may have been erased: then `erased_at` is set and nothing of the profile is left.
ALTER TABLE users ALTER COLUMN email DROP NOT NULL, ADD COLUMN erased_at bigint;

-- Whether the profile changed, of which others are notified.
ALTER TABLE user_changes ADD COLUMN is_profile boolean NOT NULL DEFAULT false;

DROP TRIGGER user_changed ON users;
CREATE TRIGGER user_changed AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.full_name, OLD.profile_picture_url, OLD.is_active, OLD.role, OLD.erased_at)
        IS DISTINCT FROM (NEW.full_name, NEW.profile_picture_url, NEW.is_active, NEW.role, NEW.erased_at))
    EXECUTE FUNCTION note_user_change();

-- Accounts that may not be used, until a time or without an end.
CREATE TABLE suspensions (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    until bigint,
    reason text
);

-- functions/users.sql has its text.
CREATE FUNCTION note_suspension() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER suspension_changed AFTER INSERT OR UPDATE OR DELETE ON suspensions
    FOR EACH ROW EXECUTE FUNCTION note_suspension();
