//! Readiness says what a process can do now; liveness only that it is there.

use reqwest::StatusCode;
use test_servers::Proxy;
use zendesk_sim::{Sim, SimOptions};

use crate::app::{named, prefix, service, services, settings_of, until};
use crate::processes::{Running, binary};

/// The address of a server in a URL, and the URL with that of its proxy in its place.
async fn behind_a_proxy(url: &str, default_port: u16) -> (Proxy, String) {
    let mut parsed: url::Url = url.parse().unwrap();
    let target = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap_or(default_port));
    let proxy = Proxy::start(target).await;
    parsed.set_host(Some("127.0.0.1")).unwrap();
    parsed.set_port(Some(proxy.port)).unwrap();
    (proxy, parsed.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_or_rabbitmq_a_process_is_alive_and_not_ready_and_ready_again_afterwards() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let database = helpsync_store::testing::postgres().await;
    let prefix = prefix();
    let amqp = service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
    let (postgres, store_url) = behind_a_proxy(database.url(), 5432).await;
    let (rabbit, queue_url) = behind_a_proxy(&amqp, 5672).await;
    let mut env = settings_of(&sim);
    env.extend(services(&store_url, &prefix));
    env.retain(|(name, _)| name != "HELPSYNC_QUEUE__URL");
    env.push(named("QUEUE__URL", queue_url));

    let http = reqwest::Client::builder().timeout(crate::app::LATE).build().unwrap();
    let ask = async |base: &str, path: &str| {
        let answer = http.get(format!("{base}{path}")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let mut running = Vec::new();
    for name in ["helpsync-dispatcher", "helpsync-worker"] {
        let process = Running::start(name, &[], &env);
        let base = process.said("health at ").await.replace("/readyz", "");
        running.push((process, base));
    }
    for (_, base) in &running {
        until("readiness", async || (ask(base, "/readyz").await.0 == StatusCode::OK).then_some(())).await;
    }
    for (away, part) in [(&postgres, "store"), (&rabbit, "queue")] {
        away.refuse();
        for (_, base) in &running {
            let told = until("unreadiness", async || {
                let (status, told) = ask(base, "/readyz").await;
                (status == StatusCode::SERVICE_UNAVAILABLE).then_some(told)
            })
            .await;
            let told: serde_json::Value = serde_json::from_str(&told).unwrap();
            assert_ne!(told[part], "up", "{told}");
            assert_eq!(ask(base, "/livez").await.0, StatusCode::OK);
        }
        away.forward();
        for (_, base) in &running {
            until("readiness again", async || (ask(base, "/readyz").await.0 == StatusCode::OK).then_some(()))
                .await;
        }
    }
    for (process, _) in running {
        assert!(process.stop().await.success());
    }
    sim.stop().await;
    helpsync_queue_rabbitmq::delete_topology(&amqp, &helpsync_queue_rabbitmq::Names::new(prefix))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lets_nobody_in_is_told_of_by_readiness_metrics_and_doctor() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let database = helpsync_store::testing::postgres().await;
    let prefix = prefix();
    let mut redis: url::Url = service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379").parse().unwrap();
    redis.set_password(Some("not-the-password")).unwrap();
    for (redis, says) in [(redis.to_string(), "password"), ("redis://127.0.0.1:1".to_owned(), "refused")] {
        let mut env = settings_of(&sim);
        env.extend(services(database.url(), &prefix));
        env.retain(|(name, _)| name != "HELPSYNC_COORDINATOR__URL" && name != "HELPSYNC_LOG__FILTER");
        env.push(named("COORDINATOR__URL", redis));
        env.push(named("LOG__FILTER", "info"));
        env.push(named("TELEMETRY__LISTEN", "127.0.0.1:0"));
        env.push(named("TELEMETRY__COLLECT_SECONDS", "1"));
        let http = reqwest::Client::builder().timeout(crate::app::LATE).build().unwrap();
        for (name, announced) in [("helpsync-dispatcher", "API at "), ("helpsync-worker", "health at ")] {
            let process = Running::start(name, &[], &env);
            let base = process.said(announced).await.replace("/readyz", "");
            let told = until("the trouble to be told", async || {
                let answer = http.get(format!("{base}/readyz")).send().await.unwrap();
                // Work goes on without it.
                let is_ready = answer.status() == StatusCode::OK;
                let told: serde_json::Value = answer.json().await.unwrap();
                is_ready.then_some(told)
            })
            .await;
            let why = told["coordinator"].as_str().unwrap().to_lowercase();
            assert!(why.contains(says) && !why.contains("not-the-password"), "{name}: {told}");
            assert_eq!(told["store"], "up", "{told}");
            let metrics = process.said("metrics at ").await;
            let metrics = metrics.split('"').next().unwrap();
            until("the gauge of the coordinator to fall", async || {
                let told = http.get(metrics).send().await.unwrap().text().await.unwrap();
                told.contains("helpsync_dependency_up{dependency=\"coordinator\"} 0\n").then_some(())
            })
            .await;
            assert!(process.stop().await.success());
        }
        let doctor = std::process::Command::new(binary("helpsync"))
            .arg("doctor")
            .env_clear()
            .envs(env)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&doctor.stdout).to_lowercase();
        let line = said.lines().find(|line| line.contains("coordinator")).unwrap_or_default();
        assert!(line.contains("wrong") && line.contains(says), "{said}");
    }
    sim.stop().await;
    let amqp = service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
    let names = helpsync_queue_rabbitmq::Names::new(prefix);
    helpsync_queue_rabbitmq::delete_topology(&amqp, &names).await.unwrap();
}
