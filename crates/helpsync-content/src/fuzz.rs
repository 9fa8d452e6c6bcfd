//! Fuzz target: articles.

use bolero::check;
use fuzz_inputs::Changed;

use crate::{Limits, convert};

const SEEDS: [&[u8]; 5] = [
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
        let html = changed.text(&SEEDS);
        let Ok(converted) = convert(&html, Some("https://a.example/hc"), &limits) else { return };
        assert!(!converted.markdown.contains("](javascript:"), "{html:?}: {}", converted.markdown);
        let again = convert(&html, Some("https://a.example/hc"), &limits).unwrap();
        assert_eq!(converted.markdown, again.markdown, "{html:?}");
    });
}
