//! The manifests.

use std::collections::BTreeMap;
use std::process::Command;

use helpsync_config::Settings;
use helpsync_model::Lane;
use helpsync_queue::Origin;
use helpsync_queue_rabbitmq::Names;
use serde_json::{Value, json};

use super::files::{names_version, python, root, text, yaml};

const BASE: &str = "deploy/kubernetes/base";
const OVERLAY: &str = "deploy/kubernetes/overlays/example";

/// The files that a folder's kustomization names.
fn resources(folder: &str) -> Vec<String> {
    let kustomization = yaml(&format!("{folder}/kustomization.yaml")).remove(0);
    let names =
        kustomization["resources"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
    names.filter(|name| name.ends_with(".yaml")).map(|name| format!("{folder}/{name}")).collect()
}

fn objects() -> Vec<Value> {
    [BASE, OVERLAY].into_iter().flat_map(resources).flat_map(|path| yaml(&path)).collect()
}

fn of_kind<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|object| object["kind"] == kind).collect()
}

fn named<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    of_kind(all, kind).into_iter().find(|object| object["metadata"]["name"] == name).unwrap()
}

/// What a pod starts with: the ConfigMap, and a Secret as the example describes it.
fn settings(all: &[Value], container: &Value) -> Settings {
    assert_eq!(
        container["envFrom"],
        json!([{ "configMapRef": { "name": "helpsync-settings" } }, { "secretRef": { "name": "helpsync-secrets" } }])
    );
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in named(all, "ConfigMap", "helpsync-settings")["data"].as_object().unwrap() {
        env.insert(name.clone(), value.as_str().unwrap().to_owned());
    }
    for line in text(&format!("{OVERLAY}/secrets.example.txt")).lines() {
        let Some((name, value)) =
            line.trim().split_once('=').filter(|(name, _)| name.starts_with("HELPSYNC_"))
        else {
            continue;
        };
        assert!(value.starts_with('<') && value.ends_with('>'), "{name} can be taken for a value");
        let real = match name {
            "HELPSYNC_STORE__URL" => "postgres://user:word@db.example.com/helpsync?sslmode=verify-full",
            "HELPSYNC_QUEUE__URL" => "amqps://user:word@mq.example.com/%2f",
            "HELPSYNC_COORDINATOR__URL" => "rediss://:word@redis.example.com",
            "HELPSYNC_SECRETS__KEYS" => "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            _ => "word-of-enough-length",
        };
        env.insert(name.to_owned(), real.to_owned());
    }
    Settings::load(None, env).unwrap()
}

#[test]
fn every_pod_is_pinned_bounded_unprivileged_and_watched() {
    let all = objects();
    let deployments = of_kind(&all, "Deployment");
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        let name = deployment["metadata"]["name"].as_str().unwrap();
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["serviceAccountName"], "helpsync", "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert!(!pod["topologySpreadConstraints"].as_array().unwrap().is_empty(), "{name}");
        let container = &pod["containers"][0];
        assert!(names_version(container["image"].as_str().unwrap()), "{name}");
        assert_eq!(container["command"], json!([format!("helpsync-{name}")]));
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{name}");
        for bound in ["requests", "limits"] {
            for what in ["cpu", "memory", "ephemeral-storage"] {
                assert!(container["resources"][bound][what].is_string(), "{name}: {bound} of {what}");
            }
        }
        let settings = settings(&all, container);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace > settings.worker.drain.as_secs() + 10, "{name} is killed while it drains");
        for (probe, path) in
            [("readinessProbe", "/readyz"), ("livenessProbe", "/livez"), ("startupProbe", "/livez")]
        {
            let asked = &container[probe]["httpGet"];
            assert_eq!(asked["path"], path, "{name}: {probe}");
            let ports = container["ports"].as_array().unwrap();
            assert!(ports.iter().any(|port| port["name"] == asked["port"]), "{name}: {probe}");
        }
        assert!(settings.store.is_postgres(), "{name}");
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(&named(&all, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"], labels);
    }
    assert_eq!(named(&all, "ServiceAccount", "helpsync")["automountServiceAccountToken"], false);
    assert_eq!(named(&all, "Deployment", "dispatcher")["spec"]["replicas"], 2);
}

/// The image says where processes listen; the manifests name the same ports.
#[test]
fn the_ports_are_those_of_the_image() {
    let (all, dockerfile) = (objects(), text("deploy/Dockerfile"));
    let ports = [
        ("dispatcher", "http", "API__LISTEN"),
        ("dispatcher", "health", "DISPATCHER__HEALTH_LISTEN"),
        ("worker", "health", "WORKER__HEALTH_LISTEN"),
    ];
    for (deployment, port, setting) in ports {
        let container = &named(&all, "Deployment", deployment)["spec"]["template"]["spec"]["containers"][0];
        let ports = container["ports"].as_array().unwrap();
        let number = &ports.iter().find(|it| it["name"] == port).unwrap()["containerPort"];
        assert!(dockerfile.contains(&format!("HELPSYNC_{setting}=0.0.0.0:{number}")), "{deployment}: {port}");
    }
}

#[test]
fn no_secret_is_in_the_manifests() {
    let all = objects();
    assert!(of_kind(&all, "Secret").is_empty());
    let reference = helpsync_config::reference();
    for (name, _) in named(&all, "ConfigMap", "helpsync-settings")["data"].as_object().unwrap() {
        let row = reference.lines().find(|line| line.contains(&format!("`{name}`"))).unwrap();
        assert!(!row.contains("*secret*") && !name.ends_with("__URL"), "{name} belongs into the Secret");
    }
}

#[test]
fn autoscaling_looks_at_the_queues_of_the_three_lanes() {
    let all = objects();
    let scaled = named(&all, "ScaledObject", "worker");
    assert_eq!(scaled["spec"]["scaleTargetRef"]["name"], "worker");
    let watched: Vec<&str> = scaled["spec"]["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trigger| trigger["metadata"]["queueName"].as_str().unwrap())
        .collect();
    let names = Names::new("helpsync");
    assert_eq!(watched, Lane::ALL.map(|lane| names.work(Origin::Lane(lane))));
}

#[test]
fn the_manifests_fit_kubernetes_schemas() {
    let paths: Vec<String> = resources(BASE);
    for version in ["1.30", "1.37"] {
        let mut arguments = vec!["kubernetes_validate", "--strict", "--kubernetes-version", version];
        arguments.extend(paths.iter().map(String::as_str));
        python(&arguments);
    }
}

#[test]
fn the_overlay_builds() {
    let built = Command::new("kubectl").args(["kustomize", OVERLAY]).current_dir(root()).output();
    let Ok(built) = built else {
        eprintln!("SKIPPED: kubectl is not here, so the overlay's patches are not applied");
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(String::from_utf8_lossy(&built.stdout).contains("kind: ScaledObject"));
}
