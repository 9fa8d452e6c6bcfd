-- Where the server has the extension `vector`, chunks have their vector in its type as well, and the database finds the
-- nearest of them. Run once, by the first process that starts with the extension at hand. `chunk.vector` stays the truth:
-- a trigger follows it, whoever writes, also a process of an older version.

create extension if not exists vector;

alter table chunk add column embedding vector;

-- 32 bit floats, little endian, taken apart (IEEE 754): SQL has no cast for them. Null where comparing would fail or mean
-- nothing in single precision: not finite, no or hardly any length, more dimensions than the extension takes.
create function helpsync_vector(bytes bytea) returns vector language sql immutable strict parallel safe as $$
    select case when count(*) <= 16000 and sum(number * number) between 1e-30 and 1e30
      then cast(array_agg(number order by place) as vector) end
    from (
        select place,
          case when high & 128 = 0 then 1 else -1 end
            * case when exponent = 0 then mantissa * 2.0::float8 ^ -149
                else (mantissa + 8388608) * 2.0::float8 ^ (exponent - 150) end as number
        from (
            select place, high, ((high & 127) << 1) | (third >> 7) as exponent,
              ((third & 127) << 16) | (second << 8) | first as mantissa
            from (
                select place, get_byte(bytes, place * 4) as first, get_byte(bytes, place * 4 + 1) as second,
                  get_byte(bytes, place * 4 + 2) as third, get_byte(bytes, place * 4 + 3) as high
                from generate_series(0, length(bytes) / 4 - 1) as place
            ) as taken
        ) as apart
    ) as numbers
$$;

create function helpsync_follow_vector() returns trigger language plpgsql as $$
begin
    new.embedding := helpsync_vector(new.vector);
    return new;
end
$$;

create trigger chunk_embedding before insert or update of vector on chunk
    for each row execute function helpsync_follow_vector();

-- Whoever drops the extension with all that is made of it must not leave a trigger behind that stops every write.
alter function helpsync_follow_vector() depends on extension vector;
alter trigger chunk_embedding on chunk depends on extension vector;

-- What was stored before, and what has no vector to compare by; hardly ever anything.
create index chunk_without_embedding on chunk (id) where vector is not null and embedding is null;
