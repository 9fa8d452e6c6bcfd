-- How a run reads the articles, and why so, for people; the request that its successor serves, as JSON.
alter table run add column plan_reason text;
alter table run add column pending_request text;
-- 'allowed', 'refused' or 'lost' (allowed once, refused now); null: not yet tried.
alter table connection add column export_access text;
-- A second (epoch) with more changes than a page of the export, all of them read by a listing since.
alter table connection add column passed_second bigint;
-- Everything of a walk before position (epoch seconds) is stored; null: nothing of it is left, or it bounds no mark.
alter table shard add column position bigint;
-- The latest change (epoch seconds) that a walk has stored.
alter table shard add column newest bigint;
-- Where an article stands, for counts by section.
alter table remote_article add column section_id bigint;
