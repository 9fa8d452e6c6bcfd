//! Style, script and icon, from the binary. Their names hold a hash of what they are, so browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use helpsync_pages::{Assets, FAVICON};
use sha2::{Digest, Sha256};

use crate::dashboard::Dashboard;

/// Letters of a hash in a name.
const HASH_CHARS: usize = 16;

/// One asset.
struct Asset {
    name: String,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(kind: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash: String = hex::encode(Sha256::digest(content)).chars().take(HASH_CHARS).collect();
        Self { name: format!("{hash}.{kind}"), media_type, content }
    }
}

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", helpsync_pages::STYLE));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("dashboard.js")));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("svg", "image/svg+xml", FAVICON));

/// Where pages load them from.
pub(crate) fn assets(dashboard: &Dashboard) -> Assets {
    let at = |asset: &Asset| dashboard.at(&format!("/assets/{}", asset.name));
    Assets { style: at(&STYLE), icon: at(&ICON), script: at(&SCRIPT) }
}

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
