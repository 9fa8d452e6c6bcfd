//! Reading what is under test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Merges stand in merges, to this depth at most.
const MERGE_DEPTH_MAX: usize = 8;

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(super) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document of a YAML file, anchors and merges resolved.
pub(super) fn yaml(path: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    let text = text(path);
    let documents = serde_yaml_ng::Deserializer::from_str(&text).map(|document| {
        let mut value = serde_yaml_ng::Value::deserialize(document).unwrap_or_else(|e| panic!("{path}: {e}"));
        for _ in 0..MERGE_DEPTH_MAX {
            value.apply_merge().unwrap_or_else(|e| panic!("{path}: {e}"));
        }
        serde_json::to_value(value).unwrap()
    });
    documents.collect()
}

/// The lines `NAME=value` of an environment file.
pub(super) fn environment(path: &str) -> BTreeMap<String, String> {
    let lines = text(path);
    let pairs = lines.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// Whether an image of others names one version and, by its digest, one content.
pub(super) fn is_pinned(image: &str) -> bool {
    let Some((named, digest)) = image.split_once("@sha256:") else { return false };
    names_version(named) && digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether an image names one version: digits and at least one dot, or a date.
pub(super) fn names_version(image: &str) -> bool {
    let Some((_, tag)) = image.rsplit_once(':') else { return false };
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let dotted = tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.');
    let dated = tag.split('-').any(|part| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit()));
    dotted || dated
}

/// Seconds of a duration such as `45s`.
pub(super) fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// Asks the Python packages; says so when they are not there.
pub(super) fn python(arguments: &[&str]) {
    let interpreter = std::env::var_os("HELPSYNC_TEST_PYTHON").map(PathBuf::from);
    let interpreter = interpreter.unwrap_or_else(|| root().join("target/python/bin/python"));
    if !interpreter.exists() {
        eprintln!("SKIPPED: no Python with the schemas; deploy/dev.sh setup makes one");
        return;
    }
    let output = Command::new(interpreter).arg("-m").args(arguments).current_dir(root()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
}
