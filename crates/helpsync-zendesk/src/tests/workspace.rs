//! Whether anybody has a workspace's name.

use super::*;

const NOBODY_HAS_IT: &str = r#"{"error":{"title":"No help desk at acme.zendesk.com",
    "message":"There is no help desk configured at this address. This means that the address is available and …"}}"#;

fn http() -> Http {
    Http::new(short()).unwrap()
}

#[tokio::test]
async fn only_zendesks_own_words_say_that_nobody_has_a_name() {
    for (code, body, is_unclaimed_there) in [
        (404, NOBODY_HAS_IT, true),
        (200, r#"{"user":{"id":null,"name":"Anonymous user"}}"#, false),
        (200, NOBODY_HAS_IT, false),
        (404, "{}", false),
        (404, "", false),
        (404, r#"{"error":"RecordNotFound","description":"Not found"}"#, false),
        (404, r#"{"error":{"title":"Forbidden","message":"No help desk at acme.zendesk.com"}}"#, false),
        (404, "<html><title>No help desk at acme.zendesk.com</title></html>", false),
        (302, "", false),
        (401, r#"{"error":"Couldn't authenticate you"}"#, false),
        (423, "<html>suspended</html>", false),
        (429, "slower", false),
        (503, NOBODY_HAS_IT, false),
    ] {
        let server = Server::start(move |_| status(code, body)).await;
        let told = is_unclaimed(&http(), &server.endpoint()).await.unwrap();
        assert_eq!(told, is_unclaimed_there, "{code} {body}");
        let [seen] = &server.seen()[..] else { panic!("one request: {:?}", server.seen()) };
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/acme/api/v2/users/me"));
        assert_eq!(seen.header("authorization"), "", "no token goes to whoever has the name");
    }
}

#[tokio::test]
async fn a_private_address_is_not_asked_whether_somebody_has_its_name() {
    let server = Server::json(NOBODY_HAS_IT).await;
    let port = server.origin.rsplit_once(':').unwrap().1;
    let endpoint = endpoint(&format!("https://127.0.0.1:{port}"));
    let refused = is_unclaimed(&http(), &endpoint).await.unwrap_err();
    assert!(refused.to_string().contains("private address"), "{refused}");
    assert!(server.seen().is_empty());
}
