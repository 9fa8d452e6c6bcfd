//! A release is made only where advisories were checked.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::files::{is_pinned, root};

/// `deploy/dev.sh advisories` with a cargo-deny of the test's own in the path.
fn advisories(deny: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("cargo-deny");
    std::fs::write(&tool, format!("#!/bin/sh\n{deny}\n")).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["deploy/dev.sh", "advisories"]).env("PATH", path).current_dir(root());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_release_fails_without_the_advisory_database_and_with_an_advisory_in_it() {
    let (passed, said) = advisories("case \"$*\" in *fetch*) exit 1;; esac");
    assert!(!passed && said.contains("cannot be fetched"), "{said}");
    assert!(!advisories("case \"$*\" in *advisories*) exit 1;; esac").0);
    assert!(advisories("exit 0").0);
}

#[test]
fn every_image_that_a_release_pins_by_its_digest_is_found() {
    let output = Command::new("bash").args(["deploy/dev.sh", "images"]).current_dir(root()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let images: Vec<&str> = text.lines().collect();
    assert!(images.len() >= 6 && images.iter().all(|image| is_pinned(image)), "{images:?}");
    for base in ["rust:", "debian:", "postgres:", "redis:", "rabbitmq:"] {
        assert!(images.iter().any(|image| image.starts_with(base)), "{base}: {images:?}");
    }
}
