//! `helpsync doctor` against each broken dependency: it says what and how to mend it, and changes nothing.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::served::Served;
use crate::{helpsync, said};

/// The findings, in JSON.
fn findings(output: &Output) -> Vec<Value> {
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)));
    document["findings"].as_array().unwrap().clone()
}

/// The finding of this name that is not well; it must say how to mend it.
fn sick(output: &Output, name: &str, severity: &str) -> String {
    let found = findings(output);
    let sick = found.iter().find(|one| one["name"] == name && one["severity"] == severity);
    let sick = sick.unwrap_or_else(|| panic!("no {severity} {name}: {found:#?}"));
    assert!(sick["mend"].as_str().is_some_and(|mend| mend.len() > 10), "{sick}");
    sick["text"].as_str().unwrap().to_owned()
}

fn files_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Doctor with these settings, in JSON.
fn doctor(env: &[(&str, &str)]) -> Output {
    let mut all = vec![("HELPSYNC_API__LISTEN", "127.0.0.1:0")];
    all.extend(env);
    helpsync(&["doctor", "--json"], &all)
}

fn service(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_unset| default.to_owned())
}

/// Settings of a distributed installation whose parts are there, but for what `broken` says.
fn distributed(broken: &[(&str, &str)]) -> Output {
    let postgres = service("HELPSYNC_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1/postgres");
    let redis = service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let rabbit = service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
    let keys = format!("k1:{}=", "A".repeat(43));
    let mut env = vec![
        ("HELPSYNC_STORE__URL", postgres.as_str()),
        ("HELPSYNC_SECRETS__KEYS", keys.as_str()),
        ("HELPSYNC_QUEUE__URL", rabbit.as_str()),
        ("HELPSYNC_QUEUE__NAME_PREFIX", "helpsync-doctor"),
        ("HELPSYNC_COORDINATOR__URL", redis.as_str()),
        ("HELPSYNC_COORDINATOR__KEY_PREFIX", "helpsync-doctor"),
    ];
    for (name, value) in broken {
        env.retain(|(known, _)| known != name);
        env.push((name, value));
    }
    doctor(&env)
}

#[test]
fn beside_a_running_server_all_is_looked_at_and_nothing_changed() {
    let served = Served::start();
    let store = served.env[1].1.trim_start_matches("sqlite:").to_owned();
    let client = |id: &'static str, secret: &'static str| {
        let mut env: Vec<(&str, &str)> =
            served.env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        env.extend([("HELPSYNC_ZENDESK__CLIENT_ID", id), ("HELPSYNC_ZENDESK__CLIENT_SECRET", secret)]);
        helpsync(&["doctor", "--json"], &env)
    };
    let known = findings(&client("helpsync-demo", "demo-secret"));
    assert!(known.iter().any(|one| one["name"] == "OAuth client" && one["severity"] == "ok"), "{known:#?}");
    assert!(sick(&client("helpsync-demo", "another"), "OAuth client", "wrong").contains("helpsync-demo"));
    assert!(sick(&client("unknown", "demo-secret"), "OAuth client", "wrong").contains("unknown"));
    let folder = Path::new(&store).parent().unwrap();
    let before = files_in(folder);
    let output = served.ask(&["doctor", "--json"]);
    let found = findings(&output);
    let named = |name: &str| {
        found.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {found:#?}"))
    };
    assert_eq!(named("store")["severity"], "ok", "{found:#?}");
    assert!(named("sealing keys")["text"].as_str().unwrap().contains("open all of the 3"), "{found:#?}");
    assert!(found.iter().all(|one| one["severity"] != "wrong"), "{found:#?}");
    assert_eq!(
        (&named("workspace")["severity"], &named("clock of Zendesk")["severity"]),
        (&"ok".into(), &"ok".into())
    );
    assert_eq!(files_in(folder), before);

    // The keys are lost: no new ones are made.
    let (keys, aside) = (format!("{store}.keys"), format!("{store}.aside"));
    std::fs::rename(&keys, &aside).unwrap();
    let output = served.ask(&["doctor", "--json"]);
    let text = sick(&output, "sealing keys", "wrong");
    assert!(text.contains("3 of 3 secrets do not open") && output.status.code() == Some(1), "{text}");
    assert!(!Path::new(&keys).exists());
    // They are others.
    std::fs::write(&keys, format!("k1:{}=\n", "B".repeat(42) + "A")).unwrap();
    let text = sick(&served.ask(&["doctor", "--json"]), "sealing keys", "wrong");
    assert!(text.contains("3 of 3"), "{text}");
    std::fs::write(&keys, "k1:short").unwrap();
    sick(&served.ask(&["doctor", "--json"]), "sealing keys", "wrong");
    std::fs::rename(&aside, &keys).unwrap();
    assert!(said(&served.ask(&["doctor"])).contains("ok    sealing keys"));
}

/// What `helpsync up --simulated` prints is all that doctor needs.
#[test]
fn with_what_the_simulation_tells_to_read_all_is_well() {
    let served = Served::start();
    let run = |command: &str| {
        let script = format!(". {}; {command}", served.env_file);
        std::process::Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .current_dir(served.folder())
            .output()
            .unwrap()
    };
    let output = run(&format!("{} doctor --json", env!("CARGO_BIN_EXE_helpsync")));
    let found = findings(&output);
    for name in ["settings", "store", "sealing keys", "port", "workspace", "OAuth client", "clock of Zendesk"]
    {
        let one =
            found.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {found:#?}"));
        assert_eq!(one["severity"], "ok", "{one}");
    }
    assert_ne!(output.status.code(), Some(1), "{found:#?}");
    let status = run(&format!("{} status", env!("CARGO_BIN_EXE_helpsync")));
    assert!(said(&status).contains("1 connected"), "{}", said(&status));
}

/// Makes a webhook for an address.
fn add_webhook(served: &Served, url: &str) {
    let store = served.env[1].1.trim_start_matches("sqlite:");
    let key = std::fs::read_to_string(format!("{store}.api-key")).unwrap();
    let address = format!("{}/add_webhook", served.env[0].1.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
        let request = http.post(address).bearer_auth(key.trim());
        let answer = request.json(&serde_json::json!({ "url": url })).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    });
    assert!(answer.0.is_success(), "{answer:?}");
}

#[test]
fn a_webhook_whose_receiver_is_away_is_a_warning_that_names_it() {
    let private = ("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true");
    let mut served = Served::start_for("ada/1", &[private]);
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("http://{}/events", receiver.local_addr().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{taken}/events");
    add_webhook(&served, &there);
    let webhooks = |output: &Output| {
        let found = findings(output).into_iter().filter(|one| one["name"] == "webhook");
        found.collect::<Vec<_>>()
    };
    let text = sick(&served.ask(&["doctor", "--json"]), "webhook", "wrong");
    assert!(text.contains(&there) && text.contains("private"), "{text}");
    served.env.push((private.0, private.1.to_owned()));
    let found = webhooks(&served.ask(&["doctor", "--json"]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["severity"] == "ok" && found[0]["text"].as_str().unwrap().contains(&there), "{found:?}");
    add_webhook(&served, &away);
    let output = served.ask(&["doctor", "--json"]);
    let text = sick(&output, "webhook", "warning");
    assert!(text.contains(&away) && text.contains("cannot be reached"), "{text}");
    assert_eq!(webhooks(&output).len(), 2);
}

#[test]
fn a_first_look_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("x.db").display());
    let output = doctor(&[("HELPSYNC_STORE__URL", &store)]);
    assert!(files_in(folder.path()).is_empty());
    sick(&output, "OAuth client", "warning");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let quiet = helpsync(&["doctor", "-q"], &[("HELPSYNC_API__LISTEN", "127.0.0.1:0")]);
    assert!(
        !said(&quiet).contains("ok   ") && said(&quiet).contains("note  OAuth client"),
        "{}",
        said(&quiet)
    );
}

#[test]
fn a_store_that_is_away_is_wrong() {
    let nowhere = doctor(&[("HELPSYNC_STORE__URL", "sqlite:/nowhere/x.db")]);
    assert!(sick(&nowhere, "store", "wrong").contains("/nowhere"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    std::fs::write(&file, "no database at all, and long enough to be looked at as one").unwrap();
    let store = format!("sqlite:{}", file.display());
    sick(&doctor(&[("HELPSYNC_STORE__URL", &store)]), "store", "wrong");
    let away = distributed(&[("HELPSYNC_STORE__URL", "postgres://postgres@127.0.0.1:1/postgres")]);
    sick(&away, "store", "wrong");
    assert_eq!(away.status.code(), Some(1));
}

#[test]
fn a_file_that_others_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = format!("sqlite:{}", file.display());
    assert!(sick(&doctor(&[("HELPSYNC_STORE__URL", &store)]), "permissions", "warning").contains("x.db"));
}

#[test]
fn a_postgres_that_only_reads_is_wrong() {
    let url = service("HELPSYNC_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1/postgres");
    let sign = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{sign}options=-c%20default_transaction_read_only=on");
    let output = distributed(&[("HELPSYNC_STORE__URL", &url)]);
    assert!(sick(&output, "store", "wrong").contains("only reads"));
}

#[test]
fn a_broker_that_is_away_or_lets_nobody_in_is_wrong() {
    let away = distributed(&[("HELPSYNC_QUEUE__URL", "amqp://guest:guest@127.0.0.1:1/%2f")]);
    sick(&away, "queue", "wrong");
    let rabbit = service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
    let mut url = url::Url::parse(&rabbit).unwrap();
    url.set_password(Some("not-the-password")).unwrap();
    let refused = distributed(&[("HELPSYNC_QUEUE__URL", url.as_str())]);
    assert!(!sick(&refused, "queue", "wrong").contains("not-the-password"));
    let mut url = url::Url::parse(&rabbit).unwrap();
    url.set_path("/no-such-vhost");
    sick(&distributed(&[("HELPSYNC_QUEUE__URL", url.as_str())]), "queue", "wrong");
}

#[test]
fn a_redis_that_is_away_or_lets_nobody_in_is_wrong() {
    sick(&distributed(&[("HELPSYNC_COORDINATOR__URL", "redis://127.0.0.1:1")]), "coordinator", "wrong");
    let redis = service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let mut url = url::Url::parse(&redis).unwrap();
    url.set_username("nobody").unwrap();
    url.set_password(Some("not-the-password")).unwrap();
    let refused = distributed(&[("HELPSYNC_COORDINATOR__URL", url.as_str())]);
    assert!(!sick(&refused, "coordinator", "wrong").contains("not-the-password"));
}

#[test]
fn all_that_is_there_is_well() {
    let output = distributed(&[]);
    let found = findings(&output);
    for name in ["store", "queue", "coordinator", "clock of the store", "clock of the coordinator", "port"] {
        let one = found.iter().find(|one| one["name"] == name);
        let severity = one.map(|one| one["severity"].clone()).unwrap_or_default();
        // The tests' Redis may evict; that is a warning of its own.
        assert!(severity == "ok" || name == "coordinator" && severity == "warning", "{name}: {found:#?}");
    }
}

#[test]
fn a_port_that_another_program_has_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken.set_nonblocking(true));
    let output = helpsync(&["doctor", "--json"], &[("HELPSYNC_API__LISTEN", &address)]);
    assert!(sick(&output, "port", "wrong").contains(&address));
}

#[test]
fn a_public_url_that_leads_nowhere_is_a_warning() {
    let output = doctor(&[("HELPSYNC_API__PUBLIC_URL", "http://127.0.0.1:1")]);
    assert!(sick(&output, "public URL", "warning").contains("127.0.0.1:1"));
    let plain = doctor(&[("HELPSYNC_API__PUBLIC_URL", "http://helpsync.example.com")]);
    assert!(sick(&plain, "public URL", "warning").contains("https"));
}

#[test]
fn scopes_without_articles_are_wrong() {
    sick(&doctor(&[("HELPSYNC_ZENDESK__SCOPES", "users:read")]), "scopes", "wrong");
}

#[test]
fn a_scope_that_zendesk_does_not_document_is_a_warning_that_names_it() {
    for (setting, value) in [
        ("HELPSYNC_ZENDESK__SCOPES", "hc:read guide:read"),
        ("HELPSYNC_ZENDESK__CUSTOMER_SCOPES", "guide:read"),
    ] {
        let text = sick(&doctor(&[(setting, value)]), "scopes", "warning");
        assert!(text.contains("guide:read") && text.contains(setting) && !text.contains("hc:read"), "{text}");
    }
    let known = doctor(&[("HELPSYNC_ZENDESK__SCOPES", "hc:read webhooks:write users:read read")]);
    assert!(findings(&known).iter().all(|one| one["name"] != "scopes"), "{}", said(&known));
}

/// Answers every request with this status, until the test ends. Its address.
fn answering(status: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in server.incoming() {
            let mut socket = socket.unwrap();
            let head = BufReader::new(socket.try_clone().unwrap()).lines();
            for line in head.map_while(Result::ok).take_while(|line| !line.is_empty()) {
                drop(line);
            }
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            drop(socket.write_all(answer.as_bytes()));
        }
    });
    url
}

#[test]
fn an_endpoint_of_traces_or_embeddings_that_is_away_is_named() {
    const TRACES: &str = "HELPSYNC_TELEMETRY__OTLP_ENDPOINT";
    const EMBEDDINGS: &str = "HELPSYNC_EMBEDDINGS__URL";
    let away = "http://127.0.0.1:1";
    let output = doctor(&[(TRACES, away), (EMBEDDINGS, away)]);
    assert!(sick(&output, "traces", "warning").contains("127.0.0.1:1/v1/traces does not answer"));
    assert!(sick(&output, "embeddings", "wrong").contains("127.0.0.1:1 does not answer"));
    let well = answering("200 OK");
    let found = findings(&doctor(&[(TRACES, &well), (EMBEDDINGS, &well)]));
    for name in ["traces", "embeddings"] {
        assert!(found.iter().any(|one| one["name"] == name && one["severity"] == "ok"), "{name}: {found:#?}");
    }
    // Many an API of embeddings lists no models; a collector that is none takes no traces.
    let none = answering("404 Not Found");
    let output = doctor(&[(TRACES, &none), (EMBEDDINGS, &none)]);
    assert!(sick(&output, "traces", "warning").contains("404"));
    assert!(findings(&output).iter().any(|one| one["name"] == "embeddings" && one["severity"] == "ok"));
    let refusing = answering("401 Unauthorized");
    let output = doctor(&[(EMBEDDINGS, &refusing), ("HELPSYNC_EMBEDDINGS__KEY", "the-secret-key")]);
    assert!(sick(&output, "embeddings", "wrong").contains("refuses the key"));
    assert!(!said(&output).contains("the-secret-key"));
}

#[test]
fn a_workspace_that_does_not_answer_is_wrong() {
    let env = [
        ("HELPSYNC_ZENDESK__BASE_URL", "http://127.0.0.1:1/{subdomain}"),
        ("HELPSYNC_API__LISTEN", "127.0.0.1:0"),
    ];
    let output = helpsync(&["doctor", "--json", "--subdomain", "acme"], &env);
    sick(&output, "workspace", "wrong");
}

#[test]
fn settings_that_are_not_understood_are_wrong() {
    let output = doctor(&[("HELPSYNC_API__LISTN", "x")]);
    assert!(sick(&output, "settings", "wrong").contains("HELPSYNC_API__LISTEN"));
    assert_eq!(output.status.code(), Some(2));
}
