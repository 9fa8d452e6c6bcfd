-- The oldest shards that gave up are read in their order, however many did.
create index shard_failed_in_order on shard (id) where state = 'failed';
