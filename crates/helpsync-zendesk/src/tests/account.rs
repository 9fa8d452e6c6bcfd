//! The token, its user, and webhooks.

use super::*;

#[tokio::test]
async fn a_token_tells_its_scopes_and_its_end() {
    let server = Server::json(
        r#"{"token":{"id":1,"client_id":2,"user_id":3,"scopes":["hc:read"],"expires_at":"2026-05-06T08:00:00Z",
        "refresh_token_expires_at":null,"token":"abc"}}"#,
    )
    .await;
    let info = server.client().client.token_info().await.unwrap().value;
    assert_eq!((info.user_id, info.scopes), (Some(3), vec!["hc:read".to_owned()]));
    assert!(info.expires_at.is_some() && info.refresh_token_expires_at.is_none());
    assert_eq!(server.seen()[0].path, "/acme/api/v2/oauth/tokens/current");
}

#[tokio::test]
async fn an_anonymous_user_is_no_login() {
    let anonymous = Server::json(r#"{"user":{"id":null,"name":"Anonymous user","role":"end-user"}}"#).await;
    assert!(anonymous.client().client.me().await.unwrap().value.anonymous);
    let admin = Server::json(r#"{"user":{"id":7,"email":"a@b.c","role":"admin"}}"#).await;
    let me = admin.client().client.me().await.unwrap().value;
    assert_eq!((me.id, me.anonymous, me.role.as_str()), (Some(7), false, "admin"));
}

#[tokio::test]
async fn a_token_is_revoked_once_and_never_renewed_for_it() {
    for code in [204, 401, 404] {
        let server = Server::start(move |_| status(code, "")).await;
        let setup = server.client();
        setup.client.revoke_token().await.unwrap();
        assert_eq!(server.seen()[0].method, "DELETE");
        assert_eq!((server.seen().len(), *setup.tokens.renewals.lock().unwrap()), (1, 0), "{code}");
    }
    let server = Server::start(|_| status(503, "")).await;
    assert!(server.client().client.revoke_token().await.is_err());
}

#[tokio::test]
async fn a_webhook_is_made_read_and_deleted() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "POST" => (StatusCode::CREATED, r#"{"webhook":{"id":"01ARZ3NDEK","name":"x"}}"#).into_response(),
        "GET" => json(r#"{"signing_secret":{"secret":"s3cret","algorithm":"SHA256"}}"#),
        _ => status(204, ""),
    })
    .await;
    let client = server.client().client;
    let new = NewWebhook {
        name: "helpsync".into(),
        endpoint: "https://example.com/hook".parse().unwrap(),
        subscriptions: vec!["zen:event-type:article.published".into()],
    };
    let id = client.create_webhook(&new).await.unwrap().value;
    let secret = client.webhook_secret(&id).await.unwrap().value;
    client.delete_webhook(&id).await.unwrap();
    assert_eq!((id.as_str(), secret.expose_secret()), ("01ARZ3NDEK", "s3cret"));

    let seen = server.seen();
    let sent: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(sent["webhook"]["endpoint"], "https://example.com/hook");
    assert_eq!(sent["webhook"]["status"], "active");
    assert_eq!(seen[0].header("content-type"), "application/json");
    assert_eq!(seen[1].path, "/acme/api/v2/webhooks/01ARZ3NDEK/signing_secret");
    assert_eq!(
        (seen[2].method.as_str(), seen[2].path.as_str()),
        ("DELETE", "/acme/api/v2/webhooks/01ARZ3NDEK")
    );
}

#[test]
fn a_webhook_id_cannot_change_a_path() {
    for text in ["", "a/b", "..", "a?b", "a%2f", &"a".repeat(65)] {
        assert_eq!(WebhookId::parse(text), None, "{text:?}");
    }
}

#[tokio::test]
async fn brands_are_listed_by_cursor_and_by_number() {
    let server = Server::start(|seen| {
        let page = |id: u32, rest: &str| {
            json(format!(r#"{{"brands":[{{"id":{id},"subdomain":"acme-{id}"}}],{rest}}}"#))
        };
        let asked =
            |name: &str| seen.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (asked("page[after]"), asked("page")) {
            (Some("c1"), _) => page(2, r#""next_page":"/acme/api/v2/brands?page=2""#),
            (_, Some("2")) => page(3, r#""next_page":null"#),
            _ => page(1, r#""meta":{"has_more":true,"after_cursor":"c1"}"#),
        }
    })
    .await;
    let client = server.client().client;
    let (mut at, mut ids) = (None, Vec::new());
    while at != Some(Next::End) {
        let page = client.brands(at.as_ref()).await.unwrap().value;
        ids.extend(page.brands.iter().map(|brand| brand.id));
        at = Some(page.next);
    }
    assert_eq!(ids, [1, 2, 3]);
    assert!(server.seen()[2].query.contains(&("per_page".to_owned(), "100".to_owned())));
}
