//! What hangs on articles, by presigned URL.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use futures::stream;
use helpsync_store::{File, StoredAttachment};
use serde::{Deserialize, Serialize};

use super::presigned::{FileClaim, PresignedQuery, ends_at, not_ours};
use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::signing::Purpose;
use crate::viewer::Viewing;

/// Life of a URL, in seconds.
const URL_SECONDS: i64 = 3_600;
/// The longest file name that is handed on.
const NAME_CHARS_MAX: usize = 200;

#[derive(Serialize, Deserialize)]
struct Claim {
    #[serde(flatten)]
    file: FileClaim,
    /// Zendesk's id of the attachment.
    a: i64,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/presigned_attachment", Access::Open, "An attachment's bytes, by presigned URL", content)
            .parameter("token", "string", "From an attachment's `url`")
            .gives_text("application/octet-stream"),
    ]
}

/// A URL of an attachment's bytes.
pub(super) fn presign(api: &Api, file: &File, attachment: i64, viewing: &Viewing) -> String {
    let claim = Claim { file: FileClaim::of(file, viewing), a: attachment };
    let token = api.signer().sign(Purpose::PresignedUrl, claim, ends_at(api, URL_SECONDS));
    api.public(&format!("/presigned_attachment?token={token}"))
}

async fn content(State(api): State<Api>, Query(query): Query<PresignedQuery>) -> Result<Response, ApiError> {
    let token = query.token.unwrap_or_default();
    let Some(claim) = api.signer().read::<Claim>(Purpose::PresignedUrl, &token, api.now_ms()) else {
        return Err(not_ours());
    };
    let file = claim.file.file(&api).await?;
    let found = api.store().sync().attachments(file.organization, file.id).await?;
    let found = found.into_iter().find(|one| one.attachment_id == claim.a);
    let found = found.ok_or_else(|| ApiError::missing("attachment"))?;
    let Some(blob) = found.blob else { return Err(ApiError::missing("the attachment's content")) };
    let (headers, organization) = (headers(&found), file.organization);
    // Chunk by chunk: nobody holds all of it.
    let chunks = stream::try_unfold((api, 0), move |(api, number)| async move {
        let chunk =
            api.store().sync().chunk(organization, blob, number).await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, (api, number + 1))))
    });
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Whatever it is, a browser that opens the URL keeps it as a file, and runs nothing of it in our name.
fn headers(attachment: &StoredAttachment) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let fixed = HeaderValue::from_static;
    let media_type = attachment.content_type.as_str();
    let media_type = if is_plain_picture(media_type) { media_type } else { "application/octet-stream" };
    headers
        .insert(CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap_or(fixed("application/octet-stream")));
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, fixed("sandbox; default-src 'none'"));
    let disposition = format!("attachment; filename*=UTF-8''{}", encoded(&attachment.file_name));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).unwrap_or(fixed("attachment")));
    if let Some(bytes) = attachment.bytes {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    headers
}

/// Formats that hold pixels and nothing else; not SVG, which holds scripts.
fn is_plain_picture(media_type: &str) -> bool {
    ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&media_type)
}

/// Percent-encoded as RFC 5987 wants it.
fn encoded(name: &str) -> String {
    let short: String = name.chars().take(NAME_CHARS_MAX).collect();
    short.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &str, media_type: &str) -> StoredAttachment {
        StoredAttachment {
            attachment_id: 1,
            file_name: name.to_owned(),
            content_type: media_type.to_owned(),
            inline: true,
            version: String::new(),
            blob: Some(1),
            hash: None,
            bytes: Some(3),
            skipped: None,
        }
    }

    #[test]
    fn nothing_that_could_act_is_shown_as_what_it_claims_to_be() {
        for (media_type, right) in [
            ("image/png", "image/png"),
            ("image/svg+xml", "application/octet-stream"),
            ("text/html", "application/octet-stream"),
            ("bad\r\nvalue", "application/octet-stream"),
        ] {
            let headers = headers(&attachment("a\"b\r\n ü.png", media_type));
            assert_eq!(headers[CONTENT_TYPE], right);
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[CONTENT_DISPOSITION], "attachment; filename*=UTF-8''a%22b%0D%0A%20%C3%BC.png");
            assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("sandbox"));
        }
        assert_eq!(encoded(&"x".repeat(NAME_CHARS_MAX + 1)).len(), NAME_CHARS_MAX);
    }
}
