//! What credentials, links and files give: no more than was meant, and no longer.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use helpsync_app::{Parts, Process, Role};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::GenerateOptions;

use crate::app::{API_KEY, Shape, TestApp, make_key, real_time, small};

const SECOND_KEY: &str = "second-key-of-enough-length";
const CUSTOMER: &str = "ada";

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

/// An access token that was made with the key, as a header.
async fn token(app: &TestApp, key: &str) -> String {
    let request = app.http.get(app.url("/auth/v1/access_token")).bearer_auth(key);
    let (status, answer) = answer(request.header("customer-id", CUSTOMER)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    format!("Token {}", answer["access_token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_in_one_request_are_refused() {
    let app = TestApp::embedded().await;
    let token = token(&app, API_KEY).await;
    let whoami = || app.http.get(app.url("/whoami"));
    for request in [
        whoami().bearer_auth(API_KEY).header("customer-id", "ada").header("customer-id", "bob"),
        whoami().bearer_auth(API_KEY).header("customer-id", "ada").header("customer-id", "ada"),
        whoami().bearer_auth(API_KEY).header("customer-id", "").header("customer-id", "bob"),
        whoami().header("authorization", &token).header("customer-id", "ada").header("customer-id", "bob"),
        app.http
            .get(app.url("/helpsync/v1/runs"))
            .bearer_auth(API_KEY)
            .header("customer-id", "a")
            .header("customer-id", "b"),
    ] {
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("customer-id"), "{answer}");
    }
    assert_eq!(
        answer(whoami().bearer_auth(API_KEY).header("customer-id", "ada, bob")).await.0,
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_with_the_key_that_made_it() {
    let app = TestApp::embedded().await;
    assert_eq!(app.parts().settings().api.access_token_ttl, Duration::from_secs(3_600));
    let (admin, organization) = (app.parts().store.admin(), app.parts().organization);
    make_key(admin, organization, SECOND_KEY).await;
    let key = admin.find_api_key(&SECOND_KEY.to_owned().into()).await.unwrap().unwrap();
    let (first, second) = (token(&app, API_KEY).await, token(&app, SECOND_KEY).await);
    let whoami = |token: &str| answer(app.http.get(app.url("/whoami")).header("authorization", token));
    assert_eq!(whoami(&second).await.0, StatusCode::OK);
    assert!(admin.revoke_api_key(organization, key.id).await.unwrap());
    let (status, said) = whoami(&second).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(said["detail"].as_str().unwrap().contains("was revoked"), "{said}");
    assert_eq!(whoami(&first).await.0, StatusCode::OK, "the other key's");
    let by_key = app.http.get(app.url("/whoami")).bearer_auth(SECOND_KEY).header("customer-id", CUSTOMER);
    assert_eq!(answer(by_key).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_asks_for_no_more_scopes_than_its_organization_allows() {
    let named = [("HELPSYNC_ZENDESK__CUSTOMER_SCOPES", "users:read")];
    let app = TestApp::start(Shape::Embedded, &named, real_time()).await;
    let token = token(&app, API_KEY).await;
    let ask = async |token: Option<&str>, scopes: Value| {
        let mut body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
        body.as_object_mut().unwrap().extend(scopes.as_object().unwrap().clone());
        let request = app.http.post(app.url("/integrations/oauth_url")).json(&body);
        answer(match token {
            Some(token) => request.header("authorization", token),
            None => request.bearer_auth(API_KEY).header("customer-id", CUSTOMER),
        })
        .await
    };
    for (scopes, is_allowed) in [
        (json!({}), true),
        (json!({ "scopes": [] }), true),
        (json!({ "scopes": ["hc:read"] }), true),
        (json!({ "scopes": ["hc:read", "users:read"] }), true),
        (json!({ "scopes": ["hc:read", "hc:write"] }), false),
        (json!({ "scopes": ["HC:READ"] }), false),
        (json!({ "scope": "read" }), false),
        (json!({ "scope": "hc:read write" }), false),
        (json!({ "scope": "read", "scopes": ["hc:read"] }), true),
    ] {
        let (status, said) = ask(Some(&token), scopes.clone()).await;
        let right = if is_allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(status, right, "{scopes}: {said}");
        assert_eq!(ask(None, scopes.clone()).await.0, StatusCode::OK, "{scopes} by key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_come_back_in_the_clear_to_this_machine_only() {
    let app = TestApp::embedded().await;
    for (host, is_taken) in [
        ("https://sync.example.com", true),
        ("http://127.0.0.1:8080", true),
        ("http://127.8.9.1", true),
        ("http://localhost:8080", true),
        ("http://[::1]:8080", true),
        ("http://sync.example.com", false),
        ("http://localhost.example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("http://127.0.0.1@example.com", false),
        ("http://10.0.0.1", false),
        ("javascript://localhost", false),
    ] {
        let credentials = json!({ "client_id": "c", "redirect_uri": format!("{host}/integrations/zendesk") });
        let record = json!({ "data_source_type": "ZENDESK", "credentials": credentials });
        let (status, said) =
            app.call(Method::POST, "/white_label/create", CUSTOMER, Some(json!([record]))).await;
        let right = if is_taken { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(status, right, "{host}: {said}");
    }
}

/// A mistyped update, or a record for those who bring tokens of their own, puts nobody's grants on another party's client.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_with_a_secret_takes_over_new_grants_and_an_unknown_one_is_not_updated() {
    let app = TestApp::embedded().await;
    app.account("acme", small(1));
    let client = |id: &str, secret: Option<&str>, address: &str| {
        json!({ "data_source_type": "ZENDESK",
            "credentials": { "client_id": id, "client_secret": secret, "redirect_uri": address } })
    };
    let address = "https://sync.example.com/integrations/zendesk";
    let ask = async |path: &str, body: Value| app.call(Method::POST, path, "ada", Some(body)).await;
    assert_eq!(
        ask("/white_label/create", json!([client("own", Some("s"), address)])).await.0,
        StatusCode::OK
    );
    assert_eq!(ask("/white_label/create", json!([client("bring", None, address)])).await.0, StatusCode::OK);
    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let (_, answer) = ask("/integrations/oauth_url", wanted).await;
    assert!(answer["oauth_url"].as_str().unwrap().starts_with(address), "the own client's address: {answer}");
    for unknown in [client("owm", None, address), client("owm", Some("s"), address)] {
        assert_eq!(ask("/white_label/update", unknown).await.0, StatusCode::NOT_FOUND);
    }
    for odd in [
        "https://sync.example.com/integrations/zendesk\n",
        " https://sync.example.com/integrations/zendesk",
        "https://sync.example.com/in\ttegrations/zendesk",
        "https:sync.example.com/integrations/zendesk",
        "https://sync.example.com/x/../integrations/zendesk",
        "https://sync.example.com:443/integrations/zendesk",
    ] {
        let (status, answer) = ask("/white_label/create", json!([client("odd", Some("s"), odd)])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{odd:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_link_asks_and_its_button_acts() {
    let app = TestApp::embedded().await;
    app.account("acme", GenerateOptions { articles: 3, ..GenerateOptions::default() });
    app.connect(CUSTOMER, "acme").await;
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let link =
        app.post("/integrations/oauth_url", CUSTOMER, body).await["oauth_url"].as_str().unwrap().to_owned();
    assert!(link.contains("/integrations/zendesk/sync?token="), "{link}");
    let runs = async || {
        app.call(Method::GET, "/helpsync/v1/runs", CUSTOMER, None).await.1["runs"].as_array().unwrap().len()
    };
    let before = runs().await;
    for _ in 0..2 {
        let page = app.http.get(&link).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
        let page = page.text().await.unwrap();
        assert!(page.contains("<form method=\"post\">") && page.contains("acme"), "{page}");
        assert_eq!(app.http.head(&link).send().await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(runs().await, before, "who looks at a link starts nothing");
    let page = app.http.post(&link).send().await.unwrap();
    assert!(page.status().is_success() && page.text().await.unwrap().contains("acme"));
    assert_eq!(runs().await, before + 1);
    let forged = app.http.post(app.url("/integrations/zendesk/sync?token=x.y")).send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::BAD_REQUEST);
}

/// What lies beside the database file of an embedded installation that has made its keys itself, and its own name.
const KEPT: [&str; 6] = ["", "-wal", "-shm", ".lock", ".keys", ".api-key"];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_embedded_shape_keeps_is_its_owners_alone_also_when_others_could_read_it_before() {
    let mut app = TestApp::start(Shape::Embedded, &[("HELPSYNC_API__BOOTSTRAP_KEY", "")], real_time()).await;
    let settings = app.parts().settings().clone();
    let database = settings.store.url.expose().strip_prefix("sqlite:").unwrap().to_owned();
    let mode = |suffix: &str| {
        let found = std::fs::metadata(format!("{database}{suffix}"));
        found.unwrap_or_else(|error| panic!("{suffix}: {error}")).permissions().mode() & 0o777
    };
    for suffix in KEPT {
        assert_eq!(mode(suffix), 0o600, "{suffix}");
    }
    for process in std::mem::take(&mut app.processes) {
        process.stop().await;
    }
    for suffix in KEPT {
        let file = format!("{database}{suffix}");
        // A process that stops in order leaves no log of SQLite.
        std::fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let parts = Parts::open(settings, real_time()).await.unwrap();
    app.processes.push(Process::start(parts, Role::All).await.unwrap());
    for suffix in KEPT {
        assert_eq!(mode(suffix), 0o600, "{suffix}, which was there before");
    }
}
