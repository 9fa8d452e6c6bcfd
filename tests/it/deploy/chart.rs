//! The Helm chart. `helm` renders it, where it is installed: the test says so where it is not.

use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;

use super::files::{root, yaml};

const CHART: &str = "deploy/helm/helpsync";
/// helm without a cluster takes an old one for granted.
const KUBERNETES: &str = "1.29.0";

/// What helm says to these arguments; `None`: it is not installed.
fn helm(command: &str, more: &[&str]) -> Option<(bool, String)> {
    let mut helm = Command::new("helm");
    helm.args(command.split(' ')).arg(root().join(CHART)).args(more);
    match helm.output() {
        Ok(output) => {
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Some((output.status.success(), text.concat()))
        }
        Err(_) => {
            eprintln!("SKIPPED: helm is not here, so the chart is not rendered");
            None
        }
    }
}

/// The manifests that these values make.
fn rendered(values: &[&str]) -> Option<Vec<Value>> {
    let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    let more = [&["--kube-version", KUBERNETES], values.as_slice()].concat();
    let (works, text) = helm("template release", &more)?;
    assert!(works, "{text}");
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    let values = documents.map(|one| Value::deserialize(one).unwrap()).filter(|one| !one.is_null());
    Some(values.collect())
}

fn of_kind<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|one| one["kind"] == kind).collect()
}

#[test]
fn the_chart_passes_helms_lint() {
    if let Some((works, text)) = helm("lint --strict", &["--set", "secrets.existing=x"]) {
        assert!(works, "{text}");
    }
}

#[test]
fn without_secrets_nothing_is_rendered_and_the_reason_is_told() {
    if let Some((works, text)) = helm("template release", &["--kube-version", KUBERNETES]) {
        assert!(!works && text.contains("secrets.existing"), "{text}");
    }
}

#[test]
fn the_pods_are_those_of_the_manifests() {
    let Some(all) = rendered(&["secrets.existing=mine"]) else { return };
    for role in ["dispatcher", "worker"] {
        let ours = of_kind(&all, "Deployment");
        let ours = ours.iter().find(|one| one["metadata"]["name"] == format!("release-{role}")).unwrap();
        let theirs = yaml(&format!("deploy/kubernetes/base/{role}.yaml")).remove(0);
        let (mine, base) = (&ours["spec"]["template"]["spec"], &theirs["spec"]["template"]["spec"]);
        for place in
            ["securityContext", "terminationGracePeriodSeconds", "automountServiceAccountToken", "volumes"]
        {
            assert_eq!(mine[place], base[place], "{role}: {place}");
        }
        let (mine, base) = (&mine["containers"][0], &base["containers"][0]);
        for place in [
            "command",
            "readinessProbe",
            "livenessProbe",
            "startupProbe",
            "resources",
            "securityContext",
            "lifecycle",
        ] {
            assert_eq!(mine[place], base[place], "{role}: {place}");
        }
        assert_eq!(mine["envFrom"][1]["secretRef"]["name"], "mine", "{role}");
        assert_eq!(ours["spec"]["selector"]["matchLabels"], ours["spec"]["template"]["metadata"]["labels"]);
    }
    assert!(of_kind(&all, "Secret").is_empty(), "a Secret that is there is not made");
    assert_eq!(of_kind(&all, "PodDisruptionBudget").len(), 2);
    assert_eq!(of_kind(&all, "NetworkPolicy").len(), 2);
    assert!(of_kind(&all, "ScaledObject").is_empty() && of_kind(&all, "ServiceMonitor").is_empty());
    assert!(of_kind(&all, "PrometheusRule").is_empty());
}

#[test]
fn values_switch_what_they_name() {
    let values = [
        "secrets.values.HELPSYNC_STORE__URL=postgres://x/y",
        "settings.HELPSYNC_QUEUE__NAME_PREFIX=mine",
        "image.repository=here/helpsync",
        "image.tag=9",
        "autoscaling.enabled=true",
        "autoscaling.maxReplicas=7",
        "podDisruptionBudget.enabled=false",
        "networkPolicy.enabled=false",
        "serviceMonitor.enabled=true",
        "prometheusRule.enabled=true",
        "prometheusRule.labels.release=mine",
        "ingress.enabled=true",
        "ingress.host=h.example.com",
    ];
    let Some(all) = rendered(&values) else { return };
    assert_eq!(of_kind(&all, "Secret")[0]["stringData"]["HELPSYNC_STORE__URL"], "postgres://x/y");
    let deployments = of_kind(&all, "Deployment");
    assert!(
        deployments
            .iter()
            .all(|one| one["spec"]["template"]["spec"]["containers"][0]["image"] == "here/helpsync:9")
    );
    let worker = deployments.iter().find(|one| one["metadata"]["name"] == "release-worker").unwrap();
    assert!(worker["spec"]["replicas"].is_null(), "KEDA decides");
    let scaled = of_kind(&all, "ScaledObject")[0];
    assert_eq!(scaled["spec"]["maxReplicaCount"], 7);
    let names = helpsync_queue_rabbitmq::Names::new("mine");
    for trigger in scaled["spec"]["triggers"].as_array().unwrap() {
        let queue = trigger["metadata"]["queueName"].as_str().unwrap();
        assert!(names.origin(queue).is_some(), "{queue} is no queue of ours");
    }
    assert_eq!(scaled["spec"]["triggers"].as_array().unwrap().len(), 3);
    assert!(of_kind(&all, "PodDisruptionBudget").is_empty() && of_kind(&all, "NetworkPolicy").is_empty());
    assert_eq!(of_kind(&all, "Ingress")[0]["spec"]["rules"][0]["host"], "h.example.com");
    assert_eq!(of_kind(&all, "ServiceMonitor").len(), 1);
    let rules = of_kind(&all, "PrometheusRule")[0];
    assert_eq!(rules["spec"], yaml("deploy/observability/rules.yml").remove(0));
    assert_eq!(rules["metadata"]["labels"]["release"], "mine");
}

#[test]
fn workers_are_given_the_time_that_they_are_told_to_take() {
    let told = |drain: &str, grace: &str| {
        let drain = format!("settings.HELPSYNC_WORKER__DRAIN_SECONDS={drain}");
        let grace = format!("terminationGracePeriodSeconds={grace}");
        let set = ["--set", "secrets.existing=mine", "--set", &drain, "--set", &grace];
        helm("template release", &[&["--kube-version", KUBERNETES], set.as_slice()].concat())
    };
    let Some((works, text)) = told("60", "70") else { return };
    assert!(works, "{text}");
    let (works, text) = told("60", "69").unwrap();
    assert!(!works && text.contains("set it to 70"), "{text}");
}

/// Also without helm: every setting that the chart names is one.
#[test]
fn the_settings_of_the_chart_are_settings() {
    let values = yaml(&format!("{CHART}/values.yaml")).remove(0);
    let named = values["settings"].as_object().unwrap();
    let env = named.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    helpsync_config::Settings::load(None, env).unwrap();
    assert_eq!(values["image"]["tag"], "", "the chart's version says which");
    let chart = yaml(&format!("{CHART}/Chart.yaml")).remove(0);
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn an_image_is_named_by_its_digest_where_there_is_one() {
    let values =
        ["secrets.existing=mine", "image.repository=here/helpsync", "image.tag=9", "image.digest=sha256:77"];
    let Some(all) = rendered(&values) else { return };
    let deployments = of_kind(&all, "Deployment");
    let images = deployments.iter().map(|one| &one["spec"]["template"]["spec"]["containers"][0]["image"]);
    assert!(images.clone().count() >= 2 && images.clone().all(|image| image == "here/helpsync@sha256:77"));
}
