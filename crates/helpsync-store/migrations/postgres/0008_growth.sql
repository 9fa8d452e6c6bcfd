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

-- Totals of the shown files of a customer, and of an organization (customer_id = 0). Writers only add rows with what they
-- change, so that none waits for another (base = 0); now and then those are added to the row that sums them up (base = 1).
create table kept_total (
    customer_id bigint not null,
    organization_id bigint not null,
    base bigint not null check (base in (0, 1)),
    files bigint not null default 0,
    characters bigint not null default 0,
    html_bytes bigint not null default 0,
    tokens bigint not null default 0,
    embedded bigint not null default 0,
    -- files whose removal is held, shown or not
    held bigint not null default 0,
    -- connections, brands apart
    active bigint not null default 0,
    paused bigint not null default 0
);
create index kept_total_by_owner on kept_total (customer_id, organization_id);
create unique index kept_total_base on kept_total (customer_id, organization_id) where base = 1;
create index kept_total_added on kept_total (customer_id, organization_id) where base = 0;

create function files_added() returns trigger language plpgsql as $$
begin
    insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes)
    select owner, organization_id, 0, count(*), sum(characters), sum(html_bytes)
    from added cross join lateral (values (added.customer_id), (0)) as owners (owner)
    where hidden_at is null group by owner, organization_id;
    return null;
end $$;
create function file_changed() returns trigger language plpgsql as $$
declare
    was bigint := (old.hidden_at is null)::int;
    shown bigint := 0;
    now_held bigint := 0;
    of_chunks record;
begin
    select coalesce(sum(tokens), 0) as tokens, coalesce(sum(embedded), 0) as embedded into of_chunks
    from chunking where file_id = old.id;
    if tg_op = 'DELETE' then
        insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes, tokens, embedded, held)
        select owner, old.organization_id, 0, -was, -was * old.characters, -was * old.html_bytes,
            -was * of_chunks.tokens, -was * of_chunks.embedded, -(old.held_at is not null)::int
        from (values (old.customer_id), (0)) as owners (owner);
        return old;
    end if;
    shown := (new.hidden_at is null)::int;
    now_held := (new.held_at is not null)::int;
    insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes, tokens, embedded, held)
    select owner, new.organization_id, 0, shown - was, shown * new.characters - was * old.characters,
        shown * new.html_bytes - was * old.html_bytes, (shown - was) * of_chunks.tokens,
        (shown - was) * of_chunks.embedded, now_held - (old.held_at is not null)::int
    from (values (new.customer_id), (0)) as owners (owner);
    return null;
end $$;
create trigger files_added after insert on file
    referencing new table as added for each statement execute function files_added();
create trigger file_changed after update of characters, html_bytes, hidden_at, held_at on file for each row
    when (old.characters <> new.characters or old.html_bytes <> new.html_bytes
        or (old.hidden_at is null) <> (new.hidden_at is null) or (old.held_at is null) <> (new.held_at is null))
    execute function file_changed();
-- Before: its chunks' row is still there.
create trigger file_removed before delete on file for each row execute function file_changed();

create function chunkings_changed() returns trigger language plpgsql as $$
begin
    insert into kept_total (customer_id, organization_id, base, tokens, embedded)
    select owner, file.organization_id, 0, sum(now.tokens - before.tokens), sum(now.embedded - before.embedded)
    from now join before on before.file_id = now.file_id join file on file.id = now.file_id
        cross join lateral (values (file.customer_id), (0)) as owners (owner)
    where (now.tokens <> before.tokens or now.embedded <> before.embedded) and file.hidden_at is null
    group by owner, file.organization_id;
    return null;
end $$;
create function chunkings_removed() returns trigger language plpgsql as $$
begin
    -- Of a file that is removed with it, nothing is left to be found.
    insert into kept_total (customer_id, organization_id, base, tokens, embedded)
    select owner, file.organization_id, 0, -sum(before.tokens), -sum(before.embedded)
    from before join file on file.id = before.file_id
        cross join lateral (values (file.customer_id), (0)) as owners (owner)
    where (before.tokens <> 0 or before.embedded <> 0) and file.hidden_at is null
    group by owner, file.organization_id;
    return null;
end $$;
create trigger chunkings_changed after update on chunking
    referencing old table as before new table as now for each statement execute function chunkings_changed();
create trigger chunkings_removed after delete on chunking
    referencing old table as before for each statement execute function chunkings_removed();

create function connection_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'DELETE' and new.parent_id is null then
        insert into kept_total (customer_id, organization_id, base, active, paused) values
            (0, new.organization_id, 0, (new.state = 'active')::int, (new.state = 'paused')::int);
    end if;
    if tg_op <> 'INSERT' and old.parent_id is null then
        insert into kept_total (customer_id, organization_id, base, active, paused) values
            (0, old.organization_id, 0, -(old.state = 'active')::int, -(old.state = 'paused')::int);
    end if;
    return null;
end $$;
create trigger connection_added after insert on connection for each row execute function connection_counted();
create trigger connection_removed after delete on connection for each row execute function connection_counted();
create trigger connection_moved after update of state, parent_id on connection for each row
    when (old.state <> new.state or old.parent_id is distinct from new.parent_id)
    execute function connection_counted();

create function totals_forgotten() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'customer' then
        delete from kept_total where customer_id = old.id;
    else
        delete from kept_total where organization_id = old.id;
    end if;
    return null;
end $$;
create trigger totals_of_customer_forgotten after delete on customer
    for each row execute function totals_forgotten();
create trigger totals_of_organization_forgotten after delete on organization
    for each row execute function totals_forgotten();

insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes, tokens, embedded, held)
select owner, file.organization_id, 1, count(*) filter (where hidden_at is null),
    coalesce(sum(file.characters) filter (where hidden_at is null), 0),
    coalesce(sum(file.html_bytes) filter (where hidden_at is null), 0),
    coalesce(sum(chunking.tokens) filter (where hidden_at is null), 0),
    coalesce(sum(chunking.embedded) filter (where hidden_at is null), 0), count(held_at)
from file left join chunking on chunking.file_id = file.id
    cross join lateral (values (file.customer_id), (0)) as owners (owner)
group by owner, file.organization_id;
insert into kept_total (customer_id, organization_id, base, active, paused)
select 0, organization_id, 0, count(*) filter (where state = 'active'), count(*) filter (where state = 'paused')
from connection where parent_id is null group by organization_id;
