-- The segments that may read an article that nobody chose, as JSON; null: listed before this was noted, shown to no named reader.
alter table listed_article add column user_segment_ids text;
