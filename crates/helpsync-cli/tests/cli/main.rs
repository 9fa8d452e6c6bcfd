//! The binaries as a person meets them: exit codes, and texts that say what to do.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod convert;
mod doctor;
mod documents;
mod hostile;
mod manners;
mod served;

use std::process::{Command, Output};

/// Runs a binary in an empty folder, with nothing but `env` in its environment.
fn run(binary: &str, arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(binary)
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn helpsync(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    run(env!("CARGO_BIN_EXE_helpsync"), arguments, env)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn help_lists_every_command() {
    let output = helpsync(&["--help"], &[]);
    assert!(output.status.success());
    for command in [
        "up",
        "demo",
        "connect",
        "sync",
        "resync",
        "status",
        "enqueue",
        "dead-letters",
        "webhooks",
        "customers",
        "export",
        "doctor",
        "convert",
        "config",
    ] {
        assert!(said(&output).contains(&format!("\n  {command} ")), "{command}: {}", said(&output));
    }
}

#[test]
fn a_client_without_a_server_or_a_key_is_told_what_to_do() {
    let no_key = helpsync(&["status"], &[]);
    assert!(!no_key.status.success() && said(&no_key).contains("HELPSYNC_API_KEY"), "{}", said(&no_key));
    // Port 1 is reserved: nothing listens there.
    let nobody = helpsync(&["status", "--url", "http://127.0.0.1:1", "--api-key", "x"], &[]);
    assert!(!nobody.status.success() && said(&nobody).contains("helpsync up"), "{}", said(&nobody));
}

#[test]
fn a_mistyped_setting_is_refused_with_the_nearest_name() {
    let output = helpsync(&["config"], &[("HELPSYNC_API__LISTN", "127.0.0.1:1")]);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("HELPSYNC_API__LISTEN"), "{}", said(&output));
}

#[test]
fn a_role_alone_on_a_local_store_says_which_settings_it_needs() {
    for binary in [env!("CARGO_BIN_EXE_helpsync-worker"), env!("CARGO_BIN_EXE_helpsync-dispatcher")] {
        let output = run(binary, &[], &[]);
        assert!(!output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("HELPSYNC_STORE__URL"), "{}", said(&output));
    }
}
