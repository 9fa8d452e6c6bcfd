-- What the pages for people draw over time.

-- The last day of each Zendesk account's budget: a row for each half hour in which it was asked. Older ones are deleted.
create table account_use (
    -- the subdomain: accounts are shared by whoever connected them
    account text not null,
    -- half hours since 1970
    slot integer not null,
    requests integer not null,
    throttled integer not null,
    -- time that requests waited for a permit, in ms
    waited_ms integer not null,
    -- requests a minute, as the last answer said; null = none did
    minute_limit integer,
    -- the least that an answer left of a minute; null = none said
    least_left integer,
    primary key (account, slot)
);
create index account_use_age on account_use (slot);

-- The last changes of a file, the latest first: each its time (ms), a colon, what changed, and a space. Bounded: older ones fall off.
alter table file add column history text not null default '';
