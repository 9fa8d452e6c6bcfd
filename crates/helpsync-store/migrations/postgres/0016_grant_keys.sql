-- The API key that a grant was asked for with, or whose token: a link does not outlive that. Null: made by the version before.
alter table oauth_state add column api_key_id bigint;
