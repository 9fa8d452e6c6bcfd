//! A chunk that is read alone says what its part says in the article: code is code, an item has its depth and its number,
//! a cell stands under the name of its column, and nothing becomes an element that the article did not show.

use std::collections::HashMap;

use helpsync_content::{ChunkOptions, chunks};
use markup5ever_rcdom::Handle;
use proptest::prelude::*;

use crate::dom::{attribute, children, own_text, rendered, tag};
use crate::shapes::{article, soup};
use crate::{converted, facts, strange};

/// Smaller chunks may hold bare text.
const SIZE_MIN: usize = 60;

fn options() -> impl Strategy<Value = ChunkOptions> {
    (SIZE_MIN..240, 0..60_usize).prop_map(|(size, overlap)| ChunkOptions { size, overlap })
}

/// Where a word stands: the elements around it, outermost first, items with their numbers, cells with their columns.
type Place = Vec<String>;

/// The places of the numbered words.
fn places(document: &Handle) -> HashMap<String, Vec<Place>> {
    let mut found = HashMap::new();
    walk(document, &Vec::new(), &mut found);
    found
}

fn walk(node: &Handle, around: &Place, found: &mut HashMap<String, Vec<Place>>) {
    if let Some(text) = own_text(node) {
        for word in facts::words(&text).into_iter().filter(|it| is_numbered(it)) {
            found.entry(word).or_default().push(around.clone());
        }
        return;
    }
    match tag(node) {
        list @ ("ul" | "ol") => {
            let start = attribute(node, "start").and_then(|it| it.parse().ok()).unwrap_or(1);
            let items = children(node).into_iter().filter(|child| tag(child) == "li");
            for (number, item) in (start..).zip(items) {
                let number: i64 = number;
                let shown = if list == "ol" { number.to_string() } else { "item".to_owned() };
                walk(&item, &with(around, shown), found);
            }
        }
        "tr" => {
            for (column, cell) in
                children(node).iter().filter(|it| matches!(tag(it), "td" | "th")).enumerate()
            {
                walk(cell, &with(around, format!("column {column}")), found);
            }
        }
        name => {
            let kept = matches!(
                name,
                "blockquote"
                    | "pre"
                    | "code"
                    | "h1"
                    | "h2"
                    | "h3"
                    | "h4"
                    | "h5"
                    | "h6"
                    | "del"
                    | "strong"
                    | "em"
            );
            let mut inside = if kept { with(around, name.to_owned()) } else { around.clone() };
            // Three asterisks are read as both in either order.
            if let [.., outer, inner] = inside.as_mut_slice()
                && (outer.as_str(), inner.as_str()) == ("em", "strong")
            {
                std::mem::swap(outer, inner);
            }
            for child in children(node) {
                walk(&child, &inside, found);
            }
        }
    }
}

fn with(around: &Place, more: String) -> Place {
    around.iter().cloned().chain([more]).collect()
}

fn is_numbered(word: &str) -> bool {
    word.strip_prefix('w').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Words and code that are long enough to be divided, each word with a number of its own.
fn numbered(html: &str) -> String {
    let mut count = 0;
    let mut next = || {
        count += 1;
        format!("w{count}")
    };
    let mut out = String::new();
    for (at, piece) in html.split("npm i").enumerate() {
        if at > 0 {
            for _ in 0..6 {
                out.push_str(&format!("{} &lt;b&gt; `{}` &lt;script&gt; ", next(), next()));
            }
        }
        for (at, piece) in piece.split("word").enumerate() {
            if at > 0 {
                let words: Vec<String> = (0..7).map(|_| next()).collect();
                out.push_str(&words.join(" "));
            }
            out.push_str(piece);
        }
    }
    out
}

/// What a chunk of some Markdown says otherwise than the Markdown.
fn misread(markdown: &str, options: ChunkOptions) -> Option<String> {
    let article = places(&rendered(markdown));
    for chunk in chunks(markdown, options, None).unwrap() {
        let alone = rendered(&chunk.text);
        if let Some(strange) = strange(&alone) {
            return Some(format!("{strange} in\n{}", chunk.text));
        }
        for (word, places) in places(&alone) {
            // A header or a picture that is too long for a chunk is left out, and words of it are text then.
            let Some(right) = article.get(&word) else { continue };
            let in_table = |place: &Place| place.iter().any(|it| it.starts_with("column"));
            let wrong = places
                .into_iter()
                .find(|place| !right.contains(place) && (in_table(place) || !right.iter().any(in_table)));
            if let Some(wrong) = wrong {
                return Some(format!("{word} in {wrong:?} instead of {right:?} in\n{}", chunk.text));
            }
        }
    }
    None
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn a_chunk_says_what_its_part_says_in_the_article(html in article(), options in options()) {
        let markdown = converted(&numbered(&html)).markdown;
        let found = misread(&markdown, options);
        prop_assert!(found.is_none(), "{}\n--- of\n{markdown}", found.unwrap_or_default());
    }

    #[test]
    fn no_chunk_shows_an_element_that_the_article_does_not(
        html in soup(),
        size in 24..120_usize,
        overlap in 0..24_usize,
        title in "[a-z<>/`#*~ &;.-]{0,40}",
    ) {
        let markdown = converted(&numbered(&html)).markdown;
        let all = chunks(&markdown, ChunkOptions { size, overlap: overlap.min(size - 1) }, Some(&title)).unwrap();
        for chunk in all {
            let strange = strange(&rendered(&chunk.text));
            prop_assert!(strange.is_none(), "{} in\n{}\n--- of\n{markdown}", strange.unwrap_or_default(), chunk.text);
        }
    }
}

/// Each kind that was misread once.
#[test]
fn chunks_of_long_items_rows_quotes_and_code_read_alone() {
    let code = |count: usize| format!("<code>{}</code>", "put &lt;script&gt; here ".repeat(count));
    let items = format!("<li>{}</li>", code(1)).repeat(120);
    let line = format!("x{}", " &lt;b&gt;".repeat(300));
    let nested =
        |inner: &str| format!("<ul><li>a<ol start=3><li>b</li><li>{inner}</li></ol></li><li>c</li></ul>");
    let table = format!(
        "<table><thead><tr><th>One</th><th colspan=2>Two</th></tr><tr><th></th><th>M</th><th>Y</th></tr></thead>{}</table>",
        format!("<tr><td>{}</td><td>word</td><td>{}</td></tr>", "word ".repeat(9), code(9)).repeat(9)
    );
    let struck = |tag: &str| {
        format!("<{tag}>{}</{tag}> now <a href='/x'>{}</a>", "word ".repeat(40), "word ".repeat(20))
    };
    for html in [
        format!("<p>a {} b</p>", struck("del")),
        format!("<p>a{}b</p>", struck("del")),
        format!("<p><b>{} <i>{}</i></b></p>", struck("del"), struck("s")),
        format!("<h2>a {}</h2>", struck("del")),
        format!("<ul><li>a {}</li></ul>", struck("del")),
        format!("<table><tr><th>a<th>b<tr><td>{}<td>{}</table>", struck("del"), struck("b")),
        format!("<ul>{items}</ul>"),
        format!("<p>{}</p>", code(60)),
        format!("<blockquote><pre>{line}</pre></blockquote>"),
        nested(&format!("<pre>{line}\n{line}</pre>")),
        nested(&table),
        nested(&format!("<p>{}</p><blockquote>{}</blockquote>", "word ".repeat(40), "word ".repeat(40))),
        table.clone(),
    ] {
        let markdown = converted(&numbered(&html)).markdown;
        for (size, overlap) in [(60, 0), (60, 20), (200, 40), (400, 100)] {
            let found = misread(&markdown, ChunkOptions { size, overlap });
            assert!(found.is_none(), "{}", found.unwrap_or_default());
        }
    }
    let markdown = converted(&table).markdown;
    let all = chunks(&markdown, ChunkOptions { size: 200, overlap: 0 }, None).unwrap();
    assert!(all.len() > 3);
    let both = "| One | Two | Two |\n| ---- | --- | --- |\n| | M | Y |\n";
    assert!(all.iter().all(|chunk| chunk.text.starts_with(both)), "{all:#?}");
}
