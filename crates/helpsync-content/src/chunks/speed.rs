//! What chunks cost, for `docs/benchmarks.md`.

use std::time::Instant;

use super::*;

const ROUNDS: usize = 5;

#[test]
#[ignore = "a measurement, not a test: run it with --ignored --nocapture, on a release build"]
fn speed_of_chunks_beside_one_count_by_tiktoken() {
    let Some(articles) = super::tests::real_articles() else { return };
    let texts: Vec<String> = articles
        .iter()
        .map(|html| crate::convert(html, None, &crate::Limits::default()).unwrap().markdown)
        .collect();
    let vocabulary = tiktoken_rs::cl100k_base_singleton();
    assert_eq!(count_tokens(""), 0);
    let milliseconds = |work: &dyn Fn(&str) -> usize| {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let done: usize = texts.iter().map(|text| work(text)).sum();
            assert!(done > 0);
            best = best.min(began.elapsed().as_secs_f64());
        }
        best * 1_000_000.0 / texts.len() as f64
    };
    let reference = milliseconds(&|text| vocabulary.count_ordinary(text));
    let count = milliseconds(&count_tokens);
    println!("per 1,000 articles: tiktoken counts once in {reference:.0} ms, we in {count:.0} ms");
    for (size, overlap) in [(CHUNK_SIZE_DEFAULT, CHUNK_OVERLAP_DEFAULT), (400, 20), (100, 20)] {
        let options = ChunkOptions { size, overlap };
        let own = milliseconds(&|text| chunks(text, options, None).unwrap().len());
        println!("chunks of {size} tokens: {own:.0} ms, {:.2} of one count by tiktoken", own / reference);
    }
}
