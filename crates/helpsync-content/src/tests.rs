use std::thread;

use proptest::prelude::*;

use super::*;

fn both(html: &str) -> Converted {
    convert(html, None, &Limits::default()).unwrap()
}

fn markdown(html: &str) -> String {
    both(html).markdown
}

fn text(html: &str) -> String {
    both(html).text
}

/// An article as help centers hold them: headings, lists, a callout, a table, code, an image and a video.
const ARTICLE: &str = r##"<h2 id="h_01">Before you&nbsp;start</h2>
<p>You need an <strong>admin</strong> role and the <a href="https://example.com/hc/en-us/articles/1">mobile app</a>.</p>
<ol><li>Open <em>Settings</em>.</li><li>Choose one:<ul><li>Phone</li><li>Tablet</li></ul></li></ol>
<div class="callout"><p>Careful: this can&#39;t be undone.</p></div>
<table><thead><tr><th>Plan</th><th>Seats</th></tr></thead><tbody><tr><td>Team</td><td>5</td></tr>
<tr><td>Growth</td><td>25</td></tr></tbody></table>
<pre><code>curl -X POST \
  https://api.example.com</code></pre>
<p><img src="/hc/article_attachments/42/shot.png" alt="The button"><br>Press it.</p>
<p><iframe src="https://video.example.com/embed/7" title="Tour"></iframe></p>"##;

#[test]
fn what_wraps_items_of_a_list_and_stands_apart_joins_no_words() {
    for (html, expected, plain) in [
        ("<ol>x1<label>y<li></ol>", "x1\n\ny", "x1\ny"),
        ("<ol>x1<label>y<li>z</ol>", "x1\n\ny\n\n1. z", "x1\ny\nz"),
        ("<ul>x1<div>y<li>a</li>b</div>c</ul>", "x1\n\ny\n\n- a\n\n  b\n\n  c", "x1\n\ny\na\nb\n\nc"),
        ("<ul>x1<b>y<li>z</b></ul>", "x1**y**\n\n- **z**", "x1y\nz"),
    ] {
        assert_eq!((markdown(html).as_str(), text(html).as_str()), (expected, plain), "{html}");
    }
}

#[test]
fn a_typical_article_becomes_markdown() {
    let expected = "\
## Before you start

You need an **admin** role and the [mobile app](https://example.com/hc/en-us/articles/1).

1. Open *Settings*.
2. Choose one:
   - Phone
   - Tablet

Careful: this can't be undone.

| Plan | Seats |
| --- | --- |
| Team | 5 |
| Growth | 25 |

```
curl -X POST \\
  https://api.example.com
```

![The button](/hc/article_attachments/42/shot.png)  
Press it.

[Tour](https://video.example.com/embed/7)";
    assert_eq!(markdown(ARTICLE), expected);
}

#[test]
fn a_typical_article_becomes_text() {
    let expected = "\
Before you start

You need an admin role and the mobile app.

Open Settings.
Choose one:

Phone
Tablet

Careful: this can't be undone.

Plan\tSeats
Team\t5
Growth\t25

curl -X POST \\
  https://api.example.com

Press it.

Tour";
    assert_eq!(text(ARTICLE), expected);
}

#[test]
fn scripts_styles_and_comments_leave_nothing_behind() {
    let html = "<p>a</p><script>alert('s1')</script><style>.s2{}</style><noscript>s3</noscript><!-- s4 -->\
        <template><p>s5</p></template><svg><text>s6</text></svg><p>b</p>";
    assert_eq!((markdown(html), text(html)), ("a\n\nb".into(), "a\n\nb".into()));
}

#[test]
fn images_keep_their_address_unless_it_is_their_data() {
    assert_eq!(markdown(r#"<img alt="x" src="https://a.b/c.png">"#), "![x](https://a.b/c.png)");
    for inert in ["data:image/png;base64,AAAA", " DATA:image/png,x", "da\nta:x", "", " "] {
        let html = format!(r#"a<img alt="x" src="{inert}">b"#);
        assert_eq!((markdown(&html), text(&html)), ("a x b".into(), "a x b".into()), "{inert:?}");
        assert_eq!(markdown(&format!(r#"a<img src="{inert}">b"#)), "ab", "{inert:?}");
    }
    let late = r#"<img alt="x" src="data:image/gif;base64,R0" data-src="/c.png">"#;
    assert_eq!(markdown(late), "![x](/c.png)");
}

#[test]
fn links_that_run_scripts_keep_only_their_words() {
    for inert in [
        "javascript:alert(1)",
        "\u{1}JavaScript:alert(1)",
        "java\tscript:x",
        "data:text/html,x",
        "vbscript:x",
    ] {
        assert_eq!(markdown(&format!(r#"<a href="{inert}">go</a>"#)), "go", "{inert:?}");
    }
    assert_eq!(markdown(r#"<a href="/data:x">go</a>"#), "[go](/data:x)");
}

#[test]
fn frames_become_links() {
    assert_eq!(markdown(r#"<iframe src="//v.example/1"></iframe>"#), "[//v.example/1](//v.example/1)");
    assert_eq!(markdown(r#"a<iframe src="javascript:x"></iframe><iframe></iframe>"#), "a");
}

#[test]
fn odd_spaces_become_spaces_and_invisible_characters_go() {
    let html = "<p>a&nbsp;b\u{200b}c\u{feff}\u{2060}d&shy;e \n\t f\u{1}</p>";
    assert_eq!(text(html), "a bcde f");
    assert_eq!(markdown(html), "a bcde f");
    assert_eq!(
        text("<p>👨\u{200d}👩 نمی\u{200c}خواهم</p>"),
        "👨\u{200d}👩 نمی\u{200c}خواهم",
        "joiners are spelling"
    );
}

#[test]
fn text_breaks_where_readers_see_a_break() {
    for (html, expected) in [
        ("a<b>b</b>c", "abc"),
        ("a <b> b</b> c", "a b c"),
        ("<p> a </p>  <p>b</p>", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\nc"),
        ("<div><div>a</div></div>b", "a\n\nb"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\nc"),
        ("<pre>a\n  b\n</pre>c", "a\n  b\n\nc"),
        ("<pre>\n\n  a</pre>", "  a"),
        ("<pre><plaintext>\n|", "|"),
        ("a<pre><b>x </b> y</pre>", "a\n\nx  y"),
        ("x &lt;b&gt; &amp;amp; y", "x <b> &amp; y"),
        ("", ""),
        ("<p></p><br>", ""),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn a_whole_page_is_read_like_its_body() {
    let page = "<!doctype html><html><head><title>t</title></head><body><p>a</p></body></html>";
    assert_eq!(both(page), both("<p>a</p>"));
}

#[test]
fn input_is_bounded() {
    let limits = Limits { input_bytes_max: 10, ..Limits::default() };
    assert!(convert("0123456789", None, &limits).is_ok());
    let error = convert("0123456789x", None, &limits).unwrap_err();
    assert_eq!(error, ConvertError::InputBytes { bytes: 11, bytes_max: 10 });
}

#[test]
fn output_is_bounded() {
    let limits = Limits { output_bytes_max: 4, ..Limits::default() };
    assert!(convert("abcd", None, &limits).is_ok());
    assert_eq!(convert("abcde", None, &limits), Err(ConvertError::OutputBytes { bytes_max: 4 }));
    assert_eq!(
        convert("<b>abc</b>", None, &limits),
        Err(ConvertError::OutputBytes { bytes_max: 4 }),
        "markup counts"
    );
}

/// Runs on a stack half as long as a runtime's blocking thread has.
fn on_a_small_stack(html: String) -> Result<Converted, ConvertError> {
    let run = move || convert(&html, None, &Limits::default());
    thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap()
}

#[test]
fn depth_is_bounded_and_the_bound_fits_a_small_stack() {
    let too_deep = Err(ConvertError::Depth { depth_max: DEPTH_MAX });
    // `blockquote`, lists and tables take the most stack a level.
    for (open, close) in [
        ("<div>", "</div>"),
        ("<blockquote>", "</blockquote>"),
        ("<ul><li>", "</li></ul>"),
        ("<ol><li>", "</li></ol>"),
        ("<span>", "</span>"),
        ("<b>", "</b>"),
        ("<table><tbody><tr><th>", "</th></tr></tbody></table>"),
    ] {
        let nested = |levels: usize| format!("{}x{}", open.repeat(levels), close.repeat(levels));
        let elements = open.matches('<').count();
        // One level is the text.
        let fits = (DEPTH_MAX - 1) / elements;
        assert!(on_a_small_stack(nested(fits)).is_ok(), "{open} {fits}");
        assert_eq!(on_a_small_stack(nested(fits + 1)), too_deep, "{open} {}", fits + 1);
        assert_eq!(on_a_small_stack(nested(100_000)), too_deep, "{open}");
        assert_eq!(on_a_small_stack(open.repeat(100_000)), too_deep, "{open} unclosed");
    }
}

#[test]
fn many_unclosed_paragraphs_are_not_deep() {
    assert!(convert(&"<p>x".repeat(5_000), None, &Limits::default()).is_ok());
    assert!(convert(&format!("<ul>{}</ul>", "<li>x".repeat(5_000)), None, &Limits::default()).is_ok());
}

#[test]
fn misnested_formatting_cannot_multiply_without_end() {
    // Every paragraph reopens every formatting element: 20 kB that would come to 300,000 elements.
    let fonts: String = (0..150).map(|n| format!("<font x={n}>")).collect();
    let html = format!("<p>{fonts}</p>{}", "<p>y</p>".repeat(2_000));
    assert_eq!(convert(&html, None, &Limits::default()), Err(ConvertError::Nodes { nodes_max: NODES_MAX }));
}

#[test]
fn pages_of_frames_are_held_to_the_bounds_of_their_article() {
    let frame = |page: &str| format!("<iframe srcdoc='{page}'></iframe>");
    let limits = Limits { nodes_max: 100, ..Limits::default() };
    let few = frame(&format!("x{}", "<br>".repeat(20)));
    assert!(convert(&few.repeat(2), None, &limits).is_ok());
    let many = Err(ConvertError::Nodes { nodes_max: 100 });
    assert_eq!(convert(&few.repeat(5), None, &limits), many, "all of them together");
    let limits = Limits { input_bytes_max: 1_000, ..Limits::default() };
    let nested =
        |bytes: usize| frame(&format!("{0}&lt;iframe srcdoc=&amp;quot;{0}&amp;quot;>", "x".repeat(bytes)));
    assert!(convert(&nested(300), None, &limits).is_ok());
    // The inner page is read twice: as a part of the outer one, and as itself.
    let too_long = convert(&nested(400), None, &limits);
    assert!(matches!(too_long, Err(ConvertError::InputBytes { bytes_max: 1_000, .. })), "{too_long:?}");
    let crowded =
        frame(&format!("<p {}>x", (0..=ATTRIBUTES_MAX).map(|n| format!("a{n} ")).collect::<String>()));
    let too_many = Err(ConvertError::Attributes { attributes_max: ATTRIBUTES_MAX });
    assert_eq!(convert(&crowded, None, &Limits::default()), too_many);
    let around = |page: String| format!("{}{page}{}", "<div>".repeat(100), "</div>".repeat(100));
    let deep = |levels: usize| around(frame(&format!("{}x", "<b>".repeat(levels))));
    assert!(on_a_small_stack(deep(80)).is_ok());
    assert_eq!(on_a_small_stack(deep(110)), Err(ConvertError::Depth { depth_max: DEPTH_MAX }));
}

#[test]
fn nodes_are_bounded() {
    let limits = Limits { nodes_max: 100, ..Limits::default() };
    assert!(convert(&"<br>".repeat(90), None, &limits).is_ok());
    assert_eq!(convert(&"<br>".repeat(101), None, &limits), Err(ConvertError::Nodes { nodes_max: 100 }));
    assert_eq!(
        convert(&"a&amp;".repeat(200), None, &limits).unwrap().text,
        "a&".repeat(200),
        "one long text is one node"
    );
}

#[test]
fn a_tags_attributes_are_bounded() {
    let tag = |attributes: usize| {
        let attributes: String = (0..attributes).map(|n| format!(" x{n}")).collect();
        convert(&format!("<p{attributes}>a</p>"), None, &Limits::default())
    };
    assert!(tag(ATTRIBUTES_MAX).is_ok());
    let error = Err(ConvertError::Attributes { attributes_max: ATTRIBUTES_MAX });
    assert_eq!(tag(ATTRIBUTES_MAX + 1), error);
    // A megabyte, which would take a minute to tokenize.
    assert_eq!(tag(150_000), error);
}

#[test]
fn the_worst_that_the_bounds_allow_ends_in_seconds() {
    // No time is measured: should one of these turn quadratic, the suite hangs where it took a blink.
    let breaks = "x<br>".repeat(NODES_MAX / 3);
    for html in [
        format!("<table>{breaks}"),
        "&amp;".repeat(INPUT_BYTES_MAX / 16),
        "a ".repeat(INPUT_BYTES_MAX / 16),
        "<b>x</b>".repeat(NODES_MAX / 3),
        "<".repeat(INPUT_BYTES_MAX / 16),
        format!("<!--{}", "-".repeat(INPUT_BYTES_MAX / 16)),
        format!("<img src=\"data:{}\">", "A/".repeat(INPUT_BYTES_MAX / 16)),
        format!("{}{}", "<blockquote>".repeat(DEPTH_MAX - 2), "x<br>".repeat(2_000)),
        format!("{}{}", "<ul><li>".repeat(DEPTH_MAX / 2 - 2), "x<br>".repeat(2_000)),
        format!("<pre>{}</pre>", "x\n".repeat(INPUT_BYTES_MAX / 16)),
    ] {
        let outcome = convert(&html, None, &Limits::default());
        assert_ne!(outcome, Err(ConvertError::Parser), "{}", &html[..20]);
    }
}

#[test]
fn tables_are_not_padded_and_bounded_by_what_they_say() {
    let table = |rows: usize, widest: usize| {
        format!(
            "<table><tr><th>{}</th></tr>{}</table>",
            "w".repeat(widest),
            "<tr><td>x</td></tr>".repeat(rows)
        )
    };
    let html = table(20_000, 1_000_000);
    assert!(markdown(&html).len() < html.len(), "nothing is padded");
    let limits = Limits { table_bytes_max: 1_500, ..Limits::default() };
    assert!(convert(&table(90, 1_000), None, &limits).is_ok());
    assert_eq!(
        convert(&table(110, 1_000), None, &limits),
        Err(ConvertError::TableBytes { bytes_max: 1_500 })
    );
    // Two tables share the bound.
    let two = table(90, 700).repeat(2);
    assert_eq!(convert(&two, None, &limits), Err(ConvertError::TableBytes { bytes_max: 1_500 }));
}

fn regex(pattern: &str) -> impl Strategy<Value = String> + use<> {
    proptest::string::string_regex(pattern).unwrap()
}

/// Bits of HTML that parsers and writers trip over, in any order.
fn tag_soup() -> impl Strategy<Value = String> {
    let tags = "table|tr|td|th|thead|caption|p|b|i|a href=x|font x=1|ul|ol|li|pre|code|select|option|selectedcontent|\
        template|svg|math|annotation-xml|form|button|h1|blockquote|br|img src=x|iframe src=x|script|style|textarea|\
        title|body|html|head|frameset|noscript|plaintext|marquee|span|div|col|colgroup|input|hr";
    let piece = prop_oneof![
        6 => regex(&format!("</?({tags})>")),
        2 => regex("[ \\na-z*_`|#\\-]{1,6}"),
        1 => Just("&nbsp;\u{200b}".to_owned()),
        1 => Just("<!-- c --><?pi x?><![CDATA[x]]>".to_owned()),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_html_it_converts_and_the_text_is_clean(html in tag_soup()) {
        let converted = convert(&html, None, &Limits::default());
        prop_assert!(converted.is_ok(), "{:?} for {}", converted, html);
        let text = converted.unwrap().text;
        prop_assert_eq!(text.trim_matches('\n'), text.as_str());
        prop_assert!(!text.contains(['\u{200b}', '\u{a0}']), "{:?}", text);
    }

    #[test]
    fn the_same_html_always_gives_the_same_answer(html in tag_soup()) {
        prop_assert_eq!(convert(&html, None, &Limits::default()), convert(&html, None, &Limits::default()));
    }

    #[test]
    fn tight_bounds_are_errors_and_never_panics(html in tag_soup(), bound in 0usize..200) {
        let limits = Limits {
            input_bytes_max: bound * 8,
            depth_max: bound / 8,
            nodes_max: bound,
            attributes_max: bound,
            output_bytes_max: bound * 2,
            table_bytes_max: bound * 2,
        };
        match convert(&html, None, &limits) {
            Ok(converted) => prop_assert!(converted.markdown.len().max(converted.text.len()) <= bound * 2),
            Err(error) => prop_assert_ne!(error, ConvertError::Parser, "{}", html),
        }
    }
}

#[test]
fn real_articles_convert_and_lose_none_of_their_words() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/real-articles/arduino/articles-subset.json");
    let Ok(json) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: the real articles are not here");
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&json).unwrap();
    let articles = file["articles"].as_array().unwrap();
    assert!(articles.len() > 10);
    for article in articles {
        let body = article["body"].as_str().unwrap_or_default();
        let converted = both(body);
        // Letters and digits only: Markdown escapes punctuation, and puts a link's address after its words.
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let markdown = plain(&converted.markdown);
        for word in converted.text.split(|c: char| !c.is_alphanumeric()) {
            assert!(markdown.contains(word), "{word:?} of article {}", article["id"]);
        }
    }
}

/// As people draw tables with names of rows and of columns: the corner says nothing.
#[test]
fn an_empty_corner_leaves_the_names_of_columns_their_row() {
    let rows = "<tr><th>North</th><td>1</td><td>2</td></tr><tr><th>South</th><td>3</td><td>4</td></tr>";
    for corner in ["<td></td>", "<td>&nbsp;</td>", "<th></th>"] {
        let html = format!("<table><tr>{corner}<th>Jan</th><th>Feb</th></tr>{rows}</table>");
        let lines: Vec<String> = markdown(&html).lines().map(str::to_owned).collect();
        assert!(lines[0].contains("Jan") && lines[0].contains("Feb"), "{corner}: {lines:?}");
        assert!(lines[1].starts_with("| -") && lines[2].contains("North"), "{corner}: {lines:?}");
    }
    // A first row of its own name is no row of names.
    let html = format!("<table>{rows}</table>");
    assert!(!markdown(&html).lines().next().unwrap().contains("North"), "{}", markdown(&html));
}

#[test]
fn an_empty_link_within_code_parts_no_word() {
    for nothing in ["<a href='/x'></a>", "<a name='x'></a>", "<span></span>"] {
        assert_eq!(markdown(&format!("<code>note{nothing}npm</code>")), "`notenpm`", "{nothing}");
    }
    assert_eq!(markdown("<code>note<a href='/x'> </a>npm</code>"), "`note npm`");
}

#[test]
fn the_first_base_is_what_addresses_are_relative_to() {
    let base = "<p><base href='https://b.example/x/'><base href='/y/'></p>";
    assert_eq!(markdown(&format!("{base}<a href=1>a</a>")), "[a](https://b.example/x/1)");
    assert_eq!(markdown("<base href='javascript:x'><a href=1>a</a>"), "[a](1)");
    assert_eq!(
        markdown("<iframe srcdoc=\"<base href='https://b.example/'>x\"></iframe><a href=1>a</a>"),
        "x\n\n[a](1)"
    );
    assert_eq!(markdown("a <input type=image alt=Search src=/s>"), "a Search");
}
