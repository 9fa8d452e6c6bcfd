-- What does not grow with what is stored: pages of files in any order, and totals that are kept instead of counted.

-- A page of a customer's files in each order that can be asked for. Hidden files are shown nowhere.
create index file_by_update on file (customer_id, updated_at, id) where hidden_at is null;
create index file_by_creation on file (customer_id, created_at, id) where hidden_at is null;
create index file_by_name on file (customer_id, lower(name), id) where hidden_at is null;
create index file_by_last_sync on file (customer_id, last_sync, id) where hidden_at is null;
create index file_by_size on file (customer_id, html_bytes, id) where hidden_at is null;
create index file_by_id on file (customer_id, id) where hidden_at is null;
-- Some of them: by status, and those that show an error.
create index file_by_status on file (customer_id, status, updated_at, id) where hidden_at is null;
create index file_with_error on file (customer_id, id) where error is not null;
create index chunking_with_error on chunking (connection_id, file_id) where error is not null;

-- Runs and connections of an organization, as people look at them.
create index run_active on run (organization_id, id) where state in ('queued', 'running', 'finalizing');
create index run_by_organization on run (organization_id, id);
create index run_finished on run (finished_at, id) where finished_at is not null;
create index connection_by_customer on connection (customer_id, id);
create index customer_by_update on customer (organization_id, updated_at, id);
create index customer_by_creation on customer (organization_id, created_at, id);

-- Totals of the shown files of a customer, and of an organization (customer_id = 0). There is one writer, so each change is
-- added to the one row at once; on Postgres there are rows that are still to be added (base = 0).
create table kept_total (
    customer_id integer not null,
    organization_id integer not null,
    base integer not null check (base in (0, 1)),
    files integer not null default 0,
    characters integer not null default 0,
    html_bytes integer not null default 0,
    tokens integer not null default 0,
    embedded integer not null default 0,
    -- files whose removal is held, shown or not
    held integer not null default 0,
    -- connections, brands apart
    active integer not null default 0,
    paused integer not null default 0,
    primary key (customer_id, organization_id)
);

create trigger file_added after insert on file when new.hidden_at is null begin
    insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes)
    values (new.customer_id, new.organization_id, 1, 1, new.characters, new.html_bytes),
        (0, new.organization_id, 1, 1, new.characters, new.html_bytes)
    on conflict (customer_id, organization_id) do update set files = files + 1,
        characters = characters + excluded.characters, html_bytes = html_bytes + excluded.html_bytes;
end;
-- Before: its chunks' row is still there.
create trigger file_removed before delete on file begin
    update kept_total set files = files - (old.hidden_at is null),
        characters = characters - (old.hidden_at is null) * old.characters,
        html_bytes = html_bytes - (old.hidden_at is null) * old.html_bytes,
        tokens = tokens - (old.hidden_at is null)
            * coalesce((select chunking.tokens from chunking where file_id = old.id), 0),
        embedded = embedded - (old.hidden_at is null)
            * coalesce((select chunking.embedded from chunking where file_id = old.id), 0),
        held = held - (old.held_at is not null)
    where organization_id = old.organization_id and customer_id in (old.customer_id, 0);
end;
create trigger file_changed after update of characters, html_bytes, hidden_at, held_at on file
when old.characters <> new.characters or old.html_bytes <> new.html_bytes
    or (old.hidden_at is null) <> (new.hidden_at is null) or (old.held_at is null) <> (new.held_at is null) begin
    update kept_total set files = files + (new.hidden_at is null) - (old.hidden_at is null),
        characters = characters + (new.hidden_at is null) * new.characters - (old.hidden_at is null) * old.characters,
        html_bytes = html_bytes + (new.hidden_at is null) * new.html_bytes - (old.hidden_at is null) * old.html_bytes,
        tokens = tokens + ((new.hidden_at is null) - (old.hidden_at is null))
            * coalesce((select chunking.tokens from chunking where file_id = old.id), 0),
        embedded = embedded + ((new.hidden_at is null) - (old.hidden_at is null))
            * coalesce((select chunking.embedded from chunking where file_id = old.id), 0),
        held = held + (new.held_at is not null) - (old.held_at is not null)
    where organization_id = new.organization_id and customer_id in (new.customer_id, 0);
end;

create trigger chunking_changed after update of tokens, embedded on chunking
when old.tokens <> new.tokens or old.embedded <> new.embedded begin
    update kept_total set tokens = tokens + new.tokens - old.tokens, embedded = embedded + new.embedded - old.embedded
    where (customer_id, organization_id) in (
        select customer_id, organization_id from file where id = new.file_id and hidden_at is null
        union all select 0, organization_id from file where id = new.file_id and hidden_at is null);
end;
-- Of a file that is removed with it, nothing is left to be found.
create trigger chunking_removed after delete on chunking when old.tokens <> 0 or old.embedded <> 0 begin
    update kept_total set tokens = tokens - old.tokens, embedded = embedded - old.embedded
    where (customer_id, organization_id) in (
        select customer_id, organization_id from file where id = old.file_id and hidden_at is null
        union all select 0, organization_id from file where id = old.file_id and hidden_at is null);
end;

create trigger connection_added after insert on connection when new.parent_id is null begin
    insert into kept_total (customer_id, organization_id, base, active, paused)
    values (0, new.organization_id, 1, new.state = 'active', new.state = 'paused')
    on conflict (customer_id, organization_id) do update set active = active + excluded.active,
        paused = paused + excluded.paused;
end;
create trigger connection_removed after delete on connection when old.parent_id is null begin
    update kept_total set active = active - (old.state = 'active'), paused = paused - (old.state = 'paused')
    where organization_id = old.organization_id and customer_id = 0;
end;
create trigger connection_moved after update of state on connection
when new.parent_id is null and old.state <> new.state begin
    update kept_total set active = active + (new.state = 'active') - (old.state = 'active'),
        paused = paused + (new.state = 'paused') - (old.state = 'paused')
    where organization_id = new.organization_id and customer_id = 0;
end;

create trigger totals_of_customer_forgotten after delete on customer begin
    delete from kept_total where customer_id = old.id;
end;
create trigger totals_of_organization_forgotten after delete on organization begin
    delete from kept_total where organization_id = old.id;
end;

insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes, tokens, embedded, held)
select owners.owner, file.organization_id, 1, sum(hidden_at is null), sum((hidden_at is null) * file.characters),
    sum((hidden_at is null) * file.html_bytes), sum((hidden_at is null) * coalesce(chunking.tokens, 0)),
    sum((hidden_at is null) * coalesce(chunking.embedded, 0)), count(held_at)
from (select id as owner from customer union all select 0) as owners
    join file on owners.owner in (file.customer_id, 0) left join chunking on chunking.file_id = file.id
group by owners.owner, file.organization_id;
insert into kept_total (customer_id, organization_id, base, active, paused)
select 0, organization_id, 1, sum(state = 'active'), sum(state = 'paused')
from connection where parent_id is null group by organization_id
on conflict (customer_id, organization_id) do update set active = excluded.active, paused = excluded.paused;
