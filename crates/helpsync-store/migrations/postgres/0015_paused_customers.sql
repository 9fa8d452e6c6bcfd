-- Whose work a person has paused: the status names them, and most customers are not paused.
create index customer_paused on customer (organization_id, id) where paused_at is not null;
