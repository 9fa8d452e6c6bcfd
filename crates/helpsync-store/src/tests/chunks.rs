//! Cutting files into chunks: what waits, who gets it, what is kept.

use std::time::Duration;

use helpsync_model::{ConnectionId, FileId};
use serde_json::json;

use crate::search::store_chunks::ADDED_PER_STATEMENT;
use crate::testing::{TestStore, article, stores};
use crate::{
    Chunk, ChunkOrder, ChunkQuery, ChunkWords, Chunked, ChunkedFile, Customer, FileFilters, FileToChunk,
    IncomingArticle, NewChunk, ResyncOptions, VectorsOf,
};

const LEASE: Duration = Duration::from_secs(60);
const MANY: u32 = 100;
const MANY_BYTES: i64 = 1 << 30;

pub(super) async fn customer(store: &TestStore, name: &str) -> (Customer, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, name).await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    (customer, connection)
}

/// An article whose paragraphs are its chunks.
pub(super) fn written(id: i64, version: i64, paragraphs: &[&str]) -> IncomingArticle {
    let mut article = article(id, &format!("Article {id}"), version);
    let text = &mut article.translations[0];
    text.markdown = paragraphs.join("\n\n");
    text.plain.clone_from(&text.markdown);
    text.hash = format!("hash-{}", text.markdown);
    article
}

pub(super) fn paragraphs(file: &FileToChunk) -> Vec<NewChunk> {
    let parts = file.texts.iter().flat_map(|(locale, title, markdown)| {
        markdown.split("\n\n").filter(|part| !part.is_empty()).map(move |part| (locale, title, part))
    });
    parts
        .map(|(locale, title, part)| NewChunk {
            words: ChunkWords::of(locale, title, &file.labels, part),
            locale: locale.clone(),
            text: part.to_owned(),
            hash: format!("of {part}"),
            tokens: 10,
        })
        .collect()
}

pub(super) fn as_chunked(file: &FileToChunk, embed: bool) -> ChunkedFile {
    ChunkedFile {
        file: file.file,
        version: file.version,
        attempt: file.attempt,
        chunked: Chunked::Chunks { chunks: paragraphs(file), embed },
    }
}

async fn claim(store: &TestStore, connection: ConnectionId) -> Vec<FileToChunk> {
    store.search().claim_files_to_chunk(connection, MANY, MANY_BYTES, LEASE).await.unwrap()
}

/// Cuts everything of a connection that waits, paragraph by paragraph.
pub(super) async fn chunk_all(store: &TestStore, connection: ConnectionId, embed: bool) {
    let files = claim(store, connection).await;
    let chunked: Vec<ChunkedFile> = files.iter().map(|file| as_chunked(file, embed)).collect();
    assert_eq!(store.search().store_chunks(&chunked).await.unwrap(), embed && !chunked.is_empty());
}

pub(super) fn all(customer: &Customer) -> ChunkQuery {
    ChunkQuery {
        customer: customer.id,
        files: FileFilters::default(),
        starting_file: 0,
        starting_chunk: 0,
        vectors_of: None,
        order: ChunkOrder::Position,
        descending: false,
        with_vectors: true,
        limit: 100,
        offset: 0,
    }
}

pub(super) async fn chunks(store: &TestStore, customer: &Customer) -> Vec<Chunk> {
    let (found, count) = store.search().chunks(&all(customer)).await.unwrap();
    assert_eq!(found.len(), usize::try_from(count).unwrap());
    found
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.content.as_str()).collect()
}

#[tokio::test]
async fn a_stored_text_waits_to_be_cut_and_an_unchanged_chunk_keeps_its_row() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["one", "two", "two", "three"])]).await;
        assert_eq!(store.search().next_to_chunk(ConnectionId(0)).await.unwrap(), Some(connection));
        chunk_all(&store, connection, false).await;
        assert_eq!(store.search().next_to_chunk(ConnectionId(0)).await.unwrap(), None);
        let before = chunks(&store, &customer).await;
        assert_eq!(texts(&before), ["one", "two", "two", "three"]);
        let file = store.admin().file(customer.id, before[0].file).await.unwrap();
        assert_eq!((file.tokens, file.chunks, file.embedded), (40, 4, 0));

        store.sync_articles(connection, vec![written(11, 6, &["two", "one", "new", "two"])]).await;
        chunk_all(&store, connection, false).await;
        let after = chunks(&store, &customer).await;
        assert_eq!(texts(&after), ["two", "one", "new", "two"]);
        let ids = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.id).collect::<Vec<_>>();
        let (old, new) = (ids(&before), ids(&after));
        assert_eq!([new[0], new[1], new[3]], [old[1], old[0], old[2]]);
        assert!(!old.contains(&new[2]));

        // The same text again: read, and nothing to do.
        store.sync_articles(connection, vec![written(11, 6, &["two", "one", "new", "two"])]).await;
        assert_eq!(store.search().next_to_chunk(ConnectionId(0)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_claimed_is_nobody_elses_until_its_lease_ends_and_a_late_outcome_changes_nothing() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["old"]), written(12, 5, &["other"])]).await;
        let first = store.search().claim_files_to_chunk(connection, 1, MANY_BYTES, LEASE).await.unwrap();
        let second = claim(&store, connection).await;
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first[0].file, second[0].file);
        assert!(claim(&store, connection).await.is_empty());
        store.clock.advance(LEASE);
        let again = claim(&store, connection).await;
        assert_eq!(again.len(), 2);
        assert!(again.iter().all(|file| file.failures == 2));
        assert!(!store.search().store_chunks(&[as_chunked(&first[0], true)]).await.unwrap());
        assert!(chunks(&store, &customer).await.is_empty());

        // The text changes while it is chunked: what was made of the old one is stored, and the new one still waits.
        store.sync_articles(connection, vec![written(11, 6, &["new"])]).await;
        let newer = claim(&store, connection).await;
        assert_eq!((newer.len(), newer[0].texts[0].2.as_str()), (1, "new"));
        for files in [&newer, &again] {
            let chunked: Vec<ChunkedFile> = files.iter().map(|file| as_chunked(file, false)).collect();
            store.search().store_chunks(&chunked).await.unwrap();
        }
        assert_eq!(texts(&chunks(&store, &customer).await), ["new", "other"]);
        assert_eq!(store.search().next_to_chunk(ConnectionId(0)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_cut_that_outlives_its_file_s_content_is_not_taken_for_that_of_the_next() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["old"])]).await;
        let late = claim(&store, connection).await;
        store.admin().delete_files(customer.id, &FileFilters::default(), true, false).await.unwrap();
        store.clock.advance(Duration::from_millis(1));
        store.admin().request_resync(customer.id, late[0].file, "r").await.unwrap();
        store.sync_articles(connection, vec![written(11, 5, &["new"])]).await;
        let next = claim(&store, connection).await;
        assert_eq!(next.len(), 1);
        store.search().store_chunks(&[as_chunked(&late[0], false)]).await.unwrap();
        store.search().store_chunks(&[as_chunked(&next[0], false)]).await.unwrap();
        chunk_all(&store, connection, false).await;
        assert_eq!(texts(&chunks(&store, &customer).await), ["new"]);
    }
}

#[tokio::test]
async fn connections_take_turns_and_a_claim_is_bounded_in_files_and_bytes() {
    for store in stores().await {
        let (_, ada) = customer(&store, "ada").await;
        let (_, bob) = customer(&store, "bob").await;
        for connection in [ada, bob] {
            store.sync_articles(connection, (1..=5).map(|id| written(id, 5, &["text"])).collect()).await;
        }
        assert_eq!(store.search().next_to_chunk(ConnectionId(0)).await.unwrap(), Some(ada));
        assert_eq!(store.search().next_to_chunk(ada).await.unwrap(), Some(bob));
        assert_eq!(store.search().next_to_chunk(bob).await.unwrap(), Some(ada));
        assert_eq!(store.search().claim_files_to_chunk(ada, 2, MANY_BYTES, LEASE).await.unwrap().len(), 2);
        assert_eq!(store.search().claim_files_to_chunk(ada, MANY, 1, LEASE).await.unwrap().len(), 1);
        let size = i64::try_from("<p>Article 1</p>".len()).unwrap();
        assert_eq!(store.search().claim_files_to_chunk(bob, MANY, 3 * size, LEASE).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn chunks_are_listed_by_every_order_and_never_those_of_hidden_or_emptied_files() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["b0", "b1"]), written(12, 5, &["a0"])]).await;
        chunk_all(&store, connection, false).await;
        for (order, descending, expected) in [
            (ChunkOrder::Position, true, ["b1", "b0", "a0"]),
            (ChunkOrder::CreatedAt, false, ["b0", "a0", "b1"]),
            (ChunkOrder::UpdatedAt, false, ["b0", "a0", "b1"]),
            (ChunkOrder::File(crate::FileOrder::Name), false, ["b0", "b1", "a0"]),
            (ChunkOrder::File(crate::FileOrder::Id), true, ["a0", "b0", "b1"]),
        ] {
            let query = ChunkQuery { order, descending, ..all(&customer) };
            let (found, _) = store.search().chunks(&query).await.unwrap();
            assert_eq!(texts(&found), expected, "{order:?}");
        }
        let one = ChunkQuery { limit: 1, offset: 1, ..all(&customer) };
        let (found, count) = store.search().chunks(&one).await.unwrap();
        assert_eq!((texts(&found).as_slice(), count), (["a0"].as_slice(), 3));
        let last = found[0].id;
        let later = ChunkQuery { starting_chunk: last, ..all(&customer) };
        assert!(store.search().chunks(&later).await.unwrap().0.iter().all(|chunk| chunk.id > last));
        let ours = VectorsOf { ours: true, uploaded: vec![] };
        let none = VectorsOf { ours: false, uploaded: vec!["OPENAI".to_owned()] };
        for (vectors, count) in [(ours, 3), (none, 0)] {
            let query = ChunkQuery { vectors_of: Some(vectors), ..all(&customer) };
            assert_eq!(store.search().chunks(&query).await.unwrap().1, count);
        }
        let stranger = store.admin().customer(customer.organization, "eve").await.unwrap();
        assert!(chunks(&store, &stranger).await.is_empty());
        let ids: Vec<i64> = chunks(&store, &customer).await.iter().map(|chunk| chunk.id).collect();
        assert_eq!(store.search().chunks_by_id(customer.id, &ids, false).await.unwrap().len(), 3);
        assert!(store.search().chunks_by_id(stranger.id, &ids, false).await.unwrap().is_empty());

        let file =
            |id: &str| FileFilters { external_file_ids: Some(vec![id.to_owned()]), ..FileFilters::default() };
        sqlx::query("update file set hidden_at = 1 where article_id = 12")
            .execute(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(texts(&chunks(&store, &customer).await), ["b0", "b1"]);
        assert_eq!(store.search().chunks_by_id(customer.id, &ids, false).await.unwrap().len(), 2);
        store.admin().delete_files(customer.id, &file("11"), true, false).await.unwrap();
        assert!(chunks(&store, &customer).await.is_empty());
        sqlx::query("delete from translation").execute(&store.store.pool).await.unwrap();
        sqlx::query("delete from file").execute(&store.store.pool).await.unwrap();
        let left: i64 =
            sqlx::query_scalar("select (select count(*) from chunk) + (select count(*) from chunking)")
                .fetch_one(&store.store.pool)
                .await
                .unwrap();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_cut_says_so_and_stays_readable() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["text"])]).await;
        let files = claim(&store, connection).await;
        let failed =
            ChunkedFile { chunked: Chunked::Failed("too many".to_owned()), ..as_chunked(&files[0], true) };
        store.search().store_chunks(&[failed]).await.unwrap();
        let file = store.admin().file(customer.id, files[0].file).await.unwrap();
        assert_eq!((file.status.as_str(), file.error.as_deref()), ("SYNC_ERROR", Some("too many")));
        assert_eq!(store.admin().file_content(crate::testing::FIRST, file.id).await.unwrap().len(), 1);
        store.sync_articles(connection, vec![written(11, 6, &["shorter"])]).await;
        chunk_all(&store, connection, false).await;
        let file = store.admin().file(customer.id, file.id).await.unwrap();
        assert_eq!((file.status.as_str(), file.error), ("READY", None));
    }
}

#[tokio::test]
async fn a_resync_changes_the_options_that_it_names_and_may_fetch_nothing() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        store.sync_articles(connection, vec![written(11, 5, &["text"])]).await;
        chunk_all(&store, connection, false).await;
        let id = chunks(&store, &customer).await[0].file;
        let resync =
            async |options| store.admin().request_resync_with(customer.id, id, "r", options).await.unwrap();
        let skipping =
            ResyncOptions { chunk_size: Some(50), skip_processing: true, ..ResyncOptions::default() };
        assert!(matches!(resync(skipping).await, crate::ResyncRequested::Kept(_)));
        assert_eq!(crate::testing::tally(&store).await.active_runs, 0);
        let more = ResyncOptions { chunk_overlap: Some(5), ..ResyncOptions::default() };
        assert!(matches!(resync(more).await, crate::ResyncRequested::Queued(_)));
        let file = store.admin().file(customer.id, id).await.unwrap();
        assert_eq!(file.sync_options, json!({ "chunk_size": 50, "chunk_overlap": 5 }));
        store.sync_articles(connection, vec![written(11, 5, &["text"])]).await;
        let waiting = claim(&store, connection).await;
        assert_eq!((waiting.len(), waiting[0].file), (1, FileId(id.0)));
        assert_eq!(waiting[0].options, file.sync_options);
    }
}

#[tokio::test]
async fn chunks_beyond_what_one_statement_takes_are_stored_in_their_order() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        let texts: Vec<String> = (0..=ADDED_PER_STATEMENT).map(|number| format!("word{number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let articles = vec![written(11, 5, &texts), written(12, 5, &["before", "word7", "after"])];
        store.sync_articles(connection, articles).await;
        chunk_all(&store, connection, false).await;
        let query = ChunkQuery { limit: 10_000, ..all(&customer) };
        let (found, _) = store.search().chunks(&query).await.unwrap();
        assert_eq!(found.len(), texts.len() + 3);
        let first = found.iter().map(|chunk| chunk.file).min().unwrap();
        let of = |wanted: bool| {
            let of_file = found.iter().filter(move |chunk| (chunk.file == first) == wanted);
            of_file.map(|chunk| chunk.content.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(true), texts);
        assert_eq!(of(false), ["before", "word7", "after"]);
        // Each is found by its own words.
        let last = texts[texts.len() - 1];
        let hits =
            store.search().chunks_with_words(customer.id, &FileFilters::default(), last, 5).await.unwrap();
        let hit = found.iter().find(|chunk| chunk.id == hits[0].0).unwrap();
        assert_eq!(hit.content, last);
    }
}
