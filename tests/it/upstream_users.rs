//! Users of the broker that are bound to organizations: what they may ask for, and what they try to forge.

use std::sync::Arc;

use helpsync_model::{OsEntropy, SystemClock};
use helpsync_queue_rabbitmq::{RabbitQueue, RabbitSettings};
use helpsync_upstream::{Request, Upstream};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::app::{LATE, Shape, TestApp, make_key, real_time, until};
use crate::processes::said;
use crate::rabbit_node::Node;
use crate::upstream::{CUSTOMER, LIST, few, helpsync, listed, run_of, sync};

const OTHERS_KEY: &str = "another-key-of-enough-length";
const FORGED_REASON: &str = "please replay";

/// A node with three users who may write to the exchange of requests and to nothing else.
async fn node_with_users(http: &Client) -> Node {
    let node = Node::start().await;
    let put = async |path: &str, body: Value| {
        let request = http.put(format!("{}/api/{path}", node.api())).basic_auth("guest", Some("guest"));
        let status = request.json(&body).send().await.unwrap().status();
        assert!(status.is_success(), "{path}: {status}");
    };
    for user in ["ours", "theirs", "nobodys"] {
        put(&format!("users/{user}"), json!({ "password": "word", "tags": "" })).await;
        let may = json!({ "configure": "^$", "write": "^helpsync\\.jobs$", "read": "^$" });
        put(&format!("permissions/%2f/{user}"), may).await;
    }
    node
}

async fn channel(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    // Kept open to the end of the test's process.
    std::mem::forget(connection);
    channel
}

/// Publishes as it is told to; the error: the broker has refused it.
async fn publish(
    channel: &Channel,
    (exchange, key): (&str, &str),
    request: &Request,
    properties: BasicProperties,
) -> Result<(), lapin::Error> {
    let (options, body) = (BasicPublishOptions::default(), request.to_bytes());
    let sent = channel.basic_publish(exchange.into(), key.into(), options, &body, properties).await?;
    sent.await.map(drop)
}

async fn messages_in(channel: &Channel, queue: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), passive, FieldTable::default()).await.unwrap().message_count()
}

fn for_organization(name: &str) -> Request {
    Request { organization: Some(name.to_owned()), ..sync() }
}

fn named(id: &str) -> BasicProperties {
    BasicProperties::default().with_message_id(id.into())
}

/// While nobody consumes, a message expires, and the broker itself moves it, with all that its publisher wrote beside it.
async fn expired_with_forged_headers(url: &str) {
    let settings = RabbitSettings::new(url.to_owned().into());
    let queue = RabbitQueue::start(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap();
    queue.ready(LATE).await.unwrap();
    let mut headers = FieldTable::default();
    for (name, value) in
        [("helpsync-queue", "helpsync.work.on_demand.v1"), ("helpsync-reason", FORGED_REASON)]
    {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    }
    headers.insert("helpsync-of-operator".into(), AMQPValue::Boolean(false));
    let properties = named("forged").with_headers(headers).with_expiration("1".into());
    let ours = channel(&url.replace("guest:guest", "ours:word")).await;
    publish(&ours, ("helpsync.jobs", "request"), &for_organization("other"), properties).await.unwrap();
    let own = channel(url).await;
    until("the broker to move it", async || (messages_in(&own, "helpsync.dead.v1").await == 1).then_some(()))
        .await;
}

async fn others_letters(app: &TestApp) -> Vec<Value> {
    let answer = app.http.get(app.url(LIST)).bearer_auth(OTHERS_KEY).send().await.unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    answer["dead_letters"].as_array().unwrap().clone()
}

/// What a user tries who may write to the exchange: to be another, to be nobody, and to reach a lane.
async fn attack(app: &TestApp, url: &str) {
    let theirs = url.replace("guest:guest", "theirs:word");
    let jobs = ("helpsync.jobs", "request");
    let as_another = named("as-another").with_user_id("ours".into());
    let refused = publish(&channel(&theirs).await, jobs, &for_organization("default"), as_another).await;
    assert!(refused.unwrap_err().to_string().contains("PRECONDITION"), "the broker looks at who it is");
    let lane = ("", "helpsync.work.on_demand.v1");
    let refused = publish(&channel(&theirs).await, lane, &sync(), named("past-the-exchange")).await;
    assert!(refused.unwrap_err().to_string().contains("ACCESS"), "the default exchange is closed");

    let meddler = channel(&theirs).await;
    publish(&meddler, jobs, &for_organization("default"), named("as-nobody")).await.unwrap();
    publish(&meddler, ("helpsync.jobs", "on_demand"), &sync(), named("to-a-lane")).await.unwrap();
    let own = channel(url).await;
    until("what has no queue", async || (messages_in(&own, "helpsync.unrouted.v1").await == 1).then_some(()))
        .await;
    let letters = listed(app, 1).await;
    assert_eq!(letters[0]["id"], "message-as-nobody");
    assert!(letters[0]["error"].as_str().unwrap().contains("does not say who it is"), "{letters:?}");
    let runs = app.parts().store.admin().runs(app.parts().organization, None, 20).await.unwrap();
    let served: Vec<_> = runs.iter().map(|run| run.request_id.as_str()).collect();
    for id in ["as-another", "past-the-exchange", "as-nobody", "to-a-lane"] {
        assert!(!served.contains(&id), "{served:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_broker_asks_for_its_own_organizations_alone_and_forges_nothing() {
    let http = Client::builder().timeout(LATE).build().unwrap();
    let node = node_with_users(&http).await;
    let own = node.amqp();
    expired_with_forged_headers(&own).await;
    let extra = [
        ("HELPSYNC_QUEUE__URL", own.as_str()),
        ("HELPSYNC_QUEUE__NAME_PREFIX", "helpsync"),
        ("HELPSYNC_QUEUE__UPSTREAM_USERS", "ours=default theirs=other"),
    ];
    let app = TestApp::start(Shape::Services, &extra, real_time()).await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization("other").await.unwrap();
    make_key(admin, other, OTHERS_KEY).await;

    // What was forged is the operator's, and only what the broker says of it is told.
    let letters = listed(&app, 1).await;
    assert_eq!(letters[0]["message"]["origin"], "requests", "{letters:?}");
    assert_eq!(letters[0]["error"], "expired", "{letters:?}");
    assert_eq!(others_letters(&app).await, Vec::<Value>::new());
    assert!(helpsync(&app, &["dead-letters", "discard", "message-forged"]).status.success());

    app.account("acme", few());
    app.connect(CUSTOMER, "acme").await;
    let of = |user: &str| Upstream::new(&own.replace("guest:guest", &format!("{user}:word"))).unwrap();
    of("ours").publish("good", &sync()).await.unwrap();
    run_of(&app, Some("good"), None).await;
    of("theirs").publish("bad", &for_organization("default")).await.unwrap();
    of("nobodys").publish("worse", &sync()).await.unwrap();
    for letter in listed(&app, 2).await {
        assert!(letter["error"].as_str().unwrap().contains("may not ask for"), "{letter}");
    }
    // The operator lets it through.
    let replayed = helpsync(&app, &["dead-letters", "replay", "message-worse"]);
    assert!(replayed.status.success(), "{}", said(&replayed));
    run_of(&app, Some("worse"), None).await;
    assert!(helpsync(&app, &["dead-letters", "discard", "message-bad"]).status.success());

    // One that names nobody is of its user's first, as a dead letter too, and nobody puts one into another's list.
    of("ours").publish("foisted", &for_organization("other")).await.unwrap();
    of("theirs").publish("unnamed", &sync()).await.unwrap();
    let theirs = until("their letter", async || {
        Some(others_letters(&app).await).filter(|letters| !letters.is_empty())
    })
    .await;
    assert_eq!((theirs.len(), &theirs[0]["id"]), (1, &json!("message-unnamed")), "{theirs:?}");
    assert_eq!(listed(&app, 1).await[0]["id"], "message-foisted");
    assert!(helpsync(&app, &["dead-letters", "discard", "message-foisted"]).status.success());
    let (_, log) = app.call(Method::GET, "/helpsync/v1/audit?actor=upstream:ours", CUSTOMER, None).await;
    assert_eq!(log["entries"].as_array().unwrap().len(), 1, "{log}");
    attack(&app, &own).await;
    assert_lanes_are_bound_to_nothing(&http, &node).await;
}

async fn assert_lanes_are_bound_to_nothing(http: &Client, node: &Node) {
    let bindings = http.get(format!("{}/api/exchanges/%2f/helpsync.jobs/bindings/source", node.api()));
    let bindings: Value =
        bindings.basic_auth("guest", Some("guest")).send().await.unwrap().json().await.unwrap();
    let keys: Vec<&str> =
        bindings.as_array().unwrap().iter().map(|it| it["routing_key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["request"]);
}
