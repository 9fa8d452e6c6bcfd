//! What hangs on an article. Source:
//! <https://developer.zendesk.com/api-reference/help_center/help-center-api/article_attachments/>.

use reqwest::StatusCode;
use reqwest::header::CONTENT_LENGTH;

use crate::client::{Answer, Client};
use crate::envelope::{Envelope, Next, text};
use crate::fields::Fields;
use crate::{Failure, Family};

/// Pages of one article's attachments, of a hundred each.
const PAGES_MAX: u32 = 10;

/// A file that hangs on an article, below it or within its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its identity.
    pub id: i64,
    /// As its author called it.
    pub file_name: String,
    /// As Zendesk took it for.
    pub content_type: String,
    /// Shown within the text.
    pub inline: bool,
    /// Bytes, as far as Zendesk says.
    pub size: u64,
    /// Moves when it is replaced: time of the last change, and size.
    pub version: String,
}

/// An attachment's bytes, as they arrive.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    /// Requests that it took to get here.
    pub requests: u32,
}

impl Attachment {
    fn read(fields: &Fields) -> Result<Self, String> {
        let size = fields.id("size").and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        Ok(Self {
            id: fields.id("id").ok_or("id is missing or no number")?,
            file_name: fields.text("file_name"),
            content_type: fields.text("content_type"),
            inline: fields.flag("inline").unwrap_or(false),
            size,
            version: format!("{} {size}", fields.text("updated_at")),
        })
    }
}

impl Download {
    /// The length that the answer claims.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when they break off.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let chunk = self.response.chunk().await.map_err(crate::http::no_answer)?;
        Ok(chunk.map(|chunk| chunk.to_vec()))
    }
}

impl Client {
    /// Everything that hangs on an article.
    ///
    /// # Errors
    /// [`Failure`]; `NotFound` when the article is gone.
    pub async fn attachments(&self, article: i64) -> Result<Answer<Vec<Attachment>>, Failure> {
        let path = format!("/api/v2/help_center/articles/{article}/attachments");
        let mut all = Answer { value: Vec::new(), bytes: 0, requests: 0 };
        for page in 1..=PAGES_MAX {
            let number = page.to_string();
            let answer = self.get(&path, &[("page", &number), ("per_page", "100")]).await?;
            all.bytes += answer.bytes;
            all.requests += answer.requests;
            let text = text(&answer.value);
            let envelope = Envelope::read(&text)?;
            let (mut found, _rejected) = envelope.records("article_attachments", Attachment::read)?;
            all.value.append(&mut found);
            if !matches!(envelope.next_offset(self.endpoint(), page)?, Next::Offset(_)) {
                break;
            }
        }
        Ok(all)
    }

    /// Starts to read an attachment's bytes. Its address is made here: an answer's `content_url` may name a mapped host,
    /// and the token goes to the workspace's own host only. No redirect is followed.
    ///
    /// # Errors
    /// [`Failure`]; `Malformed` for a redirect.
    pub async fn download(&self, attachment: i64) -> Result<Download, Failure> {
        let url = self.endpoint().url(&format!("/hc/article_attachments/{attachment}"), &[]);
        let mut token = self.token().await?;
        for requests in 1.. {
            let grant = self.enter(Family::HelpCenter).await?;
            let (report, response) = self.open(&url, &token).await;
            let after = report.retry_after;
            self.leave(grant, report).await;
            let response = response?;
            let status = response.status();
            if status.is_success() {
                return Ok(Download { response, requests });
            }
            if status == StatusCode::UNAUTHORIZED && requests == 1 {
                token = self.renew(&token).await?;
                continue;
            }
            if status.is_redirection() {
                return Err(Failure::malformed("it leads to another address"));
            }
            return Err(Failure::of_answer(status, response.headers(), after, &[], ""));
        }
        Err(Failure::malformed("it does not end"))
    }
}
