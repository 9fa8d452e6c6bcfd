//! Dashboard, alert rules and what collects them.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::files::{root, text, yaml};

const RULES: &str = "deploy/observability/rules.yml";
const DASHBOARD: &str = "deploy/observability/grafana/dashboard.json";
const COMPONENT: &str = "deploy/kubernetes/components/observability";
/// How names of metrics begin.
const BEGINNINGS: [&str; 4] = ["helpsync_", "http_", "db_", "process_"];

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).unwrap()
}

fn rules() -> Vec<Value> {
    let groups = yaml(RULES).remove(0);
    let groups = groups["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every expression of rules and dashboard.
fn expressions() -> Vec<String> {
    let of_rules = rules().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    of_rules.chain(targets.map(|target| target["expr"].as_str().unwrap().to_owned())).collect()
}

/// Every metric that rules and dashboard name, as it stands in a scrape.
pub(crate) fn metrics_named() -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for expression in expressions() {
        // Labels stand in braces and behind `by`; none of them begins as a metric does, but for OpenTelemetry's.
        let outside: String = expression
            .split('{')
            .map(|part| part.split_once('}').map_or(part, |(_, outside)| outside))
            .collect::<Vec<_>>()
            .join(" ");
        let without_by =
            outside.split(" by (").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
        let text: String = std::iter::once(outside.split(" by (").next().unwrap())
            .chain(without_by.skip(1))
            .collect::<Vec<_>>()
            .join(" ");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        named.extend(
            words.filter(|word| BEGINNINGS.iter().any(|it| word.starts_with(it))).map(ToOwned::to_owned),
        );
    }
    named
}

#[test]
fn every_alert_says_what_to_do() {
    let rules = rules();
    let mut names = BTreeSet::new();
    for rule in &rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "action"] {
            let text = rule["annotations"][annotation].as_str().unwrap_or_default();
            assert!(text.len() > 20 && text.ends_with('.'), "{name}: {annotation}");
        }
        assert!(rule["for"].is_string(), "{name}");
    }
    for name in ["CopiesOld", "DeadLetters", "LaneStuck", "BudgetStarved", "KeysMissing", "DiskFills"] {
        assert!(names.contains(format!("Helpsync{name}").as_str()), "{name}");
    }
    assert!(metrics_named().len() > 30);
}

#[test]
fn the_operator_s_rules_are_the_same() {
    let operators = yaml(&format!("{COMPONENT}/prometheus-rule.yaml")).remove(0);
    assert_eq!(operators["kind"], "PrometheusRule");
    assert_eq!(operators["spec"], yaml(RULES).remove(0));
    assert_eq!(yaml("deploy/helm/helpsync/rules.yml"), yaml(RULES), "the chart's");
}

#[test]
fn prometheus_takes_the_rules() {
    let Ok(checked) = Command::new("promtool").args(["check", "rules", RULES]).current_dir(root()).output()
    else {
        eprintln!(
            "SKIPPED: promtool is not here (Debian: the package prometheus), so the rules are not checked"
        );
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{}{said}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn the_dashboard_has_panels_of_one_data_source_side_by_side() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{title}");
        let place = |name: &str| panel["gridPos"][name].as_i64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
        }
    }
}

#[test]
fn monitors_and_compose_ask_the_ports_that_answer() {
    let monitors = yaml(&format!("{COMPONENT}/monitors.yaml"));
    for monitor in monitors.iter().filter(|it| it["kind"].as_str().unwrap().ends_with("Monitor")) {
        let endpoints = monitor["spec"]["endpoints"].as_array();
        let endpoint = &endpoints.or(monitor["spec"]["podMetricsEndpoints"].as_array()).unwrap()[0];
        assert_eq!((&endpoint["port"], &endpoint["path"]), (&"health".into(), &"/metrics".into()));
    }
    let dockerfile = text("deploy/Dockerfile");
    let jobs = yaml("deploy/observability/prometheus.yml").remove(0);
    for job in jobs["scrape_configs"].as_array().unwrap() {
        let role = job["dns_sd_configs"][0]["names"][0].as_str().unwrap().to_uppercase();
        let port = &job["dns_sd_configs"][0]["port"];
        let listens = format!("HELPSYNC_{role}__HEALTH_LISTEN=0.0.0.0:{port}");
        assert!(dockerfile.contains(&listens), "{listens}");
    }
    for (folder, _) in [(COMPONENT, ())] {
        let listed = yaml(&format!("{folder}/kustomization.yaml")).remove(0);
        for name in listed["resources"].as_array().unwrap() {
            assert!(root().join(folder).join(name.as_str().unwrap()).exists(), "{name}");
        }
    }
}
