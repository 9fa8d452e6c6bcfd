//! What an article says, and what is secret, stands in no line of the log, however much is logged.

use serde_json::json;
use zendesk_sim::{Change, Sim, SimOptions};

use crate::app::{account, named, settings_of, small, sqlite_url};
use crate::log::PLANTED;
use crate::search_load::Up;

const CUSTOMER: &str = "ada";
/// In the article alone, in every place where one has text.
const WORDS: [&str; 7] =
    ["zqtitle", "zqparagraph", "zqattribute", "zqcell", "zqscript", "zqcomment", "zqquery"];
const BODY: &str = "<!-- zqcomment --><p class='zqattribute'>zqparagraph <b>&amp; more</b><p>unclosed<table><tr>\
    <td title='zqattribute'>zqcell</table><script>zqscript()</script><iframe src='https://example.com/zqattribute'>";
/// Parsers log what they read, piece by piece.
const PARSERS: [&str; 4] = ["html5ever", "markup5ever", "selectors", "cssparser"];

async fn nothing_of_an_article_is_logged(level: &str) {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let account = account(&sim, "acme", small(0));
    let (title, body) = ("About zqtitle".to_owned(), BODY.to_owned());
    account.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap();
    let mut env = settings_of(&sim);
    env.retain(|(name, _)| *name != named("LOG__FILTER", "").0);
    env.extend([named("LOG__FILTER", level), named("STORE__URL", sqlite_url(folder.path()))]);
    let up = Up::start(&env).await;
    up.connect(CUSTOMER, "acme").await;
    let (status, found) =
        up.ask(CUSTOMER, "embeddings", json!({ "query": "zqparagraph zqquery", "k": 5 })).await;
    assert!(status.is_success(), "{found}");
    assert!(found.to_string().contains("zqcell"), "it was converted and is found: {found}");
    let (status, text) = up.process.stopped().await;
    assert!(status.success());
    // What is logged at this level is there: our own lines, and those of who speaks HTTP and SQL.
    for target in ["helpsync_", "sqlx::query"] {
        assert!(text.contains(&format!("\"target\":\"{target}")), "nothing of {target}");
    }
    assert!(text.contains(&format!("\"level\":\"{}\"", level.to_uppercase())));
    for word in WORDS.iter().chain(&PARSERS).chain(&PLANTED) {
        let line = text.lines().find(|line| line.contains(word));
        assert!(line.is_none(), "{word} is logged: {}", line.unwrap_or_default());
    }
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_article_and_no_secret_is_logged_at_debug() {
    nothing_of_an_article_is_logged("debug").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_article_and_no_secret_is_logged_at_trace() {
    nothing_of_an_article_is_logged("trace").await;
}
