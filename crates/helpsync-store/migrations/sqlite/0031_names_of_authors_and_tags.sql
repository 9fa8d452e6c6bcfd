-- Names of people and tags as a page or a list showed them; files hold their ids.
create table author (
    connection_id bigint not null references connection (id),
    author_id bigint not null,
    name text not null,
    primary key (connection_id, author_id)
);

create table content_tag (
    connection_id bigint not null references connection (id),
    tag_id text not null,
    -- null = Zendesk did not tell it when it was asked
    name text,
    asked_at bigint not null,
    primary key (connection_id, tag_id)
);
