-- Searches by words: the program analyses the texts, by the language of each translation, and the index holds what it
-- found, behind the customer's id: CUSTOMER:LEVEL:TERM (see docs/search.md).
drop trigger chunk_word_added;
drop trigger chunk_word_removed;
drop table chunk_word;
-- Terms are letters, digits and marks of any script; the sign between them is ours.
create virtual table chunk_word using fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars ':'"
);
create trigger chunk_word_removed after delete on chunk begin
    delete from chunk_word where rowid = old.id;
end;

-- What the chunk is found by, as a hash; null = it is not in the index.
alter table chunk add column words_hash text;

-- The languages that a customer's chunks were analysed as; empty = words as they are written.
create table customer_language (
    customer_id bigint not null references customer (id) on delete cascade,
    language text not null,
    primary key (customer_id, language)
) without rowid;

-- What is stored already is chunked again; chunks whose text did not change keep their vectors. Uploaded chunks are left
-- alone, and are found by words when they are uploaded again.
update chunking set version = version + 1, due_at = 0, failures = 0, lease_until = null
    where not exists (select 1 from chunk where chunk.file_id = chunking.file_id and chunk.uploaded = 1);
