//! A fuzz target: answers of Zendesk with changes that nobody meant. Each is read or refused, nothing panics, and what is
//! refused names a failure. `HELPSYNC_TEST_FUZZ_SECONDS` makes it go on for longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use helpsync_model::{Entropy as _, SeededEntropy};

use super::*;

const SECONDS: u64 = 2;
const INPUTS_MIN: u64 = 20;
const SEED: &str = r#"{"count":2,"next_page":"https://acme.zendesk.com/api/v2/help_center/articles?page=2","page_count":2,"end_time":170,
    "meta":{"has_more":true,"after_cursor":"abc"},"links":{"next":"https://x/"},
    "articles":[{"id":7,"title":"A","body":"<p>\u00fc</p>","locale":"en-us","source_locale":"en-us","draft":false,
    "html_url":"https://acme.zendesk.com/hc/articles/7","section_id":3,"author_id":9,"label_names":["x"],"content_tag_ids":[],
    "user_segment_ids":[1],"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z","edited_at":"2024-01-02T00:00:00Z"}],
    "sections":[{"id":3,"name":"S","category_id":1,"parent_section_id":null}],"categories":[{"id":1,"name":"C"}],
    "brands":[{"id":1,"subdomain":"acme","has_help_center":true,"active":true,"help_center_state":"enabled","name":"B"}],
    "users":[{"id":9,"name":"Ann"}],"article_attachments":[{"id":4,"file_name":"f","content_type":"image/png","size":3}]}"#;
const ODD: [&str; 10] = [
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "9223372036854775808",
    "[[[[[[",
    "\"\"",
    "true",
    "-1",
    "javascript:x",
];

fn mutated(entropy: &SeededEntropy) -> String {
    let below = |end: usize| {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % end.max(1) as u64).unwrap()
    };
    let mut input = SEED.as_bytes().to_vec();
    for _ in 0..=below(4) {
        let at = below(input.len() + 1);
        let end = (at + below(12)).min(input.len());
        match below(4) {
            0 => drop(input.drain(at..end)),
            1 => {
                let copy = input[at..end].to_vec();
                input.splice(at..at, copy.repeat(1 + below(20)));
            }
            2 => input.truncate(at.max(1)),
            _ => drop(input.splice(at..end, ODD[below(ODD.len())].bytes())),
        }
    }
    String::from_utf8_lossy(&input).into_owned()
}

#[tokio::test]
async fn answers_are_read_or_refused_whatever_they_hold() {
    let (entropy, made) = (SeededEntropy::new(5), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&made);
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        json(mutated(&entropy))
    })
    .await;
    let client = server.client().client;
    let seconds = std::env::var("HELPSYNC_TEST_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(SECONDS));
    while made.load(Ordering::Relaxed) < INPUTS_MIN || Instant::now() < until {
        drop(client.export_articles(0).await);
        drop(client.list_articles(&ListQuery::offset(Scope::All, 1)).await);
        drop(client.count_articles().await);
        drop(client.article(7).await);
        drop(client.sections(1).await);
        drop(client.categories(1).await);
        drop(client.brands(None).await);
        drop(client.attachments(7).await);
    }
    println!("{} answers", made.load(Ordering::Relaxed));
}
