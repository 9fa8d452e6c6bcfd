//! The documents: the map stays a map, and what they point at exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// As `wc -w` counts them.
const MAP_WORDS_MAX: usize = 2_500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every Markdown file of the repository, with its path from the root.
fn documents() -> Vec<(String, String)> {
    let (root, mut found, mut folders) = (root(), Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                // Test cases are other people's texts; the rest is not in the repository.
                if !name.starts_with('.') && !["target", "cases", "node_modules"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "md") {
                let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((relative, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The lines of a text that are not within a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Where the links of a text lead, within the repository: `[text](there)`, and `[text]: there` on a line of its own.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        found.extend(line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link));
        if line.starts_with('[') {
            found.extend(line.split_once("]: ").map(|(_, link)| link.trim()));
        }
    }
    let local = found.into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
    local.map(|link| link.split('#').next().unwrap_or_default().to_owned()).collect()
}

/// The files and folders of the repository that a text names in backticks: `crates/…`, `tests/…`, `deploy/…`, and
/// `store/src/…` for `crates/helpsync-store/src/…`. Each with where it should be.
fn named(text: &str) -> Vec<(&str, Vec<String>)> {
    let spans = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = spans.filter(|span| !span.contains([' ', '{', '*', '…', '<']) && !span.contains("NNNN"));
    paths
        .filter_map(|span| match span.split_once('/')? {
            ("crates" | "tests" | "deploy" | "docs", _) => Some((span, vec![span.to_owned()])),
            (short, rest) if rest.starts_with("src/") => {
                let places = [format!("crates/helpsync-{short}/{rest}"), format!("crates/{short}/{rest}")];
                Some((span, places.to_vec()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn the_map_can_be_read_in_one_sitting() {
    let words = include_str!("../../ARCHITECTURE.md").split_whitespace().count();
    assert!(words <= MAP_WORDS_MAX, "ARCHITECTURE.md has {words} words: move a mechanism to docs/");
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let (root, mut seen, mut dead) = (root(), 0, Vec::new());
    for (path, text) in documents() {
        let folder = root.join(&path).parent().unwrap().to_owned();
        for link in links(&text) {
            seen += 1;
            if !folder.join(&link).exists() {
                dead.push(format!("{path} links to {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(seen > 50, "{seen} links were found");
}

#[test]
fn every_file_that_a_document_names_exists() {
    let (root, mut seen, mut missing) = (root(), 0, Vec::new());
    for (path, text) in documents() {
        for (span, places) in named(&text) {
            seen += 1;
            if !places.iter().any(|place| root.join(place).exists()) {
                missing.push(format!("{path} names {span}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen > 50, "{seen} files were found");
}

#[test]
fn the_index_lists_every_page() {
    let index: BTreeSet<String> = links(include_str!("../../docs/README.md")).into_iter().collect();
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().to_str().unwrap().to_owned();
        assert!(name == "README.md" || index.contains(&name), "docs/README.md does not list {name}");
    }
}
