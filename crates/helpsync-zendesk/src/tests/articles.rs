//! Listing, exporting and fetching.

use super::*;

fn article(id: i64) -> String {
    format!(
        r#"{{"id":{id},"locale":"en-us","source_locale":"en-us","title":"t{id}","body":"<p>b</p>","draft":false,
        "section_id":5,"created_at":"2026-05-06T07:46:27Z","updated_at":"2026-05-06T08:00:00Z"}}"#
    )
}

fn ids(articles: &[Article]) -> Vec<i64> {
    articles.iter().map(|article| article.id).collect()
}

#[tokio::test]
async fn an_export_page_brings_its_tree_and_the_next_start() {
    let server = Server::start(|seen| {
        let origin = format!("http://{}/acme", seen.header("host"));
        json(format!(
            r#"{{"count":1,"end_time":1778056534,"articles":[{}],
            "next_page":"{origin}/api/v2/help_center/incremental/articles.json?start_time=1778056534&x=1",
            "sections":[{{"id":5,"name":"S","category_id":6}}],"categories":[{{"id":6,"name":"C"}}],"users":[{{"id":7,"name":"Ann","email":"ann@example.com"}},{{"id":8}}]}}"#,
            article(1)
        ))
    })
    .await;
    let page = server.client().client.export_articles(1_700_000_000).await.unwrap().value;
    assert_eq!((ids(&page.articles), page.count, page.end_time), (vec![1], Some(1), Some(1_778_056_534)));
    assert_eq!(page.next_start, Some(1_778_056_534));
    assert_eq!((page.sections[0].category_id, page.categories[0].name.as_str()), (Some(6), "C"));

    assert_eq!(page.authors, [Author { id: 7, name: "Ann".to_owned() }], "whoever has no name is left out");

    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/acme/api/v2/help_center/incremental/articles");
    assert_eq!(seen.param("start_time"), Some("1700000000"));
    assert_eq!(seen.param("include"), Some("translations,sections,categories,users"));
}

#[tokio::test]
async fn an_empty_export_is_an_end_and_its_end_time_is_no_start() {
    let server = Server::json(r#"{"count":0,"next_page":null,"end_time":1,"articles":[]}"#).await;
    let page = server.client().client.export_articles(5).await.unwrap().value;
    assert_eq!((page.next_start, page.end_time), (None, Some(1)));
}

#[tokio::test]
async fn an_export_that_does_not_say_where_it_goes_on_is_malformed() {
    for body in [
        r#"{"count":0,"articles":[]}"#,
        r#"{"articles":[],"next_page":7}"#,
        r#"{"articles":[],"next_page":"/acme/x"}"#,
        r#"{"articles":[],"next_page":"/acme/x?start_time=soon"}"#,
    ] {
        let failure = Server::json(body).await.client().client.export_articles(5).await.unwrap_err();
        assert!(matches!(failure, Failure::Malformed(_)), "{body}: {failure}");
    }
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused_and_never_asked() {
    let thief = Server::json("{}").await;
    let link = format!("{}/acme/x?start_time=9&page=2", thief.origin);
    let body = format!(
        r#"{{"articles":[],"next_page":"{link}","meta":{{"has_more":true}},"links":{{"next":"{link}"}}}}"#
    );
    let server = Server::json(body).await;
    let client = server.client().client;
    let failures = [
        client.export_articles(5).await.unwrap_err(),
        client.list_articles(&ListQuery::walk(Scope::All, None)).await.unwrap_err(),
        client.list_articles(&ListQuery::offset(Scope::All, 1)).await.unwrap_err(),
    ];
    for failure in failures {
        assert!(matches!(failure, Failure::OffHost { .. }), "{failure}");
        assert_eq!(failure.class(), Class::Permanent);
    }
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn a_walk_asks_for_the_oldest_first_by_cursor() {
    let server = Server::json(format!(
        r#"{{"articles":[{},{}],"meta":{{"has_more":true,"after_cursor":"c2"}}}}"#,
        article(1),
        article(2)
    ))
    .await;
    let client = server.client().client;
    let page =
        client.list_articles(&ListQuery::walk(Scope::Section(5), Some("c1=".into()))).await.unwrap().value;
    assert_eq!((ids(&page.articles), page.next, page.count), (vec![1, 2], Next::Cursor("c2".into()), None));

    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/acme/api/v2/help_center/sections/5/articles");
    for (name, value) in [
        ("page[size]", "100"),
        ("page[after]", "c1="),
        ("sort_by", "created_at"),
        ("sort_order", "asc"),
        ("include", "translations,sections,categories,users"),
    ] {
        assert_eq!(seen.param(name), Some(value), "{name}");
    }
    assert_eq!(seen.param("per_page"), None, "per_page would switch to offset pages");
}

#[tokio::test]
async fn an_offset_page_is_counted() {
    let server =
        Server::json(r#"{"articles":[],"count":230,"page_count":3,"next_page":"/acme/x?page=3"}"#).await;
    let client = server.client().client;
    let page = client.list_articles(&ListQuery::offset(Scope::Category(6), 2)).await.unwrap().value;
    assert_eq!((page.count, page.page_count, page.next), (Some(230), Some(3), Next::Offset(3)));
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/acme/api/v2/help_center/categories/6/articles");
    assert_eq!((seen.param("page"), seen.param("per_page")), (Some("2"), Some("100")));
    assert_eq!(seen.param("page[size]"), None);
}

#[tokio::test]
async fn one_broken_article_does_not_lose_its_page() {
    let server = Server::json(format!(
        r#"{{"articles":[{},{{"id":2,"draft":"maybe","updated_at":"2026-05-06T08:00:00Z"}},null,{}],"next_page":null}}"#,
        article(1),
        article(3)
    ))
    .await;
    let page = server.client().client.export_articles(0).await.unwrap().value;
    assert_eq!(ids(&page.articles), [1, 3]);
    assert_eq!(page.rejected.iter().map(|rejected| rejected.id).collect::<Vec<_>>(), [Some(2), None]);
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_replaced() {
    let body = [br#"{"article":{"id":1,"draft":false,"translations":[{"locale":"de","draft":true}],"updated_at":"2026-05-06T08:00:00Z","title":"a"#.as_slice(), b"\xff\xc3", br#"b"}}"#]
        .concat();
    let server = Server::start(move |_| json(body.clone())).await;
    assert_eq!(server.client().client.article(1).await.unwrap().value.title, "a\u{fffd}\u{fffd}b");
}

#[tokio::test]
async fn a_single_article_comes_with_its_translations_in_one_request_when_sideloaded() {
    let text = article(9).replacen(
        '{',
        r#"{"translations":[{"locale":"de","title":"T","body":"b","draft":false}],"#,
        1,
    );
    let server = Server::json(format!(r#"{{"article":{text}}}"#)).await;
    let answer = server.client().client.article(9).await.unwrap();
    let locales: Vec<_> = answer.value.published().into_iter().map(|text| text.locale.to_owned()).collect();
    assert_eq!(locales, ["en-us", "de"]);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].param("include")), (1, Some("translations")));
}

#[tokio::test]
async fn translations_are_fetched_page_by_page_when_not_sideloaded() {
    let server = Server::start(|seen| match (seen.path.ends_with("/translations"), seen.param("page")) {
        (false, _) => json(format!(r#"{{"article":{}}}"#, article(9))),
        (true, Some("1")) => json(
            r#"{"translations":[{"locale":"en-us","body":"b","draft":false}],"page_count":2,"next_page":"/acme/x?page=2"}"#,
        ),
        (true, _) => json(r#"{"translations":[{"locale":"de","draft":true}],"page_count":2,"next_page":null}"#),
    })
    .await;
    let setup = server.client();
    let answer = setup.client.article(9).await.unwrap();
    assert_eq!((setup.client.take_sent(), answer.value.translations.unwrap().len()), (3, 2));
}

/// What is stored of an article's languages is kept where one is unread.
#[tokio::test]
async fn a_list_of_translations_that_is_not_shown_to_be_whole_is_said_to_be_short() {
    for (pages, is_whole) in [
        (r#""page_count":2"#, false),
        (r#""count":3,"next_page":null"#, false),
        (r#""meta":{"has_more":true},"links":{}"#, false),
        (r#""next_page":"/acme/x?page=1","page_count":2"#, false),
        (r#""count":2"#, true),
        (r#""meta":{"has_more":false}"#, true),
        (r#""next_page":null"#, true),
        (r#""of":"nothing""#, true),
    ] {
        let server = Server::start(move |seen| match seen.path.ends_with("/translations") {
            false => json(format!(r#"{{"article":{}}}"#, article(9))),
            true => json(format!(
                r#"{{"translations":[{{"locale":"en-us","body":"b","draft":false}},{{"locale":"de","draft":true}}],{pages}}}"#
            )),
        })
        .await;
        let article = server.client().client.article(9).await.unwrap().value;
        assert_eq!(
            (article.unread.is_empty(), article.translations.unwrap().len()),
            (is_whole, 2),
            "{pages}"
        );
    }
}

#[tokio::test]
async fn endless_translations_end_at_the_bound() {
    let server = Server::start(|seen| match seen.path.ends_with("/translations") {
        false => json(format!(r#"{{"article":{}}}"#, article(9))),
        true => {
            let next = seen.param("page").unwrap().parse::<u32>().unwrap() + 1;
            json(format!(r#"{{"translations":[],"next_page":"/acme/x?page={next}"}}"#))
        }
    })
    .await;
    let failure = server.client().client.article(9).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreadable { .. }), "{failure}");
    assert_eq!(server.seen().len(), 11);
}

#[tokio::test]
async fn a_single_broken_article_is_unreadable_and_not_gone() {
    let server = Server::json(r#"{"article":{"id":1}}"#).await;
    let failure = server.client().client.article(1).await.unwrap_err();
    assert_eq!(failure.class(), Class::Permanent, "{failure}");
}

#[tokio::test]
async fn the_tree_and_the_locales_are_listed() {
    let server = Server::start(|seen| match seen.path.rsplit('/').next() {
        Some("sections") => {
            json(r#"{"sections":[{"id":1},{"id":"x"}],"count":2,"page_count":1,"next_page":null}"#)
        }
        Some("categories") => json(r#"{"categories":[{"id":2}],"next_page":"/acme/x?page=2"}"#),
        _ => json(r#"{"locales":["en-us","de"],"default_locale":"en-us"}"#),
    })
    .await;
    let client = server.client().client;
    let sections = client.sections(1).await.unwrap().value;
    assert_eq!((sections.items.len(), sections.rejected.len(), sections.next), (1, 1, Next::End));
    assert_eq!(client.categories(1).await.unwrap().value.next, Next::Offset(2));
    assert_eq!(client.locales().await.unwrap().value.locales, ["en-us", "de"]);
}

#[tokio::test]
async fn content_tags_are_paged_by_cursor() {
    let server = Server::start(|seen| {
        let more = seen.param("page[after]").is_none();
        json(format!(
            r#"{{"records":[{{"id":"01{more}","name":"beta"}},{{"name":"no id"}}],
            "meta":{{"has_more":{more},"after_cursor":"next"}},"links":{{}}}}"#
        ))
    })
    .await;
    let client = server.client().client;
    let first = client.content_tags(None).await.unwrap().value;
    assert_eq!(first.tags, [ContentTag { id: "01true".to_owned(), name: "beta".to_owned() }]);
    assert_eq!((first.rejected.len(), &first.next), (1, &Next::Cursor("next".to_owned())));
    assert_eq!(client.content_tags(Some("next")).await.unwrap().value.next, Next::End);
    assert_eq!(server.seen()[1].path, "/acme/api/v2/guide/content_tags");
}

#[tokio::test]
async fn attachments_are_read_from_our_own_host_whatever_their_records_say() {
    let server = Server::start(|seen| {
        if seen.path.ends_with("/hc/article_attachments/7") {
            return json("bytes".to_owned());
        }
        if seen.path.contains("/hc/article_attachments/") {
            return (StatusCode::FOUND, [(header::LOCATION, "https://evil.example/x")]).into_response();
        }
        json(
            r#"{"article_attachments":[{"id":7,"file_name":"a.png","content_type":"image/png","size":5,"inline":true,
            "content_url":"https://evil.example/hc/article_attachments/7","updated_at":"2026-05-06T08:00:00Z"},{}],
            "count":2,"next_page":null}"#
                .to_owned(),
        )
    })
    .await;
    let client = server.client().client;
    let attachments = client.attachments(1).await.unwrap().value;
    assert!(!attachments.whole, "one of them could not be read");
    let found = attachments.listed;
    assert_eq!((found.len(), found[0].id, found[0].size, found[0].inline), (1, 7, Some(5), true));
    let mut download = client.download(&found[0]).await.unwrap();
    assert_eq!(download.length(), Some(5));
    assert_eq!(download.next().await.unwrap().as_deref(), Some(&b"bytes"[..]));
    assert_eq!(download.next().await.unwrap(), None);
    assert_eq!(download.content_type(), "application/json");
    // Neither its id nor its path leads anywhere else, whatever that path is.
    for path in [None, Some("/hc/article_attachments/8/x.png?a=b"), Some("/../other/x"), Some("x")] {
        let other = Attachment { id: 8, relative_path: path.map(ToOwned::to_owned), ..found[0].clone() };
        assert!(matches!(client.download(&other).await, Err(Failure::OffHost { .. })), "{path:?}");
    }
    assert!(server.seen().iter().all(|seen| seen.path.starts_with("/acme/")));
}

#[tokio::test]
async fn locales_are_told_once_each_as_they_are_spelt_and_nonsense_costs_no_other() {
    for (told, locales, default) in [
        (
            r#"{"locales":["en-US","de","en_us"," fr ","DE"],"default_locale":"EN_us"}"#,
            vec!["en-US", "de", "fr"],
            Some("EN_us"),
        ),
        (
            r#"{"locales":["zh-Hans-CN",null,7,"","../x","de"],"default_locale":"it"}"#,
            vec!["zh-Hans-CN", "de"],
            Some("it"),
        ),
        (r#"{"locales":[],"default_locale":"a/b"}"#, vec![], None),
        (r#"{"locales":["de"],"default_locale":null}"#, vec!["de"], None),
    ] {
        let answer = Server::json(told).await.client().client.locales().await.unwrap().value;
        assert_eq!(
            (answer.locales, answer.default_locale.as_deref()),
            (locales.iter().map(ToString::to_string).collect(), default),
            "{told}"
        );
    }
    for told in ["{}", r#"{"locales":null}"#, r#"{"locales":"de"}"#] {
        let failure = Server::json(told).await.client().client.locales().await.unwrap_err();
        assert!(matches!(failure, Failure::Malformed(_)), "{told}: {failure}");
    }
}

#[tokio::test]
async fn a_count_that_is_not_told_shows_in_the_number_of_pages() {
    for (told, count) in [
        (r#"{"articles":[],"count":"7","next_page":null}"#, Some(7)),
        (r#"{"articles":[],"page_count":9,"next_page":null}"#, Some(9)),
        (r#"{"articles":[],"count":-1,"page_count":"9","next_page":null}"#, Some(9)),
        (r#"{"articles":[],"count":null,"page_count":0,"next_page":null}"#, Some(0)),
        (r#"{"articles":[],"next_page":null}"#, None),
    ] {
        let answer = Server::json(told).await.client().client.count_articles().await;
        assert_eq!(answer.ok().map(|answer| answer.value), count, "{told}");
    }
}
