//! Embeddings while the endpoint fails, and while processes are killed.

use futures::StreamExt as _;
use helpsync_model::EventKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use test_servers::{EmbeddingsServer, Misbehavior};
use zendesk_sim::{Sim, SimOptions};

use crate::app::{API_KEY, LATE, Shape, account, named, settings_of, small, sqlite_url, until};
use crate::processes::Running;
use crate::search::{CUSTOMER, connect, create, files, search, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_patience_gets_it_and_then_everything_is_embedded() {
    let server = EmbeddingsServer::start().await;
    server.next([Misbehavior::Status(429, Some(0)), Misbehavior::Status(503, None)]);
    let app = start(Shape::Embedded, Some(&server)).await;
    app.account("acme", small(5));
    connect(&app, json!({})).await;
    until("everything to be embedded", async || {
        let files = files(&app).await;
        let embedded = |file: &Value| file["file_statistics"]["num_embeddings"].as_i64() > Some(0);
        (!files.is_empty() && files.iter().all(embedded)).then_some(())
    })
    .await;
    assert!(files(&app).await.iter().all(|file| file["sync_status"] == "READY"));
    assert!(server.requests() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_shown_on_the_file_whose_text_stays_readable_and_words_still_find_it() {
    let server = EmbeddingsServer::start().await;
    server.always(Some(Misbehavior::Text("<html>".to_owned())));
    let app = start(Shape::Embedded, Some(&server)).await;
    let account = app.account("acme", small(2));
    create(&account, "Animals", "<p>Lemurs live in trees.</p>".to_owned());
    connect(&app, json!({})).await;
    let filters = json!({ "filters": { "sync_error_message": "Failed to generate embeddings",
        "sync_statuses": ["SYNC_ERROR"] } });
    let failed = until("the failure to be shown", async || {
        // The count is read after the files, and may know of more.
        let failed = app.post("/user_files_v2", CUSTOMER, filters.clone()).await["results"].take();
        (failed.as_array()?.len() == 3).then_some(failed)
    })
    .await;
    assert_eq!(failed[0]["sync_error_message"], "Failed to generate embeddings");
    let path = format!("/helpsync/v1/files/{}", failed[0]["id"]);
    let (status, text) = app.call(Method::GET, &path, CUSTOMER, None).await;
    assert!(status.is_success() && !text["translations"].as_array().unwrap().is_empty());
    let events = app.parts().store.webhooks().events(app.parts().organization, 0, 1_000).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::FileError).count(), 3);
    let (documents, how) = search(&app, CUSTOMER, json!({ "query": "lemurs", "k": 3 })).await;
    assert_eq!((&documents[0]["source"], how.as_str()), (&json!("Animals"), "keyword"));

    // A person mends the endpoint and fetches the file again.
    server.always(None);
    let lemurs = documents[0]["file_id"].clone();
    app.post("/resync_file", CUSTOMER, json!({ "file_id": lemurs, "force_embedding_generation": true }))
        .await;
    until("the file to be embedded", async || {
        let file = files(&app).await.into_iter().find(|file| file["id"] == lemurs)?;
        (file["sync_status"] == "READY" && file["file_statistics"]["num_embeddings"] == 1).then_some(())
    })
    .await;
    assert_eq!(search(&app, CUSTOMER, json!({ "query": "lemurs", "k": 3 })).await.1, "semantic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_costs_seconds_and_searches_beyond_the_bound_are_told_to_come_again() {
    const AT_ONCE: usize = 4;
    /// Of one customer.
    const SHARE: usize = 2;
    const SEARCHES: usize = 30;
    let server = EmbeddingsServer::start().await;
    let app = start(Shape::Embedded, Some(&server)).await;
    let account = app.account("acme", small(2));
    create(&account, "Animals", "<p>Lemurs live in trees.</p>".to_owned());
    connect(&app, json!({})).await;
    until("everything to be embedded", async || {
        let embedded = |file: &Value| file["file_statistics"]["num_embeddings"].as_i64() > Some(0);
        files(&app).await.iter().all(embedded).then_some(())
    })
    .await;
    server.always(Some(Misbehavior::Silence));
    server.forget();
    let query = || async {
        let query = json!({ "query": "lemurs", "k": 3 });
        let (status, answer) = app.call(Method::POST, "/embeddings", CUSTOMER, Some(query)).await;
        (status, answer, server.requests_for("lemurs"))
    };
    let many = futures::stream::iter((0..SEARCHES).map(|_| query())).buffer_unordered(SEARCHES).collect();
    // The other's search reaches the endpoint as well, and is told from these by its words.
    let other = app.call(Method::POST, "/embeddings", "bob", Some(json!({ "query": "meerkats", "k": 3 })));
    let (answers, (other, _)): (Vec<_>, _) = futures::join!(many, other);
    assert!(other.is_success(), "another customer's search is not refused: {other}");
    // When the first is found, those that were asked with it and one more each may have reached the endpoint.
    let first = answers.iter().find(|(status, ..)| status.is_success()).expect("an answer");
    assert!((SHARE..=2 * AT_ONCE).contains(&first.2), "{answers:?}");
    let (found, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, ..)| status.is_success());
    assert!(found.len() >= SHARE && !refused.is_empty(), "{answers:?}");
    for (_, answer, _) in found {
        assert_eq!(
            (&answer["search"], &answer["documents"][0]["source"]),
            (&json!("keyword"), &json!("Animals"))
        );
    }
    for (status, answer, _) in refused {
        let told = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        assert!(told.contains(status), "{status}");
        assert!(answer["detail"].as_str().unwrap().contains("too many searches"), "{answer}");
    }
    // Those that were refused left nothing behind.
    server.always(None);
    assert_eq!(search(&app, CUSTOMER, json!({ "query": "lemurs", "k": 3 })).await.1, "semantic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_it_embeds_loses_nothing() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    account(&sim, "acme", small(30));
    let server = EmbeddingsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut env = settings_of(&sim);
    env.push(named("STORE__URL", sqlite_url(folder.path())));
    env.push(named("EMBEDDINGS__URL", server.url.as_str()));
    env.push(named("EMBEDDINGS__BATCH_MAX", "4"));
    env.push(named("EMBEDDINGS__POLL_MS", "20"));
    let http = reqwest::Client::builder().timeout(LATE).build().unwrap();
    let ask = async |url: &str, path: &str, body: Value| {
        let request = http.post(format!("{url}{path}")).json(&body);
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let process = Running::start("helpsync", &["up"], &env);
    let url = process.said("Helpsync is up at ").await;
    // Some get their vectors, the next ones never get an answer.
    server.next([Misbehavior::Status(503, Some(0))]);
    let grant =
        ask(&url, "integrations/oauth_url", json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" }))
            .await;
    http.get(grant["oauth_url"].as_str().unwrap()).send().await.unwrap();
    until("the first vectors", async || (server.inputs().len() >= 4).then_some(())).await;
    server.always(Some(Misbehavior::Silence));
    let asked = server.requests();
    until("a request under way", async || {
        (server.requests() > asked || server.inputs().len() >= 30).then_some(())
    })
    .await;
    process.kill();
    server.always(None);

    let process = Running::start("helpsync", &["up"], &env);
    let url = process.said("Helpsync is up at ").await;
    until("everything to be embedded", async || {
        let all = json!({ "pagination": { "limit": 100 } });
        let files = ask(&url, "user_files_v2", all).await["results"].as_array().unwrap().clone();
        let embedded = |file: &Value| file["file_statistics"]["num_embeddings"].as_i64() > Some(0);
        (files.len() == 30 && files.iter().all(embedded)).then_some(())
    })
    .await;
    assert!(process.stop().await.success());
    sim.stop().await;
}
