//! The compose files and the image.

use std::collections::BTreeMap;

use helpsync_config::Settings;
use serde_json::Value;

use super::files::{environment, is_pinned, python, seconds, text, yaml};

const FILES: [&str; 2] = ["docker-compose.yml", "deploy/compose.services.yml"];
const MAIN: &str = FILES[0];
const DEMO: &str = "deploy/demo.env";
const EXAMPLE: &str = "deploy/compose.env.example";
/// Ours, built from this repository, so the tags say nothing: image, its stage in the Dockerfile, the stage that builds
/// its binaries, the binaries.
const OWN_IMAGES: [(&str, &str, &str, &[&str]); 2] = [
    ("helpsync:local", "production", "build", &["helpsync", "helpsync-dispatcher", "helpsync-worker"]),
    ("helpsync-demo:local", "demo", "build-demo", &["zendesk-sim"]),
];

/// Name, service.
fn services(path: &str) -> Vec<(String, Value)> {
    let file = yaml(path).remove(0);
    file["services"].as_object().unwrap().clone().into_iter().collect()
}

fn environment_of(service: &Value) -> BTreeMap<String, String> {
    let Some(pairs) = service["environment"].as_object() else { return BTreeMap::new() };
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("quote {value}")).to_owned();
    pairs.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Compose's interpolation: `$$`, `${A}`, `${A:-default}` and `${A:?message}`, which must be set.
fn interpolate(text: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (inside, behind) = after.strip_prefix('{').and_then(|it| it.split_once('}')).unwrap();
        let name: String = inside.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let value = env.get(&name).filter(|value| !value.is_empty());
        match (value, inside[name.len()..].split_at_checked(2)) {
            (Some(value), _) => out.push_str(value),
            (None, Some((":-", default))) => out.push_str(default),
            (None, Some((":?", message))) => return Err(format!("{name}: {message}")),
            (None, _) => {}
        }
        rest = behind;
    }
    Ok(out + rest)
}

/// What the image sets.
fn image_environment() -> Vec<(String, String)> {
    let dockerfile = text("deploy/Dockerfile").replace("\\\n", " ");
    let line = dockerfile.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    line.split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(n, v)| (n.into(), v.into()))
        .collect()
}

/// The settings that a service starts with when its variables come from `env`.
fn settings(service: &Value, env: &BTreeMap<String, String>) -> Settings {
    let mut all: BTreeMap<String, String> = image_environment().into_iter().collect();
    for (name, value) in environment_of(service) {
        all.insert(name, interpolate(&value, env).unwrap());
    }
    Settings::load(None, all).unwrap()
}

#[test]
fn every_service_is_pinned_bounded_unprivileged_and_watched() {
    for path in FILES {
        for (name, service) in services(path) {
            let at = format!("{path}: {name}");
            let image = service["image"].as_str().unwrap();
            assert!(
                OWN_IMAGES.iter().any(|own| own.0 == image) || is_pinned(image),
                "{at}: {image} is not named by its version and digest"
            );
            let user = service["user"].as_str().unwrap_or_else(|| panic!("{at} has no user"));
            assert!(!user.starts_with('0') && !user.starts_with("root"), "{at} runs as {user}");
            assert_eq!(service["read_only"], true, "{at}");
            assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{at}");
            assert!(service["security_opt"].to_string().contains("no-new-privileges:true"), "{at}");
            let limits = &service["deploy"]["resources"]["limits"];
            assert!(limits["memory"].is_string() && limits["pids"].is_u64(), "{at} has no limits");
            let check = &service["healthcheck"];
            let ends = service["restart"] == "no" && check["disable"] == true;
            assert!(ends || check["test"].is_array(), "{at} has no health check");
            for port in service["ports"].as_array().into_iter().flatten() {
                assert!(
                    port.as_str().unwrap().starts_with("127.0.0.1:"),
                    "{at}: {port} is open to the network"
                );
            }
        }
    }
}

#[test]
fn no_service_starts_without_its_secrets_and_none_has_a_default() {
    let required: Vec<String> = text(MAIN)
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}')?.0.split_once(":?").map(|(name, _)| name.to_owned()))
        .collect();
    for name in ["POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "REDIS_PASSWORD", "HELPSYNC_SECRETS__KEYS"] {
        assert!(required.iter().any(|it| it == name), "{name} is not required");
    }
    let (example, demo) = (environment(EXAMPLE), environment(DEMO));
    for name in &required {
        assert_eq!(example.get(name).map(String::as_str), Some(""), "{name} in {EXAMPLE}");
        assert!(demo.get(name).is_some_and(|value| !value.is_empty()), "{name} in {DEMO}");
    }
    for path in FILES {
        for (name, service) in services(path) {
            for (variable, value) in environment_of(&service) {
                let secret = ["PASS", "SECRET", "KEY"].iter().any(|word| variable.contains(word))
                    && !variable.ends_with("PREFIX");
                let word = value.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
                let password = word.and_then(|(user, _)| Some(user.split_once(':')?.1));
                for value in secret.then_some(value.as_str()).into_iter().chain(password) {
                    assert!(value.starts_with("${"), "{name}: {variable}={value}");
                    let default = value.split_once(":-").map_or("", |(_, default)| default);
                    assert!(default.is_empty() || default == "}", "{name}: {variable} has a default");
                }
            }
        }
    }
}

#[test]
fn the_roles_read_their_settings_and_are_asked_where_they_listen() {
    let mut env = environment(DEMO);
    let all: BTreeMap<String, Value> = services(MAIN).into_iter().collect();
    for demo in [true, false] {
        if !demo {
            env.remove("HELPSYNC_ZENDESK__BASE_URL");
        }
        for (name, service) in &all {
            let command = service["command"][0].as_str().unwrap_or_default();
            let own = OWN_IMAGES.iter().find(|own| service["image"] == own.0);
            let Some((_, stage, _, binaries)) = own else { continue };
            assert!(binaries.contains(&command), "{name}: {command}");
            assert_eq!(service["build"]["target"], *stage, "{name}");
            let role = command.strip_prefix("helpsync-");
            let Some(role) = role else { continue };
            let settings = settings(service, &env);
            let grace = seconds(service["stop_grace_period"].as_str().unwrap());
            assert!(grace > settings.worker.drain.as_secs() + 5, "{name} is killed while it drains");
            assert!(settings.store.is_postgres() && settings.queue.url.is_some(), "{name}");
            assert!(settings.coordinator.url.is_some(), "{name}");
            let address = if role == "worker" { settings.worker.health_listen } else { settings.api.listen };
            let asked = format!("http://127.0.0.1:{}/readyz", address.port());
            assert!(service["healthcheck"]["test"].to_string().contains(&asked), "{name}: {asked}");
        }
    }
    let dispatcher = &all["dispatcher"];
    assert!(dispatcher["ports"].to_string().contains("127.0.0.1:8080:8080"));
    for name in ["demo-worker-1", "demo-worker-2", "zendesk-sim", "connect"] {
        assert_eq!(
            all[name]["network_mode"], "service:dispatcher",
            "{name}: http is for loopback hosts alone"
        );
        assert_eq!(all[name]["profiles"], serde_json::json!(["demo"]), "{name}");
    }
}

/// Settings that the compose file decides itself, because other parts of it must agree with them.
const DECIDED: [&str; 4] = [
    "HELPSYNC_STORE__URL",
    "HELPSYNC_QUEUE__URL",
    "HELPSYNC_COORDINATOR__URL",
    "HELPSYNC_WORKER__DRAIN_SECONDS",
];

#[test]
fn every_setting_in_the_env_file_reaches_the_roles() {
    let all: BTreeMap<String, Value> = services(MAIN).into_iter().collect();
    let known = Settings::load(None, Vec::new()).unwrap().values();
    assert!(known.len() > 40, "{} settings", known.len());
    for role in ["dispatcher", "worker"] {
        let service = &all[role];
        let read = service["env_file"][0]["path"].as_str().unwrap();
        assert_eq!(interpolate(read, &BTreeMap::new()).unwrap(), ".env", "{role}");
        assert_eq!(interpolate(read, &environment(DEMO)).unwrap(), DEMO, "{role}: the demo has its own");
        let overrides = environment_of(service);
        for (key, ..) in &known {
            let name = format!("HELPSYNC_{}", key.to_uppercase().replace('.', "__"));
            let mut env = environment(DEMO);
            env.insert(name.clone(), "from the file".to_owned());
            // `environment` wins over the file.
            let reached = overrides
                .get(&name)
                .map_or_else(|| env[&name].clone(), |text| interpolate(text, &env).unwrap());
            assert_eq!(
                reached == "from the file",
                !DECIDED.contains(&name.as_str()),
                "{role}: {name} is {reached:?}"
            );
        }
    }
}

#[test]
fn everything_waits_for_what_it_needs_to_be_healthy() {
    let all: BTreeMap<String, Value> = services(MAIN).into_iter().collect();
    for (name, service) in &all {
        for (on, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert_eq!(how["condition"], "service_healthy", "{name} on {on}");
            assert!(all[on]["healthcheck"]["test"].is_array(), "{name} on {on}");
        }
    }
    for backend in ["postgres", "redis", "rabbitmq"] {
        assert!(all["dispatcher"]["depends_on"][backend].is_object(), "{backend}");
    }
    let redis = all["redis"].to_string();
    assert!(redis.contains("maxmemory-policy noeviction"), "an evicted lease is held by two");
}

/// The Dockerfile's stages in their order: name, what it starts from, its instructions.
fn stages(dockerfile: &str) -> Vec<(String, String, String)> {
    let named = dockerfile.replace("\\\n", " ");
    let stages = named.split("\nFROM ").skip(1).map(|stage| {
        let (line, instructions) = stage.split_once('\n').unwrap();
        let (from, name) = line.split_once(" AS ").unwrap_or_else(|| panic!("FROM {line} has no name"));
        (name.to_owned(), from.to_owned(), instructions.to_owned())
    });
    stages.collect()
}

#[test]
fn each_image_has_its_binaries_runs_as_nobody_and_can_be_asked() {
    let dockerfile = text("deploy/Dockerfile");
    let stages = stages(&dockerfile);
    for (name, from, _) in &stages {
        assert!(stages.iter().any(|stage| stage.0 == *from) || is_pinned(from), "{name} from {from}");
    }
    let stage = |name: &str| stages.iter().find(|stage| stage.0 == name).unwrap_or_else(|| panic!("{name}"));
    for (image, name, build, binaries) in OWN_IMAGES {
        assert_eq!(stage(name).1, "runtime", "{image}");
        assert!(stage(name).2.contains(&format!("COPY --from={build} /out/ /usr/local/bin/")), "{image}");
        for binary in binaries {
            assert!(stage(build).2.contains(&format!("--bin {binary} ")), "{binary} is not built");
            assert!(stage(build).2.contains(&format!("target/release/{binary}")), "{binary} is not copied");
        }
    }
    assert!(stage("runtime").2.contains("\nUSER 10001\n"));
    assert!(stage("runtime").2.contains("ca-certificates curl"), "the health checks call curl");
    assert!(stage("production").2.contains("\nHEALTHCHECK "));
    assert!(
        dockerfile.contains(&format!("rust:{}", env!("CARGO_PKG_RUST_VERSION"))),
        "the compiler of Cargo.toml"
    );
}

/// `tests/it/layout.rs` shows that such a build does not even compile the simulator.
#[test]
fn the_production_image_is_the_default_and_has_no_simulator() {
    let dockerfile = text("deploy/Dockerfile");
    let stages = stages(&dockerfile);
    let (name, _, production) = stages.last().unwrap();
    assert_eq!(name, "production", "a build without --target makes the last stage");
    assert_eq!(production.matches("COPY").count(), 1, "it takes its binaries from one place: {production}");
    let (_, _, build) = stages.iter().find(|stage| stage.0 == "build").unwrap();
    assert!(build.contains("-p helpsync-cli --no-default-features "), "{build}");
    assert!(!build.contains("zendesk-sim") && !build.contains("--features"), "{build}");
}

#[test]
fn the_compose_files_fit_their_schema() {
    python(&["check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILES[0], FILES[1]]);
}

#[test]
fn interpolation_is_compose_s() {
    let env = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("E".to_owned(), String::new())]);
    let cases = [("${A}-${B}", "x-"), ("${E:-d}${A:-d}", "dx"), ("$$A", "$A"), ("a${A:?no}", "ax")];
    for (text, expected) in cases {
        assert_eq!(interpolate(text, &env).unwrap(), expected);
    }
    assert!(interpolate("${E:?say}", &env).is_err());
}
