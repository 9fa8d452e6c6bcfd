//! What surrounds every endpoint.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use helpsync_pages::FAVICON;
use helpsync_pages::visitor::wants_page;
use helpsync_store::ANSWER_BYTES_MAX;
use helpsync_telemetry::{TRACEPARENT, metrics as telemetry, trace};
use percent_encoding::percent_decode_str;
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

use crate::Api;
use crate::drain::drain;
use crate::error::{ApiError, answer_too_long};

/// Browsers may keep a preflight's answer this long.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether an answer whose length is known is longer than one may be.
fn is_too_long(response: &Response) -> bool {
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    is_json && response.body().size_hint().exact().is_some_and(|bytes| bytes > ANSWER_BYTES_MAX as u64)
}

/// Puts everything around the endpoints.
pub(crate) fn surround(router: Router<Api>, api: Api) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(origins(&api.options().cors_origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID, crate::routes::SEARCH.clone()])
        .max_age(PREFLIGHT_AGE);
    let inner = router
        .route("/favicon.ico", get(favicon))
        .fallback(missing)
        .method_not_allowed_fallback(|| async {
            ApiError::Plain(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method".to_owned())
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_response(answered).on_failure(()))
        .layer(middleware::from_fn(measure))
        .layer(middleware::from_fn(drain))
        .layer(middleware::from_fn_with_state(api.clone(), crate::rate::limit))
        .layer(middleware::from_fn_with_state(api.clone(), identify))
        .layer(cors)
        .with_state(api);
    // Paths are put right before routing, so this cannot be a layer of the router itself.
    Router::new().fallback_service(MapRequestLayer::new(put_path_right).layer(inner))
}

/// For whoever looks for something that is not there: a page for people, the envelope for programs.
async fn missing(headers: HeaderMap) -> Response {
    if wants_page(&headers) {
        crate::pages::missing().into()
    } else {
        ApiError::missing("path").into_response()
    }
}

/// Browsers ask for it by themselves.
async fn favicon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "public, max-age=86400")], FAVICON)
}

/// The settings have checked that each is one.
fn origins(named: &[String]) -> AllowOrigin {
    if named.iter().any(|origin| origin == "*") {
        return AllowOrigin::any();
    }
    AllowOrigin::list(named.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
}

/// Has the time of every answer of a router measured, by its route.
pub fn measured<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(measure))
}

/// Has the time of every answer measured, by its route.
async fn measure(request: Request, next: Next) -> Response {
    let since = tokio::time::Instant::now();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        // Whatever else is asked: nobody makes more labels than there are.
        _ => "_OTHER",
    };
    let matched = request.extensions().get::<axum::extract::MatchedPath>();
    let route = matched.map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    telemetry::request_answered(method, route, response.status().as_u16(), since.elapsed());
    response
}

/// Drops what clients add by accident: doubled leading slashes (TypeScript) and a trailing one.
fn put_path_right(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_matches('/');
    if path.len() == trimmed.len() + 1 && path.starts_with('/') {
        return request;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = request.uri().clone().into_parts();
    if let Ok(right) = PathAndQuery::try_from(format!("/{trimmed}{query}")) {
        parts.path_and_query = Some(right);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Gives every request an id, which is on its log lines and its answer; and keeps answers out of caches.
async fn identify(
    axum::extract::State(api): axum::extract::State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = HeaderValue::from_str(&api.fresh_id()).unwrap_or_else(|_ascii| HeaderValue::from_static("-"));
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = match unreadable(request.uri()) {
        Some(_) if wants_page(request.headers()) => crate::pages::unreadable().into(),
        Some(why) => ApiError::bad(why).into_response(),
        None => next.run(request).await,
    };
    if is_too_long(&response) {
        response = ApiError::bad(answer_too_long()).into_response();
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(HeaderName::from_static("x-content-type-options"))
        .or_insert(HeaderValue::from_static("nosniff"));
    // A client without a content type to read dies of it.
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    response
}

/// Why an address cannot be read, in its path or its query: it holds what no text of the store can. Half of a surrogate
/// pair is no UTF-8 either.
fn unreadable(uri: &Uri) -> Option<&'static str> {
    let part_is = |test: fn(&str) -> bool| test(uri.path()) || uri.query().is_some_and(test);
    if part_is(|part| part.contains("%00")) {
        Some("the address holds a NUL character")
    } else if part_is(|part| percent_decode_str(part).decode_utf8().is_err()) {
        Some("the address is not UTF-8")
    } else {
        None
    }
}

/// The path alone: query strings hold codes, states and signatures.
fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("-");
    // A sync or presigned URL keeps its proof in the path's last part or in the query; neither is logged.
    let path = axum::extract::MatchedPath::as_str;
    let matched = request.extensions().get::<axum::extract::MatchedPath>().map_or("unknown", path);
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = format!("{} {matched}", request.method()),
        method = %request.method(),
        path = matched,
        id,
        trace = tracing::field::Empty,
    );
    if let Some(parent) = request.headers().get(TRACEPARENT).and_then(|parent| parent.to_str().ok()) {
        trace::follow(&span, parent);
    }
    if let Some(own) = trace::parent_of(&span) {
        span.record("trace", trace::id_of(&own));
    }
    span
}

fn answered(response: &Response, latency: Duration, span: &Span) {
    trace::answered(span, response.status().as_u16(), response.status().is_server_error());
    let ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    // One a request: for whoever looks for something. How many there are and how long they take is in the metrics.
    tracing::debug!(status = response.status().as_u16(), ms, "answered");
}

pub(crate) fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    drop(cause);
    ApiError::Plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error: see the server's log".to_owned())
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_doubled_and_trailing_slashes_and_keep_their_query() {
        for (given, right) in [
            ("/", "/"),
            ("//", "/"),
            ("/health", "/health"),
            ("/health/", "/health"),
            ("//whoami", "/whoami"),
            ("/a/b/?x=1/", "/a/b?x=1/"),
        ] {
            let mut request = Request::new(axum::body::Body::empty());
            *request.uri_mut() = given.parse().unwrap();
            assert_eq!(put_path_right(request).uri().to_string(), right, "{given}");
        }
    }
}
