//! The addresses that health checks ask, on running processes.

use reqwest::StatusCode;

use crate::app::{Shape, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_process_answers_readyz_and_livez_where_the_manifests_ask() {
    for shape in [Shape::Embedded, Shape::Services] {
        let app = TestApp::of(shape).await;
        for process in &app.processes {
            let api = process.api_url().map(|url| url.as_str().trim_end_matches('/').to_owned());
            let health = process.health_address().map(|address| format!("http://{address}"));
            assert!(api.is_some() || health.is_some(), "{shape:?}");
            for base in api.into_iter().chain(health) {
                for path in ["/livez", "/readyz"] {
                    let answer = app.http.get(format!("{base}{path}")).send().await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK, "{shape:?}: {base}{path}");
                }
            }
        }
    }
}
