//! What pages cost the server when there is much, and how heavy they are. Measurements: they print, and assert the goal.

use std::time::Duration;

use helpsync_store::testing::many::{Many, fill};
use reqwest::StatusCode;
use tokio::time::Instant;

use super::Visitor;
use crate::app::{API_KEY, Shape, TestApp};

const MANY: Many = Many { customers: 10_000, files: 100 };
/// Every page is asked so often.
const TIMES: usize = 15;
/// The goal, for the median.
const GOAL: Duration = Duration::from_millis(100);

async fn measured(shape: Shape) {
    let app = TestApp::of(shape).await;
    fill(&app.database_url(), MANY).await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = visitor.customer("many-5000").await;
    let pages = [
        String::new(),
        "/customers".to_owned(),
        "/customers?sort=age".to_owned(),
        "/customers?sort=age&after=9000&after_age=1009000".to_owned(),
        "/customers?search=999".to_owned(),
        "/customers?search=nobody-is-called-so".to_owned(),
        "/customers?state=held".to_owned(),
        "/customers?state=dead_letters".to_owned(),
        "/customers?state=ready&sort=age".to_owned(),
        format!("/customers/{customer}"),
        format!("/customers/{customer}/files"),
        format!("/customers/{customer}/files?search=99"),
        "/dead-letters".to_owned(),
        "/webhooks".to_owned(),
        "/palette?search=77".to_owned(),
    ];
    let mut slow = Vec::new();
    for page in &pages {
        let address = format!("{}{page}", visitor.home);
        let (mut took, mut bytes) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let began = Instant::now();
            let answer = visitor.get(&address).await;
            assert_eq!(answer.status(), StatusCode::OK, "{page}");
            bytes = answer.bytes().await.unwrap().len();
            took.push(began.elapsed());
        }
        took.sort_unstable();
        let (median, most) = (took[TIMES / 2], took[TIMES - 1]);
        println!(
            "| {shape:?} | `{page}` | {:.1} ms | {:.1} ms | {:.1} kB |",
            ms(median),
            ms(most),
            bytes as f64 / 1e3
        );
        if median > GOAL {
            slow.push(page);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p helpsync-tests --test it dashboard::speed -- --ignored --nocapture --test-threads 1"]
async fn pages_are_fast_with_ten_thousand_customers_and_a_million_files() {
    measured(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p helpsync-tests --test it dashboard::speed -- --ignored --nocapture --test-threads 1"]
async fn pages_are_fast_with_ten_thousand_customers_and_a_million_files_on_services() {
    measured(Shape::Services).await;
}
