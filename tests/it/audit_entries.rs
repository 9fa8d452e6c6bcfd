//! What an entry of the audit log says, and what leaves none.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{API_KEY, Shape, TestApp, real_time, small};
use crate::audit::{entry_of, filled, log};
use crate::webhooks_out::Receiver;

const CUSTOMER: &str = "ada";

/// What somebody asks for, as the walk names it: the operation, the id in its path, the body.
type Call<'a> = (&'static str, &'a str, Value);

/// Asks for each; `answers` says which status is right.
async fn assert_untold(app: &TestApp, calls: &[Call<'_>], answers: impl Fn(StatusCode) -> bool) {
    for (operation, id, body) in calls {
        let before = log(app, "limit=1000").await.len();
        let (method, path) = filled(operation, &json!(id));
        let answer =
            app.http.request(method, app.url(&path)).bearer_auth(API_KEY).header("customer-id", CUSTOMER);
        let answer = answer.json(body).send().await.unwrap();
        let status = answer.status();
        assert!(answers(status), "{operation}: {status} {}", answer.text().await.unwrap());
        let log = log(app, "limit=1000").await;
        assert_eq!(log.len(), before, "{operation} {body}: {}", log[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_so_already_and_what_was_refused_leaves_no_entry() {
    let extra = [("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    app.account("acme", small(4));
    app.connect(CUSTOMER, "acme").await;
    let source = app.connection(CUSTOMER, "acme").await;
    let files = app.post("/user_files_v2", CUSTOMER, json!({})).await;
    let file = files["results"][0]["id"].clone();
    let client = json!({ "data_source_type": "ZENDESK", "credentials": { "client_id": "c", "client_secret": "s",
        "redirect_uri": "https://a.example/integrations/zendesk" } });
    let mut other = client.clone();
    other["credentials"]["client_id"] = json!("other");
    let resync = json!({ "file_id": file, "chunk_size": 900, "skip_file_processing": true });
    let schedule = json!({ "customer_ids": [CUSTOMER], "auto_sync_enabled_sources": "ALL", "max_files": 9,
        "auto_sync_interval": 12 });
    let organization = json!({ "global_user_config": { "max_files": 3, "auto_sync_enabled_sources": [] },
        "data_source_configs": { "ZENDESK": { "a": 1 } } });
    let branding = json!({ "display_name": "A", "color": "#102030", "contact": "mail us" });
    let tags = json!({ "organization_user_file_id": file, "tags": { "a": "b" } });
    let ours = json!({ "data_source_id": source.0, "tags": { "a": "b" } });
    let again = [
        ("POST /helpsync/v1/customers/{customer_id}/pause", CUSTOMER, json!({})),
        ("POST /helpsync/v1/lanes/{lane}/pause", "backfill", json!({})),
        ("PUT /helpsync/v1/branding", "", branding),
        ("PUT /helpsync/v1/readers", "", json!({ "viewer_segments_required": true })),
        ("POST /organization/update", "", organization),
        ("POST /update_users", "", schedule),
        ("POST /white_label/create", "", json!([other, client])),
        ("POST /white_label/update", "", client.clone()),
        ("POST /resync_file", "", resync),
        ("POST /create_user_file_tags", "", tags),
        ("POST /data_sources/tags/add", "", ours),
        ("PUT /helpsync/v1/selection", "", json!({ "attachments": true })),
    ];
    for (operation, id, body) in &again {
        let (method, path) = filled(operation, &json!(id));
        let (status, answer) = app.call(method, &path, CUSTOMER, Some(body.clone())).await;
        assert!(status.is_success(), "{operation}: {answer}");
    }
    assert_untold(&app, &again, |status| status.is_success()).await;
    // It takes what the runs of before announce meanwhile: nothing is dead, and there is nothing to send once more.
    let receiver = Receiver::start(200).await;
    let hook = json!({ "url": receiver.url });
    let hook = app.post("/add_webhook", CUSTOMER, hook).await["id"].to_string();
    let idle = [
        ("POST /organization/update", "", json!({})),
        ("POST /update_users", "", json!({ "customer_ids": [CUSTOMER] })),
        ("PUT /helpsync/v1/branding", "", json!({})),
        ("POST /white_label/delete", "", json!({ "ids": [900] })),
        ("POST /helpsync/v1/customers/{customer_id}/refuse_removals", CUSTOMER, json!({})),
        ("POST /delete_user_file_tags", "", json!({ "organization_user_file_id": file, "tags": ["z"] })),
        (
            "POST /data_sources/tags/remove",
            "",
            json!({ "data_source_id": source.0, "tags_to_remove": ["z"] }),
        ),
        ("POST /delete_users", "", json!({ "customer_ids": ["nobody"] })),
        ("POST /helpsync/v1/webhooks/{id}/redeliver", &hook, json!({})),
    ];
    assert_untold(&app, &idle, |status| status.is_success()).await;
    let refused = [
        ("POST /helpsync/v1/organizations", "", json!({ "name": "default" })),
        ("POST /helpsync/v1/customers/{customer_id}/approve_removals", CUSTOMER, json!({})),
        ("POST /helpsync/v1/customers/{customer_id}/pause", "nobody", json!({})),
        (
            "POST /create_user_file_tags",
            "",
            json!({ "organization_user_file_id": 9_999, "tags": { "a": "b" } }),
        ),
        ("DELETE /helpsync/v1/api-keys/{id}", "9999", json!({})),
    ];
    assert_untold(&app, &refused, |status| status.is_client_error()).await;
    let resumed = [
        ("POST /helpsync/v1/customers/{customer_id}/resume", CUSTOMER, json!({})),
        ("POST /helpsync/v1/lanes/{lane}/resume", "backfill", json!({})),
        ("POST /revoke_access_token", "", json!({ "data_source_id": source.0 })),
    ];
    for (operation, id, body) in &resumed {
        let (method, path) = filled(operation, &json!(id));
        app.call(method, &path, CUSTOMER, Some(body.clone())).await;
        assert_eq!(entry_of(&app, operation).await["action"], *operation);
    }
    assert_untold(&app, &resumed, |status| status.is_success()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_what_was_set_and_only_of_whom_it_was_set() {
    let app = TestApp::embedded().await;
    app.account("acme", small(4));
    app.connect(CUSTOMER, "acme").await;
    let file = app.post("/user_files_v2", CUSTOMER, json!({})).await["results"][0]["id"].clone();
    let logo = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=";
    let branding = json!({ "display_name": "A", "color": "#102030", "contact": "mail us", "logo": logo, "subdomains": ["acme"] });
    let mut told = branding.clone();
    told["logo"] = json!(format!("an image of {} characters", logo.len()));
    let config = json!({ "allowed_file_formats": ["TXT"], "access_token": "hidden" });
    let configs = json!({ "data_source_configs": { "ZENDESK": config } });
    let understood = json!({ "allowed_file_formats": ["TXT"], "google_workspace_docs_save_as": null });
    let mut understood = json!({ "data_source_configs": { "ZENDESK": understood } });
    understood["data_source_configs"]["ZENDESK"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let source = app.connection(CUSTOMER, "acme").await.0;
    let retagged = json!({ "data_source_id": source, "tags": { "x": "y" } });
    let untagged = json!({ "data_source_id": source, "remove_all_tags": true });
    let limits =
        json!({ "customer_ids": [CUSTOMER], "max_files_per_upload": 6, "max_characters_per_file": 77 });
    let limits_told = json!({ "max_files_per_upload": 6, "max_characters_per_file": 77 });
    let chunks = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "overwrite_existing": true,
        "chunks_and_embeddings": [{ "file_id": file, "chunks_and_embeddings": [
            { "chunk_number": 0, "chunk": "hidden", "embedding": [1.0, 0.0] }] }] });
    let chunks_told = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "overwrite_existing": true, "file_ids": [file] });
    let tags = json!({ "organization_user_file_id": file, "tags": { "a": "b" } });
    let away = json!({ "organization_user_file_id": file, "tags": ["a"] });
    for (operation, body, detail) in [
        ("PUT /helpsync/v1/branding", branding, told),
        ("PUT /helpsync/v1/branding", json!({ "contact": "" }), json!({ "contact": "" })),
        ("POST /organization/update", configs, understood),
        ("POST /data_sources/tags/add", retagged.clone(), retagged),
        ("POST /data_sources/tags/remove", untagged.clone(), untagged),
        ("POST /update_users", limits, limits_told),
        ("POST /upload_chunks_and_embeddings", chunks, chunks_told),
        ("POST /create_user_file_tags", tags.clone(), tags),
        ("POST /delete_user_file_tags", away.clone(), away),
        (
            "PUT /helpsync/v1/selection",
            json!({ "labels": ["x"], "public_only": true }),
            json!({ "selection": { "labels": ["x"], "public_only": true } }),
        ),
        ("PUT /helpsync/v1/selection", json!({}), json!({ "selection": "everything" })),
    ] {
        let (method, path) = filled(operation, &Value::Null);
        let (status, answer) = app.call(method, &path, CUSTOMER, Some(body.clone())).await;
        assert!(status.is_success(), "{operation}: {answer}");
        assert_eq!(entry_of(&app, operation).await["detail"], detail, "{operation} {body}");
    }
    // What is too long together is shortened member by member.
    let many: Vec<String> =
        (0..19).map(|number| format!("https://a{number}.example/{}", "x".repeat(280))).collect();
    let body = Some(json!({ "return_urls": many, "color": "#405060" }));
    let (status, answer) = app.call(Method::PUT, "/helpsync/v1/branding", CUSTOMER, body).await;
    assert!(status.is_success(), "{answer}");
    let detail = entry_of(&app, "PUT /helpsync/v1/branding").await["detail"].clone();
    assert_eq!(detail, json!({ "return_urls": "too long to be told", "color": "#405060" }));
    // Of what is gone the entry says what it was.
    let key =
        app.post("/helpsync/v1/api-keys", CUSTOMER, json!({ "name": "nightly", "scope": "read" })).await;
    assert_eq!(entry_of(&app, "POST /helpsync/v1/api-keys").await["detail"]["id"], key["id"]);
    let hook = json!({ "url": "https://hooks.example.com/x?token=hidden" });
    let hook = app.post("/add_webhook", CUSTOMER, hook).await;
    let client = json!({ "data_source_type": "ZENDESK", "credentials": { "client_id": "c", "client_secret": "hidden",
        "redirect_uri": "https://a.example/integrations/zendesk" } });
    let client = app.post("/white_label/create", CUSTOMER, json!([client])).await;
    let client = json!({ "ids": [client["results"][0]["id"]] });
    for (operation, id, body, name, value) in [
        ("DELETE /helpsync/v1/api-keys/{id}", &key["id"], json!({}), "name", json!("nightly")),
        (
            "DELETE /delete_webhook/{webhook_id}",
            &hook["id"],
            json!({}),
            "url",
            json!("https://hooks.example.com/x"),
        ),
        ("POST /white_label/delete", &Value::Null, client, "client_ids", json!(["c"])),
    ] {
        let (method, path) = filled(operation, id);
        let (status, answer) = app.call(method, &path, CUSTOMER, Some(body)).await;
        assert!(status.is_success(), "{operation}: {answer}");
        assert_eq!(entry_of(&app, operation).await["detail"][name], value, "{operation}");
    }
    assert!(!json!(log(&app, "limit=1000").await).to_string().contains("hidden"));
    // Each of several customers has the entries of what became of it, and no others.
    let set = json!({ "customer_ids": ["bob", "eve"], "max_files": 3 });
    app.post("/update_users", CUSTOMER, set).await;
    let set = json!({ "customer_ids": ["bob", "eve", "new"], "max_files": 3 });
    app.post("/update_users", CUSTOMER, set).await;
    let gone = json!({ "customer_ids": ["bob", "nobody", "new"] });
    app.post("/delete_users", CUSTOMER, gone).await;
    for (customer, entries) in [("bob", 2), ("eve", 1), ("new", 2), ("nobody", 0)] {
        let told = log(&app, &format!("customer_id={customer}&limit=10")).await;
        assert_eq!(told.len(), entries, "{customer}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_whom_a_data_source_belongs_to_and_only_who_deletes_a_customer_has_one() {
    let app = TestApp::embedded().await;
    app.account("acme", small(4));
    app.connect(CUSTOMER, "acme").await;
    let source = app.connection(CUSTOMER, "acme").await;
    for (path, body) in [
        ("/data_sources/tags/add", json!({ "data_source_id": source.0, "tags": { "a": "b" } })),
        ("/data_sources/tags/remove", json!({ "data_source_id": source.0, "tags_to_remove": ["a"] })),
    ] {
        // By the key alone: no header says whose it is.
        let request = app.http.post(app.url(path)).bearer_auth(API_KEY).json(&body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{path}");
        assert_eq!(entry_of(&app, &format!("POST {path}")).await["customer_id"], CUSTOMER, "{path}");
    }
    app.post("/update_users", CUSTOMER, json!({ "customer_ids": ["bob"], "max_files": 3 })).await;
    let delete =
        || app.call(Method::POST, "/delete_users", CUSTOMER, Some(json!({ "customer_ids": ["bob"] })));
    let all = tokio::join!(delete(), delete(), delete());
    for (status, answer) in [all.0, all.1, all.2] {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_eq!(log(&app, "customer_id=bob&action=POST+%2Fdelete_users").await.len(), 1);
    let file = app.post("/user_files_v2", CUSTOMER, json!({})).await["results"][0]["id"].to_string();
    let path = format!("/deletefile/{}{file}", "0".repeat(5_000));
    assert_eq!(app.call(Method::DELETE, &path, CUSTOMER, None).await.0, StatusCode::OK);
    let entry = entry_of(&app, "DELETE /deletefile/{file_id}").await;
    assert!(entry["target"].as_str().unwrap().len() <= 1_000, "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_which_files_were_deleted() {
    let app = TestApp::embedded().await;
    app.account("acme", small(4));
    app.connect(CUSTOMER, "acme").await;
    let files = app.post("/user_files_v2", CUSTOMER, json!({})).await;
    let file = |number: usize| files["results"][number]["id"].as_i64().unwrap();
    let tags = json!({ "organization_user_file_id": file(0), "tags": { "team": "a" } });
    app.post("/create_user_file_tags", CUSTOMER, tags).await;
    let filters = json!({ "ids": [file(0)], "tags_v2": { "OR": [{ "key": "team", "value": "a" }] } });
    let body = json!({ "filters": filters, "preserve_file_record": true });
    app.post("/delete_files_v2", CUSTOMER, body.clone()).await;
    assert_eq!(entry_of(&app, "POST /delete_files_v2").await["detail"], body);
    let ids: Vec<i64> = (900_001..900_120).chain([file(1)]).collect();
    app.post("/delete_files", CUSTOMER, json!({ "file_ids": ids })).await;
    let detail = entry_of(&app, "POST /delete_files").await["detail"].clone();
    assert_eq!((detail["file_ids"].as_array().unwrap().len(), &detail["file_ids_in_all"]), (50, &json!(120)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_what_was_done_and_not_what_somebody_sent_beside_it() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let (_, token) = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await;
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let file = app.post("/user_files_v2", CUSTOMER, json!({})).await["results"][0]["id"].clone();
    let tags = "POST /create_user_file_tags";
    let others: Vec<String> = (0..300).map(|number| format!("victim{number}")).collect();
    for (number, beside) in [
        json!({ "customer_id": "bob" }),
        json!({ "customer_ids": [] }),
        json!({ "customer_ids": others }),
        json!({ "approve": true, "by": "operator", "scope": "operator", "name": "x".repeat(300) }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = json!({ "organization_user_file_id": file, "tags": { "x": number } });
        body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let before = log(&app, "limit=1000").await.len();
        let sent = app.http.post(app.url("/create_user_file_tags")).header("authorization", &token);
        assert_eq!(sent.json(&body).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(log(&app, "limit=1000").await.len(), before + 1, "{beside}");
        let entry = entry_of(&app, tags).await;
        assert_eq!(entry["customer_id"], CUSTOMER, "{beside}: {entry}");
        assert_eq!(
            entry["detail"],
            json!({ "organization_user_file_id": file, "tags": { "x": number } }),
            "{beside}"
        );
    }
    // A header that the operation does not read.
    let paused = app.http.post(app.url("/helpsync/v1/customers/ada/pause")).bearer_auth(API_KEY);
    assert!(paused.header("customer-id", "bob").send().await.unwrap().status().is_success());
    let pause = entry_of(&app, "POST /helpsync/v1/customers/{customer_id}/pause").await;
    assert_eq!(pause["customer_id"], CUSTOMER, "{pause}");
    // A body however long.
    app.post("/user_files_v2", "gone", json!({})).await;
    let body = format!("{}{}", json!({ "customer_ids": ["gone"] }), " ".repeat(70_000));
    let sent = app.http.post(app.url("/delete_users")).bearer_auth(API_KEY).body(body).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    assert_eq!(entry_of(&app, "POST /delete_users").await["customer_id"], "gone");
}
