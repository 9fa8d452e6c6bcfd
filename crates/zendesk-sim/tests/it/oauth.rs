//! OAuth as the browser and the token endpoint see it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zendesk_sim::Consent;

use crate::{CLIENT, SECRET, Setup, articles};

const REDIRECT: &str = "http://127.0.0.1:9/integrations/zendesk";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-1234567890";

fn authorize() -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!(
        "/oauth/authorizations/new?response_type=code&client_id={CLIENT}&redirect_uri={REDIRECT}&scope=hc:read&state=s1\
         &code_challenge={challenge}&code_challenge_method=S256"
    )
}

async fn code(setup: &Setup) -> String {
    let answer = setup.http.get(setup.url(&authorize())).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(REDIRECT) && location.contains("state=s1"), "{location}");
    location.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

async fn exchange(setup: &Setup, body: Value) -> (u16, Value) {
    let answer = setup.http.post(setup.url("/oauth/tokens")).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn with_code(code: &str, verifier: &str) -> Value {
    json!({ "grant_type": "authorization_code", "code": code, "client_id": CLIENT, "client_secret": SECRET,
        "redirect_uri": REDIRECT, "code_verifier": verifier, "expires_in": 600 })
}

fn with_refresh(refresh: &str) -> Value {
    json!({ "grant_type": "refresh_token", "refresh_token": refresh, "client_id": CLIENT, "client_secret": SECRET })
}

#[tokio::test]
async fn a_code_works_once_and_only_with_its_verifier() {
    let setup = Setup::new(articles(1)).await;
    let wrong = code(&setup).await;
    assert_eq!(exchange(&setup, with_code(&wrong, "another")).await.0, 400);
    let right = code(&setup).await;
    let (status, tokens) = exchange(&setup, with_code(&right, VERIFIER)).await;
    assert_eq!((status, tokens["expires_in"].as_i64()), (200, Some(600)));
    assert_eq!(exchange(&setup, with_code(&right, VERIFIER)).await.0, 400);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_spent_one_is_dead() {
    let setup = Setup::new(articles(1)).await;
    let (_, first) = exchange(&setup, with_code(&code(&setup).await, VERIFIER)).await;
    let spent = first["refresh_token"].as_str().unwrap();
    let (status, second) = exchange(&setup, with_refresh(spent)).await;
    assert_eq!(status, 200);
    assert!(second.get("expires_in").is_none(), "it comes only when asked for");
    assert_eq!(exchange(&setup, with_refresh(spent)).await.0, 400);
    assert_eq!(exchange(&setup, with_refresh(second["refresh_token"].as_str().unwrap())).await.0, 200);
}

#[tokio::test]
async fn an_expired_token_gets_401_and_users_me_still_answers() {
    let mut setup = Setup::new(articles(1)).await;
    let (_, tokens) = exchange(&setup, with_code(&code(&setup).await, VERIFIER)).await;
    setup.token = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(setup.get("/api/v2/help_center/articles").await.0, 200);
    setup.sim.clock().advance(Duration::from_secs(601));
    let (status, body) = setup.get("/api/v2/help_center/articles").await;
    assert_eq!((status, body["error"].as_str()), (401, Some("invalid_token")));
    let (status, me) = setup.get("/api/v2/users/me").await;
    assert_eq!((status, me["user"]["name"].as_str()), (200, Some("Anonymous user")));
}

#[tokio::test]
async fn consent_can_be_refused_or_asked_for() {
    let setup = Setup::new(articles(1)).await;
    setup.account.update_settings(|settings| settings.consent = Consent::Deny);
    let answer = setup.http.get(setup.url(&authorize())).send().await.unwrap();
    assert!(answer.headers()["location"].to_str().unwrap().contains("error=access_denied"));
    setup.account.update_settings(|settings| settings.consent = Consent::PermitRequest);
    let page = setup.http.get(setup.url(&authorize())).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Allow") && page.contains("Deny"));
}

#[tokio::test]
async fn a_token_revokes_itself_and_scopes_bind() {
    let mut setup = Setup::new(articles(1)).await;
    let (_, tokens) = exchange(&setup, with_code(&code(&setup).await, VERIFIER)).await;
    setup.token = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(setup.get("/api/v2/webhooks").await.0, 403);
    let url = setup.url("/api/v2/oauth/tokens/current");
    let answer = setup.http.delete(url).bearer_auth(&setup.token).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(setup.get("/api/v2/help_center/articles").await.0, 401);
}
