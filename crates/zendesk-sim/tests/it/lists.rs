//! Lists and the export, quirk by quirk.

use std::collections::BTreeSet;

use serde_json::Value;
use zendesk_sim::{Change, GenerateOptions, Role};

use crate::{CLIENT, Setup, articles};

fn ids(body: &Value) -> Vec<i64> {
    body["articles"].as_array().unwrap().iter().map(|it| it["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_cursor_walk_and_an_offset_walk_see_every_article_once() {
    let setup = Setup::new(articles(250)).await;
    let all: BTreeSet<i64> = setup.account.article_ids().into_iter().collect();
    let visible = {
        let mut seen = Vec::new();
        let mut next =
            Some("/api/v2/help_center/articles?page[size]=100&sort_by=created_at&sort_order=asc".to_owned());
        while let Some(path) = next {
            let (_, body) = setup.get(&path).await;
            seen.extend(ids(&body));
            next = body["meta"]["has_more"]
                .as_bool()
                .unwrap()
                .then(|| body["links"]["next"].as_str().unwrap().to_owned());
        }
        seen
    };
    let unique: BTreeSet<i64> = visible.iter().copied().collect();
    assert_eq!(unique.len(), visible.len());
    assert!(unique.is_subset(&all));

    let mut seen = BTreeSet::new();
    let mut next = Some("/api/v2/help_center/articles?per_page=100&sort_by=created_at".to_owned());
    while let Some(path) = next {
        let (_, body) = setup.get(&path).await;
        assert_eq!(body["count"], visible.len());
        seen.extend(ids(&body));
        next = body["next_page"].as_str().map(ToOwned::to_owned);
    }
    assert_eq!(seen, unique);
}

#[tokio::test]
async fn offset_pages_end_at_the_hundredth() {
    let setup = Setup::new(articles(3)).await;
    let (status, body) = setup.get("/api/v2/help_center/articles?page=101&per_page=1").await;
    assert_eq!((status, body["errors"][0]["code"].as_str()), (400, Some("InvalidPaginationDepth")));
}

#[tokio::test]
async fn the_export_repeats_the_boundary_and_an_empty_one_ends_at_one() {
    let setup = Setup::new(articles(40)).await;
    setup.account.update_settings(|settings| settings.incremental_page_size = 15);
    let (_, first) = setup.get("/api/v2/help_center/incremental/articles?start_time=0").await;
    let next = first["next_page"].as_str().unwrap();
    assert!(next.contains(&format!("start_time={}", first["end_time"])));
    let (_, second) = setup.get(next).await;
    assert!(ids(&second).contains(ids(&first).last().unwrap()), "the boundary article comes again");
    let (_, empty) = setup.get("/api/v2/help_center/incremental/articles?start_time=9999999999").await;
    assert_eq!(
        (empty["count"].as_i64(), empty["end_time"].as_i64(), empty["next_page"].is_null()),
        (Some(0), Some(1), true)
    );
}

#[tokio::test]
async fn a_second_with_more_than_a_page_of_changes_never_ends_by_time() {
    let setup = Setup::new(GenerateOptions { articles: 0, ..GenerateOptions::default() }).await;
    setup.sim.clock().freeze();
    setup.account.generate(&articles(1));
    for _ in 0..6 {
        let change =
            Change::Create { section_id: None, title: "x".to_owned(), body: String::new(), draft: false };
        setup.account.apply(change).unwrap();
    }
    setup.account.update_settings(|settings| settings.incremental_page_size = 3);
    let start = setup.sim.clock().now();
    let path = format!("/api/v2/help_center/incremental/articles?start_time={start}");
    let (_, body) = setup.get(&path).await;
    assert!(body["next_page"].as_str().unwrap().ends_with(&format!("start_time={start}")));
}

#[tokio::test]
async fn end_users_see_no_drafts_and_no_export() {
    let mut setup = Setup::new(GenerateOptions { draft_fraction: 0.5, ..articles(60) }).await;
    let (_, staff) = setup.get("/api/v2/help_center/articles").await;
    setup.token = setup.account.issue_tokens(CLIENT, Role::EndUser, "hc:read").access_token;
    // They have to name a locale, for the tree as well.
    for wanted in ["articles", "sections", "categories"] {
        assert_eq!(setup.get(&format!("/api/v2/help_center/{wanted}")).await.0, 404);
        assert_eq!(setup.get(&format!("/api/v2/help_center/en-us/{wanted}")).await.0, 200);
    }
    let (_, reader) = setup.get("/api/v2/help_center/en-us/articles").await;
    assert!(reader["count"].as_i64() < staff["count"].as_i64());
    assert!(reader["articles"].as_array().unwrap().iter().all(|it| it["draft"] == false));
    assert_eq!(setup.get("/api/v2/help_center/incremental/articles?start_time=0").await.0, 404);
}

#[tokio::test]
async fn archived_and_deleted_articles_are_in_no_answer_and_move_nothing() {
    let setup = Setup::new(articles(5)).await;
    let gone = setup.account.article_ids();
    setup.account.apply(Change::Archive { id: gone[0] }).unwrap();
    setup.account.apply(Change::Delete { id: gone[1] }).unwrap();
    for id in &gone[..2] {
        assert_eq!(setup.get(&format!("/api/v2/help_center/articles/{id}")).await.0, 404);
    }
    let (_, body) = setup.get("/api/v2/help_center/incremental/articles?start_time=0").await;
    assert!(ids(&body).iter().all(|id| !gone[..2].contains(id)));
    setup.account.apply(Change::Restore { id: gone[0] }).unwrap();
    assert_eq!(setup.get(&format!("/api/v2/help_center/articles/{}", gone[0])).await.0, 200);
}

#[tokio::test]
async fn the_control_surface_tells_the_truth_and_changes_it() {
    let setup = Setup::new(articles(30)).await;
    let control = |path: &str| format!("http://{}/_sim/accounts/acme/{path}", setup.sim.address());
    let truth: Vec<Value> = setup.http.get(control("truth")).send().await.unwrap().json().await.unwrap();
    assert_eq!(truth.len(), setup.account.truth().len());
    let made =
        setup.http.post(control("random_changes")).json(&serde_json::json!({ "count": 10, "seed": 3 }));
    let made: Vec<Value> = made.send().await.unwrap().json().await.unwrap();
    assert!(!made.is_empty());
    let wrong = setup.http.post(control("changes")).json(&serde_json::json!({ "kind": "explode" }));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn brands_have_help_centers_of_their_own_behind_one_token_and_one_budget() {
    let setup = Setup::new(articles(10)).await;
    let control = |path: &str| format!("http://{}/_sim/accounts/acme/{path}", setup.sim.address());
    let options = serde_json::json!({ "subdomain": "acme-two", "generate": { "articles": 7 } });
    let made = setup.http.post(control("brands")).json(&options).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let two = setup.sim.account("acme-two").unwrap();
    assert!(two.article_ids().iter().all(|id| !setup.account.article_ids().contains(id)));

    let (_, body) = setup.get("/api/v2/brands?page[size]=100").await;
    let shown: Vec<&str> =
        body["brands"].as_array().unwrap().iter().filter_map(|brand| brand["subdomain"].as_str()).collect();
    assert!(shown.len() == 2 && shown.contains(&"acme") && shown.contains(&"acme-two"), "{body}");
    let left = async |address: String| {
        let answer = setup.send(&address).await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        answer.headers()["ratelimit-remaining"].to_str().unwrap().parse::<u32>().unwrap()
    };
    let list = "/api/v2/help_center/articles";
    let other = format!("http://{}/acme-two{list}", setup.sim.address());
    // A minute may end between the two, but not twice.
    let mut pairs = Vec::new();
    for _ in 0..2 {
        pairs.push((left(setup.url(list)).await, left(other.clone()).await));
    }
    assert!(
        pairs.iter().any(|(own, brand)| own - 1 == *brand),
        "a brand spends the account's budget: {pairs:?}"
    );

    // Without `read` nobody sees them; and one token's end is its end everywhere.
    let narrow = setup.account.issue_tokens(crate::CLIENT, Role::Admin, "hc:read").access_token;
    let refused = setup.http.get(setup.url("/api/v2/brands")).bearer_auth(narrow).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    setup.account.revoke_tokens();
    assert_eq!(setup.send(&other).await.unwrap().status(), 401);

    assert_eq!(setup.http.delete(control("brands/acme-two")).send().await.unwrap().status(), 204);
    assert_eq!(setup.send(&other).await.unwrap().status(), 404);
}
