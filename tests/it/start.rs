//! A process tells that it lives before its stores answer.

use helpsync_app::{Process, Role};
use helpsync_config::Settings;
use reqwest::StatusCode;
use zendesk_sim::{Sim, SimOptions};

use crate::app::{named, prefix, real_time, services, settings_of, until};

/// An address where nobody listens yet.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn status(url: &str) -> Option<StatusCode> {
    reqwest::get(url).await.ok().map(|answer| answer.status())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_lives_while_its_database_says_nothing() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    // It takes connections, and never a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!("postgres://nobody@{}/nothing", silent.local_addr().unwrap());
    for (role, setting) in
        [(Role::Worker, "WORKER__HEALTH_LISTEN"), (Role::Dispatcher, "DISPATCHER__HEALTH_LISTEN")]
    {
        let (health, api) = (free_address(), free_address());
        let mut env = settings_of(&sim);
        env.retain(|(name, _)| *name != named(setting, "").0 && *name != named("API__LISTEN", "").0);
        env.extend(services(&database, &prefix()));
        env.extend([named(setting, health.clone()), named("API__LISTEN", api.clone())]);
        let settings = Settings::load(None, env).unwrap();
        let starting = tokio::spawn(Process::open(settings, real_time(), role));
        let live = format!("http://{health}/livez");
        until("the process to live", async || (status(&live).await? == StatusCode::OK).then_some(())).await;
        assert_eq!(status(&format!("http://{health}/readyz")).await, Some(StatusCode::SERVICE_UNAVAILABLE));
        if role == Role::Dispatcher {
            assert_eq!(status(&format!("http://{api}/livez")).await, Some(StatusCode::OK));
            let early = reqwest::get(format!("http://{api}/openapi.json")).await.unwrap();
            assert_eq!(early.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(early.headers().contains_key("retry-after"));
        }
        assert!(!starting.is_finished(), "the database has said nothing");
        starting.abort();
    }
    sim.stop().await;
}
