-- The version of the converter that made a file's texts; of another version, they are made again.
alter table file add column converter bigint not null default 0;
