//! Both roles over real stores and a real socket.

mod questions;

use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{CustomerId, FileId, SeededEntropy, SystemClock};
use helpsync_store::testing::{TestStore, article, stores};
use helpsync_store::{Chunk, ChunkOrder, ChunkQuery, FileFilters, NOT_EMBEDDED};
use test_servers::{EmbeddingsServer, Misbehavior, vector};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Chunker, Client, ClientOptions, Embedder, EmbedderOptions};

const LATE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const BAD: &str = "unbearable";

fn options() -> EmbedderOptions {
    EmbedderOptions {
        batch_max: 4,
        concurrency: 2,
        requests_per_minute: 10_000,
        attempts_max: 3,
        retry_first: Duration::from_millis(1),
        retry_max: Duration::from_millis(5),
        retry_failed: Duration::from_secs(3_600),
        poll: POLL,
        timeout: Duration::from_secs(10),
    }
}

/// A store with one customer, an endpoint, and the roles that stand between them.
struct Scene {
    store: TestStore,
    customer: CustomerId,
    server: EmbeddingsServer,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    async fn new(store: TestStore, texts: &[&str]) -> Self {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "ada").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let articles = (1..).zip(texts).map(|(id, text)| {
            let mut article = article(id, &format!("Article {id}"), 5);
            (*text).clone_into(&mut article.translations[0].markdown);
            article
        });
        store.sync_articles(connection, articles.collect()).await;
        let server = EmbeddingsServer::start().await;
        Self {
            store,
            customer: customer.id,
            server,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    fn start(&self, options: EmbedderOptions) {
        let made = Arc::new(Notify::new());
        let client = Client::new(ClientOptions {
            url: self.server.url.parse().unwrap(),
            key: Some("secret-key".to_owned().into()),
            model: "model".to_owned(),
            dimensions: Some(test_servers::DIMENSIONS),
            timeout: options.timeout,
            clock: Arc::new(SystemClock),
        });
        let entropy = Arc::new(SeededEntropy::new(1));
        let embedder =
            Embedder::new(self.store.search().clone(), client.unwrap(), entropy, options, Arc::clone(&made));
        let chunker = Chunker::new(self.store.search().clone(), POLL, made);
        self.tasks.spawn(chunker.run(self.stop.clone()));
        self.tasks.spawn(embedder.run(self.stop.clone()));
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(LATE, self.tasks.wait()).await.expect("the roles end when they are told to");
    }

    async fn chunks(&self) -> Vec<Chunk> {
        let query = ChunkQuery {
            customer: self.customer,
            files: FileFilters::default(),
            starting_file: 0,
            starting_chunk: 0,
            vectors_of: None,
            order: ChunkOrder::Position,
            descending: false,
            with_vectors: true,
            limit: 100,
            offset: 0,
        };
        self.store.search().chunks(&query).await.unwrap().0
    }

    /// Waits until so many chunks have their vectors.
    async fn embedded(&self, count: usize) -> Vec<Chunk> {
        self.until(async || {
            let chunks = self.chunks().await;
            (chunks.iter().filter(|chunk| chunk.vector.is_some()).count() == count).then_some(chunks)
        })
        .await
    }

    async fn error(&self, file: FileId) -> Option<String> {
        self.store.admin().file(self.customer, file).await.unwrap().error
    }

    async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let found = tokio::time::timeout(LATE, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(POLL).await;
            }
        });
        found.await.expect("it happens in time")
    }
}

#[tokio::test]
async fn what_is_stored_is_chunked_and_embedded_in_batches_with_the_key() {
    for store in stores().await {
        let texts: Vec<String> = (0..10).map(|number| format!("text number {number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scene = Scene::new(store, &texts).await;
        scene.start(EmbedderOptions { concurrency: 1, ..options() });
        for chunk in scene.embedded(10).await {
            assert_eq!(chunk.vector.as_deref(), Some(vector(&chunk.content).as_slice()));
        }
        assert_eq!((scene.server.inputs().len(), scene.server.requests()), (10, 3), "batches of four");
        assert!(scene.server.keys().iter().all(|key| key == "Bearer secret-key"));
        scene.end().await;
    }
}

#[tokio::test]
async fn an_endpoint_that_recovers_costs_time_only_and_one_that_does_not_is_asked_so_often() {
    for store in stores().await {
        let scene = Scene::new(store, &["one"]).await;
        let refusals = [Misbehavior::Status(429, Some(0)), Misbehavior::Status(500, None)];
        scene.server.next(refusals);
        scene.start(options());
        // The store's clock stands still unless it is moved.
        let done = scene.until(async || {
            scene.store.clock.advance(Duration::from_millis(10));
            let chunks = scene.chunks().await;
            chunks.iter().any(|chunk| chunk.vector.is_some()).then_some(chunks)
        });
        let file = done.await[0].file;
        assert_eq!((scene.server.requests(), scene.error(file).await), (3, None));
        scene.end().await;
    }
    for store in stores().await {
        let scene = Scene::new(store, &["one"]).await;
        scene.server.always(Some(Misbehavior::Status(503, None)));
        scene.start(options());
        scene
            .until(async || {
                scene.store.clock.advance(Duration::from_millis(10));
                let file = scene.chunks().await.first()?.file;
                (scene.error(file).await.as_deref() == Some(NOT_EMBEDDED)).then_some(())
            })
            .await;
        assert_eq!(scene.server.requests(), 3);
        // Much later it is tried anew.
        scene.server.always(None);
        scene.store.clock.advance(options().retry_failed);
        let file = scene.embedded(1).await[0].file;
        assert_eq!(scene.error(file).await, None);
        scene.end().await;
    }
}

#[tokio::test]
async fn garbage_is_no_vector_and_the_text_stays_readable() {
    for answer in
        ["<html>", "{}", "{\"data\": []}", "{\"data\": [{\"index\": 0, \"embedding\": [1.0, 2.0]}]}"]
    {
        for store in stores().await {
            let scene = Scene::new(store, &["one"]).await;
            scene.server.always(Some(Misbehavior::Text(answer.to_owned())));
            scene.start(options());
            let file = scene
                .until(async || {
                    let file = scene.chunks().await.first()?.file;
                    scene.error(file).await.map(|error| (file, error))
                })
                .await;
            assert_eq!((file.1.as_str(), scene.server.requests()), (NOT_EMBEDDED, 1), "{answer}");
            assert_eq!(
                scene.store.admin().file_content(helpsync_store::testing::FIRST, file.0).await.unwrap().len(),
                1
            );
            assert_eq!(scene.chunks().await[0].vector, None);
            scene.end().await;
        }
    }
}

#[tokio::test]
async fn one_bad_input_does_not_cost_the_others_their_vectors() {
    for store in stores().await {
        let scene = Scene::new(store, &["one", "two", BAD, "four"]).await;
        scene.server.refuse(BAD);
        scene.start(options());
        let chunks = scene.embedded(3).await;
        let bad = chunks.iter().find(|chunk| chunk.content == BAD).unwrap();
        scene.until(async || scene.error(bad.file).await).await;
        assert!(bad.vector.is_none());
        for chunk in chunks.iter().filter(|chunk| chunk.content != BAD) {
            assert_eq!(scene.error(chunk.file).await, None);
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_minute_has_no_more_requests_than_allowed() {
    for store in stores().await {
        let scene = Scene::new(store, &["one", "two", "three"]).await;
        scene.start(EmbedderOptions { requests_per_minute: 2, batch_max: 1, concurrency: 1, ..options() });
        scene.embedded(2).await;
        // A claim that found no budget is given back, and its try counts for nothing. Until then there is nothing to claim.
        let waiting = scene.until(async || {
            let connection =
                scene.store.search().next_to_embed(helpsync_model::ConnectionId(0)).await.unwrap()?;
            let claimed = scene.store.search().claim_chunks(connection, 10, 1_000, LATE).await.unwrap();
            claimed.into_iter().next()
        });
        assert_eq!(waiting.await.failures, 1);
        assert_eq!(scene.server.requests(), 2);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_process_that_stops_gives_back_what_it_had() {
    for store in stores().await {
        let scene = Scene::new(store, &["one"]).await;
        scene.server.always(Some(Misbehavior::Silence));
        scene.start(options());
        scene.until(async || (scene.server.requests() == 1).then_some(())).await;
        let Scene { store, stop, tasks, server, customer } = scene;
        stop.cancel();
        tasks.close();
        tokio::time::timeout(LATE, tasks.wait()).await.expect("a silent endpoint holds nobody");
        server.always(None);
        let scene =
            Scene { store, customer, server, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        scene.start(options());
        scene.embedded(1).await;
        scene.end().await;
    }
}
