//! Looking at a Redis for `helpsync doctor`.

use std::time::Duration;

use helpsync_coordinator_redis::RedisCoordinator;

use crate::own_server::{OwnServer, answers};

const DEADLINE: Duration = Duration::from_secs(5);

/// Sends one command to the server itself.
async fn tell(server: &OwnServer, words: &[&str]) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut direct).await.unwrap();
}

async fn keys(server: &OwnServer) -> i64 {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("DBSIZE").query_async(&mut direct).await.unwrap()
}

async fn policy(coordinator: &RedisCoordinator) -> Option<String> {
    coordinator.examine().await.unwrap().eviction_policy
}

#[tokio::test]
async fn policy_role_and_scripts_are_looked_at_and_nothing_is_written() {
    let Some(server) = OwnServer::start() else { return };
    let coordinator = server.coordinator(DEADLINE);
    answers(&coordinator).await;
    let exam = coordinator.examine().await.unwrap();
    assert_eq!(exam.role.as_deref(), Some("master"));
    assert!(exam.clock_ms > 1_600_000_000_000, "{exam:?}");
    assert_eq!(policy(&coordinator).await.as_deref(), Some("noeviction"));
    tell(&server, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    assert_eq!(policy(&coordinator).await.as_deref(), Some("allkeys-lru"));
    assert_eq!(keys(&server).await, 0, "a look writes nothing");
    // A user who may do everything but run scripts.
    tell(&server, &["ACL", "SETUSER", "default", "-@scripting"]).await;
    let refused = server.coordinator(DEADLINE).examine().await;
    assert!(refused.is_err(), "{refused:?}");
    tell(&server, &["ACL", "SETUSER", "default", "+@all"]).await;
    tell(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    assert_eq!(server.coordinator(DEADLINE).examine().await.unwrap().role.as_deref(), Some("slave"));
}
