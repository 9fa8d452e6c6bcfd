//! With the extension `vector` the database narrows searches; what they answer stays the same.

use std::time::{Duration, Instant};

use futures::future::join_all;
use helpsync_model::ConnectionId;
use sqlx::AssertSqlSafe;
use test_servers::OwnServer;

use super::chunks::{chunk_all, chunks, customer, written};
use super::embedding::embed_all;
use crate::search::chunks::bytes_of;
use crate::testing::{TestStore, postgres_at};
use crate::{Customer, FileFilters, Scored, Store, UploadedChunk, UploadedFile, VectorSearch, VectorsOf};

const LATE: Duration = Duration::from_secs(60);
const DIMENSIONS: usize = 24;
/// More than a search has the database pass on.
const TEXTS: usize = 60;

/// Numbers that follow from a seed alone, between -1 and 1.
fn numbers(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..DIMENSIONS)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
        })
        .collect()
}

/// Texts are numbered; the first ones have vectors that the database cannot compare, or only just.
fn vector(text: &str) -> Vec<f32> {
    let number: u64 = text.rsplit(' ').next().unwrap().parse().unwrap();
    match number {
        0 => vec![0.0; DIMENSIONS],
        1 => numbers(1).iter().map(|it| it * 1e-20).collect(),
        2 => numbers(2).iter().map(|it| it * 1e20).collect(),
        3 => numbers(3).iter().enumerate().map(|(at, it)| if at == 0 { 1e-40 } else { *it }).collect(),
        4 => numbers(5),
        _ => numbers(number),
    }
}

async fn filled(store: &TestStore, name: &str) -> (Customer, ConnectionId) {
    let (customer, connection) = customer(store, name).await;
    let texts: Vec<String> = (0..TEXTS).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    store
        .sync(connection, vec![written(11, 5, &texts[..TEXTS / 2]), written(12, 5, &texts[TEXTS / 2..])])
        .await;
    chunk_all(store, connection, true).await;
    embed_all(store, connection, vector).await;
    (customer, connection)
}

async fn nearest(
    store: &Store,
    customer: &Customer,
    vector: &[f32],
    k: usize,
    also: &[i64],
) -> (Scored, Scored) {
    let search = VectorSearch {
        customer: customer.id,
        files: &FileFilters::default(),
        vector,
        vectors_of: &VectorsOf { ours: true, uploaded: Vec::new() },
        model: "m1",
        k,
        also,
    };
    let (best, named) = store.nearest_chunks(&search).await.unwrap();
    let mut named: Scored = named.into_iter().collect();
    named.sort_by_key(|(chunk, _)| *chunk);
    (best, named)
}

/// The same store in a process that compares by itself.
fn by_process(store: &Store) -> Store {
    let mut store = store.clone();
    store.compares = false;
    store
}

async fn compared_alike(store: &Store, customer: &Customer, also: &[i64]) {
    let alone = by_process(store);
    let odd = ["text 0", "text 1", "text 2"].map(vector);
    for wanted in (0..20).map(|seed| numbers(1_000 + seed)).chain(odd).chain([vec![1.0; 3]]) {
        for k in [1, 7, TEXTS - 1, TEXTS + 100] {
            let (ours, theirs) = (
                nearest(store, customer, &wanted, k, also).await,
                nearest(&alone, customer, &wanted, k, also).await,
            );
            assert_eq!(ours, theirs, "k = {k}");
        }
    }
}

async fn count(store: &Store, condition: &str) -> i64 {
    let text = format!("select count(*) from chunk where {condition}");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&store.pool).await.unwrap()
}

async fn run(store: &Store, statements: &[&'static str]) {
    for statement in statements {
        sqlx::query(*statement).execute(&store.pool).await.unwrap();
    }
}

#[tokio::test]
async fn the_database_narrows_searches_and_the_answers_stay_the_same() {
    let Some(server) = OwnServer::start_postgres_with_vector() else { return };
    server.answers(LATE).await;
    let url = server.url(server.port());
    let store = postgres_at(url.clone()).await;
    assert!(store.compares);
    let (ada, _) = filled(&store, "ada").await;
    filled(&store, "bob").await;
    let known = chunks(&store, &ada).await;
    assert_eq!(known.len(), TEXTS);
    compared_alike(&store, &ada, &[known[0].id, known[30].id]).await;
    // Of no length, of hardly any, and too long: those are left to the process.
    assert_eq!(count(&store, "embedding is null").await, 6);

    // Bytes become the same numbers.
    for chunk in &known {
        let text: Option<String> =
            sqlx::query_scalar("select cast(embedding as text) from chunk where id = $1")
                .bind(chunk.id)
                .fetch_one(&store.pool)
                .await
                .unwrap();
        let Some(text) = text else { continue };
        assert_eq!(serde_json::from_str::<Vec<f32>>(&text).unwrap(), vector(&chunk.content));
    }

    // It is the database that chooses: what it is told wrongly of a vector, it goes by.
    let like = &known[40];
    let wanted = vector(&like.content);
    assert_eq!(nearest(&store, &ada, &wanted, 1, &[]).await.0[0].0, like.id);
    sqlx::query("update chunk set embedding = cast($2 as vector) where id = $1")
        .bind(like.id)
        .bind(format!("{:?}", wanted.iter().map(|it| -it).collect::<Vec<f32>>()))
        .execute(&store.pool)
        .await
        .unwrap();
    assert_ne!(nearest(&store, &ada, &wanted, 1, &[]).await.0[0].0, like.id);
    // What writes the bytes puts it right.
    run(&store, &["update chunk set vector = vector"]).await;
    assert_eq!(nearest(&store, &ada, &wanted, 1, &[]).await.0[0].0, like.id);

    of_vectors_alike_in_single_precision_the_best_are_found(&url).await;
    filters_models_and_dimensions_narrow_as_ever(&url).await;
    what_was_there_before_is_found_and_filled_in(&url).await;
    the_extension_may_go_and_come_back(&url).await;
    without_the_right_to_make_the_extension_the_process_compares(&store, server.port()).await;
}

/// More of them than any fixed number of spare ones.
async fn of_vectors_alike_in_single_precision_the_best_are_found(url: &str) {
    let store = postgres_at(url.to_owned()).await;
    let (ada, connection) = customer(&store, "ada").await;
    let texts: Vec<String> = (0..TEXTS).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    store.sync(connection, vec![written(11, 5, &texts)]).await;
    chunk_all(&store, connection, true).await;
    embed_all(&store, connection, |text| {
        let number: f32 = text.rsplit(' ').next().unwrap().parse().unwrap();
        numbers(7).iter().map(|it| it * (1.0 + number / 10.0)).collect()
    })
    .await;
    for seed in 0..20 {
        let wanted = numbers(seed);
        let alone = nearest(&by_process(&store), &ada, &wanted, 10, &[]).await;
        assert_eq!(nearest(&store, &ada, &wanted, 10, &[]).await, alone);
    }
}

async fn filters_models_and_dimensions_narrow_as_ever(url: &str) {
    let store = postgres_at(url.to_owned()).await;
    let (ada, _) = filled(&store, "ada").await;
    let file = chunks(&store, &ada).await[0].file;
    let brought = |position: i64, vector| UploadedChunk {
        position,
        text: format!("brought {position}"),
        hash: position.to_string(),
        tokens: 3,
        vector: Some(vector),
    };
    let upload = UploadedFile {
        file,
        chunk_size: None,
        chunk_overlap: None,
        chunks: vec![brought(1, vec![1.0, 0.0]), brought(2, vec![0.0, 1.0]), brought(3, numbers(3))],
    };
    store.upload_chunks(ada.id, "COHERE_MULTILINGUAL_V3", &[upload], true).await.unwrap();
    let every = FileFilters::default();
    let one = FileFilters { ids: Some(vec![file.0]), ..FileFilters::default() };
    let cohere = ["COHERE_MULTILINGUAL_V3".to_owned()];
    for (files, ours, uploaded, wanted, found) in [
        (&every, false, &cohere[..], vec![0.2, 1.0], 2),
        (&every, true, &cohere[..], numbers(4), TEXTS / 2 + 1),
        (&one, true, &cohere[..], numbers(4), 1),
        (&one, true, &[][..], numbers(4), 0),
    ] {
        let vectors_of = VectorsOf { ours, uploaded: uploaded.to_vec() };
        let (customer, model, k) = (ada.id, "m1", 100);
        let search =
            VectorSearch { customer, files, vector: &wanted, vectors_of: &vectors_of, model, k, also: &[] };
        let (best, _) = store.nearest_chunks(&search).await.unwrap();
        assert_eq!(best, by_process(&store).nearest_chunks(&search).await.unwrap().0);
        assert_eq!(best.len(), found, "{search:?}");
    }
}

async fn the_extension_may_go_and_come_back(url: &str) {
    let store = postgres_at(url.to_owned()).await;
    let (ada, _) = filled(&store, "ada").await;
    run(&store, &["drop extension vector cascade"]).await;
    // Who writes meanwhile is not stopped.
    filled(&store, "bob").await;
    let again = store.reopen().await;
    assert!(again.compares);
    again.fill_embeddings(0, 1_000).await.unwrap();
    compared_alike(&again, &ada, &[]).await;
    assert_eq!(count(&again, "embedding is null").await, 6);
}

async fn what_was_there_before_is_found_and_filled_in(url: &str) {
    let store = postgres_at(url.to_owned()).await;
    run(
        &store,
        &[
            "drop trigger chunk_embedding on chunk",
            "drop function helpsync_follow_vector",
            "drop function helpsync_vector",
            "alter table chunk drop column embedding",
            "drop extension vector",
        ],
    )
    .await;
    let (ada, _) = filled(&store, "ada").await;
    // Several processes start at once.
    let started = join_all((0..4).map(|_| store.reopen())).await;
    assert!(started.iter().all(|store| store.compares));
    let all = i64::try_from(TEXTS).unwrap();
    assert_eq!(count(&started[0], "embedding is null").await, all);
    compared_alike(&started[0], &ada, &[]).await;
    let (mut after, mut batches) = (0, 0);
    while let Some(last) = started[1].fill_embeddings(after, 25).await.unwrap() {
        (after, batches) = (last, batches + 1);
    }
    assert_eq!((batches, count(&started[0], "embedding is null").await), (3, 3));
    compared_alike(&started[2], &ada, &[]).await;
    assert_eq!(by_process(&started[0]).fill_embeddings(0, 25).await.unwrap(), None);
}

async fn without_the_right_to_make_the_extension_the_process_compares(admin: &Store, port: u16) {
    run(admin, &["create role plain login createdb"]).await;
    let store = postgres_at(format!("postgres://plain@127.0.0.1:{port}/postgres?sslmode=disable")).await;
    assert!(!store.compares);
    let (ada, _) = filled(&store, "ada").await;
    assert_eq!(nearest(&store, &ada, &vector("text 40"), 1, &[]).await.0.len(), 1);
}

#[tokio::test]
#[ignore = "a measurement: cargo test -p helpsync-store --lib pgvector -- --ignored --nocapture"]
async fn the_database_narrows_at_a_speed_worth_printing() {
    const VECTORS: i64 = 10_000;
    const LONG: usize = 1_536;
    const SEARCHES: u32 = 5;
    let Some(server) = OwnServer::start_postgres_with_vector() else { return };
    server.answers(LATE).await;
    let store = postgres_at(server.url(server.port())).await;
    let (ada, _) = filled(&store, "ada").await;
    run(&store, &["delete from chunk where id > 1"]).await;
    let long = |seed: u64| -> Vec<f32> {
        (0..LONG / DIMENSIONS).flat_map(|part| numbers(seed * 1_000 + part as u64)).collect()
    };
    let mut took = Vec::new();
    for follows in [false, true] {
        let trigger = if follows { "enable" } else { "disable" };
        let statement = format!("alter table chunk {trigger} trigger chunk_embedding");
        sqlx::query(AssertSqlSafe(statement)).execute(&store.pool).await.unwrap();
        run(&store, &["delete from chunk where id > 1"]).await;
        let mut write = store.write().await.unwrap();
        let began = Instant::now();
        for position in 1..=VECTORS {
            sqlx::query(
                "insert into chunk (file_id, connection_id, position, locale, hash, tokens, state, due_at, created_at,
                   updated_at, model, dimensions, vector, content)
                 select file_id, connection_id, $1, locale, hash, tokens, state, due_at, created_at, updated_at, 'm1',
                   $2, $3, content from chunk where id = 1",
            )
            .bind(position)
            .bind(i64::try_from(LONG).unwrap())
            .bind(bytes_of(&long(position.unsigned_abs())))
            .execute(&mut *write.tx)
            .await
            .unwrap();
        }
        write.commit().await.unwrap();
        took.push(began.elapsed().as_secs_f64());
    }
    let mut searched = Vec::new();
    for store in [by_process(&store), store.store.clone()] {
        let began = Instant::now();
        for seed in 0..SEARCHES {
            nearest(&store, &ada, &long(1_000_000 + u64::from(seed)), 10, &[]).await;
        }
        searched.push(began.elapsed().as_secs_f64() * 1_000.0 / f64::from(SEARCHES));
    }
    println!(
        "{VECTORS} vectors of {LONG}: a search takes {:.0} ms by the process, {:.0} ms by the database ({:.2} of it); \
         storing a vector costs {:.2} ms bare, {:.2} ms with the trigger",
        searched[0],
        searched[1],
        searched[1] / searched[0],
        took[0] * 1_000.0 / VECTORS as f64,
        took[1] * 1_000.0 / VECTORS as f64,
    );
}
