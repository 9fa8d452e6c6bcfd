//! Style, script and icon, from the binary. Their names hold a hash of what they are, so browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Letters of a hash in a name.
const HASH_CHARS: usize = 16;

/// One asset.
pub(crate) struct Asset {
    pub(crate) name: String,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(kind: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash: String = hex::encode(Sha256::digest(content)).chars().take(HASH_CHARS).collect();
        Self { name: format!("{hash}.{kind}"), media_type, content }
    }
}

pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("dashboard.css")));
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("dashboard.js")));
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("icon.svg")));

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    match all.into_iter().find(|asset| asset.name == name) {
        Some(asset) => {
            let headers =
                [(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
