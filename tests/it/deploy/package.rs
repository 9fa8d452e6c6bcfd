//! What is installed: licenses, the systemd unit, the Debian package.

use std::process::Command;

use super::files::{root, text};

/// Of `systemd-analyze security`, in tenths: from 0 (shut in) to 100.
const EXPOSURE_MAX: u32 = 20;

#[test]
fn the_licenses_of_the_manifest_are_there() {
    assert!(text("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
    assert!(text("LICENSE-MIT").starts_with("MIT License"));
    assert!(text("LICENSE-APACHE").contains("Version 2.0, January 2004"));
    assert!(text("CHANGELOG.md").contains("## Unreleased"));
}

fn lines(path: &str) -> Vec<(String, String)> {
    let text = text(path);
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_unit_starts_the_embedded_shape_with_settings_that_are_some() {
    let unit = lines("deploy/systemd/helpsync.service");
    let value = |name: &str| unit.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("ExecStart"), Some("/usr/bin/helpsync up"));
    let mut env: Vec<(String, String)> = unit
        .iter()
        .filter(|(name, _)| name == "Environment")
        .map(|(_, pair)| {
            pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
        })
        .collect();
    env.extend(lines("deploy/systemd/helpsync.env.example"));
    let settings = helpsync_config::Settings::load(None, env).unwrap();
    let grace: u64 = value("TimeoutStopSec").unwrap().parse().unwrap();
    assert!(grace > settings.worker.drain.as_secs() + 5, "it is killed while it drains");
    // Settings that are not understood: the exit code that docs/cli.md gives them.
    assert_eq!(value("RestartPreventExitStatus"), Some("2"));
}

#[test]
fn the_unit_is_shut_in() {
    let unit = root().join("deploy/systemd/helpsync.service");
    let Ok(output) = Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(unit).output()
    else {
        eprintln!("SKIPPED: systemd-analyze is not here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let level = said.lines().find_map(|line| line.split_once("helpsync.service: ")?.1.split(' ').next());
    let level = level.unwrap_or_else(|| panic!("{said}"));
    let tenths: u32 = level.replace('.', "").parse().unwrap();
    assert!(tenths <= EXPOSURE_MAX, "exposure {level}: {said}");
}

#[test]
fn all_that_the_package_takes_is_there() {
    let manifest = text("crates/helpsync-cli/Cargo.toml");
    let deb = manifest.split("[package.metadata.deb]").nth(1).unwrap();
    let assets = deb.split("assets = [").nth(1).unwrap().split("\n]").next().unwrap();
    let mut taken = 0;
    for asset in assets.lines().filter_map(|line| line.split('"').nth(1)) {
        taken += 1;
        match asset.strip_prefix("target/release/") {
            // `deploy/dev.sh deb` makes it.
            None if asset.starts_with("../../target/package/") => {}
            Some(binary) => assert!(manifest.contains(&format!("name = \"{binary}\"")), "{binary}"),
            None => assert!(root().join("crates/helpsync-cli").join(asset).exists(), "{asset}"),
        }
    }
    assert!(taken >= 8, "{taken} assets");
    for script in ["postinst", "prerm"] {
        let path = root().join("deploy/debian").join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).status().unwrap();
        assert!(checked.success(), "{script}");
    }
    let scripts = text("deploy/debian/postinst");
    assert!(scripts.contains("adduser --system --group"), "the unit runs as the user helpsync");
}
