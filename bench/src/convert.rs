//! Conversion beside the parser alone, which every means of conversion needs.

use helpsync_content::{Limits, convert};
use html5ever::tendril::TendrilSink as _;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::RcDom;

use crate::report::{Report, Row};
use crate::{Options, meter, texts};

const ROUNDS: usize = 5;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let articles = texts::html(options).await?;
    let per_thousand = 1_000.0 / articles.len() as f64;
    let parsing = meter::best_of(ROUNDS, || articles.iter().map(|html| parsed(html)).sum());
    let conversion = meter::best_of(ROUNDS, || articles.iter().map(|html| converted(html)).sum());
    report.add(Row {
        what: "conversion of 1,000 articles to Markdown, text and links (CPU)".to_owned(),
        unit: "ms",
        ours: conversion * per_thousand,
        bare: "html5ever's tree of them".to_owned(),
        theirs: parsing * per_thousand,
        goal: None,
    });
    Ok(())
}

fn parsed(html: &str) -> usize {
    let tree = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    tree.document.children.borrow().len()
}

/// Bytes of its Markdown; an article that is too large has none.
fn converted(html: &str) -> usize {
    let converted = convert(html, Some("https://acme.example.com/hc/en-us/articles/1"), &Limits::default());
    converted.map_or(0, |converted| converted.markdown.len())
}
