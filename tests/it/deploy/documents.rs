//! Variables that are named in documents exist.

use super::files::{root, text};

/// Read by the command line, by the tests, or the name of the settings file.
const NOT_SETTINGS: [&str; 3] = ["HELPSYNC_CONFIG", "HELPSYNC_URL", "HELPSYNC_API_KEY"];
const OF_TESTS: &str = "HELPSYNC_TEST_";

fn documents() -> Vec<String> {
    let mut paths: Vec<String> = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docker-compose.yml"]
        .map(ToOwned::to_owned)
        .to_vec();
    let mut folders = vec!["docs".to_owned(), "deploy".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                paths.push(path);
            }
        }
    }
    paths
}

/// Every word of a text that looks like a variable of ours.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.starts_with("HELPSYNC_") && !word.ends_with('_'))
}

#[test]
fn every_variable_that_is_named_is_a_setting() {
    let reference = helpsync_config::reference();
    let mut seen = 0;
    for path in documents() {
        for name in variables(&text(&path)) {
            let setting = reference.lines().find(|line| line.contains(&format!("| `{name}` |"))).is_some();
            let file = name.strip_suffix("_FILE").is_some_and(|name| {
                reference
                    .lines()
                    .any(|line| line.contains(&format!("| `{name}` |")) && line.contains("*secret*"))
            });
            let known = setting || file || NOT_SETTINGS.contains(&name) || name.starts_with(OF_TESTS);
            assert!(known, "{path} names {name}, which is no setting");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} names were found");
}
