//! Real articles.

use crate::{converted, differences, faults};

#[test]
fn real_articles_and_their_copies_say_the_same() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/real-articles/arduino/articles-subset.json");
    let Ok(json) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: the real articles are not here");
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&json).unwrap();
    let articles = file["articles"].as_array().unwrap();
    assert!(articles.len() > 100);
    for article in articles {
        let html = article["body"].as_str().unwrap();
        let converted = converted(html);
        let found = faults(&converted).or_else(|| differences(html, &converted));
        assert!(found.is_none(), "article {}: {}", article["id"], found.unwrap_or_default());
        assert!(converted.markdown.len() <= 2 * html.len() + 1_000, "article {}", article["id"]);
    }
}
