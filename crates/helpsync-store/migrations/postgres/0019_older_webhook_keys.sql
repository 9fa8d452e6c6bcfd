-- The key before the one before, where a webhook's key is rotated again while the first overlap is under way: it signs until its
-- own time. Null: there is none, or a process of the version before rotated the key.
alter table webhook add column older_key_sealed bytea;
alter table webhook add column older_key_until bigint;
