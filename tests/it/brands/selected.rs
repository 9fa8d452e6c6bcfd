//! Choosing among brands.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_chosen_and_unselecting_removes() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    brands.connect(&["read"]).await;
    let (_, shown) = app.call(Method::GET, SELECTION, CUSTOMER, None).await;
    let told = |id: i64, subdomain: &str| json!({ "id": id, "name": subdomain, "subdomain": subdomain, "selected": true });
    let (own, other) = (brands.id("acme"), brands.id("acme-two"));
    let all = [told(own, "acme"), told(other, "acme-two")];
    let named: Vec<Value> = shown["brands"].as_array().unwrap().clone();
    assert_eq!(named, all);

    let (status, answer) =
        app.call(Method::PUT, SELECTION, CUSTOMER, Some(json!({ "brand_ids": [other, 7] }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(
        answer.to_string().contains(&format!("no brand 7: the account's brands are {own} (acme)")),
        "{answer}"
    );

    let answer = brands.select(&[own]).await;
    brands.assert_holds(&[acme]).await;
    assert_eq!(answer["removed"].as_u64(), Some(truth(two).len() as u64), "{answer}");
    let deleted = brands.events().await.iter().filter(|event| event.kind == EventKind::FileDeleted).count();
    assert_eq!(deleted, truth(two).len());
    two.clear_requests();
    brands.sync().await;
    assert_eq!(two.requests().len(), 0, "nobody asks for what nobody wants");

    brands.select(&[other]).await;
    brands.assert_holds(&[two]).await;
    acme.apply_random(10, 5);
    two.apply_random(10, 6);
    brands.sync().await;
    brands.assert_holds(&[two]).await;

    brands.select(&[]).await;
    brands.assert_holds(&[acme, two]).await;

    // What is under way over a brand ends with the choice, and is not shown as going on.
    two.inject(FaultRule::always(Fault::Delay { ms: 20_000 }));
    two.clear_requests();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    until("the brand's run to start", async || {
        (brands.data_sources().await[0]["sync_status"] == "SYNCING" && !two.requests().is_empty())
            .then_some(())
    })
    .await;
    brands.select(&[own]).await;
    assert_eq!(brands.data_sources().await[0]["sync_status"], "READY");
    brands.assert_holds(&[acme]).await;
    brands.app.stop().await;
}
