//! The shape of the workspace, as ARCHITECTURE.md draws it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// No file of ours is longer; most are under 300.
const LINES_MAX: usize = 450;

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

#[test]
fn crates_depend_on_what_the_map_allows_and_nothing_else() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = allowed();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if name == "helpsync-tests" {
            continue;
        }
        let edges = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in ARCHITECTURE.md"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let ours = on.starts_with("helpsync-") || on == "zendesk-sim";
            if ours && dependency["kind"].is_null() {
                assert!(edges.contains(&on), "{name} depends on {on}; ARCHITECTURE.md does not allow it");
            }
        }
    }
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
    assert!(!has(&production, "tempfile"), "only the demo and tests make temporary folders");
    assert!(has(&crates(&[]), "zendesk-sim"), "the demo is on by default");
}

#[test]
fn files_stay_small_enough_to_hold_in_the_head() {
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
            }
        }
    }
}
