-- What of a help center a connection keeps; {} = everything.
alter table connection add column selection text not null default '{}';

-- A section's category, also where the section stands in another one.
alter table item add column category_id bigint;

-- 0 = when the article was last read, its section was none of those that are kept.
alter table remote_article add column placed bigint not null default 1;

-- Articles that a run read, and that the selection leaves out.
alter table run add column unselected bigint not null default 0;

-- Every segment that may read the article; user_segment_id is the first of them.
alter table file add column user_segment_ids text not null default '[]';
update file set user_segment_ids = '[' || user_segment_id || ']' where user_segment_id is not null;
