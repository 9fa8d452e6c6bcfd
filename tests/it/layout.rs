//! The shape of the workspace, as ARCHITECTURE.md draws it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// No file of ours is longer; most are under 300.
const LINES_MAX: usize = 450;
/// No function of ours is longer, outside tests.
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What each crate may depend on among ours, for its normal dependencies.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let text = include_str!("../../ARCHITECTURE.md");
    let table = text.split("<!-- edges -->").nth(1).unwrap().split("<!-- /edges -->").next().unwrap();
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let names: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
            (names[0], names[1..].to_vec())
        })
        .collect()
}

/// Every package of the workspace, as `cargo metadata` tells of it.
fn packages() -> Vec<Value> {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn crates_depend_on_what_the_map_allows_and_nothing_else() {
    let allowed = allowed();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        if name == "helpsync-tests" {
            continue;
        }
        let edges = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in ARCHITECTURE.md"));
        let mut used = BTreeSet::new();
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let ours = on.starts_with("helpsync-") || on == "zendesk-sim";
            if ours && dependency["kind"].is_null() {
                assert!(edges.contains(&on), "{name} depends on {on}; ARCHITECTURE.md does not allow it");
                used.insert(on.to_owned());
            }
        }
        for edge in edges {
            assert!(used.contains(*edge), "ARCHITECTURE.md allows {name} to depend on {edge}; it does not");
        }
    }
}

/// The store's folders, lowest first, as CONTRIBUTING.md gives them: those of one level do not know each other.
fn folders_of_the_store() -> Vec<Vec<&'static str>> {
    let text = include_str!("../../CONTRIBUTING.md");
    let order = text.split('`').find(|quoted| quoted.starts_with("db < ")).expect("the order of the folders");
    order.split(" < ").map(|level| level.split(", ").collect()).collect()
}

/// Which folders of the store a source imports from, with what.
fn imports(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("crate::").skip(1).filter_map(|path| {
        let end = path.find([';', ',', ')', '(', ' ']).unwrap_or(path.len());
        path[..end].split_once("::")
    })
}

#[test]
fn folders_of_the_store_import_from_lower_ones_only() {
    let levels = folders_of_the_store();
    let level = |folder: &str| levels.iter().position(|level| level.contains(&folder));
    let src = root().join("crates/helpsync-store/src");
    let mut edges: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (path, text) in sources(src.clone()) {
        let place = path.strip_prefix(&src).unwrap();
        let folder = place.components().next().unwrap().as_os_str().to_str().unwrap();
        if place.components().count() == 1 || folder == "tests" || folder == "testing" {
            continue;
        }
        let own = level(folder).unwrap_or_else(|| panic!("{folder} has no place in CONTRIBUTING.md"));
        assert!(!text.contains("use crate::{"), "{}: import from folders, not from the root", path.display());
        for (on, what) in imports(&text).filter(|(on, _)| *on != folder && *on != "testing") {
            let its = level(on).unwrap_or_else(|| panic!("{}: crate::{on} is no folder", path.display()));
            assert!(its < own, "{}: {folder} may not import {on}::{what}", path.display());
            *edges.entry((folder.to_owned(), on.to_owned())).or_default() += 1;
        }
    }
    for ((from, on), count) in &edges {
        println!("{from} -> {on}: {count}");
    }
    for folder in levels.into_iter().flatten() {
        assert!(src.join(folder).is_dir(), "CONTRIBUTING.md names the folder {folder}");
    }
}

/// Names and lengths of the functions of a source as rustfmt leaves it.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_start = |line: &str| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| matches!(*word, "async" | "const" | "pub") || word.starts_with("pub("));
        words.next() == Some("fn")
    };
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_start(line)) {
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let without_body =
            |line: &str| line.ends_with(';') && line.len() - line.trim_start().len() < end.len();
        let length = lines[start..].iter().position(|line| *line == end || without_body(line));
        found.push((line.trim(), length.unwrap_or(0) + 1));
    }
    found
}

#[test]
fn functions_stay_small_enough_to_read_at_once() {
    let mut longest = 0;
    let root = root();
    for (path, text) in ["crates", "bench"].into_iter().flat_map(|folder| sources(root.join(folder))) {
        let path = path.strip_prefix(&root).unwrap().to_string_lossy();
        if path.contains("/tests") || path.contains("conformance") || path.contains("/testing") {
            continue;
        }
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (name, lines) in functions(product) {
            assert!(lines <= FUNCTION_LINES_MAX, "{path}: {lines} lines of {name}");
            longest = longest.max(lines);
        }
    }
    assert!(longest > 20, "no functions were found");
}

#[test]
fn a_build_without_the_demo_does_not_compile_the_simulator() {
    let crates = |features: &[&str]| {
        let output = std::process::Command::new(env!("CARGO"))
            .args(["tree", "-p", "helpsync-cli", "-e", "normal", "--prefix", "none", "--locked", "--offline"])
            .args(features)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let has = |tree: &str, name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    let production = crates(&["--no-default-features"]);
    assert!(has(&production, "helpsync-app") && !has(&production, "zendesk-sim"), "{production}");
    assert!(has(&crates(&[]), "zendesk-sim"), "the demo is on by default");
}

/// Every Rust file below a folder, with its text.
fn sources(folder: PathBuf) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn files_stay_small_enough_to_hold_in_the_head() {
    for (path, text) in
        ["crates", "bench", "tests"].into_iter().flat_map(|folder| sources(root().join(folder)))
    {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

/// Whether a doc comment holds code that rustdoc would run.
fn has_example(text: &str) -> bool {
    let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
    let mut fences = comments.filter_map(|line| line.trim_start_matches(['/', '!', ' ']).strip_prefix("```"));
    // Fences come in pairs: the first of each says what is between them.
    while let Some(language) = fences.next() {
        if !language.starts_with("text") {
            return true;
        }
        fences.next();
    }
    false
}

/// Targets without tests say so, which spares linking and starting them. Then no test may stand in them unseen.
#[test]
fn a_target_that_is_not_tested_has_no_tests() {
    let mut untested = 0;
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for target in package["targets"].as_array().unwrap() {
            let path = Path::new(target["src_path"].as_str().unwrap());
            let is_library = target["kind"][0] == "lib";
            let files = if is_library {
                sources(path.parent().unwrap().to_owned())
            } else {
                vec![(path.to_owned(), std::fs::read_to_string(path).unwrap())]
            };
            for (path, text) in files {
                let at = path.display();
                if target["test"] == false && name != "helpsync-tests" {
                    untested += 1;
                    assert!(!text.contains("cfg(test)"), "{at}: {name} has test = false in its Cargo.toml");
                }
                assert!(target["doctest"] == true || !has_example(&text), "{at}: {name} has doctest = false");
            }
        }
    }
    assert!(untested > 0, "no target has test = false");
}
