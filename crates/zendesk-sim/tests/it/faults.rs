//! Faults and limits, over the wire.

use zendesk_sim::{Fault, FaultBody, FaultRule, RateLimitBody};

use crate::{Setup, articles};

const LIST: &str = "/api/v2/help_center/articles";

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let setup = Setup::new(articles(50)).await;
    let once = |fault| setup.account.inject(FaultRule::once(fault));

    once(Fault::Status { code: 503, retry_after: Some("7".to_owned()), body: FaultBody::Html });
    let answer = setup.send(LIST).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "7"));

    once(Fault::Reset);
    let reset = match setup.send(LIST).await {
        Ok(answer) => answer.text().await.is_err(),
        Err(_) => true,
    };
    assert!(reset, "a reset connection gives no answer");

    once(Fault::TruncatedBody { after_bytes: 100 });
    assert!(setup.send(LIST).await.unwrap().bytes().await.is_err());

    once(Fault::TruncatedJson);
    let text = setup.send(LIST).await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());

    once(Fault::InvalidUtf8);
    let bytes = setup.send(LIST).await.unwrap().bytes().await.unwrap();
    assert!(std::str::from_utf8(&bytes).is_err());

    once(Fault::HtmlOk);
    assert!(setup.send(LIST).await.unwrap().text().await.unwrap().starts_with("<html>"));

    once(Fault::ForeignNextPage { origin: "https://evil.example".to_owned() });
    assert!(setup.get(LIST).await.1["next_page"].as_str().unwrap().starts_with("https://evil.example"));

    once(Fault::DuplicateItems);
    let (_, body) = setup.get(LIST).await;
    assert_eq!(body["articles"][0]["id"], body["articles"][1]["id"]);

    once(Fault::Redirect { location: "https://evil.example/".to_owned() });
    assert_eq!(setup.send(LIST).await.unwrap().status(), 302);

    once(Fault::SlowBody { chunk_bytes: 4096, delay_ms: 1 });
    assert_eq!(setup.get(LIST).await.0, 200);

    once(Fault::RevokeToken);
    assert_eq!(setup.get(LIST).await.0, 401);
    let seen = setup.account.requests();
    assert_eq!(seen.last().unwrap().fault.as_deref(), Some("revoke_token"));
}

#[tokio::test]
async fn the_limit_counts_down_and_then_refuses_until_the_window_ends() {
    let setup = Setup::new(articles(1)).await;
    setup.sim.clock().freeze();
    setup.account.update_settings(|settings| {
        settings.limit_per_minute = 2;
        settings.rate_limit_body = RateLimitBody::Json;
    });
    for left in ["1", "0"] {
        let answer = setup.send(LIST).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-rate-limit-remaining"].to_str().unwrap()),
            (200, left)
        );
    }
    let refused = setup.send(LIST).await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    setup.sim.clock().advance(std::time::Duration::from_secs(wait));
    assert_eq!(setup.get(LIST).await.0, 200);
}
