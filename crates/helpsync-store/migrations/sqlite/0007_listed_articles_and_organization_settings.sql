-- What an organization sets for all its customers.
alter table organization add column limits text not null default '{}';
alter table organization add column connector_settings text not null default '{}';
alter table organization add column statistics_at bigint;

-- Published articles that a listing showed and nobody chose: what /integrations/items/list offers beside files.
create table listed_article (
    connection_id bigint not null references connection (id),
    article_id bigint not null,
    name text not null,
    section_id bigint,
    external_url text,
    synced_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (connection_id, article_id)
);
create index listed_article_by_section on listed_article (connection_id, section_id);
create index item_by_parent on item (connection_id, parent_id);
create index file_by_section on file (connection_id, section_id);
