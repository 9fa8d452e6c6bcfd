//! `Helpsync-Viewer-Segments`: on whose behalf files are read.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use helpsync_store::{File, Viewer};
use serde_json::Value;

use crate::Api;
use crate::auth::Spoken;
use crate::error::{ApiError, Wrong};

/// Names the reader's user segments, separated by commas; empty: a stranger's.
pub(crate) const VIEWER_SEGMENTS: &str = "helpsync-viewer-segments";
/// What it is, for the document.
pub(crate) const ABOUT: &str = "Read on behalf of somebody who is in these user segments of Zendesk (ids, separated by commas; \
     empty: of a stranger): only articles for everybody or for one of them are found. Without it all are, unless the \
     organization requires it: then those for everybody. Where it is required, an access token reads for the reader that \
     it was made for, and names no other.";
/// The most segments of one reader.
const SEGMENTS_MAX: usize = 1_000;

/// On whose behalf a request reads.
#[derive(Debug, Clone)]
pub(crate) struct Viewing {
    /// The reader that it names, or a stranger where its organization wants one named; `None`: it is the caller's own
    /// matter who reads.
    pub(crate) viewer: Option<Viewer>,
    /// It is the organization's own: made with a key, and it names nobody.
    is_own: bool,
    /// The API key that it is made with, or that its access token was made with.
    pub(crate) key: i64,
}

impl Viewing {
    /// On whose behalf files are changed: as they are read, but for a key that names nobody. That is the organization's
    /// own, and what it deletes is not to be half deleted.
    pub(crate) fn changing(self) -> Self {
        Self { viewer: self.viewer.filter(|_| !self.is_own), ..self }
    }

    /// The file, if whoever reads may know of it.
    pub(crate) fn of(&self, file: File) -> Result<File, ApiError> {
        may_read(self.viewer.as_ref(), file)
    }
}

/// The file, if this reader may know of it.
pub(crate) fn may_read(viewer: Option<&Viewer>, file: File) -> Result<File, ApiError> {
    match viewer {
        Some(viewer) if !viewer.may_read(&file.user_segment_ids) => Err(ApiError::missing("file")),
        _ => Ok(file),
    }
}

impl FromRequestParts<Api> for Viewing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, ApiError> {
        let named = named_segments(&parts.headers)?;
        // Handlers ask who speaks before they ask for whom; without an answer to that nothing is shown.
        let Some(spoken) = parts.extensions.get::<Spoken>() else {
            return Err(ApiError::unauthorized("it is not known who asks"));
        };
        let (key, viewer_required) = (spoken.key, spoken.viewer_required);
        let made_for = spoken.made_for.clone();
        // Who holds a token is not who knows what its holder may read.
        let is_bound = made_for.is_some() || (spoken.is_customer && viewer_required);
        let Some(segments) = named else {
            let segments = made_for.or_else(|| viewer_required.then(Vec::new));
            return Ok(Self { viewer: segments.map(|segments| Viewer { segments }), is_own: !is_bound, key });
        };
        if is_bound && !is_within(&segments, &made_for.unwrap_or_default()) {
            return Err(ApiError::forbidden(
                "an access token reads for the reader that it was made for: send the header when the token is asked for",
            ));
        }
        Ok(Self { viewer: Some(Viewer { segments }), is_own: false, key })
    }
}

fn is_within(segments: &[i64], all: &[i64]) -> bool {
    segments.iter().all(|segment| all.contains(segment))
}

/// The segments that a request names for the token that it asks for.
pub(crate) fn named_segments(headers: &HeaderMap) -> Result<Option<Vec<i64>>, ApiError> {
    let mut values = headers.get_all(VIEWER_SEGMENTS).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // Of two readers neither is believed.
    if values.next().is_some() {
        return Err(wrong("send it once"));
    }
    let text = value.to_str().map_err(|_other_letters| wrong("expected ids separated by commas"))?;
    let segments = read(text).ok_or_else(|| {
        wrong(&format!("expected up to {SEGMENTS_MAX} ids separated by commas, such as 360001,360002"))
    })?;
    Ok(Some(segments))
}

fn read(text: &str) -> Option<Vec<i64>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let ids: Vec<i64> =
        text.split(',').map(|id| id.trim().parse().ok().filter(|id| *id > 0)).collect::<Option<_>>()?;
    (ids.len() <= SEGMENTS_MAX).then_some(ids)
}

fn wrong(msg: &str) -> ApiError {
    let loc = ["header", VIEWER_SEGMENTS].map(Value::from).to_vec();
    ApiError::Invalid(vec![Wrong { loc, msg: msg.to_owned(), kind: "value_error" }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_nothing_else() {
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read(" 1, 22 "), Some(vec![1, 22]));
        for wrong in ["x", "1,", "1;2", "0", "-1", "1.5"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(read(&vec!["1"; SEGMENTS_MAX].join(",")).is_some());
        assert!(read(&vec!["1"; SEGMENTS_MAX + 1].join(",")).is_none());
    }
}
