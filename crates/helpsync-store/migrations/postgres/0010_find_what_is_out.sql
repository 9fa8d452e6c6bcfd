-- What `release_due` asks for every connection that has something due: how much of it is out already.
create index shard_out on shard (connection_id) where state in ('released', 'running');
