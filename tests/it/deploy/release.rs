//! A release is made only where advisories were checked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
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

const IMAGE_FILES: [&str; 3] = ["deploy/Dockerfile", "docker-compose.yml", "deploy/compose.services.yml"];
const SBOM: &str = "echo {} > crates/helpsync-cli/helpsync.sbom.json";

/// A copy of what `deploy/dev.sh` reads, and a path with programs of the test's own before the others: `cargo` leaves what a
/// build and a list of parts would, `docker` says what it is told to.
fn copy(cyclonedx: &str, docker: &str) -> (TempDir, TempDir, String) {
    let (copy, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in ["deploy", "crates/helpsync-cli", "bench", "tests"] {
        std::fs::create_dir_all(copy.path().join(folder)).unwrap();
    }
    for file in IMAGE_FILES.into_iter().chain(["deploy/dev.sh"]) {
        std::fs::copy(root().join(file), copy.path().join(file)).unwrap();
    }
    let cargo = format!(
        "case \"$1\" in
           auditable) mkdir -p target/release; cd target/release; touch helpsync helpsync-dispatcher helpsync-worker;;
           cyclonedx) {cyclonedx};;
         esac"
    );
    for (name, script) in [("cargo", cargo.as_str()), ("docker", docker)] {
        let tool = tools.path().join(name);
        std::fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    (copy, tools, path)
}

/// `deploy/dev.sh` in such a copy: whether it succeeded, and what it said.
fn dev(copy: &TempDir, path: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("bash");
    command.arg("deploy/dev.sh").args(arguments).env("PATH", path).current_dir(copy.path());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The images of others that the files in a folder name.
fn images(folder: &Path) -> Vec<String> {
    let texts = IMAGE_FILES.map(|file| std::fs::read_to_string(folder.join(file)).unwrap());
    let named = texts.iter().flat_map(|text| text.lines()).filter_map(|line| {
        let from = line.strip_prefix("FROM ").and_then(|line| line.split(' ').next());
        from.or_else(|| line.trim_start().strip_prefix("image: ")).filter(|image| image.contains(':'))
    });
    named.filter(|image| !image.ends_with(":local")).map(str::to_owned).collect()
}

#[test]
fn a_release_names_images_by_digest_and_leaves_nothing_where_a_step_fails() {
    let make = |cyclonedx: &str, compose: &dyn Fn(String) -> String| {
        let (copy, _tools, path) = copy(cyclonedx, "exit 1");
        let file = copy.path().join("docker-compose.yml");
        std::fs::write(&file, compose(std::fs::read_to_string(&file).unwrap())).unwrap();
        let (succeeded, said) = dev(&copy, &path, &["parts", "made"]);
        let left = std::fs::read_dir(copy.path().join("target")).unwrap().filter_map(Result::ok);
        let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != "release").collect();
        assert!(left.is_empty(), "nothing half-made is left: {left:?}");
        assert_eq!(succeeded, copy.path().join("made").exists(), "{said}");
        (copy, said)
    };
    let (copy, _) = make(SBOM, &|compose| compose);
    let made = copy.path().join("made");
    let pinned = images(&made);
    assert!(pinned.len() >= 8 && pinned.iter().all(|image| is_pinned(image)), "{pinned:?}");
    let sums = std::fs::read_to_string(made.join("SHA256SUMS")).unwrap();
    for part in ["helpsync-worker", "helpsync.sbom.json", "images.txt", "docker-compose.yml"] {
        assert!(sums.lines().any(|line| line.ends_with(&format!("  {part}"))), "{part}: {sums}");
    }
    let without = |compose: String| {
        let (before, after) = compose.split_once("@sha256:").unwrap();
        format!("{before}{}", &after[64..])
    };
    let (_, said) = make(SBOM, &without);
    assert!(said.contains("have no digest") && said.contains("no release"), "{said}");
    let (_, said) = make("exit 1", &|compose| compose);
    assert!(said.contains("no SBOM") && said.contains("no release"), "{said}");
}

#[test]
fn digests_are_renewed_all_together_or_not_at_all() {
    let digest = format!("sha256:{}", "7".repeat(64));
    let (copy, _tools, path) = copy(SBOM, &format!("echo {digest}"));
    let before = images(copy.path());
    assert!(dev(&copy, &path, &["repin"]).0);
    let after = images(copy.path());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(*after, format!("{}@{digest}", before.split('@').next().unwrap()));
    }
    assert_eq!(before.len(), after.len());
    for docker in [
        "exit 1",
        "echo none",
        "case \"$*\" in *redis*) exit 1;; *) echo sha256:$(printf '8%.0s' $(seq 64));; esac",
    ] {
        let (copy, _tools, path) = self::copy(SBOM, docker);
        let (succeeded, said) = dev(&copy, &path, &["repin"]);
        assert!(!succeeded && said.contains("no digest of"), "{said}");
        assert_eq!(images(copy.path()), before);
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
