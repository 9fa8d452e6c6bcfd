//! Traces by OTLP: spans of ours go to `telemetry.otlp_endpoint`, in batches, from a thread of their own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use helpsync_config::TelemetrySettings;
use helpsync_model::{Entropy as _, OsEntropy, chain};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
};

/// Where the path of an endpoint for traces ends: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>.
const PATH: &str = "v1/traces";
/// A batch that is not taken within this is lost.
const EXPORT_PATIENCE: Duration = Duration::from_secs(5);
/// Spans leave after this at the latest.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// Spans that wait; those beyond are lost.
const WAITING_MAX: usize = 8_192;

/// Makes the traces of this process end in order. One for the process, as its log is.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The tracer, if the settings name an endpoint and none was made before.
///
/// # Errors
/// [`ExporterBuildError`]: the endpoint is no address that can be sent to.
pub(crate) fn tracer(
    settings: &TelemetrySettings,
    service: &'static str,
) -> Result<Option<SdkTracer>, ExporterBuildError> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/{PATH}", endpoint.as_str().trim_end_matches('/')))
        .with_timeout(EXPORT_PATIENCE)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(SEND_EVERY)
        .with_max_queue_size(WAITING_MAX)
        .build();
    let processor = BatchSpanProcessor::builder(Told { exporter, away: AtomicBool::new(false) })
        .with_batch_config(batches)
        .build();
    let share = f64::from(settings.sample_percent) / 100.0;
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            // One of many that run the same program: <https://opentelemetry.io/docs/specs/semconv/resource/#service>.
            KeyValue::new("service.instance.id", OsEntropy.uuid().to_string()),
        ])
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("helpsync");
    Ok(PROVIDER.set(provider).is_ok().then_some(tracer))
}

/// Sends what waits. It blocks for as long as the endpoint may take.
pub(crate) fn flush() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.force_flush()
    {
        tracing::debug!(error = chain(&error), "the last spans were not sent");
    }
}

/// Says once that the endpoint is away, and once that it is back.
#[derive(Debug)]
struct Told {
    exporter: SpanExporter,
    away: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match &sent {
            Err(error) if !self.away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(error = chain(error), "traces cannot be sent and are lost until they can");
            }
            Ok(()) if self.away.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are sent again");
            }
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
