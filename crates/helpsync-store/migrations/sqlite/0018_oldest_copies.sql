-- The oldest copies of an organization are read in their order, however many customers it has.
create index connection_by_copy_age on connection (organization_id, (coalesce(source_items_synced_at, 0)), id)
    where disconnected_at is null and parent_id is null;
-- Most files have no tags of their own: those that do are found among them.
create index file_tagged on file (customer_id) where hidden_at is null and tags <> '{}';
