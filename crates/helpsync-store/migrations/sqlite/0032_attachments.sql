-- 1 = what hangs on the article is to be looked at, where the connection keeps attachments.
alter table file add column attachments_due bigint not null default 0;

-- Bytes, once for an organization however often they are used, in chunks so that nobody ever holds all of them.
create table blob (
    id integer primary key autoincrement,
    organization_id bigint not null references organization (id),
    -- null while the bytes arrive; then their SHA-256 in lower hex
    hash text,
    bytes bigint not null default 0,
    created_at bigint not null,
    unique (organization_id, hash)
);
create table blob_chunk (
    blob_id bigint not null references blob (id) on delete cascade,
    number bigint not null,
    bytes blob not null,
    primary key (blob_id, number)
);
create table attachment (
    id integer primary key autoincrement,
    file_id bigint not null references file (id) on delete cascade,
    attachment_id bigint not null,
    file_name text not null,
    content_type text not null,
    is_inline bigint not null,
    -- of Zendesk's record, to tell whether it changed
    version text not null,
    blob_id bigint references blob (id),
    skipped text,
    created_at bigint not null,
    unique (file_id, attachment_id),
    check ((blob_id is null) = (skipped is not null))
);
create index attachment_by_blob on attachment (blob_id);
create index file_attachments_due on file (connection_id, id) where attachments_due = 1;
