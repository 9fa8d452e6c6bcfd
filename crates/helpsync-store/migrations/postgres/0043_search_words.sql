-- Searches by words: the program analyses the texts, by the language of each translation, and the index holds what it
-- found, behind the customer's id: CUSTOMER:LEVEL:TERM (see docs/search.md).
drop index chunk_word;
create table chunk_word (
    chunk_id bigint primary key references chunk (id) on delete cascade,
    words tsvector not null
);
-- Searches read ids only: the words stand apart from them, so that a page holds many.
alter table chunk_word set (toast_tuple_target = 128);
-- Without a list of pending entries, which every look-up would have to read as well.
create index chunk_word_words on chunk_word using gin (words) with (fastupdate = off);

-- What the chunk is found by, as a hash; null = it is not in the index.
alter table chunk add column words_hash text;

-- The languages that a customer's chunks were analysed as; empty = words as they are written.
create table customer_language (
    customer_id bigint not null references customer (id) on delete cascade,
    language text not null,
    primary key (customer_id, language)
);

-- What is stored already is chunked again; chunks whose text did not change keep their vectors. Uploaded chunks are left
-- alone, and are found by words when they are uploaded again.
update chunking set version = version + 1, due_at = 0, failures = 0, lease_until = null
    where not exists (select 1 from chunk where chunk.file_id = chunking.file_id and chunk.uploaded = 1);
