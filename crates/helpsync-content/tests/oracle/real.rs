//! Real articles.

use std::time::Instant;

use crate::{converted, differences, dom, faults};

const ROUNDS: usize = 5;

/// Id and HTML; `None` where they are not at hand.
fn articles() -> Option<Vec<(String, String)>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/real-articles/arduino/articles-subset.json");
    let Ok(json) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: the real articles are not here");
        return None;
    };
    let file: serde_json::Value = serde_json::from_str(&json).unwrap();
    let articles = file["articles"].as_array().unwrap().iter();
    Some(articles.map(|it| (it["id"].to_string(), it["body"].as_str().unwrap().to_owned())).collect())
}

#[test]
fn real_articles_and_their_copies_say_the_same() {
    let Some(articles) = articles() else { return };
    assert!(articles.len() > 100);
    for (id, html) in articles {
        let converted = converted(&html);
        let found = faults(&converted).or_else(|| differences(&html, &converted));
        assert!(found.is_none(), "article {id}: {}", found.unwrap_or_default());
        assert!(converted.markdown.len() <= 2 * html.len() + 1_000, "article {id}");
    }
}

#[test]
#[ignore = "a measurement, not a test: run it with --ignored --nocapture, on a release build"]
fn speed_of_conversion_beside_parsing_alone() {
    let Some(articles) = articles() else { return };
    let milliseconds = |work: &dyn Fn(&str) -> usize| {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let done: usize = articles.iter().map(|(_, html)| work(html)).sum();
            assert!(done > 0);
            best = best.min(began.elapsed().as_secs_f64());
        }
        best * 1_000_000.0 / articles.len() as f64
    };
    let parsing = milliseconds(&|html| dom::all(&dom::parsed(html)).len());
    let conversion = milliseconds(&|html| converted(html).markdown.len());
    println!(
        "per 1,000 articles: parsing {parsing:.0} ms, conversion {conversion:.0} ms, {:.2} times",
        conversion / parsing
    );
}
