//! Brands come and go, are in trouble, and follow the workspace that they belong to.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_brand_is_found_and_one_that_is_gone_goes() {
    let brands = Brands::start(Shape::Embedded, 150).await;
    let Brands { app, acme, two } = &brands;
    let connection = brands.connect(&["read"]).await;
    let three = brand(app, acme, "acme-three", 20);
    brands.audit().await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two, &three]).await;

    // Zendesk says so.
    acme.change_brand("acme-three", |brand| brand.is_deleted = true);
    brands.audit().await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;

    // It is not shown any more: many files are a person's to let go.
    let kept = ours(app, CUSTOMER).await;
    app.sim.delete_brand(acme, "acme-two");
    brands.audit().await;
    let held = |run: &Run| run.brand.is_none() && run.counters.held > 0;
    let runs = brands.runs(connection).await;
    assert!(runs.iter().any(held), "{runs:?}");
    assert_same(&kept, &ours(app, CUSTOMER).await);
    let allow = format!("/helpsync/v1/data_sources/{connection}/allow_removals");
    app.post(&allow, CUSTOMER, json!({})).await;
    brands.audit().await;
    until("the brand to be gone", async || {
        (ours(app, CUSTOMER).await.len() == truth(acme).len()).then_some(())
    })
    .await;
    brands.assert_holds(&[acme]).await;
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_follow_their_workspace_and_one_of_them_can_be_connected_alone() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    let connection = brands.connect(&["read"]).await;

    // The grant dies for both, and a reconnect goes on where they were.
    acme.revoke_tokens();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    until("the pause", async || {
        (brands.data_sources().await[0]["sync_status"] == "SYNC_ERROR").then_some(())
    })
    .await;
    two.apply_random(10, 3);
    brands.grant("acme", &["read"]).await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;
    let kinds: Vec<RunKind> = brands.runs(connection).await[..2].iter().map(|run| run.kind).collect();
    assert_eq!(kinds, [RunKind::Delta, RunKind::Delta]);

    // The other brand is no second workspace while this one is connected.
    let body =
        json!({ "service": "ZENDESK", "zendesk_subdomain": "acme-two", "connecting_new_account": true });
    let (status, answer) = app.call(Method::POST, "/integrations/oauth_url", CUSTOMER, Some(body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");

    // Connected instead of it, it is the data source, and the other is its brand; and back.
    let (mut connected, mut seen) = (connection, BTreeSet::new());
    for (subdomain, scopes) in [("acme-two", "read"), ("acme", "read")] {
        app.post("/revoke_access_token", CUSTOMER, json!({ "data_source_id": connected.0 })).await;
        assert!(seen.insert(connected.0));
        two.apply_random(10, 4);
        brands.grant(subdomain, &[scopes]).await;
        connected = brands.quiet(subdomain).await;
        let sources = brands.data_sources().await;
        assert_eq!((sources.len(), &sources[0]["id"]), (1, &json!(connected.0)), "{sources:?}");
        brands.assert_holds(&[acme, two]).await;
    }
    assert_eq!(connected, connection);
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_in_trouble_keeps_its_files_and_the_data_source_says_so() {
    let brands = Brands::start(Shape::Embedded, 20).await;
    let Brands { app, acme, two } = &brands;
    let connection = brands.connect(&["read"]).await;
    let ready = async || {
        let events = brands.events().await;
        events.iter().filter(|event| event.kind == EventKind::DataSourceReady).count()
    };
    let ended = async || {
        until("all runs to end", async || {
            brands.runs(connection).await.iter().all(|run| !run.state.is_active()).then_some(())
        })
        .await;
        brands.data_sources().await[0]["sync_status"].clone()
    };
    assert_eq!(ready().await, 1);
    two.update_settings(|settings| settings.help_center_enabled = false);
    acme.apply_random(8, 3);
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    assert_eq!((ended().await, ready().await), (json!("SYNC_ERROR"), 1));
    brands.assert_holds(&[acme, two]).await;
    let runs = brands.runs(connection).await;
    let failed: Vec<&Run> = runs.iter().filter(|run| run.state == RunState::Failed).collect();
    assert_eq!(failed.len(), 1, "{runs:?}");
    assert_eq!(failed[0].brand.as_deref(), Some("acme-two"));
    assert!(failed[0].error.as_deref().is_some_and(|error| error.contains("help center")), "{failed:?}");

    two.update_settings(|settings| settings.help_center_enabled = true);
    two.apply_random(8, 4);
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    assert_eq!((ended().await, ready().await), (json!("READY"), 2));
    brands.assert_holds(&[acme, two]).await;
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_line_of_a_brands_run_names_the_brand_beside_the_workspace() {
    let brands = Brands::start(Shape::Embedded, 150).await;
    brands.connect(&["read"]).await;
    let lines = until("the lines of both runs", async || {
        let lines = brands.app.logged("a run is done");
        (lines.len() >= 2).then_some(lines)
    })
    .await;
    let of_brand: Vec<_> = lines.iter().filter(|line| line.contains(" brand=acme-two ")).collect();
    assert!(of_brand.len() == 1 && of_brand[0].contains(" workspace=acme "), "{lines:?}");
}
