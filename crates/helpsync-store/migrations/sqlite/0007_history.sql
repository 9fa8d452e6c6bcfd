-- What the dashboard draws over time.

-- The last day of the whole installation: a number for each name and slot of five minutes. Older slots are deleted.
create table history_point (
    name text not null,
    -- five minutes since 1970
    slot integer not null,
    value integer not null,
    primary key (name, slot)
);
create index history_point_age on history_point (slot);

-- When a shard was started first; null = not yet, or a process of an earlier version did.
alter table shard add column started_at integer;
-- What it was put off for: a JSON object a line, with at, until (ms) and why. Bounded: later waits are not noted.
alter table shard add column waits text not null default '';
