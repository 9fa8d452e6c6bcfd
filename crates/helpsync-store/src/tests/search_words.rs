//! What is found by words: titles, labels, spellings, languages, and what is shown.

use helpsync_model::ConnectionId;

use super::chunks::{chunk_all, customer, written};
use crate::testing::{TestStore, name_of, stores};
use crate::{Customer, FileFilters, IncomingArticle, Viewer};

/// An article of one paragraph.
fn text(id: i64, locale: &str, title: &str, body: &str) -> IncomingArticle {
    let mut article = written(id, 5, &[body]);
    locale.clone_into(&mut article.source_locale);
    let translation = &mut article.translations[0];
    locale.clone_into(&mut translation.locale);
    title.clone_into(&mut translation.title);
    translation.hash = format!("{title} {body}");
    article
}

/// The articles that a query finds, best first.
async fn found(store: &TestStore, customer: &Customer, query: &str, files: &FileFilters) -> Vec<i64> {
    let found = store.search().chunks_with_words(customer.id, files, query, 9).await.unwrap();
    let ids: Vec<i64> = found.iter().map(|(chunk, _)| *chunk).collect();
    let chunks = store.search().chunks_by_id(customer.id, &ids, false).await.unwrap();
    let mut articles = Vec::new();
    for id in ids {
        let file = chunks.iter().find(|chunk| chunk.id == id).unwrap().file;
        articles.push(store.admin().file(customer.id, file).await.unwrap().article_id);
    }
    articles
}

async fn scene(store: &TestStore, articles: Vec<IncomingArticle>) -> (Customer, ConnectionId) {
    let (customer, connection) = customer(store, "ada").await;
    store.sync_articles(connection, articles).await;
    while store.search().next_to_chunk(ConnectionId(0)).await.unwrap().is_some() {
        chunk_all(store, connection, false).await;
    }
    (customer, connection)
}

#[tokio::test]
async fn titles_and_labels_are_found_and_a_title_counts_most() {
    let articles = || {
        let mut labelled = text(3, "en-us", "Payment", "How to pay by card.");
        labelled.labels = vec!["invoices".to_owned()];
        vec![
            text(1, "en-us", "Refunds", "Money comes back within days."),
            text(2, "en-us", "Cards", "A refund needs a card, and a refund takes days."),
            labelled,
        ]
    };
    for store in stores().await {
        let (customer, connection) = scene(&store, articles()).await;
        let every = FileFilters::default();
        assert_eq!(found(&store, &customer, "refund", &every).await, [1, 2], "{}", name_of(&store));
        assert_eq!(found(&store, &customer, "invoice", &every).await, [3]);

        // The text stays, the title and the labels change: the chunk is found by the new ones only.
        let mut renamed = text(3, "en-us", "Checkout", "How to pay by card.");
        renamed.labels = vec!["till".to_owned()];
        (renamed.updated_at, renamed.metadata_hash) = (6_000, "changed".to_owned());
        store.sync_articles(connection, vec![renamed]).await;
        chunk_all(&store, connection, false).await;
        for (query, answer) in
            [("checkout", vec![3]), ("till", vec![3]), ("invoice", vec![]), ("payment", vec![])]
        {
            assert_eq!(
                found(&store, &customer, query, &every).await,
                answer,
                "{query}: 'pay' stands in the text"
            );
        }
    }
}

#[tokio::test]
async fn spelling_makes_no_difference_and_the_last_word_may_be_a_beginning() {
    for store in stores().await {
        let articles = vec![
            text(1, "en-us", "Network", "Join the Wi-Fi of the house."),
            text(2, "en-us", "Radio", "The WiFi stick."),
            text(3, "fr", "Caf\u{e9}", "Le menu \u{e0} la carte de l'h\u{f4}tel."),
            text(4, "ja", "\u{6771}\u{4eac}", "\u{6771}\u{4eac}\u{90fd}\u{306e}\u{5730}\u{56f3}"),
            text(5, "en-us", "Board", "Configuration of the Nano 33 and the ESP32."),
        ];
        let (customer, _) = scene(&store, articles).await;
        let every = FileFilters::default();
        for query in ["Wi-Fi", "wifi", "WI\u{2011}FI", "wi fi", "wi\u{2013}fi?"] {
            let mut both = found(&store, &customer, query, &every).await;
            both.sort_unstable();
            assert_eq!(both, [1, 2], "{query} {}", name_of(&store));
        }
        for (query, article) in [
            ("cafe.", 3),
            ("HOTEL?", 3),
            ("carte", 3),
            ("\u{4eac}\u{90fd}", 4),
            ("\u{5730}", 4),
            ("\u{56f3}", 4),
            ("nano33", 5),
            ("nano 33", 5),
            ("esp 32", 5),
            ("configurat", 5),
            ("confi", 5),
        ] {
            let answers = found(&store, &customer, query, &every).await;
            let expected: &[i64] = if query == "\u{56f3}" { &[] } else { &[article] };
            assert_eq!(answers, expected, "{query} {}", name_of(&store));
        }
        for nothing in ["zebra", "?!", "' | \" ) * : NEAR(", "\\"] {
            assert!(found(&store, &customer, nothing, &every).await.is_empty(), "{nothing}");
        }
    }
}

#[tokio::test]
async fn each_translation_is_analysed_in_its_language() {
    for store in stores().await {
        let articles = vec![
            text(1, "de", "Konto", "Alle Rechnungen und die Ger\u{e4}te."),
            text(2, "es", "Cuenta", "Las configuraciones de las impresoras."),
            text(3, "en-us", "Account", "All subscriptions and the dies."),
        ];
        let (customer, _) = scene(&store, articles).await;
        let every = FileFilters::default();
        for (query, article) in [
            ("Wo ist die Rechnung?", 1),
            ("Geraet", 1),
            ("\u{bf}C\u{f3}mo es la configuraci\u{f3}n?", 2),
            ("configuracion", 2),
            ("impresora", 2),
            ("where is my subscription?", 3),
        ] {
            assert_eq!(
                found(&store, &customer, query, &every).await,
                [article],
                "{query} {}",
                name_of(&store)
            );
        }
    }
}

#[tokio::test]
async fn only_what_is_shown_and_matches_is_found_however_many_others_rank_higher() {
    const HIDDEN: i64 = 300;
    for store in stores().await {
        let mut articles: Vec<IncomingArticle> =
            (1..=HIDDEN).map(|id| text(id, "en-us", "Lemurs", "Lemurs and lemurs.")).collect();
        articles.push(text(
            900,
            "en-us",
            "Animals",
            "There are otters, herons and, far away, lemurs in a tree.",
        ));
        let mut restricted = text(901, "en-us", "Lemurs", "Lemurs.");
        (restricted.user_segment_id, restricted.user_segment_ids) = (Some(7), vec![7]);
        articles.push(restricted);
        let (customer, _) = scene(&store, articles).await;
        let every = FileFilters::default();
        assert!(!found(&store, &customer, "lemurs", &every).await.contains(&900));
        sqlx::query("update file set hidden_at = 1 where article_id <= $1")
            .bind(HIDDEN)
            .execute(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(found(&store, &customer, "lemurs", &every).await, [901, 900], "{}", name_of(&store));
        let viewer =
            |segments: Vec<i64>| FileFilters { viewer: Some(Viewer { segments }), ..FileFilters::default() };
        assert_eq!(found(&store, &customer, "lemurs", &viewer(vec![])).await, [900]);
        assert_eq!(found(&store, &customer, "lemurs", &viewer(vec![7])).await, [901, 900]);
        let one = FileFilters { external_file_ids: Some(vec!["900".to_owned()]), ..FileFilters::default() };
        assert_eq!(found(&store, &customer, "lemurs", &one).await, [900]);
    }
}

#[tokio::test]
async fn a_word_that_is_nowhere_is_looked_for_in_longer_ones() {
    for store in stores().await {
        let articles =
            vec![text(1, "de", "Anschrift", "Rechnungsadresse"), text(2, "de", "Konto", "Kennwort")];
        let (customer, _) = scene(&store, articles).await;
        let answers = found(&store, &customer, "Rechnung?", &FileFilters::default()).await;
        assert_eq!(answers, [1], "{}", name_of(&store));
    }
}
