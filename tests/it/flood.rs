//! Who asks too much, or opens connections and asks nothing: bounded, and nobody else is kept out.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::app::{API_KEY, LATE, Shape, TestApp, make_key, real_time};

const OTHER_KEY: &str = "another-key-of-enough-length";
/// Opened at once, four times over: this process holds both ends of each.
const HALF_OPEN: usize = 250;
const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_half_open_connections_lock_nobody_out() {
    let few = [("HELPSYNC_API__CONNECTIONS_MAX", "64"), ("HELPSYNC_API__CONNECTIONS_PER_ADDRESS_MAX", "48")];
    let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
    let url = app.url("/health");
    let server = (url.host_str().unwrap().to_owned(), url.port().unwrap());
    for _ in 0..ROUNDS {
        let mut half_open = Vec::new();
        for number in 0..HALF_OPEN {
            let mut socket = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
            let start: &[u8] = if number % 2 == 0 { b"" } else { b"GET /health HTTP/1.1\r\nhost: x\r\n" };
            // Those before may have been hung up on; the flood goes on.
            let _sent = socket.write_all(start).await;
            half_open.push(socket);
        }
        let fresh = reqwest::Client::builder().timeout(LATE).build().unwrap();
        let answer = fresh.get(url.clone()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let few = [("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_KEY", "20")];
    let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization("other").await.unwrap();
    make_key(admin, other, OTHER_KEY).await;
    let ask = async |key: &str| app.http.get(app.url("/whoami")).bearer_auth(key).send().await.unwrap();
    // At most one comes back every three seconds.
    let began = Instant::now();
    let mut refused = None;
    for _ in 0..100 {
        let answer = ask(API_KEY).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let answer = refused.expect("a refusal");
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*", "browsers may read it");
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(body["detail"].as_str().unwrap().contains("too many requests"), "{body}");
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_ne!(ask(OTHER_KEY).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_keys_are_counted_by_address_and_probes_are_not() {
    let few = [("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_ADDRESS", "20")];
    let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
    let mut seen = Vec::new();
    for number in 0..40 {
        let key = format!("guess-number-{number}-of-many");
        seen.push(app.http.get(app.url("/whoami")).bearer_auth(key).send().await.unwrap().status());
    }
    assert_eq!(seen[0], StatusCode::UNAUTHORIZED);
    assert!(seen.contains(&StatusCode::TOO_MANY_REQUESTS), "{seen:?}");
    assert_eq!(app.http.get(app.url("/readyz")).send().await.unwrap().status(), StatusCode::OK);
}

/// Ends when a guess of the client that the header names is refused for its number.
async fn guess_too_often(app: &TestApp, forwarded: &str) {
    for _ in 0..100 {
        if guess(app, forwarded).await == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
    }
    panic!("nobody stops {forwarded}");
}

async fn guess(app: &TestApp, forwarded: &str) -> StatusCode {
    app.http.get(app.url("/whoami")).header("x-forwarded-for", forwarded).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_through_a_trusted_proxy_is_counted_by_itself() {
    let settings = [
        ("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_ADDRESS", "20"),
        ("HELPSYNC_API__TRUSTED_PROXIES", "127.0.0.0/8, ::1 192.0.2.7"),
    ];
    let app = TestApp::start(Shape::Embedded, &settings, real_time()).await;
    guess_too_often(&app, "198.51.100.1, 203.0.113.9").await;
    // Neither another name before it nor a proxy behind it makes another of it.
    for same in ["198.51.100.2, 203.0.113.9", "203.0.113.9:4711, 192.0.2.7"] {
        assert_eq!(guess(&app, same).await, StatusCode::TOO_MANY_REQUESTS, "{same}");
    }
    for other in ["203.0.113.10", "nobody can read this"] {
        assert_eq!(guess(&app, other).await, StatusCode::UNAUTHORIZED, "{other}");
    }
    // The dashboard asks who it is in the same way.
    let login = async |from: &str| {
        let request = app.http.post(app.url("/dashboard/login")).header("x-forwarded-for", from);
        request.form(&[("key", "a guess")]).send().await.unwrap().status()
    };
    assert_eq!(login("203.0.113.9").await, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(login("203.0.113.11").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_trusted_proxy_makes_itself_nobody_else() {
    let settings = [
        ("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_ADDRESS", "20"),
        ("HELPSYNC_API__TRUSTED_PROXIES", "192.0.2.7"),
    ];
    let app = TestApp::start(Shape::Embedded, &settings, real_time()).await;
    guess_too_often(&app, "203.0.113.9").await;
    assert_eq!(guess(&app, "203.0.113.10").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_asks_no_more_often_by_having_many_tokens() {
    let few = [("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_KEY", "20")];
    let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
    let mut served = 0;
    let mut tokens = Vec::new();
    let began = Instant::now();
    for _ in 0..10 {
        let asked = app.http.get(app.url("/auth/v1/access_token")).bearer_auth(API_KEY);
        let token: Value = asked.header("customer-id", "ada").send().await.unwrap().json().await.unwrap();
        tokens.push(format!("Token {}", token["access_token"].as_str().unwrap()));
    }
    for token in &tokens {
        for _ in 0..19 {
            let asked = app.http.get(app.url("/whoami")).header("authorization", token).send().await.unwrap();
            if asked.status() == StatusCode::OK {
                served += 1;
            } else {
                assert_eq!(asked.status(), StatusCode::TOO_MANY_REQUESTS);
                assert!(asked.headers().contains_key("retry-after"));
            }
        }
    }
    // One customer's tokens take a quarter of what the key has, and leave it the rest.
    let given_back = usize::try_from(began.elapsed().as_secs() / 12).unwrap();
    let by_key = app.http.get(app.url("/organization")).bearer_auth(API_KEY).send().await.unwrap().status();
    assert_eq!(by_key, StatusCode::OK);
    assert!(served <= 6 + given_back, "{served} of 190 were served in {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_whether_a_process_is_ready_costs_it_one_write_a_second() {
    let app = TestApp::embedded().await;
    app.work();
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(app.http.get(app.url("/readyz")).send().await.unwrap().status(), StatusCode::OK);
    }
    let looks = app.work().transactions;
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    // What else the process does in a second is a handful.
    assert!(looks <= 20 + 10 * seconds, "{looks} transactions in {seconds} s");
}
