//! The cases of `tests/cases`, with what `facts.json` says of them.

use std::path::PathBuf;

use helpsync_content::{ChunkOptions, chunks};
use serde_json::Value;

use crate::facts::{Facts, text, words};
use crate::{converted, differences, dom, faults};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn html(case: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{case}.html"))).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// Whether texts follow one another in a longer one.
fn in_order(texts: &[String], all: &str) -> bool {
    let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = even(all);
    let mut rest = all.as_str();
    texts.iter().all(|text| match rest.split_once(&even(text)) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn every_case_is_converted_as_its_facts_say() {
    let facts: Value =
        serde_json::from_str(&std::fs::read_to_string(folder().join("facts.json")).unwrap()).unwrap();
    let mut seen = 0;
    for (case, facts) in facts.as_object().unwrap().iter().filter(|(case, _)| *case != "about") {
        let html = html(case);
        let converted = converted(&html);
        let rendered = dom::rendered(&converted.markdown);
        let copy = Facts::of(&rendered, false);
        let about = format!("{case}:\n{}", converted.markdown);
        assert_eq!(faults(&converted).or_else(|| differences(&html, &converted)), None, "{about}");
        if let Some(grid) = facts["grid"].as_array() {
            let expected: Vec<Vec<String>> = grid
                .iter()
                .map(|row| strings(row).iter().map(|cell| words(cell).join(" ")).collect())
                .collect();
            let mut rows = copy.tables[0].rows();
            rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
            assert_eq!(rows, expected, "{about}");
        }
        for code in strings(&facts["code"]) {
            assert!(copy.code.contains(&code), "{code:?} in {:?} of {about}", copy.code);
        }
        let order = strings(&facts["text"]);
        assert!(in_order(&order, &text(&rendered)), "{about}");
        assert!(in_order(&order, &converted.text), "{case}:\n{}", converted.text);
        for link in strings(&facts["links"]) {
            let found =
                copy.links.iter().chain(copy.images.iter().map(|(address, _)| address)).any(|it| *it == link);
            assert!(found, "{link} of {about}");
        }
        for never in strings(&facts["never"]) {
            let (tag, attribute) = never.split_once('[').unwrap_or((&never, "]"));
            let attribute = attribute.trim_end_matches(']');
            let found = dom::all(&rendered).iter().any(|node| {
                dom::tag(node) == tag && (attribute.is_empty() || dom::attribute(node, attribute).is_some())
            });
            assert!(!found, "{never} in {about}");
        }
        assert!(converted.markdown.len() < html.len() + 500, "{} bytes in {about}", converted.markdown.len());
        seen += 1;
    }
    let files = std::fs::read_dir(folder())
        .unwrap()
        .filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|it| it == "html"));
    assert_eq!(seen, files.count(), "each file has its facts");
}

#[test]
fn what_the_notes_of_the_cases_say_holds() {
    let markdown = |case: &str| converted(&html(case)).markdown;
    assert!(markdown("rowspan").contains("| Probe B | 158 | F |\n| Probe C | 158 | K |"));
    assert!(markdown("two-head-rows").contains("| | Monthly | Yearly |\n| Lima | 11 | 110 |"));
    assert!(markdown("code-spans-pre").starts_with("```\nnpm i\n```"));
    assert!(markdown("del").contains("~~EUR 30~~ EUR 12"));
    assert!(converted(&html("del")).text.contains("~~EUR 30~~ EUR 12"));
    for both in [markdown("sub-and-sup"), converted(&html("sub-and-sup")).text] {
        assert!(["CO2", "10^-3", "note^1", "3rd"].iter().all(|it| both.contains(it)), "{both}");
    }
    assert!(markdown("li-value").starts_with("5. five\n6. six"));
    assert!(markdown("heading-br").starts_with("## Refunds and returns\n"));
    assert!(!markdown("data-img-alt").contains("data:"));
    let table = markdown("long-table");
    let options = ChunkOptions { size: 300, overlap: 0 };
    assert!(chunks(&table, options, None).unwrap().len() > 3, "long enough to be cut");
}
