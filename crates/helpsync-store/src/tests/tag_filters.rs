//! The tag filter language, on both databases.

use helpsync_model::FileId;
use serde_json::{Value, json};

use crate::testing::{article, name_of, stores};
use crate::{ConnectionOrder, ConnectionQuery, FileFilters, FileOrder, FileQuery, TagChange, TagFilter};

fn is(key: &str, values: &[&str]) -> TagFilter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    TagFilter::Is { key: key.to_owned(), values, negate: false }
}

fn not(key: &str, values: &[&str]) -> TagFilter {
    match is(key, values) {
        TagFilter::Is { key, values, .. } => TagFilter::Is { key, values, negate: true },
        other => other,
    }
}

fn merge(tags: Value) -> TagChange {
    let Value::Object(tags) = tags else { panic!("{tags}") };
    TagChange::Merge(tags)
}

#[tokio::test]
async fn tags_are_found_by_key_by_member_by_negation_and_by_both_ways_of_joining() {
    use TagFilter::{All, Any};
    let cases: Vec<(TagFilter, &[&str])> = vec![
        (All(vec![]), &["A", "B", "C"]),
        (Any(vec![]), &[]),
        (is("team", &["support"]), &["A"]),
        (is("team", &["support", "sales"]), &["A", "B"]),
        (is("team", &[]), &[]),
        (is("TEAM", &["support"]), &[]),
        (is("list", &["x"]), &["A"]),
        (is("list", &["z"]), &["B"]),
        (is("list", &["[\"x\",\"y\"]"]), &[]),
        (is("odd", &["it's \"so\" 100%_"]), &["B"]),
        (not("team", &["support"]), &["B", "C"]),
        (not("list", &["x"]), &["B", "C"]),
        (All(vec![is("team", &["support"]), is("list", &["y"])]), &["A"]),
        (All(vec![is("team", &["support"]), is("list", &["z"])]), &[]),
        (Any(vec![is("team", &["support"]), is("list", &["z"])]), &["A", "B"]),
        (
            Any(vec![
                All(vec![is("team", &["sales"]), Any(vec![is("list", &["z"]), is("list", &["q"])])]),
                is("x", &["y"]),
            ]),
            &["B"],
        ),
    ];
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        store
            .sync_articles(
                connection,
                ["A", "B", "C"].into_iter().zip(11..).map(|(name, id)| article(id, name, 5)).collect(),
            )
            .await;
        let query = |tags: Option<TagFilter>| FileQuery {
            customer: customer.id,
            filters: FileFilters { tags, ..FileFilters::default() },
            starting_id: 0,
            order: FileOrder::Name,
            descending: false,
            limit: 10,
            offset: 0,
        };
        let ids: Vec<FileId> =
            store.admin().files(&query(None)).await.unwrap().0.iter().map(|file| file.id).collect();
        let tags = [
            json!({"team": "support", "list": ["x", "y"]}),
            json!({"team": "sales", "list": ["z"], "odd": "it's \"so\" 100%_"}),
        ];
        for (id, tags) in ids.iter().zip(tags) {
            store.admin().change_file_tags(customer.id, *id, &merge(tags)).await.unwrap();
        }
        for (filter, expected) in &cases {
            let (found, count) = store.admin().files(&query(Some(filter.clone()))).await.unwrap();
            let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(
                (names.as_slice(), count),
                (*expected, expected.len() as i64),
                "{} {filter:?}",
                name_of(&store)
            );
        }
        let mut unique = store.admin().unique_file_tags(customer.id).await.unwrap();
        unique.sort_by_key(ToString::to_string);
        assert_eq!(
            json!(unique),
            json!([{"list": ["x", "y"]}, {"list": ["z"]}, {"odd": "it's \"so\" 100%_"}, {"team": "sales"}, {"team": "support"}])
        );

        let filters = FileFilters { tags: Some(is("team", &["sales"])), ..FileFilters::default() };
        assert_eq!(store.admin().delete_files(customer.id, &filters, false, false).await.unwrap(), 1);
        let names: Vec<String> =
            store.admin().files(&query(None)).await.unwrap().0.into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["A", "C"]);
    }
}

#[tokio::test]
async fn connections_are_found_by_their_tags() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        store
            .admin()
            .change_connection_tags(crate::testing::FIRST, connection, &merge(json!({"plan": ["pro", "eu"]})))
            .await
            .unwrap();
        let query = ConnectionQuery {
            organization,
            customer: None,
            ids: None,
            revoked: None,
            starting_id: 0,
            order: ConnectionOrder::CreatedAt,
            descending: false,
            limit: 10,
            offset: 0,
        };
        for (filter, expected) in
            [(is("plan", &["eu"]), 1), (not("plan", &["eu"]), 0), (is("plan", &["us"]), 0)]
        {
            let (found, count) = store.admin().tagged_connections(&query, Some(&filter)).await.unwrap();
            assert_eq!((found.len(), count), (expected, expected as i64), "{filter:?}");
        }
    }
}
