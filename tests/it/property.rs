//! Made-up calls, within our own description and outside of it: none may fail on our side, and every answer must be as
//! described. `schemathesis` makes them up, from a seed.

use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use tokio::process::Command;
use zendesk_sim::GenerateOptions;

use crate::app::{API_KEY, LATE, TestApp};

/// Made-up calls of an operation, beside those that its description gives by itself: every operation has its turn.
const EXAMPLES: &str = "10";
const SEED: &str = "20241202";
/// What is checked of every answer.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn made_up_calls_never_fail_on_our_side_and_are_answered_as_described() {
    let app = TestApp::embedded().await;
    app.account("acme", GenerateOptions { articles: 30, ..GenerateOptions::default() });
    app.connect("ada", "acme").await;
    let (_, token) = app.call(Method::GET, "/auth/v1/access_token", "ada", None).await;
    assert!(token["access_token"].is_string(), "{token}");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/schemathesis");
    assert!(python.exists(), "{} is missing: run deploy/dev.sh setup", python.display());
    let folder = tempfile::tempdir().unwrap();
    let running = Command::new(python.canonicalize().unwrap())
        .args(["run", app.url("/openapi.json").as_str(), "--checks", CHECKS, "--seed", SEED])
        .args(["--max-examples", EXAMPLES, "--no-shrink", "--generation-database", "none"])
        .args(["--no-color", "--warnings", "off", "--continue-on-failure", "--request-timeout", "30"])
        .args(["--header", &format!("authorization: Bearer {API_KEY}"), "--header", "customer-id: ada"])
        // It leaves files where it runs.
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LATE.saturating_mul(5), running).await;
    let output = output.expect("schemathesis ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Test cases:") || said.contains("generated"), "it called nothing: {said}");
    let told = |what: &str| -> usize {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(what));
        let number: String =
            line.unwrap_or_default().trim().chars().take_while(char::is_ascii_digit).collect();
        number.parse().unwrap_or_else(|_| panic!("nothing is said of {what:?}: {said}"))
    };
    let (selected, tested) = (told("Selected:"), told("Tested:"));
    assert!(selected > 100 && tested == selected, "{tested} of {selected} operations were called: {said}");
    // Nobody was harmed: the customer that the calls were made for still answers.
    app.post("/user_data_sources", "ada", json!({})).await;
}
