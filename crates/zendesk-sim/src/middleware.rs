//! Between the socket and the handlers: budgets, faults and the record.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::account::{Account, State};
use crate::api;
use crate::http::{Answer, Request};
use crate::odd_lists;
use crate::settings::{RateLimitBody, Role};
use crate::traffic::{Budget, Fault, FaultBody, SeenRequest, Spent, member};

/// Hexadecimal digits of a token's hash that the record shows.
const TOKEN_HASH_DIGITS: usize = 16;

/// Between the last bytes that still arrive and the cut.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// How the answer's bytes travel.
#[derive(Clone, Copy)]
enum Travel {
    Whole,
    /// Nothing arrives.
    Reset,
    CutAfter(usize),
    Dripping {
        chunk: usize,
        delay: Duration,
    },
    Late(Duration),
}

/// Answers a request to an account, with whatever stands in its way.
pub(crate) async fn serve(account: &Account, request: Request) -> Response<Body> {
    let (answer, travel, posts) = account.act(|state| decide(state, &request));
    account.send(posts);
    if let Travel::Late(delay) = travel {
        tokio::time::sleep(delay).await;
    }
    respond(answer, travel)
}

fn decide(state: &mut State, request: &Request) -> (Answer, Travel, Vec<crate::webhooks::Post>) {
    state.base.clone_from(&request.base);
    let posts = if request.path.contains("/help_center") { state.churn() } else { Vec::new() };
    let spent = budget(&request.path).map(|budget| {
        let (limit, others) = (state.settings.limit_per_minute, state.settings.other_integration_share);
        state.windows.spend(budget, limit, others, state.clock.window())
    });
    let mut travel = Travel::Whole;
    let mut fault = None;
    let mut answer = match spent {
        Some(spent) if spent.refused => refused(state.settings.rate_limit_body, spent),
        _ => {
            fault = state.faults.strike(&request.method, &request.path, &request.raw_query);
            let (answer, how) = under(state, request, fault.as_ref());
            travel = how;
            answer
        }
    };
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(state.clock.now_ms()).unwrap_or(0));
    answer = answer.with("date", httpdate::fmt_http_date(date));
    if let Some(spent) = spent {
        for name in ["x-rate-limit", "ratelimit-limit"] {
            answer = answer.with(name, spent.limit.to_string());
        }
        for name in ["x-rate-limit-remaining", "ratelimit-remaining"] {
            answer = answer.with(name, spent.remaining.to_string());
        }
        answer = answer.with("ratelimit-reset", spent.reset_seconds.to_string());
    }
    state.record.add(SeenRequest {
        sequence: 0,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.raw_query.clone(),
        status: if matches!(travel, Travel::Reset) { 0 } else { answer.status },
        at_ms: state.clock.now_ms(),
        token_hash: request.bearer.as_ref().map(|token| {
            hex::encode(Sha256::digest(token.as_bytes())).chars().take(TOKEN_HASH_DIGITS).collect()
        }),
        in_window: spent.map(|spent| spent.in_window),
        user_agent: request.user_agent.clone(),
        fault: fault.map(|fault| fault.name().to_owned()),
    });
    (answer, travel, posts)
}

fn budget(path: &str) -> Option<Budget> {
    if path.starts_with("/api/v2/help_center") || path.starts_with("/api/v2/guide") {
        Some(Budget::HelpCenter)
    } else if path.starts_with("/api/v2/webhooks") {
        Some(Budget::Webhooks)
    } else if path.starts_with("/api/") {
        Some(Budget::Support)
    } else {
        None
    }
}

fn refused(body: RateLimitBody, spent: Spent) -> Answer {
    let answer = match body {
        RateLimitBody::Text => Answer::text(429, "Number of allowed API requests per minute exceeded"),
        RateLimitBody::Json => {
            let text = "Number of allowed API requests per minute exceeded";
            Answer::json(429, json!({ "error": "APIRateLimitExceeded", "description": text }))
        }
        RateLimitBody::JsonErrors => {
            let error = json!({ "code": "RateLimitExceeded", "title": "Too many requests" });
            Answer::json(429, json!({ "errors": [error] }))
        }
    };
    answer.with("retry-after", spent.reset_seconds.to_string())
}

fn under(state: &mut State, request: &Request, fault: Option<&Fault>) -> (Answer, Travel) {
    let Some(fault) = fault else { return (api::answer(state, request), Travel::Whole) };
    if *fault == Fault::Reset {
        return (Answer::empty(200), Travel::Reset);
    }
    if let Some(answer) = in_place(request, fault) {
        return (answer, Travel::Whole);
    }
    if matches!(fault, Fault::DemoteUser | Fault::RevokeToken) {
        turn_on_the_caller(state, request, fault);
    }
    let answer = api::answer(state, request);
    match fault {
        Fault::TruncatedBody { after_bytes } => (answer, Travel::CutAfter(*after_bytes)),
        Fault::SlowBody { chunk_bytes, delay_ms } => {
            let delay = Duration::from_millis(*delay_ms);
            (answer, Travel::Dripping { chunk: (*chunk_bytes).max(1), delay })
        }
        Fault::Delay { ms } => (answer, Travel::Late(Duration::from_millis(*ms))),
        Fault::ManyHeaders { count } => {
            let cookie = |answer: Answer, number| answer.with("set-cookie", format!("c{number}=1"));
            ((0..*count).fold(answer, cookie), Travel::Whole)
        }
        Fault::RetryAfter { values, .. } => (stopped(answer, values), Travel::Whole),
        Fault::EmptyBody => (Answer { body: Vec::new(), ..answer }, Travel::Whole),
        Fault::EndlessList | Fault::CircularList | Fault::NeverNull | Fault::RepeatArticles { .. } => {
            (odd_lists::led_astray(state, answer, request, fault), Travel::Whole)
        }
        Fault::DemoteUser | Fault::RevokeToken => (answer, Travel::Whole),
        _ => {
            let body = spoiled(&answer.body, fault);
            (Answer { body, ..answer }, Travel::Whole)
        }
    }
}

/// What comes in place of the right answer, which then does not happen at all.
fn in_place(request: &Request, fault: &Fault) -> Option<Answer> {
    Some(match fault {
        Fault::Status { code, retry_after, body } => {
            let answer = match body {
                FaultBody::Html => {
                    Answer::html(*code, "<html><body><h1>Something went wrong</h1></body></html>")
                }
                FaultBody::Json => {
                    Answer::json(*code, json!({ "error": "Fault", "description": "on order" }))
                }
                FaultBody::Text => Answer::text(*code, "something went wrong"),
            };
            stopped(answer, retry_after.as_slice())
        }
        Fault::RetryAfter { code: Some(code), values } => stopped(Answer::text(*code, "not now"), values),
        Fault::Instead { content_type, body } => {
            let content_type = Cow::Owned(content_type.clone());
            Answer { content_type, ..Answer::text(200, body) }
        }
        Fault::HtmlOk => Answer::html(200, "<html><body>Please sign in to the proxy</body></html>"),
        Fault::Redirect { location } => Answer::redirect(location),
        Fault::Moved { status, location } => Answer { status: *status, ..Answer::redirect(location) },
        Fault::RedirectToLocale => {
            let path = request.path.replacen("/hc/", "/hc/en-us/", 1);
            Answer::redirect(&format!("{}{path}", request.base))
        }
        Fault::HelpCenterDisabled => Answer::no_endpoint(),
        Fault::Suspended => {
            Answer::html(423, "<html><body><h1>This account has been suspended</h1></body></html>")
        }
        _ => return None,
    })
}

/// The answer with a `Retry-After` of each of these.
fn stopped(answer: Answer, values: &[String]) -> Answer {
    values.iter().fold(answer, |answer, value| answer.with("retry-after", value.clone()))
}

fn turn_on_the_caller(state: &mut State, request: &Request, fault: &Fault) {
    let Some(bearer) = &request.bearer else { return };
    if *fault == Fault::RevokeToken {
        state.oauth.revoke(bearer);
        return;
    }
    let now = state.clock.now();
    let user_id = state.oauth.bearer(bearer, now).map(|token| token.user_id);
    if let Some(user) = state.users.iter_mut().find(|user| Some(user.id) == user_id) {
        user.role = Role::EndUser;
    }
}

/// A body that is right but for one thing.
fn spoiled(body: &[u8], fault: &Fault) -> Vec<u8> {
    match fault {
        Fault::TruncatedJson => body[..body.len() / 2].to_vec(),
        Fault::InvalidUtf8 => {
            // Right after a title's opening quote, so that it lies inside a string.
            let mark = b"\"title\":\"";
            let Some(at) = body.windows(mark.len()).position(|window| window == mark) else {
                return body.to_vec();
            };
            let (head, tail) = body.split_at(at + mark.len());
            [head, b"\xff\xfe", tail].concat()
        }
        _ => {
            let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
            match fault {
                Fault::Nuls => value = with_nuls(value),
                Fault::Member { at, every, value: set } => member::put(&mut value, at, *every, Some(set)),
                Fault::NoMember { at, every } => member::put(&mut value, at, *every, None),
                Fault::LoneSurrogates => {
                    mark(&mut value, false);
                    return value.to_string().replace(MARK, "\\ud83d").into_bytes();
                }
                Fault::ForeignNextPage { origin } => {
                    let foreign = json!(format!("{origin}/api/v2/help_center/articles?page=2"));
                    if value.get("links").is_some() {
                        value["links"]["next"] = foreign;
                        value["meta"]["has_more"] = json!(true);
                    } else {
                        value["next_page"] = foreign;
                    }
                }
                Fault::NoSideload { .. } | Fault::BrokenTranslation { .. } | Fault::SpeltLocales => {
                    spoil_translations(&mut value, fault);
                }
                Fault::NamelessArticle { id, omitted } => {
                    if let Some(articles) = value.get_mut("articles").and_then(Value::as_array_mut) {
                        let is_one = |article: &Value, ids: &[i64]| {
                            article["id"].as_i64().is_some_and(|id| ids.contains(&id))
                        };
                        articles.retain(|article| !is_one(article, omitted));
                        for article in articles.iter_mut().filter(|article| is_one(article, &[*id])) {
                            article["id"] = Value::Null;
                        }
                    }
                }
                Fault::OmitArticles { .. } | Fault::EmptyList => {
                    if let Some(articles) = value.get_mut("articles").and_then(Value::as_array_mut) {
                        articles.retain(|article| match fault {
                            Fault::OmitArticles { ids } => {
                                !article["id"].as_i64().is_some_and(|id| ids.contains(&id))
                            }
                            _ => false,
                        });
                    }
                }
                _ => {
                    for list in value.as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
                        if let Some(items) = list.as_array_mut() {
                            *items = items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
                        }
                    }
                }
            }
            value.to_string().into_bytes()
        }
    }
}

/// In a list of articles, one article, and a list of translations.
fn spoil_translations(value: &mut Value, fault: &Fault) {
    let Some(members) = value.as_object_mut() else { return };
    for (name, member) in members {
        match (name.as_str(), member, fault) {
            ("translations", Value::Array(all), Fault::BrokenTranslation { locale }) => {
                for one in all.iter_mut().filter(|one| one["locale"] == locale.as_str()) {
                    one["draft"] = Value::Null;
                }
            }
            ("translations", Value::Array(all), Fault::SpeltLocales) => {
                for one in all {
                    one["locale"] = json!(one["locale"].as_str().unwrap_or_default().to_uppercase());
                }
            }
            ("articles", Value::Array(all), _) => {
                for article in all {
                    spoil_article(article, fault);
                }
            }
            ("article", article, _) => spoil_article(article, fault),
            _ => {}
        }
    }
}

fn spoil_article(article: &mut Value, fault: &Fault) {
    match (fault, article.as_object_mut()) {
        (Fault::NoSideload { member }, Some(members)) => {
            members.remove(member);
        }
        _ => spoil_translations(article, fault),
    }
}

/// A NUL in the middle of every text and every key.
fn with_nuls(value: Value) -> Value {
    let split = |text: &str| {
        let middle = (text.len() / 2..).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        format!("{}\0{}", &text[..middle], &text[middle..])
    };
    match value {
        Value::String(text) => split(&text).into(),
        Value::Array(items) => items.into_iter().map(with_nuls).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (split(&key), with_nuls(value))).collect()
        }
        other => other,
    }
}

/// Stands where half of a pair is to be written: no text can hold one.
const MARK: char = '\u{e000}';

/// Marks the end of the texts that people write, and of the ids of content tags.
fn mark(value: &mut Value, is_written: bool) {
    match value {
        Value::String(text) if is_written => text.push(MARK),
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, is_written)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let written = ["title", "name", "body", "label_names", "content_tag_ids"];
                mark(value, written.contains(&key.as_str()));
            }
        }
        _ => {}
    }
}

fn respond(answer: Answer, travel: Travel) -> Response<Body> {
    let length = answer.body.len();
    let broken = || std::io::Error::other("the connection was cut on order");
    let body = match travel {
        Travel::Whole | Travel::Late(_) => Body::from(answer.body),
        Travel::Reset => Body::from_stream(stream::once(async move { Err::<Bytes, _>(broken()) })),
        Travel::CutAfter(bytes) => {
            let head = Bytes::from(answer.body).slice(..bytes.min(length));
            Body::from_stream(stream::iter([Ok(head), Err(broken())]).enumerate().then(
                async |(at, piece)| {
                    if at > 0 {
                        // So that what comes before the cut is on the wire.
                        tokio::time::sleep(CUT_AFTER).await;
                    }
                    piece
                },
            ))
        }
        Travel::Dripping { chunk, delay } => {
            let bytes = Bytes::from(answer.body);
            let starts: Vec<usize> = (0..length).step_by(chunk).collect();
            Body::from_stream(stream::iter(starts).then(move |start| {
                let drop = bytes.slice(start..(start + chunk).min(length));
                async move {
                    tokio::time::sleep(delay).await;
                    Ok::<_, Infallible>(drop)
                }
            }))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_str(&answer.content_type);
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = response.headers_mut();
    headers.insert("content-type", content_type);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    response
}
