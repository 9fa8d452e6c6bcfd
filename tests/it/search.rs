//! Chunks, embeddings and search, from the change in the help center to the answer.

use helpsync_model::EventKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use test_servers::EmbeddingsServer;
use zendesk_sim::{Account, Change};

use crate::app::{API_KEY, Shape, TestApp, real_time, small, until};

pub(crate) const CUSTOMER: &str = "ada";
const WORKSPACE: &str = "acme";

/// An installation whose texts are embedded by `server`, if by anybody.
pub(crate) async fn start(shape: Shape, server: Option<&EmbeddingsServer>) -> TestApp {
    let mut settings =
        vec![("HELPSYNC_EMBEDDINGS__POLL_MS", "20"), ("HELPSYNC_EMBEDDINGS__RETRY_FIRST_MS", "10")];
    if let Some(server) = server {
        settings
            .extend([("HELPSYNC_EMBEDDINGS__URL", server.url.as_str()), ("HELPSYNC_EMBEDDINGS__KEY", "k")]);
    }
    TestApp::start(shape, &settings, real_time()).await
}

/// Grants with options, and waits for the first sync.
pub(crate) async fn connect(app: &TestApp, mut options: Value) {
    options["service"] = "ZENDESK".into();
    options["zendesk_subdomain"] = WORKSPACE.into();
    let url = app.post("/integrations/oauth_url", CUSTOMER, options).await;
    let callback = app.consent(url["oauth_url"].as_str().unwrap()).await;
    assert_eq!(app.http.get(callback).send().await.unwrap().status(), StatusCode::OK);
    let connection = app.connection(CUSTOMER, WORKSPACE).await;
    app.finished(connection).await;
}

/// An article of four sections, each of which is a chunk of its own at 60 tokens.
fn sections(words: [&str; 4]) -> String {
    words
        .map(|word| format!("<h2>About {word}</h2><p>{}</p>", format!("{word} is good. ").repeat(10)))
        .concat()
}

pub(crate) fn create(account: &Account, title: &str, body: String) -> i64 {
    let change = Change::Create { section_id: None, title: title.to_owned(), body, draft: false };
    account.apply(change).unwrap().article
}

pub(crate) async fn files(app: &TestApp) -> Vec<Value> {
    let all = json!({ "pagination": { "limit": 1000 } });
    app.post("/user_files_v2", CUSTOMER, all).await["results"].as_array().unwrap().clone()
}

async fn file(app: &TestApp, article: i64) -> Value {
    let files = files(app).await;
    let id = json!(article.to_string());
    files.into_iter().find(|file| file["external_file_id"] == id).unwrap()
}

async fn chunk_count(app: &TestApp) -> i64 {
    app.post("/list_chunks_and_embeddings", CUSTOMER, json!({ "filters": {} })).await["count"]
        .as_i64()
        .unwrap()
}

/// Waits until every file has chunks, and `embedded` of all chunks have vectors.
async fn searchable(app: &TestApp, embedded: bool) {
    until("everything to be searchable", async || {
        let (files, chunks) = (files(app).await, chunk_count(app).await);
        let sum = |name: &str| {
            files.iter().map(|file| file["file_statistics"][name].as_i64().unwrap()).sum::<i64>()
        };
        let chunked = files.iter().all(|file| file["file_statistics"]["num_tokens"].as_i64().unwrap() > 0);
        (chunked && (!embedded || sum("num_embeddings") == chunks)).then_some(())
    })
    .await;
}

/// The documents, and how they were found.
pub(crate) async fn search(app: &TestApp, customer: &str, body: Value) -> (Vec<Value>, String) {
    let request = app.http.post(app.url("/embeddings")).bearer_auth(API_KEY).header("customer-id", customer);
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let how = answer.headers()["helpsync-search"].to_str().unwrap().to_owned();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["search"], how.as_str());
    (answer["documents"].as_array().unwrap().clone(), how)
}

async fn first(app: &TestApp, query: &str) -> Value {
    search(app, CUSTOMER, json!({ "query": query, "k": 3 })).await.0.first().cloned().unwrap_or_default()
}

async fn found_by_meaning_and_embedded_once(shape: Shape) {
    let server = EmbeddingsServer::start().await;
    let app = start(shape, Some(&server)).await;
    let account = app.account(WORKSPACE, small(12));
    let article = create(&account, "Animals", sections(["lemurs", "otters", "badgers", "herons"]));
    connect(&app, json!({ "chunk_size": 60, "chunk_overlap": 0 })).await;
    searchable(&app, true).await;
    let one = file(&app, article).await;
    assert_eq!(one["file_statistics"]["num_embeddings"], 4, "{one}");
    assert_eq!(one["embedding_properties"], json!({ "OPENAI": { "chunk_size": 60, "chunk_overlap": 0 } }));
    assert_eq!((&one["chunk_size"], &one["skip_embedding_generation"]), (&json!(60), &json!(false)));
    let totals = app.post("/user", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    assert_eq!(totals["aggregate_num_embeddings"]["ZENDESK"], chunk_count(&app).await);
    assert!(totals["num_tokens_synced"].as_i64().unwrap() > 100);

    let whole = json!({ "query": "badgers is good", "k": 2, "include_tags": true, "include_vectors": true,
        "include_raw_file": true, "include_file_level_metadata": true });
    let (documents, how) = search(&app, CUSTOMER, whole).await;
    assert_eq!((documents.len(), how.as_str()), (2, "semantic"));
    let best = &documents[0];
    assert_eq!(
        (&best["file_id"], &best["source"], &best["chunk_index"]),
        (&one["id"], &json!("Animals"), &json!(2))
    );
    assert!(best["content"].as_str().unwrap().starts_with("## About badgers"), "{best}");
    assert_eq!(best["vector"].as_array().unwrap().len(), test_servers::DIMENSIONS);
    assert_eq!(best["content_metadata"]["file"]["external_file_id"], article.to_string());
    let raw = app.http.get(best["presigned_url"].as_str().unwrap()).send().await.unwrap();
    assert!(raw.text().await.unwrap().contains("<h2>About badgers"));
    assert!(documents[0]["score"].as_f64() >= documents[1]["score"].as_f64());

    // One paragraph changes: its chunk alone is embedded again.
    server.forget();
    let body = Some(sections(["lemurs", "otters", "wombats", "herons"]));
    account.apply(Change::Edit { id: article, title: None, body }).unwrap();
    app.sync(CUSTOMER, WORKSPACE).await;
    until("the new paragraph to be found", async || {
        let best = first(&app, "wombats is good").await;
        best["content"].as_str()?.contains("wombats").then_some(())
    })
    .await;
    let embedded: Vec<String> =
        server.inputs().into_iter().filter(|input| input != "wombats is good").collect();
    assert_eq!(embedded.len(), 1, "{embedded:?}");
    assert!(embedded[0].contains("wombats"));

    // Another customer finds nothing of it, and nobody does once it is gone.
    assert!(search(&app, "bob", json!({ "query": "lemurs", "k": 9 })).await.0.is_empty());
    let hybrid = json!({ "query": "herons", "k": 1, "hybrid_search": true,
        "hybrid_search_tuning_parameters": { "weight_a": 0.3, "weight_b": 0.7 } });
    let (documents, how) = search(&app, CUSTOMER, hybrid.clone()).await;
    assert_eq!((&documents[0]["file_id"], how.as_str()), (&one["id"], "hybrid"));
    account.apply(Change::Delete { id: article }).unwrap();
    app.sync(CUSTOMER, WORKSPACE).await;
    for body in [hybrid, json!({ "query": "herons is good", "k": 100 })] {
        let (documents, _) = search(&app, CUSTOMER, body).await;
        assert!(documents.iter().all(|document| document["file_id"] != one["id"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_found_by_meaning_and_embedded_once_embedded() {
    found_by_meaning_and_embedded_once(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_found_by_meaning_and_embedded_once_on_services() {
    found_by_meaning_and_embedded_once(Shape::Services).await;
}

async fn found_by_words_without_an_endpoint(shape: Shape) {
    let app = start(shape, None).await;
    let account = app.account(WORKSPACE, small(8));
    let article = create(&account, "Animals", sections(["lemurs", "otters", "badgers", "herons"]));
    let draft = Change::Create {
        section_id: None,
        title: "Draft".to_owned(),
        body: "<p>heffalumps</p>".to_owned(),
        draft: true,
    };
    account.apply(draft).unwrap();
    connect(&app, json!({})).await;
    searchable(&app, false).await;
    let (documents, how) = search(&app, CUSTOMER, json!({ "query": "Where do LEMURS live?", "k": 5 })).await;
    assert_eq!(how, "keyword");
    assert_eq!(documents[0]["source"], "Animals");
    assert_eq!((&documents[0]["vector"], &documents[0]["score"]), (&Value::Null, &json!(1.0)));
    assert!(search(&app, CUSTOMER, json!({ "query": "heffalumps", "k": 5 })).await.0.is_empty());
    let one = file(&app, article).await;
    assert_eq!(
        (&one["file_statistics"]["num_embeddings"], &one["embedding_properties"]),
        (&json!(0), &Value::Null)
    );
    let elsewhere = json!({ "query": "lemurs", "k": 5, "file_ids": [one["id"].as_i64().unwrap() + 100_000] });
    assert!(search(&app, CUSTOMER, elsewhere).await.0.is_empty());
    let tags = json!({ "organization_user_file_id": one["id"], "tags": { "team": "zoo" } });
    app.post("/create_user_file_tags", CUSTOMER, tags).await;
    for (value, count) in [("zoo", 1), ("sea", 0)] {
        let tagged = json!({ "query": "lemurs", "k": 5, "tags": { "team": value }, "include_tags": true });
        let (documents, _) = search(&app, CUSTOMER, tagged).await;
        assert_eq!(documents.len(), count);
        assert!(documents.iter().all(|document| document["tags"]["team"] == "zoo"));
    }
    account.apply(Change::Unpublish { id: article, locale: None }).unwrap();
    app.sync(CUSTOMER, WORKSPACE).await;
    assert!(search(&app, CUSTOMER, json!({ "query": "lemurs", "k": 5 })).await.0.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_words_are_searched_for_embedded() {
    found_by_words_without_an_endpoint(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_words_are_searched_for_on_services() {
    found_by_words_without_an_endpoint(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_cut_and_embedded_as_far_as_their_options_say_and_a_resync_changes_them() {
    let server = EmbeddingsServer::start().await;
    let app = start(Shape::Embedded, Some(&server)).await;
    let account = app.account(WORKSPACE, small(3));
    let article = create(&account, "Animals", sections(["lemurs", "otters", "badgers", "herons"]));
    connect(&app, json!({ "skip_embedding_generation": true, "prepend_filename_to_chunks": true })).await;
    searchable(&app, false).await;
    let one = file(&app, article).await;
    assert_eq!((&one["skip_embedding_generation"], &one["chunk_size"]), (&json!(true), &json!(1500)));
    assert_eq!(one["chunk_properties"]["prepend_filename_to_chunks"], true);
    let of_one = json!({ "filters": { "user_file_id": one["id"] }, "order_by": "chunk_index", "include_vectors": true });
    let chunks = app.post("/text_chunks", CUSTOMER, of_one.clone()).await;
    assert_eq!(chunks["count"], 1);
    let chunk = &chunks["results"][0];
    assert!(chunk["source_content"].as_str().unwrap().starts_with("Animals\n\n## About lemurs"), "{chunk}");
    assert_eq!((&chunk["embedding"], &chunk["chunk_index"]), (&Value::Null, &json!(0)));

    let smaller = json!({ "file_id": one["id"], "chunk_size": 70, "chunk_overlap": 0, "force_embedding_generation": true });
    app.post("/resync_file", CUSTOMER, smaller).await;
    let chunks = until("the file to be chunked anew", async || {
        let chunks = app.post("/text_chunks", CUSTOMER, of_one.clone()).await["results"].take();
        (chunks.as_array()?.len() == 4).then_some(chunks)
    })
    .await;
    assert!(chunks.as_array().unwrap().iter().all(|chunk| chunk["embedding"].is_null()));
    assert_eq!(server.requests(), 0, "nothing is embedded that is not to be");
    let kept = json!({ "file_id": one["id"], "chunk_size": 300, "skip_file_processing": true });
    let answer = app.post("/resync_file", CUSTOMER, kept).await;
    assert_eq!((&answer["chunk_size"], &answer["sync_status"]), (&json!(300), &json!("READY")));

    // ItemsRequested anew with other options.
    let source = app.connection(CUSTOMER, WORKSPACE).await;
    let chosen = json!({ "data_source_id": source.0, "ids": [article.to_string()],
        "skip_embedding_generation": false, "chunk_size": 70, "chunk_overlap": 0, "embedding_model": "SOLAR_1_MINI" });
    app.post("/integrations/files/sync", CUSTOMER, chosen).await;
    let shown = until("the file to be embedded", async || {
        let one = file(&app, article).await;
        (one["file_statistics"]["num_embeddings"] == 4).then_some(one)
    })
    .await;
    assert!(shown["embedding_properties"]["SOLAR_1_MINI"].is_object(), "{shown}");
    let generators = json!({ "filters": { "embedding_generators": ["SOLAR_1_MINI"] } });
    assert_eq!(app.post("/user_files_v2", CUSTOMER, generators).await["count"], 1);
    let only = json!({ "data_source_id": source.0, "ids": [article.to_string()],
        "file_sync_config": { "store_file_only": true } });
    app.post("/integrations/files/sync", CUSTOMER, only).await;
    until("the chunks to be gone", async || {
        (app.post("/text_chunks", CUSTOMER, of_one.clone()).await["count"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brought_chunks_are_found_by_their_own_vectors() {
    let app = start(Shape::Embedded, None).await;
    app.account(WORKSPACE, small(3));
    connect(&app, json!({})).await;
    searchable(&app, false).await;
    let id = files(&app).await[0]["id"].as_i64().unwrap();
    let mut upload = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "chunks_and_embeddings": [
        { "file_id": id, "chunks_and_embeddings": [
            { "chunk_number": 0, "chunk": "left", "embedding": [1.0, 0.0] },
            { "chunk_number": 1, "chunk": "right", "embedding": [0.0, 1.0] } ] } ] });
    let (status, refused) =
        app.call(Method::POST, "/upload_chunks_and_embeddings", CUSTOMER, Some(upload.clone())).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    upload["overwrite_existing"] = true.into();
    let (status, _) =
        app.call(Method::POST, "/upload_chunks_and_embeddings", "bob", Some(upload.clone())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    app.post("/upload_chunks_and_embeddings", CUSTOMER, upload).await;
    let near = json!({ "query": "-", "query_vector": [0.1, 0.9], "k": 1, "embedding_model": "COHERE_MULTILINGUAL_V3" });
    let (documents, how) = search(&app, CUSTOMER, near).await;
    assert_eq!((&documents[0]["content"], how.as_str()), (&json!("right"), "semantic"));
    let other = json!({ "query": "-", "query_vector": [0.1, 0.9], "k": 1 });
    assert!(search(&app, CUSTOMER, other).await.0.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_is_refused_and_the_field_is_named() {
    let app = start(Shape::Embedded, None).await;
    let weights = |a: f64, b: f64| json!({ "weight_a": a, "weight_b": b });
    for (path, body, field) in [
        ("/embeddings", json!({ "k": 1 }), "query"),
        ("/embeddings", json!({ "query": "", "k": 1 }), "query"),
        ("/embeddings", json!({ "query": "x" }), "k"),
        ("/embeddings", json!({ "query": "x", "k": 0 }), "k"),
        ("/embeddings", json!({ "query": "x", "k": 100_000 }), "k"),
        ("/embeddings", json!({ "query": "x", "k": 1, "embedding_model": "MINE" }), "embedding_model"),
        ("/embeddings", json!({ "query": "x", "k": 1, "rerank": { "model": "MINE" } }), "model"),
        ("/embeddings", json!({ "query": "x", "k": 1, "media_type": "SMELL" }), "media_type"),
        (
            "/embeddings",
            json!({ "query": "x", "k": 1, "hybrid_search_tuning_parameters": weights(0.3, 0.702) }),
            "hybrid_search_tuning_parameters",
        ),
        ("/text_chunks", json!({}), "filters"),
        ("/text_chunks", json!({ "filters": {} }), "user_file_id"),
        (
            "/text_chunks",
            json!({ "filters": { "user_file_id": 1, "embedding_model": "MINE" } }),
            "embedding_model",
        ),
        ("/list_chunks_and_embeddings", json!({}), "filters"),
        (
            "/user_files_v2",
            json!({ "filters": { "embedding_generators": ["MINE"] } }),
            "embedding_generators",
        ),
        ("/resync_file", json!({ "file_id": 1, "chunk_size": 0 }), "chunk_size"),
        ("/integrations/oauth_url", json!({ "service": "ZENDESK", "chunk_overlap": -1 }), "chunk_overlap"),
        (
            "/integrations/oauth_url",
            json!({ "service": "ZENDESK", "embedding_model": "MINE" }),
            "embedding_model",
        ),
    ] {
        let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body} {answer}");
        let loc = answer["detail"][0]["loc"].as_array().unwrap();
        assert_eq!(loc.last().unwrap(), field, "{path} {body} {answer}");
    }
    let (status, _) = app
        .call(Method::POST, "/text_chunks", CUSTOMER, Some(json!({ "filters": { "user_file_id": 9 } })))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let anonymous = app.http.post(app.url("/embeddings")).json(&json!({ "query": "x", "k": 1 })).send().await;
    assert_eq!(anonymous.unwrap().status(), StatusCode::UNAUTHORIZED);
    let events = app.parts().store.webhooks().events(app.parts().organization, 0, 10).await.unwrap();
    assert!(events.iter().all(|event| event.kind != EventKind::FileError));
}
