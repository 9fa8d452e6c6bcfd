//! Zendesk's answers, or whoever sits before it, lead our requests to another host: nothing of ours goes there, and least of
//! all a token. The other host is a socket that writes down whatever comes.

use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use zendesk_sim::{Account, Fault, FaultRule};

use crate::app::{TestApp, small, until};

const CUSTOMER: &str = "ada";
/// Answers that move a request: the first two keep its method and its body, which holds tokens and the client's secret.
const MOVING: [u16; 5] = [307, 308, 301, 302, 303];

/// A host that waits for what is not its own.
struct Thief {
    origin: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Thief {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Who comes is written down before anything is read.
                let place = {
                    let mut hears = hears.lock().unwrap();
                    hears.push(String::new());
                    hears.len() - 1
                };
                let hears = Arc::clone(&hears);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 65_536];
                    if let Ok(length) = stream.read(&mut buffer).await {
                        hears.lock().unwrap()[place] =
                            String::from_utf8_lossy(&buffer[..length]).into_owned();
                    }
                    let tokens =
                        r#"{"access_token":"x","refresh_token":"y","token_type":"bearer","scope":"hc:read"}"#;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{tokens}",
                        tokens.len()
                    );
                    drop(stream.write_all(answer.as_bytes()).await);
                });
            }
        });
        Self { origin, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Leads requests of `path` to itself.
    fn lead(&self, account: &Account, status: u16, path: &str) {
        let location = format!("{}/oauth/tokens?from=acme", self.origin);
        account.inject(FaultRule::always(Fault::Moved { status, location }).on(path));
    }
}

async fn asks(app: &TestApp) {
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_exchanged_at_the_workspace_and_nowhere_else() {
    let (app, thief) = (TestApp::embedded().await, Thief::start().await);
    let account = app.account("acme", small(5));
    for status in MOVING {
        thief.lead(&account, status, "/oauth/tokens");
        let (answered, page) = app.grant(CUSTOMER, "acme").await;
        assert_eq!(answered, StatusCode::BAD_GATEWAY, "{status}: {page}");
        assert!(!page.contains(&thief.origin), "{page}");
        account.clear_faults();
    }
    assert_eq!(thief.heard(), Vec::<String>::new());
    app.connect(CUSTOMER, "acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_sent_to_the_workspace_and_nowhere_else() {
    let (app, thief) = (TestApp::embedded().await, Thief::start().await);
    let account = app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    let sent = |path: &str| account.requests().iter().filter(|request| request.path.contains(path)).count();
    for status in MOVING {
        thief.lead(&account, status, "/help_center/");
        account.clear_requests();
        asks(&app).await;
        until("a request to be led away", async || (sent("/help_center/") > 0).then_some(())).await;
        app.ended(app.connection(CUSTOMER, "acme").await).await;
        account.clear_faults();
    }
    assert_eq!(thief.heard(), Vec::<String>::new());
    app.sync(CUSTOMER, "acme").await;
    assert_eq!(thief.heard(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_sent_to_the_workspace_and_nowhere_else() {
    let (app, thief) = (TestApp::embedded().await, Thief::start().await);
    let account = app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    for status in MOVING {
        account.expire_access_tokens();
        thief.lead(&account, status, "/oauth/tokens");
        account.clear_requests();
        asks(&app).await;
        until("a refresh to be led away", async || {
            account.requests().iter().any(|request| request.path == "/oauth/tokens").then_some(())
        })
        .await;
        account.clear_faults();
        app.sync(CUSTOMER, "acme").await;
    }
    assert_eq!(thief.heard(), Vec::<String>::new());
    // Somebody does listen there.
    app.http.get(format!("{}/x", thief.origin)).send().await.unwrap();
    assert_eq!(thief.heard().len(), 1);
}
