//! Two versions beside each other, under load: the schema grows, and processes of one take the places of the other's.
//!
//! `HELPSYNC_TEST_VERSION_BEFORE` names a folder with the binaries of the version before. Without it this version stands
//! in for the one before, on the schema of one after it.

use std::sync::atomic::{AtomicBool, Ordering};

use helpsync_store::testing::add_a_column_to_every_table;
use reqwest::{Method, StatusCode};
use serde_json::json;
use zendesk_sim::{Account, GenerateOptions};

use crate::app::{Shape, TestApp, prefix, real_time, services, settings_of};
use crate::copy::assert_equal;
use crate::processes::{Running, binary, binary_of_version_before};

/// How often the schema grows and every process is replaced.
const ROUNDS: u64 = 3;
/// Changes of each help center between two syncs.
const CHANGES: u32 = 5;
const CUSTOMERS: [(&str, &str); 2] = [("ada", "acme"), ("bob", "beta")];
const BINARIES: [&str; 2] = ["helpsync-dispatcher", "helpsync-worker"];
/// What an application reads all day.
const LISTS: [(&str, &str); 4] = [
    ("POST", "/user_files_v2"),
    ("POST", "/user_data_sources"),
    ("GET", "/helpsync/v1/status"),
    ("GET", "/helpsync/v1/dead-letters"),
];

/// Changes both help centers, has them synced and reads every list, until it is told to stop. Nothing may be refused.
async fn load(app: &TestApp, accounts: &[Account], stop: &AtomicBool) -> u64 {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        for (account, (customer, _)) in accounts.iter().zip(CUSTOMERS) {
            account.apply_random(CHANGES, round);
            app.post("/helpsync/v1/sync", customer, json!({ "customer_id": customer })).await;
            for (method, path) in LISTS {
                let body = (method == "POST").then(|| json!({}));
                let method: Method = method.parse().unwrap();
                let (status, answer) = app.call(method, path, customer, body).await;
                assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            }
        }
        round += 1;
    }
    round
}

/// A dispatcher and a worker.
fn pair(before: bool, env: &[(String, String)]) -> Vec<Running> {
    let of = if before { binary_of_version_before } else { binary };
    BINARIES.iter().map(|name| Running::start_from(&of(name), &[], env)).collect()
}

/// Lets the schema grow and processes take each other's places, in both directions.
async fn upgrade_and_back(app: &TestApp, env: &[(String, String)]) {
    let mut beside = pair(true, env);
    for round in 0..ROUNDS {
        for process in &beside {
            process.said("health at ").await;
        }
        add_a_column_to_every_table(&app.parts().store, &format!("of_version_{round}")).await;
        for before in [false, true] {
            let after = pair(before, env);
            for process in &after {
                process.said("health at ").await;
            }
            for process in std::mem::replace(&mut beside, after) {
                let status = process.stop().await;
                assert!(status.success(), "{status:?}");
            }
        }
    }
    for process in beside {
        process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_take_each_others_places_under_load_while_the_schema_grows() {
    let database = helpsync_store::testing::postgres().await;
    let shared = services(database.url(), &prefix());
    let extra: Vec<(&str, &str)> = shared.iter().map(|(name, value)| (&**name, &**value)).collect();
    let app = TestApp::start(Shape::Services, &extra, real_time()).await;
    let generate = GenerateOptions { articles: 40, ..GenerateOptions::default() };
    let accounts: Vec<Account> =
        CUSTOMERS.iter().map(|(_, subdomain)| app.account(subdomain, generate.clone())).collect();
    for (customer, subdomain) in CUSTOMERS {
        app.connect(customer, subdomain).await;
    }
    let env = [settings_of(&app.sim), shared].concat();
    let stop = AtomicBool::new(false);
    let upgrade = async {
        upgrade_and_back(&app, &env).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (rounds, ()) = tokio::join!(load(&app, &accounts, &stop), upgrade);
    assert!(rounds >= ROUNDS, "{rounds} rounds are no load");

    for (account, (customer, subdomain)) in accounts.iter().zip(CUSTOMERS) {
        app.sync(customer, subdomain).await;
        app.sync(customer, subdomain).await;
        assert_equal(&app, account, customer).await;
    }
    let (status, answer) = app.call(Method::GET, "/readyz", "ada", None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, letters) = app.call(Method::GET, "/helpsync/v1/dead-letters", "ada", None).await;
    assert_eq!(letters["dead_letters"], json!([]));
    app.stop().await;
}
