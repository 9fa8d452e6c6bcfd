-- What an organization's pages show and allow, as JSON.
alter table organization add column branding text not null default '{}';

-- A grant begins on a page of ours, which makes the address at Zendesk. Null: made by the version before, whose URL was
-- that address already.
alter table oauth_state add column begun_by text check (begun_by in ('nobody', 'page', 'program'));
-- separated by spaces
alter table oauth_state add column scopes text;
-- where the person goes back to
alter table oauth_state add column return_url text;
