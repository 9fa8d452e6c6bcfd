-- Brands of a connected account: further help centers, each kept as a connection below the one that holds the grant.
alter table connection add column parent_id bigint references connection (id);
alter table connection add column brand_id bigint;
alter table connection add column brand_name text;
-- Zendesk has it no more.
alter table connection add column brand_gone bigint not null default 0;
-- When the account was last asked for its brands, in ms.
alter table connection add column brands_asked_at bigint;
create index connection_by_parent on connection (parent_id) where parent_id is not null;
drop index connection_one_workspace;
create unique index connection_one_workspace on connection (customer_id)
    where disconnected_at is null and parent_id is null;
-- The connection that people know, where a run is of one of its brands.
alter table run add column source_id bigint;
alter table run add column brand text;
