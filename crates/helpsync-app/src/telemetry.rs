//! `/metrics`: what this process counts, in Prometheus's text form.

use std::sync::OnceLock;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use helpsync_telemetry::{metrics, names};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// The form of the text: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where all that is counted is kept. One for the process, as logs are.
static KEPT: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to count; a second call changes nothing.
pub(crate) fn start() {
    KEPT.get_or_init(|| match recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(error = helpsync_model::chain(&error), "there are no metrics");
            None
        }
    });
}

fn recorder() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in names::ALL {
        if let names::Kind::Histogram(bounds) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).map_err(BuildError::FailedToSetGlobalRecorder)?;
    metrics::describe();
    metrics_process::Collector::default().describe();
    Ok(handle)
}

/// Folds what was measured into its buckets. To be called every now and then, or measurements are kept one by one.
pub(crate) fn upkeep() {
    if let Some(Some(handle)) = KEPT.get() {
        handle.run_upkeep();
    }
}

/// Answers at `/metrics`.
pub(crate) fn router() -> Router {
    Router::new().route("/metrics", get(|| async { ([(CONTENT_TYPE, TEXT)], scrape()) }))
}

fn scrape() -> String {
    metrics_process::Collector::default().collect();
    let text = KEPT.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default();
    with_cpu_counted(&text)
}

/// Whoever measures the process sets its seconds of CPU as a gauge. They only grow, and are a counter by their name:
/// <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
fn with_cpu_counted(text: &str) -> String {
    text.replace("# TYPE process_cpu_seconds_total gauge", "# TYPE process_cpu_seconds_total counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_cpu_are_a_counter() {
        start();
        let text = scrape();
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
    }
}
