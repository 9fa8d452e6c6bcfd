//! Loading as a whole. The environment is passed in, so these run in parallel.

use std::{fs, path::PathBuf, time::Duration};

use secrecy::ExposeSecret;

use crate::{
    BaseUrl, ConfigError, LogFormat, Origin, Problem, Settings, example, reference,
    sections::all_settings,
    setting::{Secrecy, Setting, key_of},
};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn load(env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    Settings::load(None, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn refusal(env: &[(&str, &str)]) -> String {
    load(env).expect_err("these settings should be refused").to_string()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("helpsync.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url().as_str(), "http://127.0.0.1:8080/");
    assert_eq!(settings.api.access_token_ttl, Duration::from_secs(3600));
    assert_eq!(settings.sync.interval, Duration::from_secs(24 * 3600));
    assert_eq!(settings.coordinator.call_timeout, Duration::from_millis(200));
    assert_eq!(settings.store.url.expose(), "sqlite:helpsync.db");
    assert_eq!(settings.zendesk.scopes, ["hc:read"]);
    assert!(
        settings.queue.url.is_none() && settings.coordinator.url.is_none() && settings.secrets.keys.is_none()
    );
    assert_eq!(settings.log.format, LogFormat::Auto);
    assert_eq!(settings.warnings(), Vec::<String>::new());
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let (_folder, path) = file(
        "[api]\nlisten = \"127.0.0.1:1\"\n[zendesk]\nconcurrency = 7\nscopes = [\"hc:read\", \"webhooks:write\"]\n[sync]\narticle_bytes_max = 4096\n",
    );
    let env = [("HELPSYNC_API__LISTEN".to_owned(), "127.0.0.1:2".to_owned())];
    let settings = Settings::load(Some(path), env).unwrap();
    assert_eq!(settings.api.listen.port(), 2);
    assert_eq!(settings.zendesk.concurrency, 7);
    assert_eq!(settings.zendesk.scopes, ["hc:read", "webhooks:write"]);
    assert_eq!(settings.sync.article_bytes_max, 4096);
    assert_eq!(settings.origin("api.listen"), Origin::Environment);
    assert_eq!(settings.origin("zendesk.concurrency"), Origin::File);
    assert_eq!(settings.origin("zendesk.user_agent"), Origin::Default);
}

#[test]
fn the_file_may_be_named_by_the_environment_and_the_command_line_wins() {
    let (_one, from_env) = file("[worker]\nconcurrency = 3\n");
    let (_two, from_cli) = file("[worker]\nconcurrency = 5\n");
    let env = [("HELPSYNC_CONFIG".to_owned(), from_env.display().to_string())];
    assert_eq!(Settings::load(None, env.clone()).unwrap().worker.concurrency, 3);
    assert_eq!(Settings::load(Some(from_cli), env).unwrap().worker.concurrency, 5);
}

#[test]
fn a_missing_file_and_broken_toml_are_named() {
    let (_folder, path) = file("[zendesk]\nclient_secret = unquoted-hidden-1\n");
    let error = Settings::load(Some(path.clone()), []).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error:?}");
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    let gone = path.with_extension("gone");
    let error = Settings::load(Some(gone), []).unwrap_err();
    assert!(error.to_string().contains("helpsync.gone"), "{error}");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let settings = load(&[("HELPSYNC_QUEUE__URL", ""), ("HELPSYNC_API__LISTEN", "")]).unwrap();
    assert!(settings.queue.url.is_none());
    assert_eq!(settings.api.listen.port(), 8080);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        refusal(&[("HELPSYNC_API__LISTNE", "x")]),
        "invalid setting: HELPSYNC_API__LISTNE is not a setting; did you mean HELPSYNC_API__LISTEN?"
    );
    let slip = refusal(&[("HELPSYNC_API_LISTEN", "127.0.0.1:1")]);
    assert!(slip.ends_with("did you mean HELPSYNC_API__LISTEN?"), "{slip}");
    let (_folder, path) = file("[store]\nulr = \"sqlite:x.db\"\n[wroker]\nconcurrency = 1\n");
    let error = Settings::load(Some(path), []).unwrap_err().to_string();
    assert!(error.contains("store.ulr is not a setting; did you mean store.url?"), "{error}");
    assert!(
        error.contains("wroker.concurrency is not a setting; did you mean worker.concurrency?"),
        "{error}"
    );
}

#[test]
fn names_that_kubernetes_adds_for_a_service_called_helpsync_are_left_alone() {
    load(&[
        ("HELPSYNC_PORT", "tcp://10.0.0.1:8080"),
        ("HELPSYNC_SERVICE_HOST", "10.0.0.1"),
        ("HELPSYNC_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("PATH", "/bin"),
    ])
    .unwrap();
}

#[test]
fn every_fault_is_reported_at_once_and_says_what_to_set() {
    let error = load(&[
        ("HELPSYNC_STORE__URL", "mysql://u:hidden-pw@h/d"),
        ("HELPSYNC_QUEUE__URL", "http://h"),
        ("HELPSYNC_API__BOOTSTRAP_KEY", "short"),
    ])
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(
            "store.url: the scheme \"mysql\" is neither sqlite nor postgres; set HELPSYNC_STORE__URL to sqlite:helpsync.db or"
        ),
        "{text}"
    );
    assert_eq!(error.problems().len(), 4, "three values, and a broker without a coordinator: {text}");
    assert!(!text.contains("hidden-pw") && !text.contains("short"), "{text}");
}

#[test]
fn every_bounded_setting_takes_its_bounds_and_refuses_one_beyond() {
    let bounded: Vec<&Setting> = all_settings().filter(|it| it.range.is_some()).collect();
    assert!(bounded.len() > 20, "the declarations are gone");
    // What is asked is the single bound: rules between settings are left out by looking for this setting's problem.
    let about = |setting: &Setting, value: u64, word: &str| {
        let refused = load(&[(setting.env, &value.to_string())]).err();
        refused.is_some_and(|error| {
            error.problems().iter().any(
                |it| matches!(it, Problem::Value { env, wrong, .. } if *env == setting.env && wrong.contains(word)),
            )
        })
    };
    for setting in bounded {
        let (low, high) = setting.range.clone().unwrap().into_inner();
        for inside in [low, high] {
            assert!(!about(setting, inside, "whole number"), "{} refuses {inside}", setting.env);
        }
        assert!(about(setting, high + 1, "whole number"), "{} accepts {}", setting.env, high + 1);
        if let Some(below) = low.checked_sub(1) {
            assert!(about(setting, below, "whole number"), "{} accepts {below}", setting.env);
        }
    }
    assert!(
        refusal(&[("HELPSYNC_WORKER__CONCURRENCY", "many")])
            .contains("\"many\" is not a whole number from 1 to 256")
    );
}

#[test]
fn a_secret_may_stand_in_a_file_and_loses_one_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "a key with sixteen characters \r\n").unwrap();
    let name = path.display().to_string();
    let settings = load(&[("HELPSYNC_API__BOOTSTRAP_KEY_FILE", &name)]).unwrap();
    assert_eq!(settings.api.bootstrap_key.unwrap().expose_secret(), "a key with sixteen characters ");

    let both = refusal(&[
        ("HELPSYNC_API__BOOTSTRAP_KEY_FILE", &name),
        ("HELPSYNC_API__BOOTSTRAP_KEY", "0123456789abcdef"),
    ]);
    assert!(
        both.contains("HELPSYNC_API__BOOTSTRAP_KEY and HELPSYNC_API__BOOTSTRAP_KEY_FILE are both set"),
        "{both}"
    );
    let gone = refusal(&[("HELPSYNC_API__BOOTSTRAP_KEY_FILE", &format!("{name}.gone"))]);
    assert!(gone.contains("HELPSYNC_API__BOOTSTRAP_KEY_FILE: cannot read"), "{gone}");
    fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
    assert!(refusal(&[("HELPSYNC_API__BOOTSTRAP_KEY_FILE", &name)]).contains("more than 65536"));
    fs::write(&path, "\n").unwrap();
    assert!(refusal(&[("HELPSYNC_API__BOOTSTRAP_KEY_FILE", &name)]).contains("it is empty"));
    let open = refusal(&[("HELPSYNC_API__LISTEN_FILE", &name)]);
    assert!(open.contains("HELPSYNC_API__LISTEN_FILE is not a setting"), "{open}");
}

#[test]
fn neither_redacted_nor_debug_shows_a_secret() {
    let ring = format!("new:{KEY}");
    let settings = load(&[
        ("HELPSYNC_API__BOOTSTRAP_KEY", "bootstrap-hidden-1"),
        ("HELPSYNC_ZENDESK__CLIENT_ID", "shown-id"),
        ("HELPSYNC_ZENDESK__CLIENT_SECRET", "client-hidden-2"),
        ("HELPSYNC_STORE__URL", "postgres://user:store-hidden-3@db/helpsync?password=store-hidden-4"),
        ("HELPSYNC_QUEUE__URL", "amqp://user:queue-hidden-5@mq"),
        ("HELPSYNC_COORDINATOR__URL", "redis://:redis-hidden-6@cache"),
        ("HELPSYNC_STORE__ALLOW_UNENCRYPTED", "true"),
        ("HELPSYNC_QUEUE__ALLOW_UNENCRYPTED", "true"),
        ("HELPSYNC_COORDINATOR__ALLOW_UNENCRYPTED", "true"),
        ("HELPSYNC_SECRETS__KEYS", &ring),
    ])
    .unwrap();
    for text in [settings.redacted(), format!("{settings:?}")] {
        assert!(!text.contains("hidden") && !text.contains(KEY), "{text}");
        assert!(text.contains("shown-id"), "{text}");
    }
    let text = settings.redacted();
    assert!(text.contains("keys = \"new:***\" # environment"), "{text}");
    assert!(text.contains("url = \"postgres://user:***@db/helpsync?***\" # environment"), "{text}");
    assert!(text.contains("# public_url is not set"), "{text}");
}

#[test]
fn a_password_within_any_address_is_not_shown() {
    let settings = load(&[
        ("HELPSYNC_TELEMETRY__OTLP_ENDPOINT", "https://user:hidden-1@collector.example.com"),
        ("HELPSYNC_EMBEDDINGS__URL", "https://user:hidden-2@models.example.com/v1"),
        ("HELPSYNC_EMBEDDINGS__KEY", "hidden-3"),
    ])
    .unwrap();
    let text = settings.redacted();
    assert!(!text.contains("hidden") && text.contains("https://user:***@models.example.com/v1"), "{text}");
    let wrong = load(&[("HELPSYNC_TELEMETRY__OTLP_ENDPOINT", "//user:hidden@")]).unwrap_err().to_string();
    assert!(!wrong.contains("hidden"), "{wrong}");
}

#[test]
fn what_redacted_prints_for_defaults_can_be_loaded_again() {
    let (_folder, path) = file(&load(&[]).unwrap().redacted());
    let again = Settings::load(Some(path), []).unwrap();
    assert_eq!(again.sync.interval, Duration::from_secs(24 * 3600));
    assert_eq!(again.origin("sync.interval_hours"), Origin::File);
}

#[test]
fn plain_http_is_for_loopback_hosts_alone() {
    for good in [
        "https://{subdomain}.zendesk.com",
        "http://127.0.0.1:9100/{subdomain}",
        "http://[::1]:9100/{subdomain}",
        "http://{subdomain}.localhost:9100/",
    ] {
        BaseUrl::parse(good).unwrap();
    }
    for bad in [
        "http://{subdomain}.zendesk.com",
        "http://127.0.0.1.evil.com/{subdomain}",
        "http://localhost.evil.com/{subdomain}",
        "https://zendesk.com",
        "https://{subdomain}.{subdomain}.com",
        "https://u:p@{subdomain}.zendesk.com",
        "https://zendesk.com/?s={subdomain}",
        "https://zendesk.com/#{subdomain}",
        "ftp://{subdomain}.zendesk.com",
    ] {
        assert!(BaseUrl::parse(bad).is_err(), "{bad} was accepted");
    }
    let public = load(&[("HELPSYNC_API__PUBLIC_URL", "http://sync.example.com")]).unwrap();
    assert_eq!(public.warnings().len(), 1);
    assert!(load(&[("HELPSYNC_API__PUBLIC_URL", "https://sync.example.com")]).unwrap().warnings().is_empty());
    assert!(
        refusal(&[("HELPSYNC_API__PUBLIC_URL", "ftp://sync.example.com")])
            .contains("HELPSYNC_API__PUBLIC_URL")
    );
}

#[test]
fn services_on_other_machines_without_tls_are_refused_unless_that_is_allowed() {
    let keys = format!("k1:{KEY}");
    for (url, allow, plain, secured) in [
        (
            "HELPSYNC_STORE__URL",
            "HELPSYNC_STORE__ALLOW_UNENCRYPTED",
            "postgres://u:hidden@db/x",
            "postgres://u:hidden@db/x?sslmode=verify-full",
        ),
        ("HELPSYNC_QUEUE__URL", "HELPSYNC_QUEUE__ALLOW_UNENCRYPTED", "amqp://u:hidden@mq", "amqps://mq"),
        (
            "HELPSYNC_QUEUE__MANAGEMENT_URL",
            "HELPSYNC_QUEUE__ALLOW_UNENCRYPTED",
            "http://u:hidden@mq:15672",
            "https://mq:15671",
        ),
        (
            "HELPSYNC_COORDINATOR__URL",
            "HELPSYNC_COORDINATOR__ALLOW_UNENCRYPTED",
            "redis://:hidden@cache",
            "rediss://cache",
        ),
        (
            "HELPSYNC_EMBEDDINGS__URL",
            "HELPSYNC_EMBEDDINGS__ALLOW_UNENCRYPTED",
            "http://u:hidden@models:8080/v1",
            "https://models:8443/v1",
        ),
    ] {
        let base =
            [("HELPSYNC_COORDINATOR__URL", "redis://127.0.0.1"), ("HELPSYNC_SECRETS__KEYS", keys.as_str())];
        let with = |more: &[(&'static str, &'static str)]| {
            let mut env: Vec<(&str, &str)> = base.to_vec();
            env.extend_from_slice(more);
            load(&env)
        };
        let refused = with(&[(url, plain)]).unwrap_err().to_string();
        assert!(
            refused.contains(allow) && refused.contains("TLS") && !refused.contains("hidden"),
            "{refused}"
        );
        with(&[(url, secured)]).unwrap();
        with(&[(url, plain), (allow, "true")]).unwrap();
    }
}

#[test]
fn parameters_of_a_store_that_the_driver_would_log_are_refused_without_their_values() {
    let keys = format!("k1:{KEY}");
    let with = |url: &str| load(&[("HELPSYNC_STORE__URL", url), ("HELPSYNC_SECRETS__KEYS", &keys)]);
    let refused = with("postgres://u:hidden-1@127.0.0.1/x?sslpassword=hidden-2").unwrap_err().to_string();
    assert!(refused.contains("a parameter \"sslpassword\", which the driver does not know"), "{refused}");
    assert!(refused.contains("HELPSYNC_STORE__URL") && !refused.contains("hidden"), "{refused}");
    with("postgres://u:p@127.0.0.1/x?sslmode=disable&application_name=x&options[statement_timeout]=9")
        .unwrap();
}

#[test]
fn trusted_proxies_are_addresses_and_networks_and_nothing_else() {
    let (_folder, path) = file("[api]\ntrusted_proxies = [\"10.0.0.0/8\", \"::ffff:192.0.2.7\"]\n");
    let settings = Settings::load(Some(path), []).unwrap();
    let shown = settings.redacted();
    assert!(shown.contains("trusted_proxies = \"10.0.0.0/8 192.0.2.7\" # file"), "{shown}");
    for (wrong, why) in [
        ("10.0.0.0/8, proxy.example.com", "\"proxy.example.com\" is neither"),
        ("0.0.0.0/0", "is everybody"),
        ("10.0.0.1/8", "within the network 10.0.0.0/8"),
    ] {
        let refused = refusal(&[("HELPSYNC_API__TRUSTED_PROXIES", wrong)]);
        assert!(refused.contains("HELPSYNC_API__TRUSTED_PROXIES") && refused.contains(why), "{refused}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert!(refusal(&[("HELPSYNC_ZENDESK__CLIENT_ID", "x")]).contains("set HELPSYNC_ZENDESK__CLIENT_SECRET"));
    assert!(refusal(&[("HELPSYNC_ZENDESK__CLIENT_SECRET", "x")]).contains("set HELPSYNC_ZENDESK__CLIENT_ID"));
    assert!(refusal(&[("HELPSYNC_STORE__URL", "postgres://h/d")]).contains("set HELPSYNC_SECRETS__KEYS"));
    assert!(refusal(&[("HELPSYNC_QUEUE__URL", "amqp://h")]).contains("set HELPSYNC_COORDINATOR__URL"));
    let tick = [("HELPSYNC_DISPATCHER__TICK_SECONDS", "120")];
    assert!(refusal(&tick).contains("set HELPSYNC_DISPATCHER__SWEEP_AFTER_SECONDS"));
    let wait = [("HELPSYNC_WEBHOOKS__RETRY_FIRST_MS", "2000"), ("HELPSYNC_WEBHOOKS__RETRY_MAX_SECONDS", "1")];
    assert!(refusal(&wait).contains("set HELPSYNC_WEBHOOKS__RETRY_FIRST_MS"));
    let pause = [
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS", "2000"),
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MAX_SECONDS", "1"),
    ];
    assert!(refusal(&pause).contains("set HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS"));
    let overlap = [("HELPSYNC_SYNC__OVERLAP_SECONDS", "3600"), ("HELPSYNC_SYNC__INTERVAL_HOURS", "1")];
    assert!(refusal(&overlap).contains("set HELPSYNC_SYNC__OVERLAP_SECONDS"));
}

#[test]
fn every_declaration_follows_the_naming_rules() {
    for setting in all_settings() {
        assert_eq!(setting.env, setting.env.to_ascii_uppercase());
        assert_eq!(setting.env.matches("__").count(), 1, "{}", setting.env);
        assert!(setting.env.starts_with("HELPSYNC_"), "{}", setting.env);
        assert!(setting.meaning.trim_end().ends_with('.'), "{} has no sentence", setting.env);
        assert!(
            setting.secrecy != Secrecy::Whole || setting.default.is_none(),
            "{} has a default secret",
            setting.env
        );
    }
    for section in crate::sections::SECTIONS {
        let prefix = format!("{}.", section.name);
        assert!(section.settings.iter().all(|it| key_of(it.env).starts_with(&prefix)), "{}", section.name);
    }
}

/// Run with `HELPSYNC_TEST_BLESS=1` to write the documents anew after changing a declaration.
#[test]
fn the_reference_and_the_example_file_follow_the_declarations() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for (path, text) in [("docs/settings.md", reference()), ("deploy/helpsync.example.toml", example())] {
        let path = root.join(path);
        if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{} is out of date: run this test with HELPSYNC_TEST_BLESS=1",
            path.display()
        );
    }
}

#[test]
fn the_example_file_with_every_comment_taken_off_names_known_settings_only() {
    let live: String = example()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let (_folder, path) = file(&live);
    let error = Settings::load(Some(path), []);
    if let Err(error) = error {
        assert!(error.problems().iter().all(|it| !matches!(it, Problem::Unknown { .. })), "{error}");
        assert!(!error.problems().is_empty(), "{error:?}");
    }
}
