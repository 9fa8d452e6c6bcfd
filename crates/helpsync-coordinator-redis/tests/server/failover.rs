//! Another server takes over behind the same address: a new connection is made within seconds.

use std::sync::Arc;
use std::time::Duration;

use helpsync_coordinator::Coordinator;
use helpsync_coordinator::conformance::ask;
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_model::SystemClock;
use test_servers::Proxy;

use crate::own_server::{LATE, OwnServer};

/// From the failover to the first call that the new server carries out.
const WITHIN: Duration = Duration::from_secs(15);

fn coordinator(url: String) -> RedisCoordinator {
    let settings = RedisSettings { workers: 4, ..RedisSettings::new(url.into()) };
    RedisCoordinator::new(settings, Arc::new(SystemClock)).unwrap()
}

async fn until_it_takes_writes(coordinator: &RedisCoordinator) {
    while coordinator.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends one command to a server itself.
async fn tell(server: &OwnServer, words: &[&str]) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut direct).await.unwrap();
}

/// The old server gets `end`, and the address leads to the new one.
async fn fails_over(end: &[&str]) {
    let (Some(old), Some(new)) = (OwnServer::start(), OwnServer::start()) else { return };
    let proxy = Proxy::start(format!("127.0.0.1:{}", old.port)).await;
    let coordinator = coordinator(format!("redis://127.0.0.1:{}", proxy.port));
    tokio::time::timeout(LATE, until_it_takes_writes(&coordinator)).await.expect("the old server answers");
    let direct = format!("redis://127.0.0.1:{}", new.port);
    tokio::time::timeout(LATE, until_it_takes_writes(&self::coordinator(direct)))
        .await
        .expect("the new one too");

    tell(&old, end).await;
    proxy.lead_to(format!("127.0.0.1:{}", new.port));
    let over = async {
        loop {
            // What reads, and succeeds on a replica, must not hide that writes fail.
            let _cursor = coordinator.cursor("c").await;
            let _granted = coordinator.acquire("a", &ask("1")).await;
            if coordinator.budget("a").await.is_ok_and(|budget| budget.granted == 1) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WITHIN, over).await.expect("the new server is found");
    assert!(coordinator.ping().await.is_ok());
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_is_left() {
    fails_over(&["REPLICAOF", "127.0.0.1", "1"]).await;
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_left() {
    fails_over(&["CLIENT", "PAUSE", "600000", "ALL"]).await;
}

#[tokio::test]
async fn a_wrong_password_is_named_without_being_told_and_is_good_once_the_server_takes_it() {
    let Some(server) = OwnServer::start() else { return };
    let coordinator = coordinator(format!("redis://:hunter2@127.0.0.1:{}", server.port));
    let named = async {
        loop {
            let error = coordinator.ping().await.unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            // Also while nobody asks the server, which is most of the time.
            if error.contains("did not answer lately") && error.to_lowercase().contains("password") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LATE, named).await.expect("the cause is named");
    tell(&server, &["CONFIG", "SET", "requirepass", "hunter2"]).await;
    tokio::time::timeout(WITHIN, until_it_takes_writes(&coordinator)).await.expect("it is let in");
}
