//! How errors become text: by `helpsync_model::chain`, which says the whole cause, and says it once.

use std::path::{Path, PathBuf};

/// Tools of the tests, and the simulator, which shares no code with what it tests.
const NOT_OURS: [&str; 2] = ["test-servers", "zendesk-sim"];
/// Where an error's own text is what is wanted: the first two answer callers outside, who get the error alone (the log
/// has the cause), and the last one is `chain` itself.
const BARE_ON_PURPOSE: [&str; 3] =
    ["helpsync-api/src", "helpsync-app/src/health.rs", "helpsync-model/src/error.rs"];
/// Macros that write a log line.
const LOG_MACROS: [&str; 5] =
    ["tracing::error!(", "tracing::warn!(", "tracing::info!(", "tracing::debug!(", "tracing::trace!("];
/// An error's own text without its cause.
const BARE: [&str; 8] = [
    "%error",
    "?error",
    "%failure",
    "?failure",
    "error.to_string()",
    "failure.to_string()",
    "{error",
    "{failure",
];

/// The source files of our crates without their tests, each with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(crates)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !NOT_OURS.iter().any(|name| path.ends_with(name)))
        .map(|path| path.join("src"))
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let of_tests = path.file_stem().is_some_and(|it| it == "tests" || it == "testing");
            if path.is_dir() && !of_tests {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !of_tests {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 100, "only {} files", files.len());
    files
}

/// From an opening bracket to its own closing one.
fn bracketed(text: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..=at];
        }
    }
    text
}

/// The log lines of a file that print an error without its cause.
fn bare_log_lines(text: &str) -> Vec<&str> {
    let calls = LOG_MACROS.iter().flat_map(|name| text.match_indices(name));
    calls
        .map(|(at, name)| bracketed(&text[at + name.len() - 1..]))
        .filter(|call| BARE.iter().any(|bare| call.contains(bare)))
        .collect()
}

/// The variants of a file that print the source that they hold.
fn printed_sources(text: &str) -> Vec<&str> {
    let variants = text.split("#[error").skip(1);
    variants
        .filter(|variant| {
            let shown = bracketed(variant);
            let rest = &variant[shown.len()..];
            let holds = rest.split("\n    #[").next().unwrap();
            let by_place =
                shown.contains("{0") && (holds.contains("(#[source]") || holds.contains("(#[from]"));
            by_place || shown.contains("{source")
        })
        .collect()
}

#[test]
fn a_log_line_says_the_whole_cause_of_an_error() {
    for (path, text) in sources() {
        let bare = bare_log_lines(&text);
        assert!(bare.is_empty(), "{}: use chain(&error) in {bare:?}", path.display());
    }
}

#[test]
fn a_text_that_is_kept_says_the_whole_cause_of_an_error() {
    for (path, text) in sources() {
        if BARE_ON_PURPOSE.iter().any(|part| path.to_string_lossy().contains(part)) {
            continue;
        }
        for bare in BARE.iter().filter(|bare| !bare.starts_with('?')) {
            let line = text.lines().find(|line| line.contains(bare));
            assert!(line.is_none(), "{}: use chain(&error) in {line:?}", path.display());
        }
    }
}

#[test]
fn an_error_prints_its_source_or_holds_it() {
    for (path, text) in sources() {
        let printed = printed_sources(&text);
        assert!(printed.is_empty(), "{}: the cause would be said twice: {printed:?}", path.display());
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let log = "tracing::warn!(%shard, error = %error, \"gone (for now)\");";
    assert_eq!(bare_log_lines(log).len(), 1);
    assert!(bare_log_lines("tracing::warn!(error = chain(&error), \"gone\"); let why = %error;").is_empty());
    let by_place = "#[error(\"cannot: {0}\")]\n    Store(#[from] StoreError),\n    #[error(\"no\")]\n    No,";
    assert_eq!(printed_sources(by_place).len(), 1);
    let by_name = "#[error(\"cannot {path}: {source}\")]\n    File { path: String, source: Error },";
    assert_eq!(printed_sources(by_name).len(), 1);
    assert!(
        printed_sources(
            "#[error(\"no: {0}\")]\n    Url(String),\n    #[error(\"x\")]\n    Io(#[from] Error),"
        )
        .is_empty()
    );
}
