//! Searching by vector and by words.

use helpsync_model::ConnectionId;

use super::chunks::{chunk_all, chunks, customer, written};
use super::embedding::embed_all;
use crate::testing::{TestStore, stores};
use crate::{Customer, FileFilters, Uploaded, UploadedChunk, UploadedFile, VectorSearch, VectorsOf};

/// Where a text points: how many a, b and c it has.
fn direction(text: &str) -> Vec<f32> {
    ['a', 'b', 'c'].map(|letter| text.matches(letter).count() as f32 + 0.01).to_vec()
}

async fn filled(store: &TestStore, name: &str) -> (Customer, ConnectionId) {
    let (customer, connection) = customer(store, name).await;
    store
        .sync_articles(connection, vec![written(11, 5, &["aaaa", "aab"]), written(12, 5, &["bbb", "ccc"])])
        .await;
    chunk_all(store, connection, true).await;
    embed_all(store, connection, direction).await;
    (customer, connection)
}

fn ours() -> VectorsOf {
    VectorsOf { ours: true, uploaded: Vec::new() }
}

async fn nearest(
    store: &TestStore,
    customer: &Customer,
    files: &FileFilters,
    to: &str,
    k: usize,
) -> Vec<String> {
    let (vector, vectors_of) = (direction(to), ours());
    let search = VectorSearch {
        customer: customer.id,
        files,
        vector: &vector,
        vectors_of: &vectors_of,
        model: "m1",
        k,
        also: &[],
    };
    let (found, _) = store.search().nearest_chunks(&search).await.unwrap();
    assert!(found.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    let known = chunks(store, customer).await;
    found.iter().map(|(id, _)| known.iter().find(|one| one.id == *id).unwrap().content.clone()).collect()
}

#[tokio::test]
async fn the_nearest_are_found_among_the_customers_own_shown_files() {
    for store in stores().await {
        let (customer, _) = filled(&store, "ada").await;
        filled(&store, "bob").await;
        let every = FileFilters::default();
        assert_eq!(nearest(&store, &customer, &every, "a", 2).await, ["aaaa", "aab"]);
        assert_eq!(nearest(&store, &customer, &every, "c", 1).await, ["ccc"]);
        assert_eq!(nearest(&store, &customer, &every, "c", 100).await.len(), 4);
        assert!(nearest(&store, &customer, &every, "c", 0).await.is_empty());
        let other = FileFilters { external_file_ids: Some(vec!["12".to_owned()]), ..FileFilters::default() };
        assert_eq!(nearest(&store, &customer, &other, "a", 2).await.len(), 2);
        let nothing = FileFilters { nothing: true, ..FileFilters::default() };
        assert!(nearest(&store, &customer, &nothing, "a", 2).await.is_empty());

        let known = chunks(&store, &customer).await;
        let (vector, of) = (direction("a"), ours());
        let search = VectorSearch {
            customer: customer.id,
            files: &every,
            vector: &vector,
            vectors_of: &of,
            model: "m1",
            k: 1,
            also: &[known[3].id],
        };
        let (best, named) = store.search().nearest_chunks(&search).await.unwrap();
        assert_eq!(
            (best.len(), named.len()),
            (1, 1),
            "the likeness of what was named is told beside the best"
        );
        for (model, length) in [("m2", 3), ("m1", 2)] {
            let search = VectorSearch { model, vector: &vector[..length], ..search.clone() };
            assert!(store.search().nearest_chunks(&search).await.unwrap().0.is_empty(), "{model} {length}");
        }

        sqlx::query("update file set hidden_at = 1 where article_id = 11 and customer_id = $1")
            .bind(customer.id.0)
            .execute(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(nearest(&store, &customer, &every, "a", 4).await.len(), 2);
    }
}

#[tokio::test]
async fn words_find_what_holds_them_and_rare_ones_decide() {
    for store in stores().await {
        let (customer, connection) = customer(&store, "ada").await;
        let texts: &[&str] =
            &["How do I reset the passwords?", "How do I pay the bill?", "Gr\u{fc}\u{df}e aus K\u{f6}ln"];
        store
            .sync_articles(
                connection,
                vec![written(11, 5, texts), written(12, 5, &["The invoice and the bill"])],
            )
            .await;
        chunk_all(&store, connection, false).await;
        let known = chunks(&store, &customer).await;
        let every = FileFilters::default();
        let find = async |text: &str, files: &FileFilters, k| {
            let found = store.search().chunks_with_words(customer.id, files, text, k).await.unwrap();
            assert!(found.first().is_none_or(|(_, score)| (score - 1.0).abs() < 1e-9));
            found
                .iter()
                .map(|(id, _)| known.iter().find(|one| one.id == *id).unwrap().content.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(find("how do i reset my password", &every, 10).await[0], texts[0]);
        assert_eq!(find("INVOICE", &every, 10).await, ["The invoice and the bill"]);
        assert_eq!(find("bill", &every, 1).await.len(), 1);
        assert_eq!(find("bill", &every, 10).await.len(), 2);
        assert_eq!(find("k\u{f6}ln", &every, 10).await, [texts[2]]);
        let other = FileFilters { external_file_ids: Some(vec!["11".to_owned()]), ..FileFilters::default() };
        assert_eq!(find("bill", &other, 10).await, [texts[1]]);
        for nothing in ["zebra", "?!", "' | \" ) * : NEAR(", "\\"] {
            assert!(find(nothing, &every, 10).await.is_empty(), "{nothing}");
        }
        let stranger = store.admin().customer(customer.organization, "eve").await.unwrap();
        assert!(store.search().chunks_with_words(stranger.id, &every, "bill", 9).await.unwrap().is_empty());

        // What goes is not found any more, and what takes its place is.
        store.sync_articles(connection, vec![written(12, 6, &["The receipt"])]).await;
        chunk_all(&store, connection, false).await;
        assert_eq!(find("bill", &every, 10).await, [texts[1]]);
        let found = store.search().chunks_with_words(customer.id, &every, "receipt", 9).await.unwrap();
        assert_eq!(found.len(), 1);
        store.admin().delete_files(customer.id, &every, false, false).await.unwrap();
        assert!(find("bill", &every, 10).await.is_empty());
    }
}

#[tokio::test]
async fn brought_chunks_take_the_place_of_ours_until_the_text_changes() {
    for store in stores().await {
        let (customer, connection) = filled(&store, "ada").await;
        let (bob, _) = filled(&store, "bob").await;
        let known = chunks(&store, &customer).await;
        let file = known[0].file;
        let strange = chunks(&store, &bob).await[0].file;
        let brought = |file, vector: Option<Vec<f32>>| UploadedFile {
            file,
            chunk_size: Some(7),
            chunk_overlap: None,
            chunks: vec![UploadedChunk {
                position: 4,
                text: "brought".to_owned(),
                hash: "h".to_owned(),
                tokens: 3,
                vector,
            }],
        };
        let upload = async |files: &[UploadedFile], overwrite| {
            store
                .search()
                .upload_chunks(customer.id, "COHERE_MULTILINGUAL_V3", files, overwrite)
                .await
                .unwrap()
        };
        let vector = Some(vec![0.0, 0.0, 1.0]);
        let one = [brought(file, vector.clone())];
        assert_eq!(upload(&one, false).await, Uploaded::HaveChunks(vec![file.0]));
        let strangers = [one[0].clone(), brought(strange, vector.clone())];
        assert_eq!(upload(&strangers, true).await, Uploaded::Unknown(vec![strange.0]));
        assert_eq!(chunks(&store, &customer).await, known);
        assert_eq!(upload(&one, true).await, Uploaded::Stored);
        let now = chunks(&store, &customer).await;
        let brought_chunk = now.iter().find(|chunk| chunk.file == file).unwrap();
        assert_eq!((brought_chunk.content.as_str(), brought_chunk.position), ("brought", 4));
        let shown = store.admin().file(customer.id, file).await.unwrap();
        assert_eq!((shown.tokens, shown.chunks, shown.embedded), (3, 1, 1));
        assert_eq!(shown.uploaded_model.as_deref(), Some("COHERE_MULTILINGUAL_V3"));
        assert_eq!(shown.sync_options["chunk_size"], 7);

        let every = FileFilters::default();
        let near = |of: VectorsOf| {
            let (store, every) = (&store, &every);
            async move {
                let search = VectorSearch {
                    customer: customer.id,
                    files: every,
                    vector: &[0.0, 0.0, 1.0],
                    vectors_of: &of,
                    model: "m1",
                    k: 9,
                    also: &[],
                };
                store.search().nearest_chunks(&search).await.unwrap().0
            }
        };
        let cohere = VectorsOf { ours: false, uploaded: vec!["COHERE_MULTILINGUAL_V3".to_owned()] };
        assert_eq!(near(cohere).await.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [brought_chunk.id]);
        assert!(near(ours()).await.iter().all(|(id, _)| *id != brought_chunk.id));
        for (models, count) in [(["OPENAI"], 1), (["COHERE_MULTILINGUAL_V3"], 1), (["SOLAR_1_MINI"], 0)] {
            let models = Some(models.map(str::to_owned).to_vec());
            let query = crate::FileQuery {
                filters: FileFilters { embedding_models: models, ..FileFilters::default() },
                customer: customer.id,
                starting_id: 0,
                order: crate::FileOrder::Id,
                descending: false,
                limit: 9,
                offset: 0,
            };
            assert_eq!(store.admin().files(&query).await.unwrap().1, count);
        }

        assert_eq!(upload(&[brought(file, None)], true).await, Uploaded::Stored);
        assert_eq!(store.admin().file(customer.id, file).await.unwrap().embedded, 0);
        assert_eq!(
            store.search().next_to_embed(ConnectionId(0)).await.unwrap(),
            None,
            "what is brought is left alone"
        );
        store.sync_articles(connection, vec![written(shown.article_id, 6, &["ours again"])]).await;
        chunk_all(&store, connection, true).await;
        let after = chunks(&store, &customer).await;
        assert!(after.iter().any(|chunk| chunk.content == "ours again"));
        assert!(after.iter().all(|chunk| chunk.content != "brought"));
    }
}
