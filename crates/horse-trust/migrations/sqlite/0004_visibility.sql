-- Which of the two does not see the conversation while it has no message, 0 for user_a, 1 for user_b: the one who did not
-- open it. NULL once both have opened it, and for what an import brought.
ALTER TABLE conversations ADD COLUMN hidden_from INTEGER;
