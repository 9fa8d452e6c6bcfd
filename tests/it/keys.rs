//! The keys that seal and sign: changed while everything runs, and refused where they do not fit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use helpsync_app::{AppError, Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::{KeyRing, OsEntropy, chain};
use helpsync_store::OauthClient;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use zendesk_sim::{Account, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp, named, real_time, sqlite_url, until};
use crate::copy::assert_equal;
use crate::processes::{binary, output, said};

const CUSTOMER: &str = "ada";
const WORKSPACE: &str = "acme";
/// Rounds of load that the changes of keys must be seen by.
const ROUNDS_MIN: u64 = 3;
/// Rounds that change something: more would leave nothing of what was there.
const CHANGES_MAX: u64 = 10;

/// `helpsync keys …` as the operator runs it beside the installation.
async fn run(env: &[(String, String)], arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("helpsync"));
    command.arg("--json").arg("keys").args(arguments).env_clear();
    command.envs(env.iter().map(|(name, value)| (name, value)));
    tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap()
}

async fn assert_refused(env: &[(String, String)], arguments: &[&str], why: &str) {
    let output = run(env, arguments).await;
    assert!(!output.status.success() && said(&output).contains(why), "keys {arguments:?}: {}", said(&output));
}

async fn keys(env: &[(String, String)], arguments: &[&str]) -> Value {
    let output = run(env, arguments).await;
    assert!(output.status.success(), "keys {arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What was signed before the change.
struct Signed {
    /// Of every file.
    presigned: Vec<String>,
    token: String,
}

impl Signed {
    async fn by(app: &TestApp) -> Self {
        let files = app.post("/user_files_v2", CUSTOMER, json!({ "include_raw_file": true })).await;
        let (_, token) = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await;
        Self {
            presigned: files["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| file["presigned_url"].as_str().unwrap().to_owned())
                .collect(),
            token: token["access_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn assert_good(&self, app: &TestApp) {
        let mut read = 0;
        for presigned in &self.presigned {
            let answer = app.http.get(presigned).send().await.unwrap();
            // The help center changes, so some are gone by now; what is refused is refused otherwise.
            let is_gone = answer.status() == StatusCode::NOT_FOUND;
            assert!(
                is_gone || answer.status() == StatusCode::OK,
                "a presigned URL: {}",
                answer.text().await.unwrap()
            );
            read += usize::from(!is_gone);
        }
        assert!(read > 0, "nothing is left to read");
        let token = format!("Token {}", self.token);
        let answer = app.http.get(app.url("/whoami")).header("authorization", token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "an access token: {}", answer.text().await.unwrap());
    }
}

/// Changes the help center, has it synced and reads, until it is told to stop. Nothing may be refused.
async fn load(app: &TestApp, account: &Account, signed: &Signed, stop: &AtomicBool) -> u64 {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) || round < ROUNDS_MIN {
        if round < CHANGES_MAX {
            account.apply_random(1, round);
        }
        app.sync(CUSTOMER, WORKSPACE).await;
        app.post("/user_files_v2", CUSTOMER, json!({})).await;
        signed.assert_good(app).await;
        round += 1;
    }
    round
}

/// The key that seals, and what the others still hold.
fn told(list: &Value) -> (String, i64) {
    let keys = list["keys"].as_array().unwrap();
    let seals = keys.iter().find(|key| key["seals"] == true).unwrap();
    let left =
        keys.iter().filter(|key| key["seals"] == false).map(|key| key["sealed"].as_i64().unwrap()).sum();
    (seals["id"].as_str().unwrap().to_owned(), left)
}

async fn rotated_under_load(shape: Shape) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let path = file.display().to_string();
    let extra: &[(&str, &str)] = match shape {
        Shape::Embedded => &[],
        Shape::Services => {
            std::fs::write(&file, KeyRing::generate("k1", &OsEntropy).to_secret().expose_secret()).unwrap();
            &[("HELPSYNC_SECRETS__KEYS", ""), ("HELPSYNC_SECRETS__KEYS_FILE", &path)]
        }
    };
    let app = TestApp::start(shape, extra, real_time()).await;
    let account = app.account(WORKSPACE, GenerateOptions { articles: 40, ..GenerateOptions::default() });
    app.connect(CUSTOMER, WORKSPACE).await;
    app.post("/add_webhook", CUSTOMER, json!({ "url": "https://hooks.example.com/x" })).await;
    let mut env = vec![named("STORE__URL", app.parts().settings().store.url.expose())];
    if shape == Shape::Services {
        env.push(named("SECRETS__KEYS_FILE", path.clone()));
    }
    let signed = Signed::by(&app).await;
    assert!(signed.token.starts_with("k1."), "the signature names its key: {}", signed.token);
    let (seals, _) = told(&keys(&env, &["list"]).await);
    assert_eq!(seals, "k1");

    let stop = AtomicBool::new(false);
    let rotation = async {
        keys(&env, &["add"]).await;
        keys(&env, &["rotate"]).await;
        let resealed = keys(&env, &["reseal"]).await;
        assert_eq!((&resealed["left"], &resealed["key"]), (&json!(0), &json!("k2")), "{resealed}");
        stop.store(true, Ordering::Relaxed);
    };
    let (rounds, ()) = tokio::join!(load(&app, &account, &signed, &stop), rotation);
    assert!(rounds >= ROUNDS_MIN);
    let list = keys(&env, &["list"]).await;
    assert_eq!(told(&list), ("k2".to_owned(), 0), "{list}");
    assert!(Signed::by(&app).await.token.starts_with("k2."));
    signed.assert_good(&app).await;

    // The log of changes has it, once each, whoever of the processes was first.
    let (_, log) = app.call(Method::GET, "/helpsync/v1/audit?actor=operator", CUSTOMER, None).await;
    let mut done: Vec<String> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["target"].as_str().unwrap()))
        .filter(|done| done.ends_with("k2"))
        .collect();
    done.sort();
    assert_eq!(done, ["add a sealing key k2", "seal with this key k2"], "{log}");
    app.sync(CUSTOMER, WORKSPACE).await;
    assert_equal(&app, &account, CUSTOMER).await;

    // What the key of before signed is good for some days. Whoever must end it at once says so.
    assert_refused(&env, &["remove", "k2"], "the key k2 seals").await;
    assert_refused(&env, &["remove", "k1"], "what the key k1 signed may be good for 6 d").await;
    signed.assert_good(&app).await;
    assert_eq!(keys(&env, &["remove", "k1", "--void"]).await["keys"], json!(["k2"]));
    let token = format!("Token {}", signed.token);
    until("the end of what it signed", async || {
        let asked = app.http.get(app.url("/whoami")).header("authorization", &token).send().await.unwrap();
        (asked.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    Signed::by(&app).await.assert_good(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_running_syncs_without_one_failed_request_in_one_process() {
    rotated_under_load(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_running_syncs_without_one_failed_request_in_many_processes() {
    rotated_under_load(Shape::Services).await;
}

/// A running process takes another ring within seconds. Until then it seals with the key that was in front.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_running_process_may_seal_with_stays_and_two_commands_never_change_the_ring_at_once() {
    let app = TestApp::start(Shape::Embedded, &[], real_time()).await;
    let env = vec![named("STORE__URL", app.parts().settings().store.url.expose())];
    let rotations = async || tokio::join!(run(&env, &["rotate"]), run(&env, &["rotate"]));
    let (one, other) = rotations().await;
    for output in [&one, &other] {
        assert!(output.status.success() || said(output).contains("another command"), "{}", said(output));
    }
    // Whatever the process holds by now: nothing that it seals with, or signed with, is taken from it.
    let front = told(&keys(&env, &["list"]).await).0;
    let output = run(&env, &["remove", "k1"]).await;
    assert!(!output.status.success(), "{}", said(&output));
    until("the process to turn to the new key", async || {
        run(&env, &["remove", "k1", "--void"]).await.status.success().then_some(())
    })
    .await;
    app.account(WORKSPACE, GenerateOptions { articles: 3, ..GenerateOptions::default() });
    app.connect(CUSTOMER, WORKSPACE).await;
    // Of two rotations the process may have met the first alone so far; what that sealed is sealed anew by and by.
    until("all that is sealed to be sealed with a key that is there", async || {
        (told(&keys(&env, &["list"]).await) == (front.clone(), 0)).then_some(())
    })
    .await;
    app.sync(CUSTOMER, WORKSPACE).await;
    app.stop().await;
}

fn env_of(folder: &Path) -> Vec<(String, String)> {
    vec![named("STORE__URL", sqlite_url(folder)), named("API__BOOTSTRAP_KEY", API_KEY)]
}

fn file_of(folder: &Path) -> PathBuf {
    folder.join("app.db.keys")
}

async fn opened(folder: &Path) -> Result<Parts, AppError> {
    Parts::open(Settings::load(None, env_of(folder)).unwrap(), Runtime::default()).await
}

/// Why it does not start.
async fn refused(folder: &Path) -> String {
    match opened(folder).await {
        Ok(_) => panic!("it has started"),
        Err(error) => chain(&error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_refused_without_the_keys_that_are_needed_and_nothing_is_written_over_them() {
    let folder = tempfile::tempdir().unwrap();
    let parts = opened(folder.path()).await.unwrap();
    let client = OauthClient {
        client_id: "c".to_owned(),
        client_secret: Some("s".to_owned().into()),
        redirect_uri: "https://a.example/integrations/zendesk".to_owned(),
    };
    parts.store.admin().put_oauth_clients(parts.organization, &[client]).await.unwrap();
    parts.store.close().await;
    drop(parts);
    let (file, right) = (file_of(folder.path()), std::fs::read_to_string(file_of(folder.path())).unwrap());

    let stranger = KeyRing::generate("k9", &OsEntropy);
    std::fs::write(&file, stranger.to_secret().expose_secret()).unwrap();
    let why = refused(folder.path()).await;
    assert!(why.contains("\"k1\"") && why.contains("1 sealed secrets would be lost"), "{why}");
    let impostor = KeyRing::generate("k1", &OsEntropy);
    std::fs::write(&file, impostor.to_secret().expose_secret()).unwrap();
    let why = refused(folder.path()).await;
    assert!(why.contains("is not the key \"k1\" that sealed what is stored"), "{why}");

    std::fs::remove_file(&file).unwrap();
    let why = refused(folder.path()).await;
    assert!(why.contains("are gone") && why.contains("put the file back"), "{why}");
    let mut doctor = Command::new(binary("helpsync"));
    doctor.arg("doctor").env_clear().envs(env_of(folder.path()));
    let said = said(&output(&mut doctor));
    assert!(said.contains("1 of 1 secrets do not open"), "{said}");
    assert!(!file.exists(), "neither a start nor doctor makes keys beside secrets that they do not open");

    std::fs::write(&file, right).unwrap();
    opened(folder.path()).await.unwrap().store.close().await;
}

/// A process keeps the keys of its settings until its next start. One of them that is given up it believes no more at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_given_up_ends_also_where_the_settings_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = KeyRing::generate("k1", &OsEntropy).with_new_key("k2", &OsEntropy).unwrap();
    let turned = old.sealing_with("k2").unwrap();
    let url = sqlite_url(folder.path());
    let start = async |ring: &KeyRing| {
        let ring = ring.to_secret().expose_secret().to_owned();
        let extra = [("HELPSYNC_STORE__URL", url.as_str()), ("HELPSYNC_SECRETS__KEYS", ring.as_str())];
        TestApp::start(Shape::Embedded, &extra, real_time()).await
    };
    let app = start(&old).await;
    app.account(WORKSPACE, GenerateOptions { articles: 3, ..GenerateOptions::default() });
    app.connect(CUSTOMER, WORKSPACE).await;
    let signed = Signed::by(&app).await;
    assert!(signed.token.starts_with("k1."));
    app.stop().await;

    let app = start(&turned).await;
    let asked = async || {
        let token = format!("Token {}", signed.token);
        app.http.get(app.url("/whoami")).header("authorization", token).send().await.unwrap().status()
    };
    assert_eq!(asked().await, StatusCode::OK);
    let ring = turned.to_secret().expose_secret().to_owned();
    let env = vec![named("STORE__URL", url.clone()), named("SECRETS__KEYS", ring)];
    keys(&env, &["reseal"]).await;
    let printed = keys(&env, &["remove", "k1", "--void"]).await;
    assert_eq!((&printed["keys"], &printed["written"]), (&json!(["k2"]), &json!(false)), "{printed}");
    until("the end of what it signed", async || (asked().await == StatusCode::UNAUTHORIZED).then_some(()))
        .await;
    Signed::by(&app).await;
    app.stop().await;
    // Nor does it come back with a process that starts with the value of before.
    let (env, front) = (env_of(folder.path()), old.to_secret().expose_secret().to_owned());
    let env = env.into_iter().chain([named("SECRETS__KEYS", front)]);
    match Parts::open(Settings::load(None, env).unwrap(), Runtime::default()).await {
        Ok(_) => panic!("it has started"),
        Err(error) => assert!(chain(&error).contains("the key \"k1\" was given up"), "{}", chain(&error)),
    }
}

/// The command for a key that others know leaves an installation that starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_given_up_leaves_its_id_to_no_other() {
    let app = TestApp::start(Shape::Embedded, &[], real_time()).await;
    let env = vec![named("STORE__URL", app.parts().settings().store.url.expose())];
    keys(&env, &["rotate"]).await;
    keys(&env, &["rotate", "--id", "k1"]).await;
    until("the process to turn to the old key", async || {
        run(&env, &["remove", "k2", "--void"]).await.status.success().then_some(())
    })
    .await;
    assert_refused(&env, &["add", "--id", "k2"], "knows another key k2").await;
    // A key that never was in front is given up as well.
    keys(&env, &["add", "--id", "spare"]).await;
    until("the process to know it", async || {
        app.parts().store.vault().ids().contains(&"spare".to_owned()).then_some(())
    })
    .await;
    keys(&env, &["remove", "spare", "--void"]).await;
    let list = keys(&env, &["list"]).await;
    let spare = list["keys"].as_array().unwrap().iter().find(|key| key["id"] == "spare").unwrap();
    assert!(spare["voided_at"].is_i64(), "{list}");
    let turned = keys(&env, &["rotate"]).await;
    assert!(turned["keys"][0].as_str().unwrap() != "k2", "{turned}");
    until("the process to take it", async || {
        (app.parts().store.vault().ids()[0] == turned["keys"][0].as_str().unwrap()).then_some(())
    })
    .await;
    app.stop().await;
}

/// A process that slept while the ring was turned, and has the old key of its settings in front.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_ends_whose_key_in_front_was_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::generate("k1", &OsEntropy).to_secret().expose_secret().to_owned();
    let url = sqlite_url(folder.path());
    let extra = [("HELPSYNC_STORE__URL", url.as_str()), ("HELPSYNC_SECRETS__KEYS", ring.as_str())];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    app.expect_error("the sealing key of this process is not to be used any more");
    app.expect_error("a role ended, stopping");
    assert!(app.parts().store.admin().void_key("k1").await.unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(60), app.processes[0].failed()).await;
    assert!(ended.is_ok(), "it goes on with a key that nobody believes");
    app.stop().await;
}

/// Two people add a key to one value, and each has a `k2` then.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_same_id_is_not_taken_for_the_one_that_the_database_knows() {
    let folder = tempfile::tempdir().unwrap();
    let first = KeyRing::generate("k1", &OsEntropy).to_secret().expose_secret().to_owned();
    let env_with =
        |ring: &str| vec![named("STORE__URL", sqlite_url(folder.path())), named("SECRETS__KEYS", ring)];
    let open = async |ring: &str| {
        let env = env_of(folder.path()).into_iter().chain([named("SECRETS__KEYS", ring)]);
        Parts::open(Settings::load(None, env).unwrap(), Runtime::default())
            .await
            .unwrap()
            .store
            .close()
            .await;
    };
    open(&first).await;
    let added = async || keys(&env_with(&first), &["add"]).await["value"].as_str().unwrap().to_owned();
    let (taken, other) = (added().await, added().await);
    open(&taken).await;
    let env = env_with(&other);
    for change in [&["rotate"][..], &["add"]] {
        assert_refused(&env, change, "is not the key \\\"k2\\\" that sealed").await;
    }
    let list = keys(&env, &["list"]).await;
    assert!(list["keys"][1]["does"].as_str().unwrap().starts_with("is another key"), "{list}");
    assert_eq!(keys(&env, &["remove", "k2", "--void"]).await["keys"], json!(["k1"]));
    // The one of that name is not given up with it.
    assert_eq!(keys(&env_with(&taken), &["rotate"]).await["keys"], json!(["k2", "k1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rotating_never_brings_back_a_key_that_was_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let env = env_of(folder.path());
    opened(folder.path()).await.unwrap().store.close().await;
    // No process runs that would tell the database which key is in front.
    for expected in [json!(["k2", "k1"]), json!(["k3", "k2", "k1"])] {
        assert_eq!(keys(&env, &["rotate"]).await["keys"], expected);
    }
    keys(&env, &["add"]).await;
    assert_eq!(keys(&env, &["rotate"]).await["keys"], json!(["k4", "k3", "k2", "k1"]), "one that was added");
}

/// The file of the keys is lost before anything was sealed: what they signed is ended on purpose, and then it starts.
#[tokio::test(flavor = "multi_thread")]
async fn lost_keys_that_sealed_nothing_are_given_up_and_others_made() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).await.unwrap().store.close().await;
    std::fs::remove_file(file_of(folder.path())).unwrap();
    let why = refused(folder.path()).await;
    assert!(why.contains("lacks the key \"k1\"") && why.contains("keys remove k1 --void"), "{why}");
    keys(&env_of(folder.path()), &["remove", "k1", "--void"]).await;
    opened(folder.path()).await.unwrap().store.close().await;
    assert_eq!(told(&keys(&env_of(folder.path()), &["list"]).await).0, "k2");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_and_reseal_say_why_no_process_would_start() {
    let folder = tempfile::tempdir().unwrap();
    let parts = opened(folder.path()).await.unwrap();
    parts.store.admin().void_key("k1").await.unwrap();
    parts.store.close().await;
    drop(parts);
    let why = "the key \"k1\" was given up";
    let mut doctor = Command::new(binary("helpsync"));
    doctor.arg("doctor").env_clear().envs(env_of(folder.path()));
    let doctors = said(&output(&mut doctor));
    assert!(doctors.contains(why), "{doctors}");
    let start = refused(folder.path()).await;
    assert!(start.contains(why), "{start}");
    assert_refused(&env_of(folder.path()), &["reseal"], "was given up").await;
    let list = keys(&env_of(folder.path()), &["list"]).await;
    assert!(list["keys"][0]["does"].as_str().unwrap().starts_with("is given up"), "{list}");
    // Another key in front mends it.
    keys(&env_of(folder.path()), &["rotate"]).await;
    opened(folder.path()).await.unwrap().store.close().await;
}
