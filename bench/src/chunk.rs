//! Tokens and chunks beside one count by tiktoken, which chunking asked many times a text before.

use helpsync_content::{
    CHUNK_OVERLAP_DEFAULT, CHUNK_SIZE_DEFAULT, ChunkOptions, Limits, chunks, convert, count_tokens,
};

use crate::report::{Goal, Report, Row};
use crate::{Options, meter, texts};

const ROUNDS: usize = 5;
const SIZES: [(usize, usize); 2] = [(CHUNK_SIZE_DEFAULT, CHUNK_OVERLAP_DEFAULT), (100, 20)];

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let articles = texts::html(options).await?;
    let texts: Vec<String> = articles
        .iter()
        .filter_map(|html| convert(html, None, &Limits::default()).ok())
        .map(|converted| converted.markdown)
        .collect();
    let vocabulary = tiktoken_rs::cl100k_base_singleton();
    // The first count of each makes its tables.
    assert_eq!(count_tokens("one two"), vocabulary.count_ordinary("one two"));
    let per_thousand = 1_000.0 / texts.len() as f64;
    let once = meter::best_of(ROUNDS, || texts.iter().map(|text| vocabulary.count_ordinary(text)).sum());
    let mut add = |what: String, goal, milliseconds: f64| {
        report.add(Row {
            what,
            unit: "ms",
            ours: milliseconds * per_thousand,
            bare: "one count of their tokens by tiktoken-rs".to_owned(),
            theirs: once * per_thousand,
            goal,
        });
    };
    let counted = meter::best_of(ROUNDS, || texts.iter().map(|text| count_tokens(text)).sum());
    add("count of the tokens of 1,000 articles (CPU)".to_owned(), None, counted);
    for (size, overlap) in SIZES {
        let options = ChunkOptions { size, overlap };
        let divide = |text: &String| chunks(text, options, None).map_or(0, |chunks| chunks.len());
        let divided = meter::best_of(ROUNDS, || texts.iter().map(divide).sum());
        add(format!("1,000 articles into chunks of {size} tokens (CPU)"), Some(Goal::Ratio(2.0)), divided);
    }
    Ok(())
}
