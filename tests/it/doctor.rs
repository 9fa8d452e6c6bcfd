//! What doctor finds of backends that only a whole installation has: policies of RabbitMQ, and grants of Postgres. The rest
//! is tested by `crates/helpsync-cli/tests/cli/doctor.rs`.

use helpsync_app::{Finding, Severity, examine_backends};
use helpsync_config::Settings;
use helpsync_model::{OsEntropy, SystemClock};
use helpsync_queue_rabbitmq::{RabbitQueue, RabbitSettings};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::app::{LATE, named, service, until};
use crate::rabbit_node::Node;

const PREFIX: &str = "helpsync";
const POLICIES: &str = "queue policies";

/// What doctor finds with these settings and others that do not matter here.
async fn found(env: &[(&str, &str)]) -> Vec<Finding> {
    let keys = format!("k1:{}=", "A".repeat(43));
    let redis = service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let mut all = vec![named("SECRETS__KEYS", keys), named("COORDINATOR__URL", redis)];
    all.extend(env.iter().map(|(name, value)| named(name, *value)));
    examine_backends(&Settings::load(None, all).unwrap()).await.0
}

fn finding<'a>(found: &'a [Finding], name: &str) -> &'a Finding {
    found.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("no {name}: {found:#?}"))
}

fn http() -> Client {
    Client::builder().timeout(LATE).build().unwrap()
}

async fn set_policy(node: &Node, kind: &str, pattern: &str, definition: &Value) {
    let url = format!("{}/api/{kind}/%2f/test", node.api());
    let body = json!({ "pattern": pattern, "definition": definition, "apply-to": "queues" });
    let put = http().request(Method::PUT, url).basic_auth("guest", Some("guest")).json(&body);
    let answer = put.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

async fn clear_policy(node: &Node, kind: &str) {
    let url = format!("{}/api/{kind}/%2f/test", node.api());
    http().delete(url).basic_auth("guest", Some("guest")).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_over_a_queue_of_ours_is_named_with_what_it_does() {
    let node = Node::start().await;
    let amqp = node.amqp();
    let look = async || {
        let env = [("QUEUE__URL", amqp.as_str()), ("QUEUE__MANAGEMENT_URL", &node.api())];
        let found = found(&env).await;
        finding(&found, POLICIES).clone()
    };
    assert_eq!(look().await, Finding::ok(POLICIES, "no queue is there yet"));
    let settings = RabbitSettings { prefix: PREFIX.to_owned(), ..RabbitSettings::new(amqp.clone().into()) };
    let queue = RabbitQueue::start(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap();
    queue.ready(LATE).await.unwrap();
    let all_well = Finding::ok(POLICIES, "none changes any of the 6 queues");
    let settled = async |wanted: &dyn Fn(&Finding) -> bool| {
        // The broker applies a policy some moments later.
        until("the policy to be seen", async || {
            let found = look().await;
            wanted(&found).then_some(found)
        })
        .await
    };
    settled(&|found| *found == all_well).await;

    set_policy(&node, "policies", "^helpsync\\.work\\.", &json!({ "message-ttl": 60_000 })).await;
    // It comes to one queue after the other.
    let what = "helpsync.work.on_demand.v1 is under the policy \"test\": message-ttl = 60000";
    let told = settled(&|found| found.text.contains(what)).await;
    assert_eq!(told.severity, Severity::Warning, "{told:?}");
    assert!(told.mend.as_ref().unwrap().contains("clear_policy"), "{told:?}");
    clear_policy(&node, "policies").await;
    settled(&|found| *found == all_well).await;

    // What bounds the dead letters loses them.
    set_policy(&node, "operator-policies", "dead", &json!({ "max-length": 10 })).await;
    let told = settled(&|found| found.severity != Severity::Ok).await;
    assert_eq!(told.severity, Severity::Wrong, "{told:?}");
    assert!(told.text.contains("the operator's policy \"test\": max-length = 10"), "{told:?}");
    clear_policy(&node, "operator-policies").await;

    // Of others' queues nothing is said.
    set_policy(&node, "policies", "^another", &json!({ "max-length": 10 })).await;
    settled(&|found| *found == all_well).await;

    // Who may not look is told what is missing, and nothing is wrong for that.
    let stranger = node.api().replace("http://", "http://nobody:secret-word@");
    let found = found(&[("QUEUE__URL", amqp.as_str()), ("QUEUE__MANAGEMENT_URL", &stranger)]).await;
    let told = finding(&found, POLICIES);
    assert!(told.severity == Severity::Unchecked && told.text.contains("not checked"), "{told:?}");
    assert!(told.text.contains("nobody") && !told.text.contains("secret-word"), "{told:?}");
    let found =
        self::found(&[("QUEUE__URL", amqp.as_str()), ("QUEUE__MANAGEMENT_URL", "http://127.0.0.1:1")]).await;
    let told = finding(&found, POLICIES);
    assert!(told.text.contains("not checked: nothing answers there"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_broker_without_rights_or_a_vhost_that_is_not_there_is_wrong() {
    let node = Node::start().await;
    let put = async |path: &str, body: Value| {
        let url = format!("{}/api/{path}", node.api());
        let request = http().put(url).basic_auth("guest", Some("guest")).json(&body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    };
    let amqp = node.amqp();
    let settings = RabbitSettings { prefix: PREFIX.to_owned(), ..RabbitSettings::new(amqp.clone().into()) };
    let queue = RabbitQueue::start(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap();
    queue.ready(LATE).await.unwrap();
    put("users/eve", json!({ "password": "secret-word", "tags": "" })).await;
    put("permissions/%2f/eve", json!({ "configure": "^other", "write": "^other", "read": "^other" })).await;
    let as_eve = amqp.replace("guest:guest@", "eve:secret-word@");
    for (url, part) in [
        (as_eve.clone(), "refused"),
        (as_eve.replace("/%2f", "/no-such"), "no-such"),
        (amqp.replace("/%2f", "/no-such"), "no-such"),
        (as_eve.replace("secret-word", "wrong-word"), "refused"),
    ] {
        let found = found(&[("QUEUE__URL", &url)]).await;
        let told = finding(&found, "queue");
        assert_eq!(told.severity, Severity::Wrong, "{url}: {told:?}");
        assert!(told.text.to_lowercase().contains(part) && !told.text.contains("-word"), "{url}: {told:?}");
        assert!(
            told.mend.as_ref().unwrap().contains("RabbitMQ")
                || told.mend.as_ref().unwrap().contains("rabbitmqctl")
        );
    }
}

/// A user who may declare everything starts a process; what else it lacks would come to light at the first message.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_the_broker_refuses_is_named_and_asking_for_it_moves_nothing() {
    let node = Node::start().await;
    let put = async |path: &str, body: Value| {
        let url = format!("{}/api/{path}", node.api());
        let request = http().put(url).basic_auth("guest", Some("guest")).json(&body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    };
    put("users/eve", json!({ "password": "secret-word", "tags": "" })).await;
    let amqp = node.amqp();
    let as_eve = amqp.replace("guest:guest@", "eve:secret-word@");
    let told = async |configure: &str, write: &str, read: &str| {
        let rights = json!({ "configure": configure, "write": write, "read": read });
        put("permissions/%2f/eve", rights).await;
        let found = found(&[("QUEUE__URL", &as_eve)]).await;
        finding(&found, "queue").clone()
    };
    let (ours, published) = ("^helpsync\\.", "^helpsync\\.|^amq\\.default$");
    // The rights are looked at before anything is there, and again when it is.
    for is_made in [false, true] {
        if is_made {
            let settings =
                RabbitSettings { prefix: PREFIX.to_owned(), ..RabbitSettings::new(amqp.clone().into()) };
            let queue = RabbitQueue::start(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap();
            queue.ready(LATE).await.unwrap();
            // As a work queue would: nobody takes it meanwhile.
            publish(&node, "helpsync.work.backfill.v1").await;
        }
        let before = topology(&node).await;
        for (configure, write, read, part) in [
            ("^other", published, ours, "to configure helpsync.dead and 8 more"),
            (ours, "^helpsync\\.", ours, "to write amq.default"),
            (
                ours,
                "^amq\\.default$|^helpsync\\.(work|requests|unrouted)",
                ours,
                "to write helpsync.dead and 1 more",
            ),
            (ours, published, "^$", "to read helpsync.dead and 8 more"),
            (ours, published, "^helpsync\\.(dead|unrouted|jobs|work)", "to read helpsync.requests.v1"),
        ] {
            let told = told(configure, write, read).await;
            assert_eq!(told.severity, Severity::Wrong, "{is_made}, {part}: {told:?}");
            assert!(told.text.ends_with(part) && told.text.contains("eve"), "{is_made}, {part}: {told:?}");
            assert!(told.mend.as_ref().unwrap().contains("set_permissions -p / eve"), "{told:?}");
        }
        let well = told(ours, published, ours).await;
        assert_eq!(well.severity, Severity::Ok, "{is_made}: {well:?}");
        assert_eq!(topology(&node).await, before, "doctor made or moved something");
    }
}

/// Leaves a message in a queue.
async fn publish(node: &Node, queue: &str) {
    let url = format!("{}/api/exchanges/%2f/amq.default/publish", node.api());
    let body =
        json!({ "properties": {}, "routing_key": queue, "payload": "left", "payload_encoding": "string" });
    let answer = http().post(url).basic_auth("guest", Some("guest")).json(&body).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["routed"], true);
}

/// Every queue with what waits in it and was handed out, and every exchange and binding.
async fn topology(node: &Node) -> Value {
    let ask = async |what: &str| {
        let url = format!("{}/api/{what}", node.api());
        let answer = http().get(url).basic_auth("guest", Some("guest")).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let names =
        |list: &Value| list.as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    let bindings = ask("bindings").await;
    let bindings = bindings.as_array().unwrap().iter();
    let bindings: Vec<Value> =
        bindings.map(|it| json!([it["source"], it["destination"], it["routing_key"]])).collect();
    // Looking at a message counts as a return; its flag would tell of one before.
    let url = format!("{}/api/queues/%2f/helpsync.work.backfill.v1/get", node.api());
    let body = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let left = http().post(url).basic_auth("guest", Some("guest")).json(&body).send().await.unwrap();
    let left = left.json::<Value>().await.unwrap();
    json!([names(&ask("queues").await), names(&ask("exchanges").await), bindings, left[0]["payload"]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_postgres_that_lacks_rights_is_named_with_the_table() {
    let database = helpsync_store::testing::postgres().await;
    let url = database.url().to_owned();
    let as_role = |role: &str| {
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}options=-c%20role%3D{role}")
    };
    let found = found(&[("STORE__URL", &url)]).await;
    assert_eq!(finding(&found, "store").severity, Severity::Ok, "{found:#?}");
    // Roles that every server has: one may read everything, one nothing.
    let found = self::found(&[("STORE__URL", &as_role("pg_read_all_data"))]).await;
    let told = finding(&found, "store");
    assert_eq!(told.severity, Severity::Wrong, "{told:?}");
    assert!(told.text.contains("may not change the table run"), "{told:?}");
    assert!(told.mend.as_ref().unwrap().contains("grant"), "{told:?}");
    let found = self::found(&[("STORE__URL", &as_role("pg_signal_backend"))]).await;
    let told = finding(&found, "store");
    assert!(
        told.severity == Severity::Wrong && told.text.contains("may not change the table run"),
        "{told:?}"
    );
}
