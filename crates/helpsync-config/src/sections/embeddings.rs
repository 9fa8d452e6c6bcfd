//! `[embeddings]`

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::unencrypted;
use crate::address::is_loopback;
use crate::{Problem, declare::section};

section! {
    /// Vectors of texts, for searches by meaning: who makes them, and how hard it is tried. Without a URL texts are made into
    /// chunks all the same, and searches are by words.
    pub struct EmbeddingsSettings "embeddings";

    /// Base of an OpenAI-compatible API, for example `https://api.openai.com/v1`: `/embeddings` is put behind it.
    "HELPSYNC_EMBEDDINGS__URL" url: Option<Url>;
    /// Whether it may be on another machine without TLS (`https://` has it): for private networks that nobody else listens in.
    /// The key and the texts go there.
    "HELPSYNC_EMBEDDINGS__ALLOW_UNENCRYPTED" allow_unencrypted: bool = "false";
    /// Its key, sent as a bearer token.
    "HELPSYNC_EMBEDDINGS__KEY" key: Option<SecretString>;
    /// The model's name there. Another name, or another number of dimensions, has every chunk embedded again.
    "HELPSYNC_EMBEDDINGS__MODEL" model: String = "text-embedding-3-small";
    /// Numbers of a vector, for models that let one choose. Absent: as many as the model makes.
    "HELPSYNC_EMBEDDINGS__DIMENSIONS" dimensions: Option<usize>, 1..=16_384;
    /// Chunks of one request.
    "HELPSYNC_EMBEDDINGS__BATCH_MAX" batch_max: u32 = "64", 1..=2_048;
    /// Requests under way at once, per process.
    "HELPSYNC_EMBEDDINGS__CONCURRENCY" concurrency: usize = "2", 1..=32;
    /// Requests a minute, over all processes. Those for queries of searches come on top.
    "HELPSYNC_EMBEDDINGS__REQUESTS_PER_MINUTE" requests_per_minute: u32 = "500", 1..=100_000;
    /// How long a request may take, its answer included.
    "HELPSYNC_EMBEDDINGS__TIMEOUT_SECONDS" timeout: Duration = "60", 1..=600;
    /// Tries of one chunk, after which its file says that its embeddings failed.
    "HELPSYNC_EMBEDDINGS__ATTEMPTS_MAX" attempts_max: u32 = "8", 1..=100;
    /// The longest wait after a first failure; every further failure doubles it. The wait itself is random up to that,
    /// unless the endpoint asks for another.
    "HELPSYNC_EMBEDDINGS__RETRY_FIRST_MS" retry_first: Duration = "1000", 1..=3_600_000;
    /// The longest wait between two tries of a chunk.
    "HELPSYNC_EMBEDDINGS__RETRY_MAX_SECONDS" retry_max: Duration = "60", 1..=86_400;
    /// A chunk whose tries are spent is tried anew after so long.
    "HELPSYNC_EMBEDDINGS__RETRY_FAILED_HOURS" retry_failed: Duration = "24", 1..=8_760;
    /// Time between looks for texts to be chunked and chunks to be embedded.
    "HELPSYNC_EMBEDDINGS__POLL_MS" poll: Duration = "1000", 10..=60_000;
}

impl EmbeddingsSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self
            .url
            .as_ref()
            .is_some_and(|url| !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base())
        {
            problems.push(Problem::value(
                "HELPSYNC_EMBEDDINGS__URL",
                "it is no address of an HTTP API",
                "https://api.openai.com/v1",
            ));
        }
        if !self.allow_unencrypted
            && self.url.as_ref().is_some_and(|url| url.scheme() == "http" && !is_loopback(url))
        {
            problems.push(unencrypted(
                "HELPSYNC_EMBEDDINGS__URL",
                "https://",
                "HELPSYNC_EMBEDDINGS__ALLOW_UNENCRYPTED",
            ));
        }
        if self.model.is_empty() {
            problems.push(Problem::value(
                "HELPSYNC_EMBEDDINGS__MODEL",
                "no model is named",
                "text-embedding-3-small",
            ));
        }
        if self.retry_first > self.retry_max {
            problems.push(Problem::value(
                "HELPSYNC_EMBEDDINGS__RETRY_FIRST_MS",
                "the first wait is longer than the longest one",
                "at most embeddings.retry_max_seconds",
            ));
        }
        problems
    }
}
