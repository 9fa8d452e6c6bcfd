//! The authorization page and the token endpoint.

use std::collections::HashMap;

use helpsync_model::SeededEntropy;

use super::*;

/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const TOKENS: &str = r#"{"access_token":"at","refresh_token":"rt","token_type":"bearer","scope":"hc:read read",
    "expires_in":1800,"refresh_token_expires_in":2592000}"#;

fn app() -> OAuthApp {
    OAuthApp { client_id: "zdg-app".into(), client_secret: "s3cret".into() }
}

fn http() -> Http {
    Http::new(HttpOptions::default()).unwrap()
}

fn form(seen: &Seen) -> HashMap<String, String> {
    url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()
}

async fn refreshed(server: &Server) -> Result<Tokens, OAuthFailure> {
    refresh(&http(), &server.endpoint(), &app(), &"old-rt".into()).await
}

#[test]
fn the_authorization_page_is_asked_for_with_state_and_challenge() {
    let endpoint = Endpoint::new(DEFAULT_TEMPLATE, &Subdomain::parse("acme").unwrap()).unwrap();
    let redirect_uri = "https://app.example.com/integrations/zendesk".parse().unwrap();
    let verifier = PkceVerifier::from_secret(VERIFIER.into());
    assert_eq!(verifier.challenge(), CHALLENGE);
    let url = authorize_url(&endpoint, "zdg-app", &redirect_uri, &["hc:read", "read"], "st&te", &verifier);
    assert!(url.as_str().starts_with("https://acme.zendesk.com/oauth/authorizations/new?"), "{url}");
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "zdg-app"),
        ("redirect_uri", redirect_uri.as_str()),
        ("scope", "hc:read read"),
        ("state", "st&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!url.as_str().contains(VERIFIER));
}

#[test]
fn verifiers_differ_and_have_a_legal_length() {
    let entropy = SeededEntropy::new(1);
    let (one, two) = (PkceVerifier::generate(&entropy), PkceVerifier::generate(&entropy));
    assert_ne!(one.secret().expose_secret(), two.secret().expose_secret());
    assert!((43..=128).contains(&one.secret().expose_secret().len()));
}

#[tokio::test]
async fn a_code_is_exchanged_asking_for_lifetimes() {
    // Documented as 201, seen as 200.
    let server = Server::start(|_| (StatusCode::CREATED, TOKENS).into_response()).await;
    let redirect_uri = "https://app.example.com/integrations/zendesk".parse().unwrap();
    let verifier = PkceVerifier::from_secret(VERIFIER.into());
    let code = "c0de".into();
    let tokens = exchange_code(&http(), &server.endpoint(), &app(), &code, &redirect_uri, Some(&verifier))
        .await
        .unwrap();
    assert_eq!(tokens.access.expose_secret(), "at");
    assert_eq!(tokens.refresh.unwrap().expose_secret(), "rt");
    assert_eq!(tokens.expires_in, Some(Duration::from_secs(1_800)));
    assert_eq!(tokens.refresh_expires_in, Some(Duration::from_secs(2_592_000)));
    assert_eq!(tokens.scope.as_deref(), Some("hc:read read"));

    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/acme/oauth/tokens"));
    assert_eq!(seen.header("authorization"), "", "the secret travels in the body");
    let form = form(seen);
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "c0de"),
        ("client_id", "zdg-app"),
        ("client_secret", "s3cret"),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", VERIFIER),
        ("expires_in", "1800"),
        ("refresh_token_expires_in", "2592000"),
    ] {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_refresh_sends_the_refresh_token_and_asks_for_lifetimes() {
    let server = Server::json(TOKENS).await;
    refreshed(&server).await.unwrap();
    let form = form(&server.seen()[0]);
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("refresh_token", "old-rt"),
        ("expires_in", "1800"),
        ("refresh_token_expires_in", "2592000"),
    ] {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_holds_a_token_is_never_refused_for_the_rest_of_it() {
    for body in [
        r#"{"access_token":"at"}"#,
        r#"{"access_token":"at","token_type":null,"expires_in":null,"scope":["hc:read"],"refresh_token":null}"#,
        r#"{"access_token":"at","token_type":7,"expires_in":"1800","refresh_token":"","scope":{}}"#,
        r#"{"access_token":"at","expires_in":-1,"unknown":[1]}"#,
        r#"{"access_token":"at","expires_in":18446744073709551615}"#,
    ] {
        let tokens = refreshed(&Server::json(body).await).await.unwrap();
        assert_eq!(tokens.access.expose_secret(), "at", "{body}");
        assert!(tokens.refresh.is_none(), "{body}");
        assert!(tokens.expires_in.is_none_or(|life| life.as_secs() < 400_000_000), "{body}");
    }
}

#[tokio::test]
async fn refusals_say_whether_the_grant_the_client_or_the_moment_is_to_blame() {
    fn name(failure: &OAuthFailure) -> &'static str {
        match failure {
            OAuthFailure::InvalidGrant(_) => "grant",
            OAuthFailure::InvalidClient(_) => "client",
            OAuthFailure::Refused { .. } => "refused",
            OAuthFailure::Unavailable { .. } => "unavailable",
            OAuthFailure::Malformed => "malformed",
        }
    }
    for (code, body, blame) in [
        (400, r#"{"error":"invalid_grant","error_description":"spent"}"#, "grant"),
        (401, r#"{"error":"invalid_token"}"#, "grant"),
        (401, r#"{"error":"invalid_client"}"#, "client"),
        (400, r#"{"error":"unauthorized_client"}"#, "client"),
        (400, r#"{"error":"invalid_request"}"#, "refused"),
        (401, "", "refused"),
        (404, "{}", "refused"),
        (403, "<html>blocked</html>", "unavailable"),
        (429, "slow down", "unavailable"),
        (502, "<html>bad gateway</html>", "unavailable"),
        (200, "<html>login</html>", "malformed"),
        (200, r#"{"token":"at"}"#, "malformed"),
        (302, "", "refused"),
    ] {
        let server = Server::start(move |_| status(code, body)).await;
        let failure = refreshed(&server).await.unwrap_err();
        assert_eq!(name(&failure), blame, "{code} {body}: {failure}");
    }
}

#[tokio::test]
async fn a_redirected_token_request_is_not_followed() {
    let thief = Server::json(TOKENS).await;
    let target = thief.origin.clone();
    let server = Server::start(move |_| redirect(target.clone())).await;
    assert!(refreshed(&server).await.is_err());
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn nothing_of_a_token_is_shown() {
    let server = Server::json(r#"{"access_token":["at-secret"],"refresh_token":"rt-secret"}"#).await;
    let failure = refreshed(&server).await.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains("secret"), "{failure:?}");
    let tokens =
        refreshed(&Server::json(r#"{"access_token":"at-secret","refresh_token":"rt-secret"}"#).await).await;
    assert!(!format!("{tokens:?}").contains("-secret"), "{tokens:?}");
}
