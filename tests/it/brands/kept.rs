//! Every brand is kept, within limits, and fetched from where it is; outside there is one data source.

use super::*;

async fn brands_are_kept_and_are_one_data_source(shape: Shape) {
    let brands = Brands::start(shape, 30).await;
    let Brands { app, acme, two } = &brands;
    let closed = brand(app, acme, "acme-closed", 5);
    acme.change_brand("acme-closed", |brand| brand.help_center_state = "disabled".to_owned());
    let connection = brands.connect(&["read"]).await;
    brands.assert_holds(&[acme, two]).await;
    // One request for the brands, two for a tree of which articles bring a part, within the bound of a full sync.
    let runs = brands.runs(connection).await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.counters.requests <= 1 + 2 + 4), "{runs:?}");
    assert_eq!(closed.requests().len(), 0, "nobody asks a help center that is disabled");

    // One data source, with the files and the tree of both.
    let sources = brands.data_sources().await;
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert_eq!((&sources[0]["id"], &sources[0]["sync_status"]), (&json!(connection.0), &json!("READY")));
    let body = json!({
        "filters": { "organization_user_data_source_id": [connection.0] }, "include_all_children": true,
        "pagination": { "limit": 250, "offset": 0 },
    });
    let files = app.post("/user_files_v2", CUSTOMER, body).await;
    let files = files["results"].as_array().unwrap().clone();
    assert_eq!(files.len(), truth(acme).len() + truth(two).len());
    assert!(files.iter().all(|file| file["organization_user_data_source_id"] == connection.0), "{files:?}");
    let items = json!({ "data_source_id": connection.0, "pagination": { "limit": 250, "offset": 0 } });
    let items = app.post("/integrations/items/list", CUSTOMER, items).await;
    let categories: BTreeSet<i64> =
        [acme, two].iter().flat_map(|account| account.truth()).map(|article| article.category_id).collect();
    let shown: BTreeSet<i64> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["external_id"].as_str()?.parse().ok())
        .collect();
    assert!(categories.is_subset(&shown), "{categories:?} of {items}");

    // What is announced is announced of the connection that people know, and once.
    let events = brands.events().await;
    assert!(events.iter().all(|event| event.connection == Some(connection)), "{events:?}");
    let of = |kind: EventKind| events.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(EventKind::DataSourceReady).len(), 1);
    assert_eq!(of(EventKind::DataSourceReady)[0].object_id, connection.to_string());
    assert_eq!(of(EventKind::AllFilesProcessed).len(), 1);
    assert!(
        of(EventKind::AllFilesProcessed)[0].id
            > events.iter().rfind(|event| event.object_type == "FILE").unwrap().id
    );

    // A delta of both asks for no brands, refreshes the one token once, and brings what changed and went.
    for account in [acme, two] {
        account.apply_random(12, 3);
        account.clear_requests();
    }
    acme.expire_access_tokens();
    brands.sync().await;
    brands.assert_holds(&[acme, two]).await;
    let asked = |account: &Account, what: &str| {
        account.requests().iter().filter(|request| request.path.contains(what)).count()
    };
    assert_eq!(
        (asked(acme, "/brands"), asked(acme, "/oauth/tokens"), asked(two, "/oauth/tokens")),
        (0, 1, 0)
    );
    let runs = brands.runs(connection).await;
    assert!(runs[..2].iter().all(|run| run.kind == RunKind::Delta && run.source == connection), "{runs:?}");
    assert_eq!(runs.iter().filter(|run| run.brand.as_deref() == Some("acme-two")).count(), 2, "{runs:?}");
    for account in [acme, two] {
        account.clear_requests();
    }
    brands.sync().await;
    assert_eq!((acme.requests().len(), two.requests().len()), (4, 4), "nothing changed");

    // An article that is selected is fetched from where it is.
    let id = *truth(two).keys().next().unwrap();
    let selected = json!({ "data_source_id": connection.0, "ids": [id.to_string()] });
    app.post("/integrations/files/sync", CUSTOMER, selected).await;
    brands.quiet("acme").await;
    let newest = &brands.runs(connection).await[0];
    assert_eq!((newest.kind, newest.brand.as_deref()), (RunKind::Resync, Some("acme-two")), "{newest:?}");
    assert_eq!((newest.counters.listed, acme.requests().len()), (1, 4), "{newest:?}");

    app.post("/delete_users", CUSTOMER, json!({ "customer_ids": [CUSTOMER] })).await;
    assert_eq!(ours(app, CUSTOMER).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_kept_and_are_one_data_source_embedded() {
    brands_are_kept_and_are_one_data_source(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_kept_and_are_one_data_source_on_services() {
    brands_are_kept_and_are_one_data_source(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_the_workspaces_own_help_center_is_kept_and_no_brand_is_asked_for() {
    let brands = Brands::start(Shape::Embedded, 10).await;
    let connection = brands.connect(&["hc:read"]).await;
    brands.assert_holds(&[&brands.acme]).await;
    assert_eq!(brands.two.requests().len(), 0);
    assert!(!brands.acme.requests().iter().any(|request| request.path.contains("brands")));
    let (status, answer) =
        brands.app.call(Method::PUT, SELECTION, CUSTOMER, Some(json!({ "brand_ids": [7] }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(answer.to_string().contains("the scope `read`"), "{answer}");
    assert_eq!(brands.runs(connection).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_over_all_brands_at_once() {
    const MOST: usize = 90;
    let brands = Brands::start(Shape::Services, 100).await;
    let Brands { app, acme, two } = &brands;
    let three = brand(app, acme, "acme-three", 100);
    let body = json!({ "customer_ids": [CUSTOMER], "max_files": MOST });
    app.post("/update_users", CUSTOMER, body).await;
    brands.connect(&["read"]).await;
    assert_eq!(ours(app, CUSTOMER).await.len(), MOST);
    let body = json!({ "customer_ids": [CUSTOMER], "max_files": -1 });
    app.post("/update_users", CUSTOMER, body).await;
    brands.sync().await;
    brands.assert_holds(&[acme, two, &three]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_brand_is_fetched_from_its_help_center() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    brands.connect(&["read", "write"]).await;
    made(app, acme).await;
    let id = *truth(two).keys().next().unwrap();
    two.apply(Change::Unpublish { id, locale: None }).unwrap();
    until("the article to be gone", async || (!ours(app, CUSTOMER).await.contains_key(&id)).then_some(()))
        .await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;

    // One of a brand that nobody knows: the next run asks which there are.
    let three = brand(app, acme, "acme-three", 10);
    let id = *truth(&three).keys().next().unwrap();
    three.apply(Change::Unpublish { id, locale: None }).unwrap();
    until("the event to arrive", async || (three.deliveries().first()?.status == 200).then_some(())).await;
    brands.assert_holds(&[acme, two]).await;
    brands.sync().await;
    brands.assert_holds(&[acme, two, &three]).await;
}
