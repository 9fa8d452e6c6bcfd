//! Vectors: who gets which chunks, and what the outcome changes.

use std::time::Duration;

use helpsync_model::{ConnectionId, EventKind};

use super::chunks::{chunk_all, chunks, customer, written};
use crate::testing::{FIRST, TestStore, stores};
use crate::{
    ChunkToEmbed, Customer, EmbeddedChunk, EmbeddingEnd, FileFilters, FileOrder, FileQuery, NOT_EMBEDDED,
    ResyncOptions,
};

const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const MODEL: &str = "m1";
const MANY: u32 = 100;
const MANY_TOKENS: i64 = 1 << 30;

async fn claim(store: &TestStore, connection: ConnectionId) -> Vec<ChunkToEmbed> {
    store.search().claim_chunks(connection, MANY, MANY_TOKENS, LEASE).await.unwrap()
}

fn ended(chunk: &ChunkToEmbed, end: EmbeddingEnd) -> EmbeddedChunk {
    EmbeddedChunk { id: chunk.id, file: chunk.file, attempt: chunk.attempt, end }
}

/// Gives every chunk that waits the vector of its text's length.
pub(super) async fn embed_all(
    store: &TestStore,
    connection: ConnectionId,
    vector: impl Fn(&str) -> Vec<f32>,
) -> usize {
    let claimed = claim(store, connection).await;
    let ended: Vec<_> =
        claimed.iter().map(|chunk| ended(chunk, EmbeddingEnd::Vector(vector(&chunk.content)))).collect();
    store.search().settle_chunks(&ended, MODEL).await.unwrap();
    ended.len()
}

fn length(text: &str) -> Vec<f32> {
    vec![1.0, text.len() as f32]
}

async fn with_status(store: &TestStore, customer: &Customer, status: &str, error: &str) -> i64 {
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters {
            statuses: Some(vec![status.to_owned()]),
            error: Some(error.to_owned()),
            ..FileFilters::default()
        },
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 10,
        offset: 0,
    };
    store.admin().files(&query).await.unwrap().1
}

#[tokio::test]
async fn only_changed_chunks_are_embedded_again_unless_everything_is_asked_for() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["one", "three", "seven"])]).await;
        chunk_all(&store, connection, true).await;
        assert_eq!(store.search().next_to_embed(ConnectionId(0)).await.unwrap(), Some(connection));
        assert_eq!(embed_all(&store, connection, length).await, 3);
        assert_eq!(store.search().next_to_embed(ConnectionId(0)).await.unwrap(), None);
        let found = chunks(&store, &customer).await;
        assert_eq!(found[1].vector.as_deref(), Some([1.0, 5.0].as_slice()));
        let file = store.admin().file(customer.id, found[0].file).await.unwrap();
        assert_eq!((file.chunks, file.embedded), (3, 3));

        store.sync_articles(connection, vec![written(11, 6, &["one", "changed", "seven"])]).await;
        chunk_all(&store, connection, true).await;
        let claimed = claim(&store, connection).await;
        assert_eq!(claimed.iter().map(|chunk| chunk.content.as_str()).collect::<Vec<_>>(), ["changed"]);
        store
            .search()
            .settle_chunks(&[ended(&claimed[0], EmbeddingEnd::Vector(length("x")))], MODEL)
            .await
            .unwrap();

        let anew = ResyncOptions { embed_anew: true, ..ResyncOptions::default() };
        store.admin().request_resync_with(customer.id, file.id, "r", anew).await.unwrap();
        store.sync_articles(connection, vec![written(11, 6, &["one", "changed", "seven"])]).await;
        chunk_all(&store, connection, true).await;
        assert_eq!(
            store.admin().file(customer.id, file.id).await.unwrap().embedded,
            3,
            "old vectors serve meanwhile"
        );
        assert_eq!(embed_all(&store, connection, length).await, 3);
        assert_eq!(store.search().requeue_other_models(MODEL, MANY).await.unwrap(), 0);
        assert_eq!(store.search().requeue_other_models("m2", 2).await.unwrap(), 2);
        assert_eq!(store.search().requeue_other_models("m2", 2).await.unwrap(), 1);
        assert_eq!(embed_all(&store, connection, length).await, 3);
    }
}

#[tokio::test]
async fn nothing_of_a_paused_customer_is_chunked_or_embedded_and_others_have_their_turns() {
    for store in stores().await {
        let customers = ["ada", "bob", "cem", "dan"];
        let mut connections = Vec::new();
        for name in customers {
            let (_, connection) = customer(&store, name).await;
            store.sync_articles(connection, vec![written(11, 5, &["one"]), written(12, 5, &["two"])]).await;
            connections.push(connection);
        }
        let pause = async |names: &[&str], paused: bool| {
            for name in names {
                store.admin().set_customer_paused(FIRST, name, paused).await.unwrap();
            }
        };
        let search = store.search();
        pause(&["ada", "bob", "dan"], true).await;
        for after in [0, connections[1].0, connections[2].0, connections[3].0] {
            let next = search.next_to_chunk(ConnectionId(after)).await.unwrap();
            assert_eq!(next, Some(connections[2]), "after {after}");
        }
        pause(&["cem"], true).await;
        assert_eq!(search.next_to_chunk(ConnectionId(0)).await.unwrap(), None);
        pause(&customers, false).await;
        for connection in &connections {
            chunk_all(&store, *connection, true).await;
        }
        pause(&["ada", "cem"], true).await;
        assert_eq!(search.next_to_embed(ConnectionId(0)).await.unwrap(), Some(connections[1]));
        assert_eq!(search.next_to_embed(connections[1]).await.unwrap(), Some(connections[3]));
        assert_eq!(search.next_to_embed(connections[3]).await.unwrap(), Some(connections[1]));
        pause(&customers, false).await;
        assert_eq!(search.next_to_embed(connections[3]).await.unwrap(), Some(connections[0]));
    }
}

#[tokio::test]
async fn without_a_request_for_vectors_nothing_waits_and_with_one_what_was_skipped_does() {
    for store in stores().await {
        let (_, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["one", "two"])]).await;
        chunk_all(&store, connection, false).await;
        assert_eq!(store.search().next_to_embed(ConnectionId(0)).await.unwrap(), None);
        store.sync_articles(connection, vec![written(11, 6, &["one", "three"])]).await;
        chunk_all(&store, connection, true).await;
        assert_eq!(embed_all(&store, connection, length).await, 2);
    }
}

#[tokio::test]
async fn claims_are_bounded_take_turns_and_end_with_their_lease() {
    for store in stores().await {
        let (customer_a, ada) = customer(&store, "ada").await;
        let (_, bob) = customer(&store, "bob").await;
        for connection in [ada, bob] {
            store.sync_articles(connection, vec![written(11, 5, &["a", "b", "c", "d", "e"])]).await;
            chunk_all(&store, connection, true).await;
        }
        assert_eq!(store.search().next_to_embed(ada).await.unwrap(), Some(bob));
        assert_eq!(store.search().next_to_embed(bob).await.unwrap(), Some(ada));
        assert_eq!(store.search().claim_chunks(bob, 2, MANY_TOKENS, LEASE).await.unwrap().len(), 2);
        // Ten tokens each.
        assert_eq!(store.search().claim_chunks(bob, MANY, 20, LEASE).await.unwrap().len(), 2);
        assert_eq!(store.search().claim_chunks(bob, MANY, 1, LEASE).await.unwrap().len(), 1);
        assert!(claim(&store, bob).await.is_empty());

        let first = claim(&store, ada).await;
        store.clock.advance(LEASE);
        let second = claim(&store, ada).await;
        assert_eq!((first.len(), second.len(), second[0].failures), (5, 5, 2));
        store
            .search()
            .settle_chunks(&[ended(&first[0], EmbeddingEnd::Vector(vec![9.0]))], MODEL)
            .await
            .unwrap();
        assert!(chunks(&store, &customer_a).await.iter().all(|chunk| chunk.vector.is_none()));
        store.search().settle_chunks(&[ended(&second[0], EmbeddingEnd::Released)], MODEL).await.unwrap();
        let again = claim(&store, ada).await;
        assert_eq!((again.len(), again[0].failures), (1, 2), "a released try counts for nothing");
        let wait = EmbeddingEnd::Retry(Duration::from_secs(5));
        store.search().settle_chunks(&[ended(&again[0], wait)], MODEL).await.unwrap();
        assert!(claim(&store, ada).await.is_empty());
        store.clock.advance(Duration::from_secs(5));
        assert_eq!(claim(&store, ada).await[0].failures, 3);
    }
}

#[tokio::test]
async fn a_failed_chunk_is_shown_and_announced_and_forgotten_once_it_has_its_vector() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["good", "bad"])]).await;
        chunk_all(&store, connection, true).await;
        let claimed = claim(&store, connection).await;
        let file = claimed[0].file;
        let ends = [
            ended(&claimed[0], EmbeddingEnd::Vector(length("good"))),
            ended(&claimed[1], EmbeddingEnd::Failed(DAY)),
        ];
        store.search().settle_chunks(&ends, MODEL).await.unwrap();
        store.search().settle_chunks(&ends, MODEL).await.unwrap();
        let shown = store.admin().file(customer.id, file).await.unwrap();
        assert_eq!((shown.status.as_str(), shown.error.as_deref()), ("SYNC_ERROR", Some(NOT_EMBEDDED)));
        assert_eq!(store.admin().file_content(crate::testing::FIRST, file).await.unwrap().len(), 1);
        assert_eq!(with_status(&store, &customer, "SYNC_ERROR", "embeddings").await, 1);
        assert_eq!(with_status(&store, &customer, "READY", "").await, 0);
        let events = store.webhooks().events(customer.organization, 0, 100).await.unwrap();
        let failed: Vec<_> = events.iter().filter(|event| event.kind == EventKind::FileError).collect();
        assert_eq!((failed.len(), &failed[0].object_id), (1, &file.to_string()));

        assert!(claim(&store, connection).await.is_empty());
        store.clock.advance(DAY);
        let again = claim(&store, connection).await;
        assert_eq!((again.len(), again[0].failures, again[0].content.as_str()), (1, 1, "bad"));
        let mended = ended(&again[0], EmbeddingEnd::Vector(length("bad")));
        store.search().settle_chunks(&[mended], MODEL).await.unwrap();
        assert_eq!(with_status(&store, &customer, "READY", "").await, 1);
        assert_eq!(with_status(&store, &customer, "SYNC_ERROR", "embeddings").await, 0);
    }
}

#[tokio::test]
async fn a_minute_has_so_many_requests_over_all_processes() {
    for store in stores().await {
        let other = store.reopen().await;
        store.clock.advance(Duration::from_secs(20));
        assert_eq!(store.search().take_embedding_request(3).await.unwrap(), Ok(()));
        assert_eq!(other.search().take_embedding_request(3).await.unwrap(), Ok(()));
        assert_eq!(store.search().take_embedding_request(3).await.unwrap(), Ok(()));
        let left = Duration::from_secs(40);
        assert_eq!(other.search().take_embedding_request(3).await.unwrap(), Err(left));
        store.clock.advance(left);
        assert_eq!(other.search().take_embedding_request(3).await.unwrap(), Ok(()));
        store.clock.advance(Duration::from_secs(2 * 3_600));
        assert_eq!(other.search().take_embedding_request(3).await.unwrap(), Ok(()));
        let minutes: i64 =
            sqlx::query_scalar("select count(*) from embedding_minute").fetch_one(&other.pool).await.unwrap();
        assert_eq!(minutes, 1, "old minutes are forgotten");
    }
}
