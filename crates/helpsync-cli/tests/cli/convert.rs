//! `helpsync convert` as a person meets it.

use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ARTICLE: &str = "<h2>Fees</h2><table><tr><th>Plan</th><th>Fee</th></tr><tr><td>Team</td><td>5</td></tr></table>\
    <p><a href=\"/hc/en-us/articles/2\">More</a> <img src=\"/a.png\" alt=\"A picture\"></p>";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_helpsync"));
    command.arg("convert").args(arguments).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with `input` on standard input.
fn convert(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(arguments).spawn().unwrap();
    // A command that refuses its arguments reads nothing.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

fn out(arguments: &[&str], input: &str) -> String {
    let output = convert(arguments, input.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_article_is_shown_as_it_will_be_stored() {
    let expected = "## Fees\n\n| Plan | Fee |\n| --- | --- |\n| Team | 5 |\n\n[More](/hc/en-us/articles/2) ![A picture](/a.png)\n";
    assert_eq!(out(&[], ARTICLE), expected);
    assert_eq!(out(&["-"], ARTICLE), expected);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("article.html");
    std::fs::write(&file, ARTICLE).unwrap();
    assert_eq!(out(&[file.to_str().unwrap(), "--as", "markdown"], ""), expected);
    assert_eq!(out(&["--as", "text"], ARTICLE), "Fees\n\nPlan\tFee\nTeam\t5\n\nMore\n");
    let chunks = out(&["--as", "chunks"], ARTICLE);
    assert!(chunks.starts_with("=== chunk 1 of 1, ") && chunks.contains("| Team | 5 |"), "{chunks}");
    let long = format!("<h2>Fees</h2><h3>Late</h3>{}", "<p>Many words about it.</p>".repeat(800));
    let chunks = out(&["--as", "chunks"], &long);
    let heading = chunks.lines().filter(|line| line.starts_with("=== chunk")).nth(1).unwrap();
    assert!(heading.ends_with(" tokens > Fees > Late"), "{heading}");
}

#[test]
fn the_json_holds_all_that_is_stored_with_absolute_addresses() {
    let url = "https://acme.example.com/hc/en-us/articles/1";
    let json: Value =
        serde_json::from_str(&out(&["--url", url, "--title", "Fees", "--as", "json"], ARTICLE)).unwrap();
    assert_eq!(json["links"], serde_json::json!(["https://acme.example.com/hc/en-us/articles/2"]));
    assert_eq!(json["images"], serde_json::json!(["https://acme.example.com/a.png"]));
    assert_eq!(json["hash"], helpsync_content::content_hash("Fees", ARTICLE));
    assert_eq!(json["converter_version"], helpsync_content::CONVERTER_VERSION);
    assert_eq!(json["text"], "Fees\n\nPlan\tFee\nTeam\t5\n\nMore");
    let chunk = &json["chunks"][0];
    assert!(json["markdown"].as_str().unwrap().contains(chunk["text"].as_str().unwrap()), "{json}");
    assert!(chunk["tokens"].as_u64().unwrap() > 10, "{json}");
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_so() {
    for (arguments, input, says) in [
        (&["/nowhere/article.html"][..], &b""[..], "/nowhere/article.html cannot be read"),
        (&["--url", "javascript:alert(1)"][..], b"", "not an http or https address"),
        (&["--url", "/hc/en-us"][..], b"", "not an http or https address"),
        (&["--as", "pdf"][..], b"", "pdf"),
        (&[][..], b"\xff\xfe", "not UTF-8"),
        (&[][..], &[b'x'; helpsync_content::INPUT_BYTES_MAX + 1][..], "bytes"),
        (&[][..], "<div>".repeat(1_000).as_bytes(), "deep"),
    ] {
        let output = convert(arguments, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(says), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let mut child = command(&["--as", "text"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let html = "<p>word</p>".repeat(100_000 / 3);
    stdin.write_all(html.as_bytes()).unwrap();
    // It prints only after its input has ended: by then nobody reads.
    drop(child.stdout.take());
    drop(stdin);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.is_empty(), "{said}");
}
