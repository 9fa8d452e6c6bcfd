//! A release is made only where advisories were checked.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

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

/// Programs of the test's own in the place of those that make a release: `cargo` leaves what a build and a list of parts would.
fn fakes(digest: &str, cyclonedx: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let cargo = format!(
        "case \"$1\" in
           auditable) mkdir -p target/release; cd target/release; touch helpsync helpsync-dispatcher helpsync-worker;;
           cyclonedx) {cyclonedx};;
         esac"
    );
    for (name, script) in [("cargo", cargo.as_str()), ("docker", digest)] {
        let tool = folder.path().join(name);
        std::fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    (folder, path)
}

/// A release of a copy of what it reads; the folder that it leaves, if it leaves one.
fn made(digest: &str, cyclonedx: &str) -> Result<TempDir, String> {
    let (copy, (_tools, path)) = (tempfile::tempdir().unwrap(), fakes(digest, cyclonedx));
    for file in ["deploy/dev.sh", "deploy/Dockerfile", "docker-compose.yml", "deploy/compose.services.yml"] {
        std::fs::create_dir_all(copy.path().join("deploy")).unwrap();
        std::fs::copy(root().join(file), copy.path().join(file)).unwrap();
    }
    for folder in ["crates/helpsync-cli", "bench", "tests"] {
        std::fs::create_dir_all(copy.path().join(folder)).unwrap();
    }
    let mut command = Command::new("bash");
    command.args(["deploy/dev.sh", "parts", "made"]).env("PATH", path).current_dir(copy.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let left = std::fs::read_dir(copy.path().join("target")).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != "release").collect();
    assert!(left.is_empty(), "nothing half-made is left: {left:?}");
    let is_there = copy.path().join("made").exists();
    assert_eq!(output.status.success(), is_there, "{said}");
    if is_there { Ok(copy) } else { Err(said) }
}

#[test]
fn a_release_names_images_by_digest_and_leaves_nothing_where_a_step_fails() {
    let digest = format!("echo sha256:{}", "7".repeat(64));
    let sbom = "echo {} > crates/helpsync-cli/helpsync.sbom.json";
    let copy = made(&digest, sbom).unwrap();
    let read = |file: &str| std::fs::read_to_string(copy.path().join("made").join(file)).unwrap();
    let files = ["deploy/Dockerfile", "docker-compose.yml", "deploy/compose.services.yml"].map(read);
    let images = files.iter().flat_map(|text| text.lines()).filter_map(|line| {
        line.strip_prefix("FROM ")
            .or_else(|| line.trim_start().strip_prefix("image: "))
            .filter(|it| it.contains(':'))
    });
    let images: Vec<&str> = images.filter(|image| !image.ends_with(":local")).collect();
    assert!(images.len() >= 8 && images.iter().all(|image| image.contains("@sha256:777")), "{images:?}");
    let sums = read("SHA256SUMS");
    for part in ["helpsync-worker", "helpsync.sbom.json", "images.txt", "docker-compose.yml"] {
        assert!(sums.lines().any(|line| line.ends_with(&format!("  {part}"))), "{part}: {sums}");
    }
    for (digest, cyclonedx, why) in [
        ("exit 1", sbom, "no digest of"),
        ("echo none", sbom, "no digest of"),
        (digest.as_str(), "exit 1", "no SBOM"),
    ] {
        let said = made(digest, cyclonedx).unwrap_err();
        assert!(said.contains(why) && said.contains("no release"), "{said}");
    }
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
