//! The role that has waiting chunks embedded.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use helpsync_model::{Backoff, ConnectionId, Entropy, chain};
use helpsync_store::{ChunkToEmbed, EmbeddedChunk, EmbeddingEnd, SearchStore, StoreError, StoreOutage};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Client, EmbedFailure};

/// Tokens of one request: endpoints take some hundred thousand.
const BATCH_TOKENS_MAX: i64 = 100_000;
/// A lease outlasts the requests that a batch may need by this.
const LEASE_MARGIN: Duration = Duration::from_secs(60);
/// What is told of the store's failing; by all tasks together once.
const FAILED: &str = "embedding failed in the store, it is tried again";
/// Chunks that wait again in one transaction because another model made their vectors.
const REQUEUE_BATCH: u32 = 1_000;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct EmbedderOptions {
    /// Chunks of one request.
    pub batch_max: u32,
    /// Requests under way at once in this process.
    pub concurrency: usize,
    /// Requests of all processes together in a minute.
    pub requests_per_minute: u32,
    /// Tries of one chunk.
    pub attempts_max: u32,
    /// The longest wait after the first failure; every further one doubles it.
    pub retry_first: Duration,
    /// The longest wait at all.
    pub retry_max: Duration,
    /// A chunk that failed is tried anew after so long.
    pub retry_failed: Duration,
    /// Time between looks for work.
    pub poll: Duration,
    /// For one request, as the client has it.
    pub timeout: Duration,
}

/// Embeds what waits, connections in turns. Any number may run over one store.
#[derive(Debug, Clone)]
pub struct Embedder {
    store: SearchStore,
    client: Client,
    entropy: Arc<dyn Entropy>,
    options: Arc<EmbedderOptions>,
    made: Arc<Notify>,
    after: Arc<AtomicI64>,
    /// The store fails.
    away: Arc<StoreOutage>,
}

/// What a round leaves to do.
enum Next {
    AtOnce,
    Wait(Duration),
}

impl Embedder {
    /// `made` rings when there are new chunks.
    #[must_use]
    pub fn new(
        store: SearchStore,
        client: Client,
        entropy: Arc<dyn Entropy>,
        options: EmbedderOptions,
        made: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            client,
            entropy,
            options: Arc::new(options),
            made,
            after: Arc::default(),
            away: Arc::default(),
        }
    }

    /// Embeds until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mark = self.client.mark();
        loop {
            let look = self.away.look();
            match self.store.requeue_other_models(&mark, REQUEUE_BATCH).await {
                Ok(0) => break,
                Ok(chunks) => {
                    tracing::info!(chunks, model = mark, "chunks of another model are embedded again");
                }
                Err(error) => {
                    look.failed(&error, FAILED);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(self.options.poll) => {}
                    }
                }
            }
        }
        let serving = join_all((0..self.options.concurrency).map(|_| self.serve(&stop)));
        tokio::join!(serving, self.fill(&stop));
    }

    /// Vectors from before the database had pgvector. Until they are known to it, searches compare them themselves.
    async fn fill(&self, stop: &CancellationToken) {
        let mut after = 0;
        while !stop.is_cancelled() {
            match self.store.fill_embeddings(after, REQUEUE_BATCH).await {
                Ok(Some(last)) => after = last,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(
                        error = chain(&error),
                        "vectors from before pgvector stay with this process"
                    );
                    return;
                }
            }
        }
    }

    async fn serve(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let look = self.away.look();
            let round = self.round(stop).await;
            if let Ok(next) = &round {
                look.worked(&self.store, matches!(next, Next::AtOnce), "embedding goes on").await;
            }
            let wait = match round {
                Ok(Next::AtOnce) => continue,
                Ok(Next::Wait(wait)) => wait,
                Err(error) => {
                    look.failed(&error, FAILED);
                    self.options.poll
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                // New work does not shorten a wait that the endpoint asked for.
                () = self.made.notified(), if wait <= self.options.poll => {}
            }
        }
    }

    async fn round(&self, stop: &CancellationToken) -> Result<Next, StoreError> {
        let options = &self.options;
        let after = ConnectionId(self.after.load(Ordering::Relaxed));
        let Some(connection) = self.store.next_to_embed(after).await? else {
            return Ok(Next::Wait(options.poll));
        };
        self.after.store(connection.0, Ordering::Relaxed);
        // A batch may be halved down to single inputs before the lease counts as lost: double work at worst.
        let lease = options.timeout * 4 + LEASE_MARGIN;
        let claimed = self.store.claim_chunks(connection, options.batch_max, BATCH_TOKENS_MAX, lease).await?;
        let mut parts = vec![claimed];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                break;
            }
            if let Err(wait) = self.store.take_embedding_request(options.requests_per_minute).await? {
                parts.push(part);
                self.release(&parts).await?;
                return Ok(Next::Wait(wait));
            }
            let inputs: Vec<&str> = part.iter().map(|chunk| chunk.content.as_str()).collect();
            let answer = tokio::select! {
                answer = self.client.embed(&inputs) => Some(answer),
                () = stop.cancelled() => None,
            };
            match answer {
                None => {
                    parts.push(part);
                    self.release(&parts).await?;
                    return Ok(Next::Wait(Duration::ZERO));
                }
                Some(Ok(vectors)) => {
                    let ends = vectors.into_iter().map(EmbeddingEnd::Vector);
                    self.settle(part.iter().zip(ends).map(ended).collect()).await?;
                }
                Some(Err(EmbedFailure::Passing { after, reason })) => {
                    let wait = self.wait(&part, after);
                    tracing::warn!(reason, wait_ms = wait.as_millis(), "the embeddings endpoint failed");
                    let ends = part.iter().map(|chunk| ended((chunk, self.passing(chunk, wait))));
                    self.settle(ends.collect()).await?;
                    self.release(&parts).await?;
                    return Ok(Next::Wait(wait));
                }
                Some(Err(EmbedFailure::Refused { of_inputs: true, .. })) if part.len() > 1 => {
                    // One bad input must not cost the others their vectors.
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Some(Err(EmbedFailure::Refused { reason, .. })) => {
                    tracing::warn!(reason, chunks = part.len(), "the embeddings endpoint refused chunks");
                    let failed = EmbeddingEnd::Failed(options.retry_failed);
                    self.settle(part.iter().map(|chunk| ended((chunk, failed.clone()))).collect()).await?;
                }
            }
        }
        Ok(Next::AtOnce)
    }

    /// What the endpoint asks for, or else a random part of a time that doubles with every try.
    fn wait(&self, part: &[ChunkToEmbed], asked: Option<Duration>) -> Duration {
        let failures = part.iter().map(|chunk| chunk.failures).max().unwrap_or(1);
        let backoff = Backoff::new(self.options.retry_first, self.options.retry_max);
        asked.unwrap_or_else(|| backoff.wait(u32::try_from(failures).unwrap_or(u32::MAX), &*self.entropy))
    }

    fn passing(&self, chunk: &ChunkToEmbed, wait: Duration) -> EmbeddingEnd {
        if chunk.failures >= i64::from(self.options.attempts_max) {
            EmbeddingEnd::Failed(self.options.retry_failed)
        } else {
            EmbeddingEnd::Retry(wait)
        }
    }

    /// Gives back what was not asked for.
    async fn release(&self, parts: &[Vec<ChunkToEmbed>]) -> Result<(), StoreError> {
        let released = parts.iter().flatten().map(|chunk| ended((chunk, EmbeddingEnd::Released)));
        self.settle(released.collect()).await
    }

    async fn settle(&self, ended: Vec<EmbeddedChunk>) -> Result<(), StoreError> {
        if ended.is_empty() {
            return Ok(());
        }
        self.store.settle_chunks(&ended, &self.client.mark()).await
    }
}

fn ended((chunk, end): (&ChunkToEmbed, EmbeddingEnd)) -> EmbeddedChunk {
    EmbeddedChunk { id: chunk.id, file: chunk.file, attempt: chunk.attempt, end }
}
