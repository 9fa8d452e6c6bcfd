//! What holds for every call, whatever it is for. `count_articles` stands for them all.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::*;

const COUNT_7: &str = r#"{"count":7,"page_count":7,"next_page":null,"articles":[]}"#;
/// [`COUNT_7`], gzipped.
const COUNT_7_GZIP: &str = "1f8b0800000000000203ab564ace2fcd2b51b232d7512a484c4f8d4770f3522b4ae241624a5679a539393a4a89452599\
    c939a9c54a56d1b1b5001b961a5039000000";
/// An opening brace and 200,000 spaces, gzipped.
const BOMB_GZIP: &str = "1f8b0800000000000203edc1210100000002a02bfef4bc1bec4003000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000dc06567a2ac9410d0300";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn gzip(hex: &str) -> Response {
    ([(header::CONTENT_ENCODING, "gzip"), (header::CONTENT_TYPE, "application/json")], bytes(hex))
        .into_response()
}

async fn failure(setup: &Setup) -> Failure {
    setup.client.count_articles().await.unwrap_err()
}

#[tokio::test]
async fn every_request_says_who_it_is_and_reports_the_budget() {
    let server = Server::start(|_| {
        let headers = [
            ("x-rate-limit", "400"),
            ("X-Rate-Limit-Remaining", "398"),
            ("ratelimit-reset", "41"),
            ("content-type", "application/json"),
        ];
        (headers, COUNT_7).into_response()
    })
    .await;
    let setup = server.client();
    let answer = setup.client.count_articles().await.unwrap();
    assert_eq!(answer, Answer { value: 7, bytes: COUNT_7.len() as u64, date: answer.date });

    let seen = &server.seen()[0];
    assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(seen.header("accept"), "application/json");
    assert!(seen.header("user-agent").starts_with("helpsync/"));
    assert!(seen.header("accept-encoding").contains("gzip"));

    let report = RateReport {
        status: Some(200),
        limit: Some(400),
        remaining: Some(398),
        reset_after: Some(Duration::from_secs(41)),
        retry_after: None,
    };
    assert_eq!(
        *setup.limiter.left.lock().unwrap(),
        [(Permit { id: "1".into(), family: crate::Family::HelpCenter }, report)]
    );
}

#[tokio::test]
async fn without_budget_nothing_is_sent() {
    let server = Server::json(COUNT_7).await;
    let setup = server.client();
    let wait = Duration::from_secs(9);
    *setup.limiter.denied.lock().unwrap() =
        Some(Throttled { wait, reason: "account".into(), is_account: true });
    assert_eq!(failure(&setup).await.class(), Class::Throttled { wait });
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_repeated_once() {
    let server = Server::start(|seen| match seen.header("authorization").contains(RENEWED) {
        true => json(COUNT_7),
        false => status(401, r#"{"error":"invalid_token"}"#),
    })
    .await;
    let setup = server.client();
    let answer = setup.client.count_articles().await.unwrap();
    assert_eq!((answer.value, setup.client.take_sent()), (7, 2));
    assert_eq!(setup.client.take_sent(), 0, "each is told once");
    assert_eq!(*setup.limiter.entered.lock().unwrap(), 2, "the second request passes the limiter too");
}

#[tokio::test]
async fn a_token_refused_twice_is_not_renewed_again() {
    let server = Server::start(|_| status(401, r#"{"error":"invalid_token"}"#)).await;
    let setup = server.client();
    let failure = failure(&setup).await;
    assert_eq!(failure.class(), Class::Unauthorized);
    assert!(failure.to_string().contains("invalid_token"), "{failure}");
    assert_eq!((server.seen().len(), *setup.tokens.renewals.lock().unwrap()), (2, 1));
}

#[tokio::test]
async fn a_redirect_to_another_address_is_refused_and_the_token_stays_home() {
    let thief = Server::json(COUNT_7).await;
    for target in [format!("{}/acme/x", thief.origin), "/other/x".to_owned(), "/acmeevil/x".to_owned()] {
        let target = target.clone();
        let server = Server::start(move |_| redirect(target.clone())).await;
        let setup = server.client();
        assert!(matches!(failure(&setup).await, Failure::OffHost { .. }));
        assert_eq!(server.seen().len(), 1);
    }
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn redirects_within_the_workspace_are_followed_three_times() {
    let server = Server::start(|seen| {
        let step = seen.param("step").and_then(|step| step.parse().ok()).unwrap_or(0);
        if step < 3 { redirect(format!("/acme/x?step={}", step + 1)) } else { json(COUNT_7) }
    })
    .await;
    let setup = server.client();
    assert_eq!(setup.client.count_articles().await.unwrap().value, 7);
    assert_eq!(setup.client.in_locale(Some("de")).take_sent(), u64::from(1 + REDIRECTS_MAX));

    let endless = Server::start(|_| redirect("/acme/x")).await;
    assert!(matches!(failure(&endless.client()).await, Failure::Malformed(_)));
    assert_eq!(endless.seen().len() as u32, 1 + REDIRECTS_MAX);
}

#[tokio::test]
async fn a_gzipped_answer_is_read() {
    let server = Server::start(|_| gzip(COUNT_7_GZIP)).await;
    assert_eq!(server.client().client.count_articles().await.unwrap().value, 7);
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_not_read() {
    let declared = Server::start(|_| json(" ".repeat(1_001))).await;
    let bomb = Server::start(|_| gzip(BOMB_GZIP)).await;
    for server in [declared, bomb] {
        let failure = failure(&setup(&server.origin, short())).await;
        assert_eq!(failure, Failure::TooLarge { bytes_max: 1_000 });
        assert_eq!(failure.class(), Class::Permanent);
    }
    let exact = Server::json(format!("{COUNT_7}{}", " ".repeat(1_000 - COUNT_7.len()))).await;
    assert_eq!(setup(&exact.origin, short()).client.count_articles().await.unwrap().bytes, 1_000);
}

#[tokio::test]
async fn what_is_no_whole_json_answer_is_malformed_and_may_be_tried_again() {
    for (body, says) in [
        (&COUNT_7[..30], "breaks off"),
        ("", "breaks off"),
        ("<html><body>Just a moment…</body></html>", "html"),
        ("[]", "no json object"),
        (r#"{"count":7}"#, "articles is missing"),
        (r#"{"articles":null}"#, "articles is missing"),
    ] {
        let failure = failure(&Server::json(body).await.client()).await;
        assert!(matches!(failure, Failure::Malformed(_)), "{body}: {failure}");
        assert!(failure.to_string().contains(says), "{body}: {failure}");
        assert_eq!(failure.class(), Class::Transient { after: None });
    }
}

/// A server of raw bytes: reads a request's head, writes `bytes`, closes.
async fn raw(bytes: impl Into<String>) -> String {
    let bytes = bytes.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0u8; 4096];
            let _read = socket.read(&mut head).await;
            let _written = socket.write_all(bytes.as_bytes()).await;
        }
    });
    origin
}

#[tokio::test]
async fn an_answer_in_pieces_is_bounded_as_a_whole() {
    // No length is declared, and no piece is too long by itself.
    let piece = format!("190\r\n{}\r\n", " ".repeat(0x190));
    let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", piece.repeat(3));
    let failure = failure(&setup(&raw(answer).await, short())).await;
    assert_eq!(failure, Failure::TooLarge { bytes_max: 1_000 });
}

#[tokio::test]
async fn a_connection_cut_in_mid_answer_is_unavailable_and_its_headers_still_count() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\nx-rate-limit-remaining: 3\r\n\r\n{\"count\":";
    let setup = setup(&raw(head).await, HttpOptions::default());
    let failure = failure(&setup).await;
    assert!(failure.to_string().contains("broke off"), "{failure}");
    assert_eq!(failure.class(), Class::Transient { after: None });
    let report = &setup.limiter.reports()[0];
    assert_eq!((report.status, report.remaining), (Some(200), Some(3)));
}

#[tokio::test]
async fn no_answer_at_all_is_unavailable_and_returns_the_grant() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_origin = format!("http://{}", silent.local_addr().unwrap());
    for (origin, says) in
        [(raw("").await, "no answer"), (closed, "cannot connect"), (silent_origin, "timed out")]
    {
        let setup = setup(&origin, short());
        let failure = failure(&setup).await;
        assert!(failure.to_string().ends_with(says), "{says}: {failure}");
        assert_eq!(setup.limiter.reports(), [RateReport::default()]);
    }
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    let page = "<html>blocked</html>";
    let transient = Class::Transient { after: None };
    for (code, body, class) in [
        (400, r#"{"errors":[{"code":"InvalidPaginationDepth","title":"x","detail":"y"}]}"#, Class::Permanent),
        (400, r#"{"error":"ParameterMissing"}"#, Class::Permanent),
        (402, r#"{"error":"PaymentRequired"}"#, Class::Permanent),
        (403, r#"{"error":{"title":"Forbidden","message":"You do not have access"}}"#, Class::Permanent),
        (403, page, transient),
        (404, r#"{"error":"RecordNotFound","description":"Not found"}"#, Class::Gone),
        (410, "", Class::Gone),
        (408, "", transient),
        (422, r#"{"error":"RecordInvalid"}"#, Class::Permanent),
        (423, page, Class::Permanent),
        (425, "", transient),
        (429, r#"{"errors":[{"code":"RateLimitExceeded","status":"429"}]}"#, transient),
        (429, "Pagination limit reached for offset model", Class::Permanent),
        (500, r#"{"status":500,"error":"Internal Server Error"}"#, transient),
        (503, page, transient),
        (520, page, transient),
    ] {
        let server = Server::start(move |_| status(code, body)).await;
        let failure = failure(&server.client()).await;
        assert_eq!(failure.class(), class, "{code} {body}: {failure}");
        let too_deep = body.contains("agination");
        assert_eq!(matches!(failure, Failure::PaginationTooDeep(_)), too_deep, "{code} {body}");
        assert_eq!(matches!(failure, Failure::Suspended { .. }), matches!(code, 402 | 423), "{code} {body}");
    }
}

#[tokio::test]
async fn a_plain_text_429_is_read_with_its_retry_after() {
    for (header, after) in [
        ("93", Some(93)),
        ("0", Some(1)),
        ("86400", Some(300)),
        ("1.2", Some(2)),
        ("soon", None),
        ("-5", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
        ("Sun Nov  6 08:49:37 1994", Some(37)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(1)),
        ("Mon, 07 Nov 1994 08:49:00 GMT", Some(300)),
        ("99999999999999999999999999", Some(300)),
        ("3, 7", Some(7)),
        ("", None),
    ] {
        let server = Server::start(move |_| {
            let text = "Number of allowed API requests per minute exceeded";
            let headers = [
                ("retry-after", header),
                ("x-request-id", "9f77-DUB"),
                ("date", "Sun, 06 Nov 1994 08:49:00 GMT"),
            ];
            (StatusCode::TOO_MANY_REQUESTS, headers, text).into_response()
        })
        .await;
        let setup = server.client();
        let failure = failure(&setup).await;
        let after = after.map(Duration::from_secs);
        assert_eq!(failure.class(), Class::Transient { after }, "{header}");
        assert_eq!(setup.limiter.reports()[0].retry_after, after, "{header}");
        assert!(failure.to_string().ends_with("per minute exceeded (request 9f77-DUB)"), "{failure}");
    }
}

#[tokio::test]
async fn an_answer_with_many_headers_is_read_and_one_with_too_many_is_not() {
    for (count, is_read) in [(101, true), (900, true), (HEADERS_MAX + 1, false)] {
        let server = Server::start(move |_| {
            let mut response = json(COUNT_7);
            for number in 0..count {
                let cookie = format!("c{number}=1").parse().unwrap();
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        })
        .await;
        let answer = server.client().client.count_articles().await;
        assert_eq!(answer.is_ok(), is_read, "{count}: {answer:?}");
    }
}

#[tokio::test]
async fn an_error_never_repeats_the_token_nor_a_long_body() {
    let server = Server::start(|seen| {
        let echo = format!("{}\r\n\u{1b}[31m{}", seen.header("authorization"), "x".repeat(100_000));
        (StatusCode::BAD_REQUEST, [("x-request-id", TOKEN)], echo).into_response()
    })
    .await;
    let failure = failure(&server.client()).await;
    for shown in [failure.to_string(), format!("{failure:?}")] {
        assert!(!shown.contains(TOKEN), "{shown}");
        assert!(shown.len() < 400 && !shown.contains('\u{1b}') && !shown.contains('\n'), "{shown}");
    }
}

/// Nobody's try: it is asked for again at once, however often.
#[test]
fn a_token_whose_store_is_away_is_no_failed_try() {
    let failure = Failure::Token(TokenError::StoreAway("the database is unavailable".to_owned()));
    assert!(matches!(failure.class(), Class::Throttled { .. }), "{failure}");
    // Nor is one that no key opens, and Zendesk has nothing to do with it.
    let failure = Failure::Token(TokenError::Sealed("sealed with key k7, which the ring has not".to_owned()));
    assert!(matches!(failure.class(), Class::Throttled { .. }), "{failure}");
    let failure = Failure::Token(TokenError::Unavailable { reason: "x".to_owned(), after: None });
    assert!(matches!(failure.class(), Class::Transient { .. }), "{failure}");
}

#[tokio::test]
async fn a_dead_grant_sends_nothing() {
    struct Dead;
    #[async_trait]
    impl TokenSource for Dead {
        async fn token(&self) -> Result<SecretString, TokenError> {
            Err(TokenError::Dead("revoked".into()))
        }
        async fn renew(&self, _refused: &SecretString) -> Result<SecretString, TokenError> {
            unreachable!("there was nothing to refuse")
        }
    }
    let server = Server::json(COUNT_7).await;
    let http = Http::new(HttpOptions::default()).unwrap();
    let client = Client::new(http, server.endpoint(), Arc::new(OpenRateLimiter::default()), Arc::new(Dead));
    assert_eq!(client.count_articles().await.unwrap_err().class(), Class::Unauthorized);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_https_workspace_at_a_private_address_is_not_even_connected_to_unless_that_is_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = Url::parse(&format!("https://{host}:{port}/api/v2/users/me")).unwrap();
        let ask = async |allow_private| {
            let http = Http::new(HttpOptions { allow_private, ..short() }).unwrap();
            let template = "/api/v2/users/me";
            let request = crate::http::Request {
                method: reqwest::Method::GET,
                url: &url,
                template,
                token: None,
                body: None,
            };
            http.send(request).await.outcome.err().unwrap().to_string()
        };
        let refused = ask(false).await;
        assert!(refused.contains("private address"), "{host}: {refused}");
        // Whoever had knocked would stand before the door by now.
        let knocked = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(knocked.is_err(), "{host} was connected to");
        assert!(!ask(true).await.contains("private address"), "{host}");
        let knocked = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await;
        assert!(knocked.is_ok(), "{host} was not connected to although it may be");
    }
}
