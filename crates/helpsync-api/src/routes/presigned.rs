//! Presigned URLs: an article's text for whoever holds the URL, until it ends.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use helpsync_model::{FileId, OrganizationId};
use helpsync_store::{File, Viewer};
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::signing::Purpose;
use crate::viewer::{Viewing, may_read};

/// Life of a presigned URL when the request does not say.
pub(super) const PRESIGNED_SECONDS: i64 = 3_600;

/// What of an article.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Form {
    /// HTML as Zendesk holds it.
    #[serde(rename = "raw")]
    Raw,
    /// Plain text.
    #[serde(rename = "plain")]
    Plain,
    /// Markdown.
    #[serde(rename = "markdown")]
    Markdown,
}

/// The file that a URL is for.
#[derive(Serialize, Deserialize)]
pub(super) struct FileClaim {
    o: i64,
    f: i64,
    /// When the file was made. After an older backup is restored, another one gets its id.
    c: i64,
    /// Of the file's segments those that the reader is in, where it was made for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<Vec<i64>>,
    /// The API key that it was made with: it ends with that. Those made before had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<i64>,
}

impl FileClaim {
    pub(super) fn of(file: &File, viewing: &Viewing) -> Self {
        // Only what counts: a reader may be in more segments than a URL can hold.
        let segments = |viewer: &Viewer| {
            file.user_segment_ids.iter().copied().filter(|id| viewer.segments.contains(id)).collect()
        };
        Self {
            o: file.organization.0,
            f: file.id.0,
            c: file.created_at,
            v: viewing.viewer.as_ref().map(segments),
            p: Some(viewing.key),
        }
    }

    /// The file, if it is the one that the URL was made for, and its reader may still read it.
    pub(super) async fn file(self, api: &Api) -> Result<File, ApiError> {
        let organization = OrganizationId(self.o);
        let mut segments = self.v;
        if let Some(key) = self.p {
            let key = api.store().admin().api_key(organization, key).await?;
            let key = key.filter(|key| !key.has_ended(api.now_ms())).ok_or_else(not_ours)?;
            // It was made for nobody, and since then its organization wants a reader named.
            if key.viewer_required {
                segments.get_or_insert_default();
            }
        }
        let file = api.store().admin().file_of_organization(organization, FileId(self.f)).await?;
        if file.created_at != self.c {
            return Err(not_ours());
        }
        may_read(segments.map(|segments| Viewer { segments }).as_ref(), file)
    }
}

pub(super) fn not_ours() -> ApiError {
    ApiError::forbidden("this URL is not one of ours, or has ended: ask for a new one")
}

#[derive(Serialize, Deserialize)]
struct Claim {
    #[serde(flatten)]
    file: FileClaim,
    k: Form,
}

#[derive(Deserialize)]
pub(super) struct PresignedQuery {
    pub(super) token: Option<String>,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/presigned_file", Access::Open, "An article's text, by presigned URL", content)
            .parameter("token", "string", "From a presigned URL")
            .gives_text("text/plain"),
    ]
}

/// When a URL ends that is to be good for `seconds`, in ms; the operator bounds it.
pub(super) fn ends_at(api: &Api, seconds: i64) -> i64 {
    let most = i64::try_from(api.options().presigned_url_ttl_max.as_secs()).unwrap_or(i64::MAX);
    api.now_ms().saturating_add(seconds.clamp(1, most.max(1)).saturating_mul(1_000))
}

/// A URL of the file's text that is good for `seconds`, at most what the operator allows, and no longer than the file
/// is for this reader.
pub(super) fn presign(api: &Api, file: &File, form: Form, seconds: i64, viewing: &Viewing) -> String {
    let claim = Claim { file: FileClaim::of(file, viewing), k: form };
    let token = api.signer().sign(Purpose::PresignedUrl, claim, ends_at(api, seconds));
    api.public(&format!("/presigned_file?token={token}"))
}

async fn content(State(api): State<Api>, Query(query): Query<PresignedQuery>) -> Result<Response, ApiError> {
    let token = query.token.unwrap_or_default();
    let Some(claim) = api.signer().read::<Claim>(Purpose::PresignedUrl, &token, api.now_ms()) else {
        return Err(not_ours());
    };
    let file = claim.file.file(&api).await?;
    let first = api.store().admin().file_content(file.organization, file.id).await?.into_iter().next();
    let first = first.ok_or_else(|| ApiError::missing("the file's content"))?;
    let (media_type, text) = match claim.k {
        Form::Raw => ("text/html; charset=utf-8", first.html),
        Form::Plain => ("text/plain; charset=utf-8", first.plain),
        Form::Markdown => ("text/markdown; charset=utf-8", first.markdown),
    };
    // A customer's HTML must not act in our name when somebody opens the URL in a browser.
    let policy = "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'";
    Ok(([(CONTENT_TYPE, media_type), (CONTENT_SECURITY_POLICY, policy)], text).into_response())
}
