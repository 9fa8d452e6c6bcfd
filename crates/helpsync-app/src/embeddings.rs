//! What the settings make of cutting and embedding.

use std::sync::Arc;

use helpsync_config::Settings;
use helpsync_embeddings::{Client, ClientError, ClientOptions, EmbedderOptions};
use helpsync_model::Clock;

/// Nothing without a URL.
pub(crate) fn client(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Option<Client>, ClientError> {
    let embeddings = &settings.embeddings;
    let Some(url) = embeddings.url.clone() else { return Ok(None) };
    let options = ClientOptions {
        url,
        key: embeddings.key.clone(),
        model: embeddings.model.clone(),
        dimensions: embeddings.dimensions,
        timeout: embeddings.timeout,
        clock,
    };
    Client::new(options).map(Some)
}

pub(crate) fn embedder_options(settings: &Settings) -> EmbedderOptions {
    let embeddings = &settings.embeddings;
    EmbedderOptions {
        batch_max: embeddings.batch_max,
        concurrency: embeddings.concurrency,
        requests_per_minute: embeddings.requests_per_minute,
        attempts_max: embeddings.attempts_max,
        retry_first: embeddings.retry_first,
        retry_max: embeddings.retry_max,
        retry_failed: embeddings.retry_failed,
        poll: embeddings.poll,
        timeout: embeddings.timeout,
    }
}
