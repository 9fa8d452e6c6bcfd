-- A page far behind in the order of names is read from the index alone: Postgres does so only where the index has the column too
-- that its expression is made of. Without, each file that is passed over is a look at the table.
create index file_in_order_of_names on file (customer_id, lower(name), id) include (name) where hidden_at is null;
drop index file_by_name;
