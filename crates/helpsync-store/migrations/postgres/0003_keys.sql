-- The sealing keys that this database knows, so that a missing key, or another one of the same name, is noticed before work
-- begins.
create table sealing_key (
    id text primary key,
    -- 1 = it seals by a key derived from it, and signatures carry its id; 0 = it was there before either
    derives bigint not null check (derives in (0, 1)),
    -- a text that everybody knows, sealed with it: no other key opens that
    proof_sealed bytea not null,
    created_at bigint not null,
    -- since when it has sealed; null = it has not yet
    sealed_at bigint,
    -- since when another key seals in its place
    superseded_at bigint
);

-- The sealing keys that a process holds, as a JSON list of their ids, the one that seals first; null = of a version that
-- does not say.
alter table process add column keys text;

-- A webhook's signing key that another has taken the place of: until then, both sign.
alter table webhook add column previous_key_sealed bytea;
alter table webhook add column previous_key_until bigint;
