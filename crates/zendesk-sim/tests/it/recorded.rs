//! Our answers against recorded ones: every member that Zendesk sends is there, with the same type.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Setup, articles};

fn recorded(file: &str) -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/zendesk-recorded");
    if !folder.exists() {
        eprintln!("SKIPPED: the recorded answers are not here");
        return None;
    }
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    Some(value["interactions"][0]["response"]["body"].clone())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Names the member that is missing or of another type. Null stands for any type: many members are nullable.
fn covers(ours: &Value, theirs: &Value, place: &str) {
    let (is, should) = (kind(ours), kind(theirs));
    assert!(is == should || is == "null" || should == "null", "{place} is {is}, recorded {should}");
    if let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) {
        for (name, value) in theirs {
            let own = ours.get(name).unwrap_or_else(|| panic!("{place}.{name} is missing"));
            covers(own, value, &format!("{place}.{name}"));
        }
    }
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs)
        && let (Some(own), Some(their)) = (ours.first(), theirs.first())
    {
        covers(own, their, &format!("{place}[0]"));
    }
}

#[tokio::test]
async fn lists_single_articles_exports_and_trees_have_the_recorded_shape() {
    let setup = Setup::new(articles(20)).await;
    let id = setup.account.article_ids()[0];
    for (file, path) in [
        ("nango/list-articles.json", "/api/v2/help_center/articles".to_owned()),
        (
            "nango/incremental-articles-start0.json",
            "/api/v2/help_center/incremental/articles.json?start_time=0".to_owned(),
        ),
        ("nango/get-article.json", format!("/api/v2/help_center/articles/{id}")),
        (
            "nango/sections.json",
            "/api/v2/help_center/sections.json?per_page=100&sort_by=updated_at&sort_order=asc".to_owned(),
        ),
        (
            "nango/categories.json",
            "/api/v2/help_center/categories?page[size]=100&sort_by=updated_at&sort_order=asc".to_owned(),
        ),
        ("salto/myBrand_mock_replies.json", "/api/v2/brands".to_owned()),
    ] {
        let Some(theirs) = recorded(file) else { return };
        let (status, ours) = setup.get(&path).await;
        assert_eq!(status, 200, "{path}");
        covers(&ours, &theirs, file);
    }
}
