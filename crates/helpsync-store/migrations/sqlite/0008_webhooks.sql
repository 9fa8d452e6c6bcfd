-- Outgoing webhooks: whom to tell, and what is on its way to whom.

-- Some events concern a customer as a whole, or the organization. SQLite drops a "not null" by a new table.
create table event_new (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    customer_id bigint references customer (id),
    connection_id bigint references connection (id),
    kind text not null,
    object_type text not null,
    object_id text not null,
    detail text not null default '{}',
    created_at bigint not null,
    -- kept here when the customer itself is gone
    customer_external_id text,
    -- whether its deliveries exist
    fanned_out bigint not null default 0
);
insert into event_new
    select id, organization_id, customer_id, connection_id, kind, object_type, object_id, detail, created_at, null, 1
    from event;
drop table event;
alter table event_new rename to event;
create index event_by_customer on event (customer_id, id);
create index event_to_fan_out on event (id) where fanned_out = 0;
create index event_by_age on event (created_at);

create table webhook (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    url text not null,
    signing_key_sealed blob,
    status text not null check (status in ('ACTIVE', 'FLAGGED')),
    status_reason text,
    -- the circuit breaker: failures in a row, and until when nothing is sent
    failures bigint not null default 0,
    open_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    check ((deleted_at is null) = (signing_key_sealed is not null)),
    check ((status = 'FLAGGED') = (open_until is not null))
);
create unique index webhook_url on webhook (organization_id, url) where deleted_at is null;

create table webhook_delivery (
    id integer primary key autoincrement,
    webhook_id bigint not null references webhook (id),
    event_id bigint not null references event (id) on delete cascade,
    organization_id bigint not null references organization (id),
    -- what order is kept by: events of one object strictly; a barrier comes after what its connection had before
    connection_id bigint,
    object_key text,
    barrier bigint not null,
    state text not null check (state in ('pending', 'delivered', 'dead')),
    attempt bigint not null default 0,
    failures bigint not null default 0,
    tried bigint not null default 0,
    due_at bigint not null,
    lease_until bigint,
    -- its present round of attempts began
    since bigint not null,
    http_status bigint,
    error text,
    created_at bigint not null,
    finished_at bigint,
    unique (webhook_id, event_id),
    check ((state = 'pending') = (finished_at is null)),
    check (state = 'pending' or lease_until is null)
);
create index webhook_delivery_pending on webhook_delivery (webhook_id, event_id) where state = 'pending';
create index webhook_delivery_object on webhook_delivery (webhook_id, object_key, event_id) where state = 'pending';
create index webhook_delivery_untried on webhook_delivery (webhook_id, connection_id, event_id)
    where state = 'pending' and tried = 0;
create index webhook_delivery_leased on webhook_delivery (webhook_id) where lease_until is not null;
create index webhook_delivery_since on webhook_delivery (since) where state = 'pending';
create index webhook_delivery_finished on webhook_delivery (finished_at) where finished_at is not null;
create index webhook_delivery_by_event on webhook_delivery (event_id);
create index webhook_delivery_list on webhook_delivery (webhook_id, id);
