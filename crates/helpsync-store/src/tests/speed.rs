//! How fast pages are stored, next to the same texts written bare: `docs/benchmarks.md` has the figures.

use std::time::{Duration, Instant};

use helpsync_model::{Lane, RunKind, RunParams, Trigger};

use crate::testing::{BareTexts, TestStore, article, name_of, stores};
use crate::{IncomingArticle, PageWrite, RunRequest, ShardEnd};

const PAGES: i64 = 5;
const PAGE: i64 = 1_000;
/// The median of real articles.
const HTML_BYTES: usize = 4_400;

fn page(number: i64) -> Vec<IncomingArticle> {
    let ids = number * PAGE..(number + 1) * PAGE;
    let made = ids.map(|id| {
        let mut article = article(id, "A title of some length", 5);
        let text = &mut article.translations[0];
        text.html = "<p>word \"and\" w\u{f6}rd</p>\n".repeat(HTML_BYTES / 26);
        text.markdown = "word \"and\" w\u{f6}rd\n\n".repeat(HTML_BYTES / 26);
        text.plain.clone_from(&text.markdown);
        article
    });
    made.collect()
}

/// One statement an article and one transaction a page, nothing else: what the texts alone cost.
async fn bare(store: &TestStore) -> Duration {
    let mut bare = BareTexts::of(store).await.unwrap();
    let pages: Vec<_> = (0..PAGES).map(page).collect();
    let began = Instant::now();
    for articles in &pages {
        let texts = articles.iter().map(|article| &article.translations[0]);
        let texts: Vec<_> = texts.map(|text| [&*text.html, &*text.markdown, &*text.plain]).collect();
        bare.write(&texts).await.unwrap();
    }
    began.elapsed()
}

#[tokio::test]
#[ignore = "a measurement: cargo test -p helpsync-store --lib speed -- --ignored --nocapture"]
async fn pages_are_stored_at_a_speed_worth_printing() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let request = RunRequest {
            connection,
            kind: Some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "u".to_owned(),
            params: RunParams::default(),
        };
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let started = store.start(run).await;
        let bare = bare(&store).await;
        let pages: Vec<_> =
            (0..PAGES).map(|number| PageWrite { articles: page(number), ..PageWrite::default() }).collect();
        let mut took = Vec::new();
        for _ in 0..2 {
            let began = Instant::now();
            for page in &pages {
                store.sync().store_page(&started, page).await.unwrap();
            }
            took.push(began.elapsed());
        }
        store.queue().end_shard(&started.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        let rate = |took: Duration| (PAGES * PAGE) as f64 / took.as_secs_f64();
        println!(
            "{}: bare {:.0}/s, new {:.0}/s ({:.2} of bare), unchanged {:.0}/s",
            name_of(&store),
            rate(bare),
            rate(took[0]),
            rate(took[0]) / rate(bare),
            rate(took[1]),
        );
    }
}
