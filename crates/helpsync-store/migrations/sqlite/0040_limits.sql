-- Characters of an article that a limit of its customer keeps out, as last read; null = none does.
alter table remote_article add column over_limit bigint;
create index remote_article_over_limit on remote_article (connection_id) where over_limit is not null;

-- Articles that limits kept out of a run; they are among `skipped`.
alter table run add column over_limit bigint not null default 0;
