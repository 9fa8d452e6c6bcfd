-- What a page or a delta of a large help center costs.

-- A worker that goes on with the shard which follows has left no room to anybody: most ends of shards need no look at the
-- turn of their connection, which is a row to be locked.
create or replace function shard_takes_turn() returns trigger language plpgsql as $$
begin
    -- The one that followed was added by this transaction.
    if new.state <> 'pending' and exists (select 1 from shard
        where connection_id = new.connection_id and lane = new.lane and state in ('released', 'running')
            and attempt = created_at and xmin = pg_current_xact_id()::xid) then
        return null;
    end if;
    -- First the row, then the look: who is visiting the connection has then done so, and who adds a shard comes after.
    perform from release_turn where connection_id = new.connection_id and lane = new.lane for no key update;
    -- Room in the window is worth a turn only to a shard that waits.
    if new.state = 'pending' or exists (select 1 from shard
        where connection_id = new.connection_id and lane = new.lane and state = 'pending') then
        insert into release_turn (connection_id, lane, due_at)
        values (new.connection_id, new.lane, case when new.state = 'pending' then new.due_at else new.updated_at end)
        on conflict (connection_id, lane) do update set due_at = excluded.due_at
        where release_turn.due_at is null or release_turn.due_at > excluded.due_at;
    end if;
    return null;
end $$;

-- Most changes of these rows are leases. Files are looked up one by one, whatever is believed of how many there are: else
-- all of them are read for each of these statements.
create or replace function chunkings_changed() returns trigger language plpgsql as $$
begin
    insert into kept_total (customer_id, organization_id, base, tokens, embedded)
    select owner, file.organization_id, 0, sum(changed.tokens), sum(changed.embedded)
    from (select now.file_id, now.tokens - before.tokens as tokens, now.embedded - before.embedded as embedded
          from now join before on before.file_id = now.file_id
          where now.tokens <> before.tokens or now.embedded <> before.embedded) as changed
        cross join lateral (select customer_id, organization_id from file
          where id = changed.file_id and hidden_at is null offset 0) as file
        cross join lateral (values (file.customer_id), (0)) as owners (owner)
    group by owner, file.organization_id;
    return null;
end $$;
create or replace function chunkings_removed() returns trigger language plpgsql as $$
begin
    -- Of a file that is removed with it, nothing is left to be found.
    insert into kept_total (customer_id, organization_id, base, tokens, embedded)
    select owner, file.organization_id, 0, -sum(before.tokens), -sum(before.embedded)
    from before
        cross join lateral (select customer_id, organization_id from file
          where id = before.file_id and hidden_at is null offset 0) as file
        cross join lateral (values (file.customer_id), (0)) as owners (owner)
    where before.tokens <> 0 or before.embedded <> 0
    group by owner, file.organization_id;
    return null;
end $$;

-- One index alone begins with the connection: where nothing is known of the table yet, all that do are the same to
-- Postgres, and the articles of a page would be looked for among all of the connection.
drop index file_by_section;
create index file_by_section on file (section_id, connection_id);
