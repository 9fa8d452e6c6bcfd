//! Thousands of generated articles.

use helpsync_content::Limits;
use proptest::prelude::*;

use crate::shapes::{article, soup};
use crate::{converted, differences, faults};

/// Markdown is at most so many times as long as the HTML, and [`FREE`].
const FACTOR: usize = 8;
/// Addresses grow when they are made absolute.
const FREE: usize = 256;
/// What the bounds on addresses and prefixes leave free.
const SHAPES_FREE: usize = 8 * 1024;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn an_article_and_its_copy_say_the_same(html in article()) {
        let converted = converted(&html);
        let found = faults(&converted).or_else(|| differences(&html, &converted));
        prop_assert!(found.is_none(), "{}\n{html}\n---\n{}", found.unwrap_or_default(), converted.markdown);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn whatever_the_html_no_word_is_lost_and_nothing_becomes_markup(html in soup()) {
        let converted = converted(&html);
        let found = faults(&converted);
        prop_assert!(found.is_none(), "{}\n{html}\n---\n{}", found.unwrap_or_default(), converted.markdown);
    }

    #[test]
    fn markdown_is_never_much_longer_than_the_html(html in soup()) {
        let markdown = helpsync_content::convert(&html, None, &Limits::default()).unwrap().markdown;
        prop_assert!(markdown.len() <= FACTOR * html.len() + FREE, "{html}\n---\n{markdown}");
    }
}

#[test]
fn shapes_that_could_multiply_do_not() {
    let many = |piece: &str| piece.repeat(2_000);
    let long = "x".repeat(2_000);
    for html in [
        format!("<table>{}</table>", many("<tr><td>x</td></tr>").replacen("<td>", "<td colspan=1000>", 1)),
        format!("<table><tr>{}</tr>{}</table>", many("<td rowspan=65534>x"), many("<tr><td>y</td></tr>")),
        format!("<table><tr><td rowspan=65534>{}</td></tr>{}</table>", "w".repeat(80), many("<tr><td>y")),
        format!("<table><tr>{}</tr>{}</table>", many("<td>x"), many("<tr><td>y")),
        format!("<table>{}", many("<tr><td colspan=1000 rowspan=1000>x")),
        format!("<a href=/{long}>{}</a>", many("<p>x</p>")),
        format!("{}{}", "<ul><li>".repeat(90), many("x<br>")),
        format!("{}{}", "<ul><li>".repeat(90), many("<p>x")),
        format!("{}{}", "<blockquote>".repeat(180), many("<p>x")),
        format!("{}<pre>{}</pre>", "<ol start=999999999><li>".repeat(90), many("x\n")),
        format!("{}<pre>{}</pre>", "<blockquote>".repeat(20), "x\n".repeat(50_000)),
        format!("{}<pre>{}</pre>", "<dl><dd>".repeat(20), "x\n".repeat(50_000)),
        format!("<a href=/{}>{}</a>", "q".repeat(3_000), "<p>a</p>".repeat(200)),
        format!("<a href=/x title={long}>{}</a>", "<p>a</p>".repeat(300)),
        format!("<a href=/{long}>{}</a>", many("<pre>a</pre>")),
        many("<td>"),
        many("<b>.</b>x"),
        many("<a href=/x>y</a>"),
    ] {
        let markdown = helpsync_content::convert(&html, None, &Limits::default()).unwrap().markdown;
        let shape: String = html.chars().take(60).collect();
        assert!(
            markdown.len() <= FACTOR * html.len() + SHAPES_FREE,
            "{} of {}: {shape}",
            markdown.len(),
            html.len()
        );
    }
}
