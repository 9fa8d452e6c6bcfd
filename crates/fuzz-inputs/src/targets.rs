//! Targets whose readers are open to every crate: articles, and messages of the broker. Others stand beside their readers.

use bolero::check;
use helpsync_content::{Limits, convert};
use helpsync_model::{Job, Request};

use crate::Changed;

const ARTICLES: [&[u8]; 5] = [
    b"<h1>A</h1><p>b <a href=\"https://a.example/x\">c</a> <img src=\"/y.png\" onerror=\"z\"></p>",
    b"<table><thead><tr><th>h<th>i<tbody><tr><td colspan=3 rowspan=2>a<td><ul><li>b<ol start=3><li>c</table>",
    b"<pre class=\"language-x\"><code>d\n```\n  e|f</code></pre><blockquote>g<hr></blockquote>10<sup>6</sup>",
    b"<a href=\"javascript:alert(1)\">x</a><script>alert(1)</script><svg><a xlink:href=\"data:text/html,x\">",
    b"<dl><dt>k<dd>v</dl><details><summary>s</summary>t</details><iframe src=\"//v.example\" title=w></iframe>",
];

#[test]
fn articles() {
    let limits = Limits::default();
    check!().with_type::<Changed>().for_each(|changed| {
        let html = changed.text(&ARTICLES);
        let Ok(converted) = convert(&html, Some("https://a.example/hc"), &limits) else { return };
        assert!(!converted.markdown.contains("](javascript:"), "{html:?}: {}", converted.markdown);
        let again = convert(&html, Some("https://a.example/hc"), &limits).unwrap();
        assert_eq!(converted.markdown, again.markdown, "{html:?}");
    });
}

const MESSAGES: [&[u8]; 5] = [
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","organization":"acme","action":"sync","full":true}"#,
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","action":"sync"}"#,
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","action":"resync_article","article_id":360001}"#,
    br#"{"schema":1,"run":1,"shard":2,"lane":"on_demand","kind":"plan"}"#,
    br#"{"schema":1,"run":9,"shard":7,"lane":"backfill","kind":"walk_list"}"#,
];

#[test]
fn messages() {
    assert!(MESSAGES[..3].iter().all(|seed| Request::from_bytes(seed).is_ok()));
    assert!(MESSAGES[3..].iter().all(|seed| Job::from_bytes(seed).is_ok()));
    check!().with_type::<Changed>().for_each(|changed| {
        let input = changed.of(&MESSAGES);
        if let Ok(request) = Request::from_bytes(&input) {
            assert_eq!(
                Request::from_bytes(&request.to_bytes()).unwrap(),
                request,
                "what is read is written and read"
            );
        }
        if let Ok(job) = Job::from_bytes(&input) {
            assert_eq!(Job::from_bytes(&job.to_bytes()).unwrap(), job);
        }
    });
}
