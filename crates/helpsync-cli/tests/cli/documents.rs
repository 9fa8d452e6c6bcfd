//! Every command in the documents is run as it stands there, on a simulated help center; the few that are not say why.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::said;
use crate::served::Served;

/// What ends by itself only when somebody stops it is stopped after so many seconds.
const WATCHED_SECONDS: &str = "3";
/// The exit code of what was stopped.
const STOPPED: i32 = 124;

/// Commands that end otherwise than with 0, with the exit codes that they may have on a fresh simulation.
const ENDS: [(&str, &[i32], &str); 12] = [
    ("helpsync doctor", &[0, 4], "this machine may be short of room"),
    ("helpsync doctor --subdomain acme --json", &[0, 4], "this machine may be short of room"),
    ("helpsync verify CUSTOMER", &[0, 4], "the help center changes all the time"),
    ("helpsync approve-removals ada", &[1], "no removal is held"),
    ("helpsync approve-removals …", &[1], "no removal is held"),
    ("helpsync dead-letters show shard-7", &[1], "no work gave up"),
    ("helpsync dead-letters replay shard-7", &[1], "no work gave up"),
    (
        "helpsync dead-letters discard message-r1",
        &[1, 3],
        "no message was given up, and the embedded shape has none",
    ),
    ("helpsync keys remove k1", &[1], "what it signed is good for a week"),
    ("helpsync keys remove k1 --void", &[0, 1], "the server may have it in front for some seconds more"),
    ("helpsync status --watch", &[STOPPED], "it goes on until Ctrl-C"),
    ("helpsync up --simulated", &[STOPPED], "it goes on until Ctrl-C"),
];

/// Names of commands in a sentence, and what cannot be run here.
const NOT_RUN: [(&str, &str); 10] = [
    ("helpsync up", "a name in sentences; every test of this folder starts it"),
    (
        "helpsync up --connect SUBDOMAIN",
        "it needs an OAuth client of Zendesk's; manners.rs runs it without one",
    ),
    ("helpsync keys", "a name in sentences: its own commands follow it"),
    ("helpsync keys add", "it changes the keys under the others; the test of rotations runs it"),
    ("helpsync keys rotate", "it changes the keys under the others; the test of rotations runs it"),
    ("helpsync keys reseal", "it changes the keys under the others; the test of rotations runs it"),
    ("helpsync orgs set", "a name in sentences: it needs what to set"),
    ("helpsync webhooks", "a name in sentences: its own commands follow it"),
    ("helpsync webhooks rotate-key ID", "it needs the id of a webhook"),
    ("helpsync webhooks redeliver", "a name in sentences: it needs the id of a delivery"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages that people read; the reference is made from the command line itself.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for folder in ["docs", "deploy"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        names.extend(
            entries.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy())),
        );
    }
    names.retain(|name| name.ends_with(".md") && name != "docs/cli.md");
    names.sort();
    let read = |name: String| (std::fs::read_to_string(root().join(&name)).unwrap(), name);
    names.into_iter().map(read).map(|(text, name)| (name, text)).collect()
}

/// The shell blocks of a page.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default())
}

/// The commands of a page: lines of its shell blocks that begin with `helpsync`, and what stands in backticks.
fn commands(text: &str) -> Vec<String> {
    let of_blocks = blocks(text)
        .flat_map(str::lines)
        .map(str::trim)
        .map(|line| line.split_once(" #").map_or(line, |(command, _comment)| command).trim().to_owned());
    let fences: Vec<&str> = text.split("```").step_by(2).collect();
    let inline: Vec<String> = fences
        .iter()
        .flat_map(|prose| prose.split('`').skip(1).step_by(2))
        .map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    of_blocks.chain(inline).filter(|command| command.starts_with("helpsync ")).collect()
}

/// Runs a line in a shell, in the folder and with the variables that the simulation tells people of.
fn shell(served: &Served, script: &str) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_helpsync")).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("sh")
        .args(["-c", &format!(". {}; {script}", served.env_file)])
        .env_clear()
        .env("PATH", format!("{bin}:{path}"))
        .env("HELPSYNC_TEST", "documents")
        .current_dir(served.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Opens the address that `helpsync connect` prints, as a browser does; the simulated administrator allows at once.
fn connect(served: &Served, customer: &str) {
    let answer = served.json(&["connect", "acme", "--customer", customer]);
    let url = answer["oauth_url"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async { reqwest::get(url).await.unwrap().status() });
    assert!(status.is_success(), "{status}");
    served.text(&["sync", "--customer", customer, "--watch"]);
}

fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

#[test]
fn every_command_in_the_documents_works_as_it_stands_there() {
    let served = Served::start_for("ada", &[]);
    served.text(&["sync", "--customer", "ada", "--watch"]);
    connect(&served, "me");
    std::fs::write(served.folder().join("article.html"), "<h2>Fees</h2><p>Five.</p>").unwrap();
    std::fs::write(served.folder().join("logo.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    let (mut seen, mut ran) = (BTreeSet::new(), 0);
    for (page, text) in pages() {
        for command in commands(&text) {
            seen.insert(command.clone());
            if NOT_RUN.iter().any(|(known, _)| *known == command) {
                continue;
            }
            let ends =
                ENDS.iter().find(|(known, ..)| *known == command).map_or(&[0][..], |(_, ends, _)| ends);
            let mut script =
                command.replace("SUBDOMAIN", "acme").replace("CUSTOMER", "ada").replace('…', "ada");
            if script.contains("| jq") && !has("jq") {
                eprintln!("jq is not here: {command} is run up to it");
                script = script.split(" |").next().unwrap_or_default().to_owned();
            }
            if ends.contains(&STOPPED) {
                script = format!(
                    "HELPSYNC_API__LISTEN=127.0.0.1:0 timeout -s INT --preserve-status {WATCHED_SECONDS} {script}"
                );
            }
            let output = shell(&served, &script);
            let code = output.status.code().unwrap_or(-1);
            let fits = ends.contains(&code) || ends.contains(&STOPPED) && [0, STOPPED, 130].contains(&code);
            assert!(fits, "{page}: {command}: {code}: {}", said(&output));
            ran += 1;
        }
    }
    assert!(ran > 40, "{ran} commands were run");
    for known in ENDS.iter().map(|(command, ..)| command).chain(NOT_RUN.iter().map(|(command, _)| command)) {
        assert!(seen.contains(*known), "{known} is in no document any more");
    }
}

#[test]
fn the_calls_of_the_api_in_the_readme_work_as_they_stand_there() {
    let served = Served::start_for("ada", &[]);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let store = served.env[1].1.trim_start_matches("sqlite:");
    let url = served.env[0].1.trim_end_matches('/');
    let scripts: Vec<&str> = blocks(&readme).filter(|block| block.contains("curl ")).collect();
    assert!(scripts.len() >= 2);
    // Later blocks use the key that the first has read.
    let script =
        scripts.concat().replace("http://127.0.0.1:8080", url).replace("curl ", "curl -sS --fail-with-body ");
    let script = script.replace("helpsync.db.api-key", &format!("{store}.api-key"));
    let output = shell(&served, &format!("set -e\n{script}"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("oauth_url") && said(&output).contains("\"results\""),
        "{}",
        said(&output)
    );
}
