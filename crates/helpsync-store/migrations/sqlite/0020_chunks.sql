-- Chunks: the parts of texts that searches answer with. Cutting and embedding are work of their own, done after the page
-- is stored: each row says by itself what is still to be done with it, and a lease says who does it.

-- How a file is cut. A row is written, or its version raised, with every change of the file's text or options.
create table chunking (
    file_id bigint primary key references file (id) on delete cascade,
    connection_id bigint not null,
    version bigint not null default 1,
    -- the version that the chunks are of
    chunked_version bigint not null default 0,
    -- a request to embed also what has not changed
    embed_anew bigint not null default 0,
    due_at bigint not null,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    lease_until bigint,
    -- what came of it
    tokens bigint not null default 0,
    chunks bigint not null default 0,
    embedded bigint not null default 0,
    -- shown as the file's while its text stays readable
    error text,
    check (chunked_version <= version)
);
create index chunking_due on chunking (connection_id, due_at) where chunked_version < version;

create table chunk (
    id integer primary key autoincrement,
    file_id bigint not null references file (id) on delete cascade,
    connection_id bigint not null,
    position bigint not null,
    locale text not null,
    hash text not null,
    tokens bigint not null,
    -- brought by the customer with a vector of their own, or without
    uploaded bigint not null default 0,
    state text not null check (state in ('skipped', 'waiting', 'embedded', 'failed')),
    due_at bigint not null,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    lease_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    -- what made the vector: the endpoint's model, or of uploaded ones Carbon's name
    model text,
    dimensions bigint,
    -- 32 bit floats, little endian; the last one stays in use until the next one is here
    vector blob,
    content text not null,
    check ((vector is null) = (dimensions is null)),
    check (state <> 'embedded' or vector is not null)
);
create index chunk_by_file on chunk (file_id, position);
create index chunk_to_embed on chunk (connection_id, due_at, id) where state in ('waiting', 'failed');
create index chunk_by_model on chunk (model) where state = 'embedded' and uploaded = 0;

-- Requests to the embeddings endpoint, all processes together, by minute since 1970.
create table embedding_minute (
    minute bigint primary key,
    requests bigint not null
);

-- Words, for searches without vectors. It keeps no text of its own.
create virtual table chunk_word using fts5 (
    content, content = 'chunk', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
create trigger chunk_word_added after insert on chunk begin
    insert into chunk_word (rowid, content) values (new.id, new.content);
end;
create trigger chunk_word_removed after delete on chunk begin
    insert into chunk_word (chunk_word, rowid, content) values ('delete', old.id, old.content);
end;

-- What is stored already is cut as well.
insert into chunking (file_id, connection_id, due_at)
    select id, connection_id, 0 from file where content_hash is not null and content_deleted = 0;
