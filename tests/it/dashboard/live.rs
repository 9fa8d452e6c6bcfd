//! Streams of pages that stay current.

use reqwest::{Response, StatusCode};

use super::Visitor;
use crate::app::{API_KEY, LATE, TestApp, small};

/// Streams that one browser may have open.
const STREAMS: usize = 10;

async fn open(visitor: &Visitor<'_>, path: &str, seen: Option<&str>) -> Response {
    let mut request = visitor.with(visitor.app.http.get(visitor.app.url(&format!("{}{path}", visitor.home))));
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen);
    }
    request.send().await.unwrap()
}

/// The next event that has data: its id and its data.
async fn next(stream: Response) -> (String, String, Response) {
    let mut stream = stream;
    let mut text = String::new();
    let read = async {
        while let Some(piece) = stream.chunk().await.unwrap() {
            text.push_str(&String::from_utf8_lossy(&piece));
            if text.contains("\n\n") && text.contains("data:") {
                break;
            }
        }
    };
    tokio::time::timeout(LATE, read).await.expect("an event");
    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    (line("id:"), line("data:"), stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_the_whole_state_and_goes_on_where_the_browser_was() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect("ada", "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = visitor.customer("ada").await;
    let path = format!("/customers/{customer}/live");
    let (id, data, first) = next(open(&visitor, &path, None).await).await;
    assert!(data.contains("acme") && data.contains("\\\"badge good\\\""), "{data}");
    assert!(!data.contains(&visitor.token), "nothing of one browser is sent to another");
    drop(first);
    // What it has seen is not sent again, but what came after it.
    let again = open(&visitor, &path, Some(&id)).await;
    assert_eq!(
        visitor.post(&format!("/customers/{customer}/act/pause"), &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    let (later, data, _again) = next(again).await;
    assert_ne!(later, id);
    assert!(data.contains("paused"), "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_of_a_browser_are_bounded_and_given_back() {
    let app = TestApp::embedded().await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let stream = open(&visitor, "/live", None).await;
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    assert_eq!(open(&visitor, "/live", None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let other = Visitor::login(&app, API_KEY).await;
    assert_eq!(open(&other, "/live", None).await.status(), StatusCode::OK);
    drop(streams);
    crate::app::until("a place to be given back", async || {
        let stream = open(&visitor, "/live", None).await;
        (stream.status() == StatusCode::OK).then_some(())
    })
    .await;
    let mut ended = open(&visitor, "/live", None).await;
    app.stop().await;
    let rest = async { while let Ok(Some(_piece)) = ended.chunk().await {} };
    tokio::time::timeout(LATE, rest).await.expect("streams end with the process");
}
