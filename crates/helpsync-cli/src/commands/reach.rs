//! Whether the services answer that Helpsync sends to beside Zendesk: traces go to one, texts to be embedded to another.

use helpsync_app::Finding;
use helpsync_config::Settings;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;

use crate::client::innermost;

/// Where an endpoint for traces takes them: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>.
const TRACES: &str = "v1/traces";
/// What an OpenAI-compatible API lists without a charge. Not every one has it.
const MODELS: &str = "models";

/// Of those that are set.
pub(crate) async fn findings(settings: &Settings, http: &Client) -> Vec<Finding> {
    let found = [traces(settings, http).await, embeddings(settings, http).await];
    found.into_iter().flatten().collect()
}

/// Sends a batch of no spans. Work goes on without traces, so nothing here is wrong.
async fn traces(settings: &Settings, http: &Client) -> Option<Finding> {
    const NAME: &str = "traces";
    let base = settings.telemetry.otlp_endpoint.as_ref()?.as_str().trim_end_matches('/').to_owned();
    let url = format!("{base}/{TRACES}");
    // No bytes are the message whose fields are all empty.
    let sent = http.post(&url).header(CONTENT_TYPE, "application/x-protobuf").body("").send().await;
    let mend = "start the collector, let it take OTLP over HTTP, or correct HELPSYNC_TELEMETRY__OTLP_ENDPOINT; until then traces \
         are lost, and nothing else is";
    Some(match sent {
        Ok(answer) if answer.status().is_success() => Finding::ok(NAME, format!("{url} takes them")),
        Ok(answer) => Finding::warning(NAME, format!("{url} answers {}", answer.status()), mend),
        Err(error) => {
            let why = innermost(&error);
            Finding::warning(NAME, format!("{url} does not answer: {why}"), mend)
        }
    })
}

/// Asks for something that costs nothing: embedding a text would be charged.
async fn embeddings(settings: &Settings, http: &Client) -> Option<Finding> {
    const NAME: &str = "embeddings";
    let base = settings.embeddings.url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    let mut request = http.get(format!("{base}/{MODELS}"));
    if let Some(key) = &settings.embeddings.key {
        request = request.bearer_auth(key.expose_secret());
    }
    Some(match request.send().await {
        Ok(answer) => match answer.status() {
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Finding::wrong(
                NAME,
                format!("{base} refuses the key: it answers {status}"),
                "set HELPSYNC_EMBEDDINGS__KEY to a key of that API",
            ),
            status if status.is_server_error() => Finding::warning(
                NAME,
                format!("{base} answers {status}"),
                "look at the endpoint's log or status page: texts wait to be embedded until it works",
            ),
            _ => Finding::ok(NAME, format!("{base} answers")),
        },
        Err(error) => Finding::wrong(
            NAME,
            format!("{base} does not answer: {}", innermost(&error)),
            "start the endpoint, correct HELPSYNC_EMBEDDINGS__URL, or take it out: searches are then by words",
        ),
    })
}
