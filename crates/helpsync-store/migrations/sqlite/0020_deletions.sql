-- Customers that were deleted and whose texts may still be in the database's files: in blobs, in the index of words, in the
-- write-ahead log. A row goes when nothing is left. It says of whom no more than the organization.
create table customer_deletion (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id) on delete cascade,
    created_at bigint not null
);
