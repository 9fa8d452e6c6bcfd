//! What the head of a request must be, beyond what the parser asks: no longer than its bound however it arrives, and, on
//! HTTP/1.1, with one `Host` (RFC 9112, 3.2), so that nothing in front of us can read it as meant for somebody else.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Json, Response};
use serde_json::json;

/// The longest head of a request, in bytes. Headers of our own, access tokens and presigned URLs have some kB at most.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Refuses a request for its head.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    match wrong(&request) {
        Some((status, why)) => (status, Json(json!({ "detail": why }))).into_response(),
        None => next.run(request).await,
    }
}

fn wrong(request: &Request) -> Option<(StatusCode, String)> {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if fields.fold(target, usize::saturating_add) > HEAD_BYTES_MAX {
        let why = format!("the head of a request has at most {HEAD_BYTES_MAX} bytes");
        return Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
    }
    let hosts = request.headers().get_all(HOST).iter().count();
    let is_named = match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    (!is_named).then(|| (StatusCode::BAD_REQUEST, "a request names its host once".to_owned()))
}
