-- What a run waits for, for programs and for people who do not run Helpsync; waiting_for has the reason in words. Null where nothing
-- is waited for, and in rows of the version before.
alter table run add column waiting_kind text check (waiting_kind in
    ('suspended', 'help_center', 'budget', 'service', 'token', 'turn', 'moment', 'zendesk', 'person', 'other'));
