//! Traces, as a collector receives them: one goes from the request through outbox, broker, worker and Zendesk to the
//! webhook. And the log lines of the same work, which name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::{Map, Value, json};

use crate::app::{Shape, until};
use crate::metrics::{Watched, receiver};
use crate::processes::Running;

/// A span as it was received.
#[derive(Debug, Clone)]
struct Received {
    service: String,
    /// Which of the processes of that name.
    instance: String,
    name: String,
    trace: Vec<u8>,
    span: Vec<u8>,
    parent: Vec<u8>,
    /// What the other side answered, where it is a number.
    status: Option<i64>,
}

type Kept = Arc<Mutex<Vec<Received>>>;

/// Takes spans by OTLP; the endpoint.
async fn collector() -> (String, Kept) {
    let kept = Kept::default();
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), kept)
}

async fn take(State(kept): State<Kept>, body: Bytes) -> (StatusCode, Vec<u8>) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in request.resource_spans {
        let attributes = of_resource.resource.unwrap().attributes;
        let text = |name: &str| match valued(&attributes, name) {
            Some(Any::StringValue(text)) => text,
            other => panic!("{name}: {other:?}"),
        };
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.lock().unwrap().push(Received {
                service: text("service.name"),
                instance: text("service.instance.id"),
                status: match valued(&span.attributes, "http.response.status_code") {
                    None => None,
                    Some(Any::IntValue(status)) => Some(status),
                    other => panic!("{other:?}"),
                },
                name: span.name,
                trace: span.trace_id,
                span: span.span_id,
                parent: span.parent_span_id,
            });
        }
    }
    (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
}

fn valued(attributes: &[KeyValue], name: &str) -> Option<Any> {
    attributes.iter().find(|it| it.key == name)?.value.as_ref()?.value.clone()
}

/// What every synchronization leaves, from the first to the last.
const STEPS: [&str; 8] =
    ["POST /helpsync/v1/sync", "run", "publish", "job", "shard", "zendesk", "transaction", "webhook"];

/// The trace that began with such a request, once it has all later steps and every span's parent.
fn whole_trace(spans: &[Received], request: &str) -> Option<Vec<Received>> {
    let first = spans.iter().find(|span| span.name == request)?;
    let trace: Vec<Received> = spans.iter().filter(|span| span.trace == first.trace).cloned().collect();
    let known: BTreeSet<&[u8]> = trace.iter().map(|span| span.span.as_slice()).collect();
    let names: BTreeSet<&str> = trace.iter().map(|span| span.name.as_str()).collect();
    let is_whole = STEPS[1..].iter().all(|step| names.contains(step))
        && trace.iter().all(|span| span.parent.is_empty() || known.contains(span.parent.as_slice()));
    is_whole.then_some(trace)
}

async fn one_trace_goes_from_the_request_to_the_webhook(shape: Shape) {
    let (endpoint, kept) = collector().await;
    let app = Watched::start(shape, &[("TELEMETRY__OTLP_ENDPOINT", &endpoint)]).await;
    app.ask("add_webhook", Some(json!({ "url": receiver().await }))).await;
    app.connect().await;
    app.ended(1).await;
    app.help_center.apply_random(10, 3);
    app.ask("helpsync/v1/sync", Some(json!({ "customer_id": "ada" }))).await;
    app.ended(2).await;
    let whole =
        async |request| until("the whole trace", async || whole_trace(&kept.lock().unwrap(), request)).await;
    // What a grant starts belongs to the answer that brought it.
    whole("GET /integrations/zendesk").await;
    let trace = whole(STEPS[0]).await;

    let roots: Vec<&Received> = trace.iter().filter(|span| span.parent.is_empty()).collect();
    assert_eq!(roots.len(), 1, "{roots:?}");
    let by_id: BTreeMap<&[u8], &Received> = trace.iter().map(|span| (span.span.as_slice(), span)).collect();
    let above = |name: &str| -> BTreeSet<&str> {
        let of_name = trace.iter().filter(|span| span.name == name);
        of_name.filter_map(|span| by_id.get(span.parent.as_slice())).map(|span| span.name.as_str()).collect()
    };
    for (below, parent) in
        [("run", STEPS[0]), ("publish", "run"), ("job", "publish"), ("shard", "job"), ("zendesk", "shard")]
    {
        assert_eq!(above(below), BTreeSet::from([parent]), "{below}");
    }
    let asked: Vec<_> = trace.iter().filter(|span| span.name == "zendesk").map(|span| span.status).collect();
    // An article that was deleted is asked for, too.
    assert!(asked.iter().all(|status| matches!(status, Some(200 | 404))), "{asked:?}");
    // Looks for work that nobody asked for are no traces.
    let alone = |span: &&Received| span.name == "transaction" && span.parent.is_empty();
    assert_eq!(kept.lock().unwrap().iter().filter(alone).count(), 0);
    let instances: BTreeSet<_> =
        kept.lock().unwrap().iter().map(|span| (span.service.clone(), span.instance.clone())).collect();
    let services: BTreeSet<&str> = trace.iter().map(|span| span.service.as_str()).collect();
    match shape {
        Shape::Embedded => {
            assert_eq!(instances.len(), 1, "{instances:?}");
            assert_eq!(services, BTreeSet::from(["helpsync"]));
        }
        Shape::Services => {
            // Those of two workers that had something to do.
            assert!((2..=3).contains(&instances.len()), "{instances:?}");
            assert_eq!(services, BTreeSet::from(["helpsync-dispatcher", "helpsync-worker"]));
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_one_trace_goes_from_the_request_to_the_webhook() {
    one_trace_goes_from_the_request_to_the_webhook(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_one_trace_goes_from_the_request_to_the_webhook() {
    one_trace_goes_from_the_request_to_the_webhook(Shape::Services).await;
}

/// A log line's fields, each of which must be there once.
fn fields(line: &str) -> Map<String, Value> {
    let fields: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    for name in fields.keys() {
        // Values are escaped, so a quoted name before a colon is a name.
        assert_eq!(line.matches(&format!("\"{name}\":")).count(), 1, "{name} in {line}");
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_work_name_it_and_none_comes_twice() {
    let filter =
        "info,tokio_cron_scheduler=warn,helpsync_worker=debug,helpsync_engine=debug,helpsync_api=debug";
    let (endpoint, kept) = collector().await;
    let settings = [("LOG__FILTER", filter), ("TELEMETRY__OTLP_ENDPOINT", &endpoint)];
    let app = Watched::start(Shape::Embedded, &settings).await;
    app.connect().await;
    app.ended(1).await;
    // What is logged does not decide what is traced.
    let whole = async || {
        STEPS[1..]
            .iter()
            .all(|step| kept.lock().unwrap().iter().any(|span| span.name == *step) || *step == "webhook")
            .then_some(())
    };
    until("the spans of the work", whole).await;
    let text = app.stopped_texts().await.remove(0);
    let lines: Vec<Map<String, Value>> =
        text.lines().filter(|line| line.starts_with('{')).map(fields).collect();
    let of_work: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "shard started" || line["message"] == "a run is done")
        .collect();
    assert!(of_work.len() > 4, "{text}");
    for line in of_work {
        for name in ["run", "shard", "customer", "connection", "workspace", "trace"] {
            assert!(line.contains_key(name), "{name} is missing: {line:?}");
        }
        assert_eq!(line["customer"], "ada");
    }
    let mut seen = BTreeSet::new();
    for mut line in lines {
        line.remove("timestamp");
        assert!(seen.insert(Value::Object(line.clone()).to_string()), "twice: {line:?}");
        // Whoever asks what happened is not shown every request.
        assert!(line["message"] != "answered" || line["level"] == "DEBUG", "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_json_lines_has_no_other_line() {
    // Nobody says which format: where no terminal is, lines are JSON.
    let app = Watched::start(Shape::Services, &[("LOG__FILTER", "info")]).await;
    let texts = app.stopped_texts().await;
    for (text, says) in texts.iter().zip(["API at ", "health at ", "health at "]) {
        let messages = text.lines().map(|line| fields(line)["message"].to_string());
        assert!(messages.clone().any(|message| message.contains(says)), "{text}");
        assert!(messages.clone().any(|message| message.contains("stopping")), "{text}");
    }
}

/// Also the last one, which says why the process ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_cannot_start_says_so_in_a_line_of_its_log() {
    let process = Running::start("helpsync-worker", &[], &[]).allowing(&["ends"]);
    let said =
        until("its end", async || process.has_said("\"exit_code\":").map(|_| process.last_line())).await;
    let last = fields(&said);
    assert_eq!((&last["level"], &last["message"]), (&json!("ERROR"), &json!("helpsync-worker ends")));
    assert!(last["error"].to_string().contains("HELPSYNC_STORE__URL"), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_one_warning() {
    let app =
        Watched::start_without_broker(&[("LOG__FILTER", "info,lapin=off,helpsync_queue_rabbitmq=debug")])
            .await;
    let tries = |text: &str| text.matches("cannot connect to rabbitmq").count();
    let text = until("several tries", async || {
        let text = app.text_of(0);
        (tries(&text) >= 4).then_some(text)
    })
    .await;
    let lines: Vec<Map<String, Value>> =
        text.lines().filter(|line| line.starts_with('{')).map(fields).collect();
    // A broker without a shared store has a warning of its own.
    let lines: Vec<_> =
        lines.into_iter().filter(|line| !line["message"].to_string().contains("SQLite")).collect();
    let told = |level: &str| lines.iter().filter(|line| line["level"] == level).cloned().collect::<Vec<_>>();
    assert_eq!(told("WARN").len(), 1, "{:?}", told("WARN"));
    assert!(told("ERROR").is_empty(), "{:?}", told("ERROR"));
    app.stop().await;
}
