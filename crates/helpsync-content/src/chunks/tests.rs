use std::path::Path;

use super::tokens::{TokenIndex, WORK};
use super::*;

/// The HTML of real articles, where they lie beside the repository.
pub(super) fn real_articles() -> Option<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = "shared/data/real-articles/arduino/articles-subset.json";
    let Some(file) = root.ancestors().map(|folder| folder.join(file)).find(|file| file.exists()) else {
        println!("skipped: there are no real articles beside the repository");
        return None;
    };
    let articles: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let body = |article: &serde_json::Value| article["body"].as_str().unwrap().to_owned();
    Some(articles["articles"].as_array().unwrap().iter().map(body).collect())
}

pub(super) fn of(text: &str, size: usize, overlap: usize) -> Vec<TextChunk> {
    chunks(text, ChunkOptions { size, overlap }, None).unwrap()
}

fn texts(text: &str, size: usize, overlap: usize) -> Vec<String> {
    of(text, size, overlap).into_iter().map(|chunk| chunk.text).collect()
}

fn article(sections: usize) -> String {
    (0..sections)
        .map(|it| format!("## Part {it}\n\nWords of part {it}, {}.\n\n", "more ".repeat(30)))
        .collect()
}

#[test]
fn a_short_text_is_one_chunk_and_an_empty_one_is_none() {
    let one = of("# Title\n\nHello, world.\n", 100, 20);
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].tokens, count_tokens(&one[0].text));
    assert_eq!(one[0].hash, chunk_hash(&one[0].text));
    assert!(of(" \n\n\t", 100, 20).is_empty());
    assert!(of("", 100, 20).is_empty());
    assert!(of("<|endoftext|> is a word like any other", 100, 0)[0].text.contains("endoftext"));
}

#[test]
fn text_is_divided_at_its_headings_and_an_edit_changes_one_chunk() {
    let before = of(&article(6), 45, 0);
    assert!(before.iter().all(|chunk| chunk.text.starts_with("## Part")), "{before:#?}");
    let after = of(&article(6).replace("Words of part 3", "Other of part 3"), 45, 0);
    let changed = before.iter().zip(&after).filter(|(old, new)| old.hash != new.hash).count();
    assert_eq!((before.len(), changed), (after.len(), 1));
}

#[test]
fn a_heading_stays_with_what_follows_it() {
    let text =
        "Some words before that take room.\n\n## Second\n\nOne two three four five six seven eight nine.";
    assert_eq!(texts(text, 16, 0), text.split_inclusive("room.").map(str::trim).collect::<Vec<_>>());
}

#[test]
fn overlap_repeats_the_words_at_the_end_of_the_chunk_before() {
    let text: String = (0..200).map(|it| format!("w{it} ")).collect();
    let all = of(&text, 40, 10);
    assert!(all.len() > 2);
    for pair in all.windows(2) {
        let own = text[pair[1].range.clone()].trim();
        let shared = pair[1].text.strip_suffix(own).unwrap().trim();
        assert!(pair[0].text.ends_with(shared) && shared.starts_with('w'), "{pair:#?}");
        assert!((7..=10).contains(&count_tokens(shared)), "{shared}");
    }
}

#[test]
fn a_table_repeats_its_header_and_is_divided_between_rows() {
    let html = include_str!("long-table.html");
    let markdown = crate::convert(html, None, &crate::Limits::default()).unwrap().markdown;
    let (size, overlap) = (200, 20);
    let all = of(&markdown, size, overlap);
    assert!(all.len() > 5, "{}", all.len());
    let mut rows = 0;
    for chunk in &all {
        let mut lines = chunk.text.lines().skip_while(|line| !line.starts_with('|'));
        let header = lines.next().unwrap();
        assert_eq!(header.split('|').map(str::trim).collect::<String>(), "CodeMeaningRemedy");
        assert!(lines.next().unwrap().contains("---"));
        for row in lines {
            let whole = row.trim_start_matches(['|', ' ']).starts_with("ERR-") && row.ends_with('|');
            assert!(whole && row.matches('|').count() == 4, "{row}");
            rows += 1;
        }
        assert!(chunk.tokens <= size);
        assert_eq!(chunk.headings, ["Error codes"]);
    }
    assert!(all[1..].iter().all(|chunk| chunk.text.starts_with('|')), "{all:#?}");
    assert_eq!(rows, html.matches("ERR-").count());
}

#[test]
fn all_rows_of_a_head_stand_in_every_chunk() {
    let head: String = (0..8).map(|row| format!("<tr><th>h{row}<th>x</tr>")).collect();
    let body: String = (0..60).map(|row| format!("<tr><td>b{row}<td>words of this row</tr>")).collect();
    let html = format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>");
    let markdown = crate::convert(&html, None, &crate::Limits::default()).unwrap().markdown;
    let all = texts(&markdown, 200, 0);
    assert!(all.len() > 2);
    for chunk in &all {
        assert!((0..8).all(|row| chunk.contains(&format!("| h{row} | x |"))), "{chunk}");
    }
}

#[test]
fn rows_of_the_same_table_overlap_whole_and_a_row_that_is_too_long_is_divided_between_words() {
    let rows: String = (0..9).map(|it| format!("| {it} | b |\n")).collect();
    let table = format!("| A | B |\n| --- | --- |\n{rows}");
    let all = texts(&table, 40, 8);
    assert!(
        all.len() > 1 && all.iter().all(|text| text.starts_with("| A | B |\n| --- | --- |\n| ")),
        "{all:#?}"
    );
    let last = all[0].lines().last().unwrap();
    assert_eq!(all[1].lines().nth(2), Some(last));

    let long = format!("| A | B |\n| --- | --- |\n| x | {}|\n| y | z |", "word ".repeat(60));
    let all = texts(&long, 40, 0);
    assert!(
        all.len() > 2 && all.iter().all(|text| text.starts_with("| A | B |\n| --- | --- |\n")),
        "{all:#?}"
    );
    assert_eq!(all.concat().matches("word").count(), 60);
}

#[test]
fn a_header_that_takes_more_than_half_of_a_chunk_is_not_repeated() {
    let rows = "| a | b |\n".repeat(20);
    let table = format!("| {} | B |\n| --- | --- |\n{rows}", "long header ".repeat(9));
    let all = of(&table, 30, 0);
    assert!(all.iter().all(|chunk| chunk.tokens <= 30));
    assert_eq!(all.iter().filter(|chunk| chunk.text.contains("header")).count(), 1);
}

#[test]
fn code_is_divided_at_line_ends_and_each_part_is_fenced_with_its_info_string() {
    let code: Vec<String> = (0..30).map(|it| format!("    let x{it} = call({it});")).collect();
    for (opening, closing) in [("```rust", "```"), ("`````rust ignore", "`````"), ("~~~", "~~~")] {
        let text = format!("# Use\n\n{opening}\n{}\n{closing}\n\nAfter it.", code.join("\n"));
        let all = of(&text, 60, 0);
        assert!(all.len() > 3);
        let mut lines = Vec::new();
        for chunk in &all {
            let fenced = chunk.text.trim_start_matches("# Use").trim_end_matches("After it.").trim();
            let inner = fenced.strip_prefix(opening).and_then(|it| it.strip_suffix(closing)).expect("fenced");
            lines.extend(inner.trim_matches('\n').lines().map(str::to_owned));
        }
        assert_eq!(lines, code);
    }
}

#[test]
fn code_that_fits_is_never_divided() {
    let code = format!("```\n{}```", "a b c d\n".repeat(8));
    assert!(count_tokens(&code) < 60);
    for words in 0..60 {
        let text = format!("{}\n\n{code}\n\nAfter.", "word ".repeat(words));
        assert!(of(&text, 60, 5).iter().any(|chunk| chunk.text.contains(&code)), "{words}");
    }
}

#[test]
fn code_and_tables_inside_of_items_and_quotes_are_known_as_such() {
    let code = "a b c d e f g h\n".repeat(12).lines().map(|line| format!("  {line}\n")).collect::<String>();
    let all = texts(&format!("- ```sh\n{code}  ```\n- next"), 60, 0);
    assert!(all.len() > 1 && all[1].starts_with("- ```sh\n  a b"), "{all:#?}");
    assert!(all[0].ends_with("\n  ```"), "{all:#?}");
    let rows = "> | 1 | 2 |\n".repeat(20);
    let all = texts(&format!("> | A | B |\n> |---|---|\n{rows}\nAfter."), 60, 0);
    assert!(all.len() > 1 && all[1].starts_with("> | A | B |\n> |---|---|\n> | 1"), "{all:#?}");
}

#[test]
fn lists_are_divided_at_items_outer_ones_first() {
    let text: String =
        (0..12).map(|it| format!("- Item {it} of the list\n  - inner one\n  - inner two\n")).collect();
    let all = texts(&text, 60, 0);
    assert!(all.len() > 2 && all.iter().all(|text| text.starts_with("- Item")), "{all:#?}");
}

#[test]
fn a_paragraph_that_is_too_long_is_divided_at_sentences() {
    let text = "This is one of the sentences. ".repeat(20);
    let all = texts(&text, 50, 0);
    assert!(all.len() > 2 && all.iter().all(|text| text.ends_with("sentences.")), "{all:#?}");
    let han = "\u{8fd9}\u{662f}\u{4e00}\u{53e5}\u{8bdd}\u{3002}".repeat(40);
    assert!(texts(&han, 50, 0).iter().all(|text| text.ends_with('\u{3002}')));
}

#[test]
fn every_chunk_has_the_path_of_its_headings() {
    let words = "word ".repeat(30);
    let text = format!("Intro {words}\n\n# A #\n\n{words}\n\n## B\n\n{words}\n\n{words}\n\n# C\n\n{words}");
    let paths: Vec<String> = of(&text, 40, 0).iter().map(|chunk| chunk.headings.join("/")).collect();
    assert_eq!(paths, ["", "A", "A/B", "A/B", "C"]);
    let long = format!("# {}\n\nText.", "x".repeat(500));
    assert_eq!(of(&long, 1_000, 0)[0].headings[0].len(), HEADING_CHARS_MAX);
}

#[test]
fn title_and_path_stand_before_every_chunk_and_count() {
    let words = "word ".repeat(25);
    let text = format!("# A\n\n{words}\n\n{words}\n\n## B\n\n{words}\n\n{words}");
    let options = ChunkOptions { size: 45, overlap: 0 };
    let all = chunks(&text, options, Some("How to")).unwrap();
    let firsts: Vec<&str> = all.iter().map(|chunk| chunk.text.split("word").next().unwrap()).collect();
    assert_eq!(
        firsts,
        ["How to\n\n# A\n\n", "How to\n\nA\n\n", "How to\n\nA\n\n## B\n\n", "How to\n\nA > B\n\n"]
    );
    assert!(all.iter().all(|chunk| chunk.tokens <= 45 && chunk.tokens == count_tokens(&chunk.text)));
    let all = chunks(&text, options, Some(&"title ".repeat(100))).unwrap();
    assert!(all.iter().all(|chunk| chunk.text.starts_with("title title") && chunk.tokens <= 45), "{all:#?}");
}

#[test]
fn bounds_are_reached() {
    for (size, overlap) in [(0, 0), (10, 10), (CHUNK_SIZE_MAX + 1, 0)] {
        let options = ChunkOptions { size, overlap };
        assert_eq!(chunks("x", options, None), Err(ChunkError::Options { size, overlap }));
    }
    let options = ChunkOptions { size: CHUNK_SIZE_MAX, overlap: CHUNK_SIZE_MAX - 1 };
    assert!(chunks("x", options, None).is_ok());
    let most = "a\n\n".repeat(CHUNKS_MAX);
    let options = ChunkOptions { size: 1, overlap: 0 };
    assert_eq!(chunks(&most, options, None).unwrap().len(), CHUNKS_MAX);
    assert_eq!(chunks(&format!("{most}a"), options, None), Err(ChunkError::TooMany));
}

/// Texts of a megabyte that make quadratic work of careless reading.
fn hostile() -> Vec<String> {
    const BYTES: usize = 1_000_000;
    let table = format!("| A | B |\n| --- | --- |\n{}", "| 1 | 2 |\n".repeat(100_000));
    let wide =
        format!("|{}\n|{}\n{}", " h |".repeat(50_000), "-|".repeat(50_000), "| 1 | 2 |\n".repeat(50_000));
    let repeated = [
        "a",
        "#",
        "`",
        "~",
        "|",
        ">",
        "- ",
        "1. ",
        " ",
        "\n",
        "a\n",
        "# \n",
        "[",
        "a b",
        "\u{6f22}",
        "\u{1f469}\u{200d}",
        "```\n",
        "- - ```\n",
        "|-\n",
        "7",
        "| a\n|-\n",
        "' ",
        "> - 1. x\n",
        "[](",
        "~~a ",
        "**a b** ",
        "<del>a ",
        "# a\n\nb\n\n",
    ];
    let mut all: Vec<String> = repeated.iter().map(|it| it.repeat(BYTES / it.len())).collect();
    // A span and a fence that are longer than a chunk.
    for html in ["<code>", "<pre>"] {
        let html = format!("{html}{}", "`".repeat(BYTES / 4));
        all.push(crate::convert(&html, None, &crate::Limits::default()).unwrap().markdown);
    }
    all.extend([table, wide, format!("# h\n\n```x\n{}", "a b c d\n".repeat(BYTES / 8))]);
    all
}

#[test]
fn work_is_linear_on_hostile_texts() {
    // Each byte is counted once in its chunk; repetition, second tries and the blocks looked at add to that.
    const WORK_PER_BYTE: usize = 4;
    for text in hostile() {
        let shown: String = text.chars().take(12).collect();
        let lines = text.split('\n').count();
        assert!(blocks::blocks(&text).steps <= lines, "{shown:?}");
        WORK.set(0);
        let options = ChunkOptions { size: CHUNK_SIZE_DEFAULT, overlap: CHUNK_OVERLAP_DEFAULT };
        let all = chunks(&text, options, Some("Title")).unwrap();
        assert!(WORK.get() <= WORK_PER_BYTE * text.len(), "{shown:?} {}", WORK.get() / text.len());
        assert!(all.iter().all(|chunk| chunk.tokens <= CHUNK_SIZE_DEFAULT), "{shown:?}");
        let index = TokenIndex::of(&text);
        let least = index.between(0, text.len()) / CHUNK_SIZE_DEFAULT;
        assert!(all.len() <= 4 * least + 4, "{shown:?}: {} chunks, {least} at least", all.len());
    }
}

#[test]
fn the_marks_of_a_quote_are_no_words_that_chunks_share() {
    let text = format!("> > {}end\n> >\n> > {}", "word ".repeat(20), "more ".repeat(20));
    for size in 24..60 {
        for overlap in 1..4 {
            let all = texts(&text, size, overlap);
            assert!(all.iter().all(|chunk| !chunk.contains("\\>")), "{all:#?}");
        }
    }
}

#[test]
fn a_chunk_that_begins_within_a_section_of_a_table_repeats_its_title() {
    let rows = |name: &str| (0..14).map(|it| format!("| {name}{it} | {it} |\n")).collect::<String>();
    let text = format!(
        "| Place | Fee |\n| --- | --- |\n| Europe | |\n{}| Asia | |\n| City | Tax | |\n{}",
        rows("E"),
        rows("A")
    );
    for prefix in ["", "> ", "  "] {
        let text: String = text.lines().map(|line| format!("{prefix}{line}\n")).collect();
        let text = if prefix == "  " { text.replacen("  ", "- ", 1) } else { text };
        for overlap in [0, 12] {
            let all = texts(&text, 70, overlap);
            assert!(all.len() > 3, "{all:#?}");
            for chunk in &all {
                let at = |words: &str| chunk.find(words);
                assert!(at("| Place | Fee |") < at("| --- | --- |"), "{chunk}");
                if let Some(row) = at("| E") {
                    assert!(at("| Europe | |").is_some_and(|title| title <= row), "{chunk}");
                }
                if let Some(row) = at("| A1").or_else(|| at("| A5")) {
                    let titles = format!("| Asia | |\n{prefix}| City | Tax | |\n");
                    assert!(at(&titles).is_some_and(|title| title < row), "{chunk}");
                }
                assert!(
                    chunk.matches("| Europe | |").count() < 2 && chunk.matches("| Asia | |").count() < 2,
                    "{chunk}"
                );
                assert!(!chunk.trim_end().ends_with("| |"), "a title stays with its first row: {chunk}");
            }
        }
    }
    // Where there is no room for both, the names of the columns count more.
    let long = format!("| Place | Fee |\n| --- | --- |\n| {} | |\n{}", "Europe ".repeat(30), rows("E"));
    assert!(texts(&long, 60, 0).iter().skip(2).all(|chunk| chunk.starts_with("| Place | Fee |\n")));
}

#[test]
fn what_is_struck_or_a_link_is_closed_and_opened_again() {
    let words = |first: usize| (first..first + 60).map(|it| format!("w{it}")).collect::<Vec<_>>().join(" ");
    for (open, close) in
        [("~~", "~~"), ("<del>", "</del>"), ("**", "**"), ("<em>", "</em>"), ("[", "](https://a.example/b)")]
    {
        let text = format!("Now {open}{}{close} {}", words(0), words(60));
        for (size, overlap) in [(40, 0), (60, 10), (90, 20)] {
            let all = texts(&text, size, overlap);
            let is_link = close.starts_with(']');
            for chunk in &all {
                let marked = chunk.matches(close).count();
                assert_eq!(
                    chunk.matches(open).count(),
                    if open == close { 2 * marked.div_ceil(2) } else { marked },
                    "{chunk}"
                );
                let inside = chunk
                    .rsplit_once(close)
                    .map_or("", |(before, _)| before.rsplit_once(open).map_or("", |it| it.1));
                let number = |word: &str| word.strip_prefix('w').and_then(|it| it.parse::<usize>().ok());
                for word in chunk.split([' ', '*', '~', '<', '>', '[', ']']) {
                    let Some(number) = number(word) else { continue };
                    let is_inside = inside.split(' ').any(|it| it == word);
                    assert_eq!(is_inside, number < 60, "{word} of {chunk}");
                }
            }
            assert!(!is_link || all.iter().all(|it| it.matches(close).count() < 2), "{all:#?}");
        }
    }
    // Where the address takes too much room, the words alone are kept, and whatever else is around them.
    let text = format!("~~[{}](https://a.example/{})~~", words(0), "b/".repeat(60));
    let all = texts(&text, 60, 0);
    assert!(all.len() > 3 && all.iter().all(|it| it.starts_with("~~") && it.ends_with("~~")), "{all:#?}");
}
