//! Fuzz target: answers of Zendesk. Each is read or refused, over a socket, whatever it holds.

use std::panic::AssertUnwindSafe;

use bolero::check;
use fuzz_inputs::Changed;
use tokio::runtime::Runtime;

use super::*;

/// An answer with everything that some reader looks for, from a server at `ORIGIN`.
const SEED: &str = r#"{"count":2,"next_page":"ORIGIN/acme/api/v2/help_center/articles?page=2&start_time=170","page_count":2,"end_time":170,
    "meta":{"has_more":true,"after_cursor":"abc"},"links":{"next":"ORIGIN/acme/api/v2/help_center/articles.json?page[after]=abc"},
    "articles":[{"id":7,"title":"A","body":"<p>\u00fc</p>","locale":"en-us","source_locale":"en-us","draft":false,
    "html_url":"https://acme.zendesk.com/hc/articles/7","section_id":3,"author_id":9,"label_names":["x"],"content_tag_ids":[],
    "user_segment_ids":[1],"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z","edited_at":"2024-01-02T00:00:00Z"}],
    "article":{"id":7,"title":"A","body":"<p>b</p>","locale":"en-us","source_locale":"en-us","draft":false,"section_id":3,
    "html_url":"https://acme.zendesk.com/hc/articles/7","created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z"},
    "translations":[{"id":5,"source_id":7,"source_type":"Article","locale":"en-us","title":"A","body":"<p>b</p>","draft":false,
    "outdated":false,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z"}],
    "sections":[{"id":3,"name":"S","category_id":1,"parent_section_id":null}],"categories":[{"id":1,"name":"C"}],
    "brands":[{"id":1,"subdomain":"acme","has_help_center":true,"active":true,"help_center_state":"enabled","name":"B"}],
    "users":[{"id":9,"name":"Ann"}],"article_attachments":[{"id":4,"file_name":"f","content_type":"image/png","size":3,
    "content_url":"ORIGIN/acme/hc/article_attachments/4"}]}"#;

/// Reads one answer in one of the ways in which answers are read.
async fn read(client: &Client, way: usize) -> Result<(), Failure> {
    match way {
        0 => client.export_articles(0).await.map(drop),
        1 => client.list_articles(&ListQuery::offset(Scope::All, 1)).await.map(drop),
        2 => client.count_articles().await.map(drop),
        3 => client.sections(1).await.map(drop),
        4 => client.categories(1).await.map(drop),
        5 => client.brands(None).await.map(drop),
        6 => client.attachments(7).await.map(drop),
        _ => client.article(7).await.map(drop),
    }
}

const WAYS: usize = 8;

#[test]
fn answers() {
    let runtime = Runtime::new().unwrap();
    let body = Arc::new(Mutex::new(String::new()));
    let answer = Arc::clone(&body);
    let server = runtime.block_on(Server::start(move |_| json(answer.lock().unwrap().clone())));
    let (client, seed) = (server.client().client, SEED.replace("ORIGIN", &server.origin));
    body.lock().unwrap().clone_from(&seed);
    for way in 0..WAYS {
        let read = runtime.block_on(read(&client, way));
        assert!(read.is_ok(), "the seed is an answer for the way {way}: {read:?}");
    }
    // What a panic leaves half done is thrown away with it.
    let held = AssertUnwindSafe((runtime, server, client, body));
    check!().with_type::<Changed>().for_each(|changed| {
        let AssertUnwindSafe((runtime, server, client, body)) = &held;
        *body.lock().unwrap() = changed.text(&[seed.as_bytes()]);
        drop(runtime.block_on(read(client, changed.choice(WAYS))));
        server.seen.lock().unwrap().clear();
    });
}
