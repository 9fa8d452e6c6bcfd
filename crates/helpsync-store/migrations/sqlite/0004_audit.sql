-- The audit log: who did what to whom and when. Written in the transaction of the change, kept for a set time. It outlives
-- what it tells of, so it refers to nothing.
create table audit_entry (
    id integer primary key autoincrement,
    organization_id bigint not null,
    actor_kind text not null,
    -- among those of its kind: a key's number, a customer's name, a user of the broker
    actor_id text not null,
    actor_name text not null,
    -- whom it was done to, as the organization calls them; null = the organization
    customer_id text,
    -- an operation of the API (`POST /add_webhook`), or what was done otherwise
    action text not null,
    target text not null,
    detail text not null,
    request_id text not null,
    created_at bigint not null
);
create index audit_entry_list on audit_entry (organization_id, id);
create index audit_entry_by_customer on audit_entry (organization_id, customer_id, id) where customer_id is not null;
create index audit_entry_by_age on audit_entry (created_at);

-- 1 = restricted articles are shown to those alone who say by whom they are read (Helpsync-Viewer-Segments).
-- Organizations that are there already keep what they have.
alter table organization add column viewer_required bigint not null default 0 check (viewer_required in (0, 1));
