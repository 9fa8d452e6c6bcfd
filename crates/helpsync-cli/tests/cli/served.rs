//! Every command that asks a server, against one that syncs a simulated Zendesk: text, JSON and errors.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::said;

const LATE: Duration = Duration::from_secs(120);

/// `helpsync up --simulated`, and who asks it.
pub(crate) struct Served {
    child: Child,
    pub(crate) env: Vec<(&'static str, String)>,
    /// A file of shell variables, as it tells people to read it.
    pub(crate) env_file: String,
    folder: TempDir,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::start_for("ada/1", &[])
    }

    /// For this customer, with more settings.
    pub(crate) fn start_for(customer: &str, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_helpsync"))
            .args(["up", "--simulated", "--json", "-q", "--customer", customer])
            .env_clear()
            .env("HELPSYNC_API__LISTEN", "127.0.0.1:0")
            .envs(more.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let env = vec![
            ("HELPSYNC_URL", text("url")),
            ("HELPSYNC_STORE__URL", text("store")),
            ("HELPSYNC_ZENDESK__BASE_URL", text("zendesk_base_url")),
        ];
        Self { child, env, env_file: text("env_file"), folder }
    }

    /// The folder that commands are given in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_helpsync"))
            .args(arguments)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The answer of what must work, with one blank where columns have more.
    fn flat(&self, arguments: &[&str]) -> String {
        let text = self.text(arguments);
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    }

    /// The answer of what must work.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        assert!(!said(&output).contains('\u{1b}'), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// The error of what must not work, with its exit code.
    fn error(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.ask(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", said(&output));
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
        let code = self.child.wait().unwrap().code();
        let store = self.env[1].1.trim_start_matches("sqlite:");
        if !std::thread::panicking() {
            assert_eq!(code, Some(0));
            assert!(!std::path::Path::new(store).parent().unwrap().exists(), "nothing is left behind");
        }
    }
}

fn keys_and_organizations(served: &Served) {
    let created = ["api-keys", "create", "reader", "--scope", "read", "--expires-in-days", "9"];
    let key = served.text(&created).trim().to_owned();
    assert!(key.starts_with("helpsync_") && !key.contains(char::is_whitespace), "{key}");
    let listed = served.flat(&["api-keys", "list"]);
    assert!(listed.contains("reader") && !listed.contains(&key), "{listed}");
    assert!(
        listed.contains(" read good in 8 d 23 h ") && listed.contains(" operator bootstrap "),
        "{listed}"
    );
    let (code, error) = served.error(&["api-keys", "list", "--api-key", &key]);
    assert!(code == 1 && error.contains("use a key of that scope"), "{code} {error}");
    let id = served.json(&["api-keys", "list"])["keys"][1]["id"].to_string();
    assert!(served.text(&["api-keys", "revoke", &id]).contains("is revoked"));
    let (code, error) = served.error(&["api-keys", "revoke", &id]);
    assert!(code == 1 && error.contains("API key"), "{error}");

    let other = served.json(&["orgs", "create", "other"]);
    assert!(other["api_key"].as_str().unwrap().starts_with("helpsync_"), "{other}");
    assert!(served.text(&["orgs", "list"]).contains("other"));
    let set = ["orgs", "set", "--organization", "other", "--display-name", "Example", "--subdomain", "acme"];
    assert!(served.text(&set).contains("Example"));
    let shown = served.json(&["orgs", "set", "--organization", "other", "--display-name", ""]);
    assert!(shown["display_name"].is_null() && shown["subdomains"][0] == "acme", "{shown}");
    let (code, error) = served.error(&["orgs", "set", "--color", "red"]);
    assert!(code == 2 && error.contains("#17795e"), "{code} {error}");
    let (code, error) = served.error(&["orgs", "set", "--return-url", "https://*.example.com/"]);
    assert!(code == 2 && error.contains("each host by its own name"), "{code} {error}");
    assert!(served.text(&["orgs", "remove", &other["id"].to_string()]).contains("is removed"));
}

fn commands_that_show(served: &Served) {
    let run = served.text(&["sync", "--customer", "ada/1", "--watch"]);
    assert!(run.contains("ok ") && run.contains("sync of ada/1 (acme)"), "{run}");
    let customers = served.text(&["customers"]);
    assert!(
        // The simulated help center changes all the time: the next sync may have begun.
        ["ada/1", "acme"].iter().all(|part| customers.contains(part)),
        "{customers}"
    );
    let all = served.json(&["customers"]);
    let workspace = &all["customers"][0]["workspace"];
    assert!(workspace["age_seconds"].as_u64().unwrap() < 120 && workspace["held"] == 0, "{all}");
    let shown = served.flat(&["show", "ada/1"]);
    assert!(shown.contains("workspace acme") && shown.contains("last sync"), "{shown}");
    assert_eq!(served.json(&["show", "ada/1"])["workspace"]["subdomain"], "acme");

    let runs = served.flat(&["runs", "--customer", "ada/1"]);
    assert!(runs.lines().nth(1).unwrap().contains(" ada/1 acme "), "{runs}");
    let runs = served.json(&["runs", "--limit", "1"]);
    let id = runs["runs"][0]["id"].to_string();
    assert!(served.flat(&["runs", "show", &id]).contains("of ada/1 (acme)"));
    assert_eq!(served.json(&["runs", "show", &id])["customer_id"], "ada/1");
    assert_eq!(served.json(&["runs", "watch", "1"])["state"], "done");

    let files = served.json(&["files", "--customer", "ada/1", "--limit", "2"]);
    assert_eq!(files["results"].as_array().unwrap().len(), 2, "{files}");
    let file = files["results"][0]["id"].to_string();
    let name = files["results"][0]["name"].as_str().unwrap();
    assert!(served.text(&["files", "--customer", "ada/1"]).contains(name));
    assert!(served.text(&["file", &file]).contains(name));
    assert_eq!(served.json(&["file", &file])["id"].to_string(), file);
    assert_eq!(served.text(&["files", "--customer", "ada/1", "--held"]), "none\n");
    assert_eq!(served.json(&["resync", &file, "--customer", "ada/1"])["id"].to_string(), file);
    let word = name.split_whitespace().find(|word| word.len() > 4).unwrap_or(name);
    served.text(&["search", word, "--customer", "ada/1"]);
    assert!(served.json(&["search", word, "--customer", "ada/1"])["documents"].is_array());
    let exported = served.text(&["export", "--customer", "ada/1"]);
    assert!(exported.lines().count() > 300 && exported.lines().all(|line| line.starts_with('{')));
    let status = served.flat(&["status"]);
    assert!(
        status.contains("1 connected") && status.contains("customer workspace complete next sync"),
        "{status}"
    );
    assert!(status.contains("\nada/1 acme ") && status.contains("oldest change not stored"), "{status}");
    assert_eq!(served.json(&["status"])["active"], 1);

    let workers = served.flat(&["workers"]);
    assert!(workers.contains(" all ") && workers.contains(" yes "), "{workers}");
    assert_eq!(served.json(&["workers"])["processes"][0]["alive"], true);
    let lanes = served.text(&["lanes"]);
    assert!(["on_demand", "scheduled", "backfill"].iter().all(|lane| lanes.contains(lane)), "{lanes}");
    assert!(served.text(&["budgets"]).contains("acme"));
    assert!(served.json(&["budgets"])["budgets"][0]["granted"].as_u64().unwrap() > 0);
    assert_eq!(served.text(&["dead-letters", "list"]), "none\n");
    assert_eq!(served.text(&["webhooks", "list"]), "none\n");
    keys_and_organizations(served);
}

/// What a selection removes is said before it is removed, and ids that lead nowhere are refused.
fn a_selection_is_asked_about(served: &Served) {
    let files = || served.json(&["show", "ada/1"])["files"].as_u64().unwrap();
    let before = files();
    let nobody = ["select", "ada/1", "--label", "a-label-that-no-article-has"];
    let (code, text) = served.error(&nobody);
    let count = text.split_whitespace().find_map(|word| word.replace(',', "").parse::<u64>().ok());
    assert!(code == 2 && text.contains("--yes") && text.contains("files of ada/1"), "{code} {text}");
    assert!(count.is_some_and(|count| count.abs_diff(before) <= 20 && count > 0), "{before}: {text}");
    for (option, what) in [("--section", "no section 4711: "), ("--category", "no category 4711: ")] {
        let (code, text) = served.error(&["select", "ada/1", option, "4711", "--yes"]);
        assert!(code == 1 && text.contains(what) && text.contains('('), "{code} {text}");
    }
    assert_eq!(served.json(&["select", "ada/1"])["labels"], serde_json::json!([]));
    assert!(files() + 20 > before, "nothing was removed");
}

fn commands_that_change(served: &Served) {
    let scheduled = served.text(&["schedule", "ada/1", "on", "--every", "6"]);
    assert!(scheduled.contains("ada/1 (acme) is synced by itself every 6 h, next in "), "{scheduled}");
    let on = served.json(&["schedule", "ada/1", "on"]);
    assert_eq!((&on["interval_hours"], &on["scheduled"]), (&6.into(), &true.into()), "{on}");
    assert!(served.text(&["schedule", "ada/1"]).contains(" is synced by itself every 6 h, next in "));
    let off = served.json(&["schedule", "ada/1", "off"]);
    assert_eq!(
        (&off["workspace"]["next_sync_at"], &off["scheduled"]),
        (&Value::Null, &false.into()),
        "{off}"
    );
    // A customer is said either way, by every command about one.
    for command in ["select", "files"] {
        assert_eq!(
            served.json(&[command, "ada/1"]),
            served.json(&[command, "--customer", "ada/1"]),
            "{command}"
        );
    }
    assert_eq!(served.json(&["show", "--customer", "ada/1"])["customer_id"], "ada/1");
    assert!(served.flat(&["select", "--customer", "ada/1"]).contains("locales all"));
    a_selection_is_asked_about(served);
    let selection =
        served.json(&["select", "--customer", "ada/1", "--locale", "de", "--public-only", "--yes"]);
    assert_eq!(
        (&selection["locales"][0], &selection["public_only"]),
        (&"de".into(), &true.into()),
        "{selection}"
    );
    assert!(served.flat(&["select", "--customer", "ada/1"]).contains("locales de"));
    assert_eq!(served.json(&["select", "--customer", "ada/1", "--everything"])["public_only"], false);

    // A run that waits for a person says so.
    served.text(&["pause", "ada/1"]);
    assert!(served.text(&["customers"]).contains("paused by a person"));
    assert!(served.text(&["status"]).contains("paused by a person: ada/1 "));
    let run = served.json(&["sync", "--customer", "ada/1", "--full"])["run_id"].to_string();
    let began = Instant::now();
    loop {
        let shown = served.json(&["runs", "show", &run]);
        let waits = shown["waiting_for"].as_str().unwrap_or_default();
        if waits.contains("a person") {
            break;
        }
        assert!(began.elapsed() < LATE, "{shown}");
    }
    served.text(&["resume", "ada/1"]);
    served.text(&["pause", "--lane", "backfill"]);
    assert!(!served.json(&["lanes"])["lanes"][2]["paused_at"].is_null());
    assert!(served.text(&["status"]).contains("the lane backfill is paused by a person"));
    assert_eq!(served.json(&["status"])["paused_lanes"][0]["lane"], "backfill");
    assert_eq!(served.json(&["status"])["paused_customers"], serde_json::json!([]));
    served.text(&["resume", "--lane", "backfill"]);
    assert!(served.text(&["runs", "watch", &run]).contains("full sync of ada/1 (acme)"));
    assert!(served.text(&["connect", "acme", "--customer", "ada/1"]).contains("  http://"));
}

fn errors(served: &Served) {
    let before = served.json(&["customers"]);
    for arguments in [
        &["sync", "--customer", "bob"][..],
        &["resync", "1", "--customer", "bob"],
        &["export", "--customer", "bob"],
        &["show", "bob"],
        &["files", "--customer", "bob"],
        &["search", "x", "--customer", "bob"],
        &["select", "--customer", "bob", "--everything"],
        &["schedule", "bob", "on"],
        &["disconnect", "bob", "--yes"],
        &["approve-removals", "bob"],
        &["refuse-removals", "bob"],
        &["pause", "bob"],
        &["runs", "--customer", "bob"],
    ] {
        let (code, text) = served.error(arguments);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        assert!(
            text.contains("no customer \"bob\"") && text.contains("helpsync customers"),
            "{arguments:?}: {text}"
        );
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    }
    assert_eq!(served.json(&["customers"])["customers"].as_array().unwrap().len(), 1, "{before}");
    for (arguments, code, part) in [
        (&["runs", "show", "999"][..], 1, "no run 999: `helpsync runs` lists them"),
        (&["runs", "watch", "999"], 1, "no run 999: `helpsync runs` lists them"),
        (&["file", "999999"], 1, "no file 999999: `helpsync files"),
        (&["resync", "999999", "--customer", "ada/1"], 1, "no such file: `helpsync files"),
        (&["webhooks", "deliveries", "99"], 1, "no webhook 99: `helpsync webhooks list`"),
        (&["webhooks", "redeliver", "99"], 1, "no delivery 99: `helpsync webhooks deliveries"),
        (&["webhooks", "rotate-key", "99"], 1, "no webhook 99: "),
        (&["dead-letters", "show", "message-x"], 1, "no dead letter message-x: `helpsync dead-letters list`"),
        (&["dead-letters", "discard", "shard-99"], 1, "no dead letter shard-99: "),
        (&["api-keys", "revoke", "999"], 1, "no API key 999: `helpsync api-keys list`"),
        (&["orgs", "remove", "999"], 1, "no organization 999: `helpsync orgs list`"),
        (&["orgs", "set", "--organization", "nobody", "--color", ""], 1, "no organization \"nobody\": "),
        (&["approve-removals", "ada/1"], 1, "nothing to approve"),
        (&["refuse-removals", "ada/1"], 1, "nothing to refuse"),
        (&["disconnect", "ada/1"], 2, "--yes"),
        (&["schedule", "ada/1", "on", "--every", "5"], 2, "[possible values: 3, 6, 12, 24]"),
        (&["select", "--customer", "ada/1", "--locale", ""], 2, "locales"),
        (&["search", "", "--customer", "ada/1"], 2, "query"),
        (&["orgs", "create", ""], 2, "name"),
        (&["audit", "--actor", "foo"], 2, "actor is one of api_key, customer, "),
        (&["audit", "--from", "yesterday"], 2, "from is a time such as "),
        (&["doctor", "--subdomain", "bad sub"], 2, "\"bad sub\" names no workspace"),
        (&["connect", "nope!", "--customer", "eve"], 2, "\"nope!\" names no workspace"),
        (&["connect", "acme", "--customer", ""], 2, "a value is required"),
        (&["pause"], 2, "--lane"),
        (&["pause", "--lane", "slow"], 2, "backfill"),
        (&["status", "--api-key", "wrong"], 1, "HELPSYNC_API_KEY"),
        (&["dead-letters", "replay", "shard-99"], 1, "no dead letter shard-99: "),
    ] {
        let (found, text) = served.error(arguments);
        assert!(found == code && text.contains(part), "{arguments:?}: {found} {text}");
    }
    assert_eq!(served.json(&["customers"])["customers"].as_array().unwrap().len(), 1, "none was made");
    for (selection, part) in [
        (r#"{"locale": ["de"]}"#, "helpsync: locale is not known here: it may be one of"),
        ("[]", "helpsync: the body is a list, and must be an object"),
        (r#"{"locales": "de"}"#, "helpsync: locales is \"de\", and must be a list"),
        ("{", "is no JSON"),
    ] {
        std::fs::write(served.folder().join("selection.json"), selection).unwrap();
        let (code, text) = served.error(&["select", "--customer", "ada/1", "--file", "selection.json"]);
        assert!(code == 2 && text.contains(part), "{selection}: {code} {text}");
    }
    let (_, text) = served.error(&["show", "bob", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["exit_code"], 1);
}

#[test]
fn every_command_answers_in_text_and_json_and_says_what_is_wrong() {
    let served = Served::start();
    commands_that_show(&served);
    commands_that_change(&served);
    errors(&served);
    assert!(served.text(&["disconnect", "ada/1", "--yes"]).contains("its files stay"));
    assert!(served.text(&["show", "ada/1"]).contains("helpsync connect"));
    let runs = served.json(&["runs"]);
    assert_eq!(served.json(&["runs", "--customer", "ada/1"]), runs, "they stay those of the customer");
    assert_eq!(served.json(&["runs", "ada/1"]), runs);
    for arguments in [&["sync", "ada/1"][..], &["verify", "ada/1"], &["sync", "ada/1", "--dry-run"]] {
        let (code, text) = served.error(arguments);
        let next =
            "customer \"ada/1\" has no connected workspace: `helpsync connect SUBDOMAIN --customer ada/1`";
        assert!(code == 1 && text.contains(next), "{arguments:?}: {code} {text}");
    }
}
