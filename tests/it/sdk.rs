//! Carbon's own SDKs, from the package registries, against a real installation: the whole life of a customer, one
//! script per part (`tests/sdk`). `deploy/dev.sh setup` installs the SDKs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use test_servers::EmbeddingsServer;
use tokio::process::Command;
use zendesk_sim::{BodyProfile, GenerateOptions, Role};

use crate::app::{API_KEY, CLIENT_ID, LATE, Shape, TestApp, real_time};

const CUSTOMER: &str = "ada@example.com";
const SUBDOMAIN: &str = "acme";
/// One script does many things, each of which may take a while on a busy machine.
const SCRIPT_LATE: std::time::Duration = LATE.saturating_mul(2);

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A script in Node, with what it needs to find the packages of the tests.
pub(crate) fn node(script: &Path) -> Command {
    let modules = root().join("target/sdk-node/node_modules");
    assert!(modules.exists(), "{} is missing: run deploy/dev.sh setup", modules.display());
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules).arg(script);
    command
}

/// The interpreters, with what they need to find the SDKs.
#[derive(Debug, Clone, Copy)]
enum Sdk {
    Python,
    Node,
}

impl Sdk {
    fn command(self, script: &Path) -> Command {
        let mut command = match self {
            Self::Python => {
                let python = root().join("target/venv/bin/python");
                assert!(python.exists(), "{} is missing: run deploy/dev.sh setup", python.display());
                Command::new(python)
            }
            Self::Node => return node(script),
        };
        command.arg(script);
        command
    }

    /// The parts of the life, in order.
    fn scripts(self) -> Vec<PathBuf> {
        let (folder, ending) = match self {
            Self::Python => ("python", "py"),
            Self::Node => ("node", "js"),
        };
        let folder = root().join("tests/sdk").join(folder);
        let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with('p') && path.extension().is_some_and(|it| it == ending)
            })
            .collect();
        scripts.sort();
        assert!(scripts.len() >= 6, "{scripts:?}");
        scripts
    }
}

async fn the_whole_life_of_a_customer(sdk: Sdk, shape: Shape) {
    let server = EmbeddingsServer::start().await;
    let settings =
        [("HELPSYNC_EMBEDDINGS__URL", server.url.as_str()), ("HELPSYNC_EMBEDDINGS__POLL_MS", "50")];
    let app = TestApp::start(shape, &settings, real_time()).await;
    let generate = GenerateOptions {
        articles: 60,
        categories: 2,
        sections: 6,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account(SUBDOMAIN, generate);
    let token = account.issue_tokens(CLIENT_ID, Role::Admin, "read");
    let url = app.url("/").to_string();
    for script in sdk.scripts() {
        let running = sdk
            .command(&script)
            .env("HELPSYNC_URL", url.trim_end_matches('/'))
            .env("HELPSYNC_KEY", API_KEY)
            .env("HELPSYNC_CUSTOMER", CUSTOMER)
            .env("HELPSYNC_SUBDOMAIN", SUBDOMAIN)
            .env("HELPSYNC_ARTICLES", account.truth().len().to_string())
            .env("HELPSYNC_ZENDESK_TOKEN", &token.access_token)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(SCRIPT_LATE, running).await;
        let output = output.unwrap_or_else(|_late| panic!("{} does not end", script.display())).unwrap();
        assert!(
            output.status.success(),
            "{}\n{}{}",
            script.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_lives_the_whole_life_of_a_customer_embedded() {
    the_whole_life_of_a_customer(Sdk::Python, Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_lives_the_whole_life_of_a_customer_on_services() {
    the_whole_life_of_a_customer(Sdk::Python, Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_lives_the_whole_life_of_a_customer_embedded() {
    the_whole_life_of_a_customer(Sdk::Node, Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_lives_the_whole_life_of_a_customer_on_services() {
    the_whole_life_of_a_customer(Sdk::Node, Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carbons_widget_connects_a_help_center_in_a_browser_and_shows_its_articles() {
    let app = TestApp::embedded().await;
    let generate =
        GenerateOptions { articles: 12, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account(SUBDOMAIN, generate);
    // The newest is listed first.
    let change = zendesk_sim::Change::Create {
        section_id: None,
        title: "How to use Node.js".to_owned(),
        body: "<p>Run it.</p>".to_owned(),
        draft: false,
    };
    account.apply(change).unwrap();
    let url = app.url("/").to_string();
    let output = Sdk::Node
        .command(&root().join("tests/sdk/widget/drive.js"))
        .env("HELPSYNC_URL", url.trim_end_matches('/'))
        .env("HELPSYNC_KEY", API_KEY)
        .env("HELPSYNC_CUSTOMER", CUSTOMER)
        .env("HELPSYNC_SUBDOMAIN", SUBDOMAIN)
        .env("HELPSYNC_ARTICLE", "How to use Node.js")
        .env("HELPSYNC_SCREENSHOT", root().join("target/widget.png"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SCRIPT_LATE, output).await.expect("the widget ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
