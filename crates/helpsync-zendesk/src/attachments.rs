//! What hangs on an article. Source:
//! <https://developer.zendesk.com/api-reference/help_center/help-center-api/article_attachments/>.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use url::Url;

use crate::client::{Answer, Client, REDIRECTS_MAX};
use crate::envelope::{Envelope, Next, text};
use crate::fields::Fields;
use crate::{Failure, Family};

/// Pages of one article's attachments, of a hundred each.
const PAGES_MAX: u32 = 10;

/// What hangs on an article.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachments {
    /// In Zendesk's order.
    pub listed: Vec<Attachment>,
    /// What the list lacks is gone: its end is proved, and each record could be read.
    pub whole: bool,
}

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
    /// Bytes, where Zendesk says.
    pub size: Option<u64>,
    /// Where it is below the workspace's address, where Zendesk says.
    pub relative_path: Option<String>,
    /// Moves when it is replaced: time of the last change, and size.
    pub version: String,
}

/// An attachment's bytes, as they arrive.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
}

impl Attachment {
    fn read(fields: &Fields) -> Result<Self, String> {
        let size = fields.id("size").and_then(|size| u64::try_from(size).ok());
        Ok(Self {
            id: fields.id("id").ok_or("id is missing or no number")?,
            file_name: fields.text("file_name"),
            content_type: fields.text("content_type"),
            inline: fields.flag("inline").unwrap_or(false),
            size,
            relative_path: fields.some_text("relative_path"),
            version: format!("{} {}", fields.text("updated_at"), size.unwrap_or(0)),
        })
    }
}

impl Download {
    /// The length that the answer claims.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// What the answer takes it for, in lower case and without parameters; empty where it does not say.
    #[must_use]
    pub fn content_type(&self) -> String {
        let value = self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.map(essence).unwrap_or_default()
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
    /// Everything that hangs on an article, up to a bound.
    ///
    /// # Errors
    /// [`Failure`]; `NotFound` when the article is gone.
    pub async fn attachments(&self, article: i64) -> Result<Answer<Attachments>, Failure> {
        let path = format!("/api/v2/help_center/articles/{article}/attachments");
        let mut all = Answer { value: Attachments::default(), bytes: 0, date: None };
        let mut all_read = true;
        for page in 1..=PAGES_MAX {
            let number = page.to_string();
            let answer = self.get(&path, &[("page", &number), ("per_page", "100")]).await?;
            all.bytes += answer.bytes;
            let text = text(&answer.value);
            let envelope = Envelope::read(&text)?;
            let (mut found, rejected) =
                envelope.records("article_attachments", |fields| Attachment::read(fields))?;
            all.value.listed.append(&mut found);
            all_read &= rejected.is_empty();
            match envelope.next_offset(self.endpoint(), page)? {
                Next::Offset(_) => {}
                end => {
                    all.value.whole = all_read && end == Next::End;
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Starts to read an attachment's bytes. Its address is made here, from its id and, where that is refused, from its
    /// path below the workspace: an answer's `content_url` may name a mapped host. Redirects are followed within the
    /// workspace's own address, and to where Zendesk keeps files; the token goes to the workspace alone.
    ///
    /// # Errors
    /// [`Failure`]; `OffHost` for a redirect to anywhere else.
    pub async fn download(&self, attachment: &Attachment) -> Result<Download, Failure> {
        let by_id = self.endpoint().url(&format!("/hc/article_attachments/{}", attachment.id), &[]);
        let refused = match self.follow(by_id.clone()).await {
            Err(
                refused @ (Failure::NotFound(_)
                | Failure::Forbidden(_)
                | Failure::Malformed(_)
                | Failure::OffHost { .. }
                | Failure::Rejected { .. }),
            ) => refused,
            other => return other,
        };
        match attachment.relative_path.as_deref().and_then(|path| self.below(path)) {
            Some(url) if url != by_id => self.follow(url).await,
            _ => Err(refused),
        }
    }

    /// A path that an answer names, below the workspace's address.
    fn below(&self, path: &str) -> Option<Url> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.endpoint().url(path, &[]);
        url.set_query(query);
        (path.starts_with('/') && self.endpoint().owns(&url)).then_some(url)
    }

    async fn follow(&self, mut url: Url) -> Result<Download, Failure> {
        let mut token = self.token().await?;
        let (mut redirects, mut may_renew) = (0, true);
        loop {
            let is_ours = self.endpoint().owns(&url);
            let grant = if is_ours { Some(self.enter(Family::HelpCenter).await?) } else { None };
            self.sends();
            let (report, response) = self.open(&url, is_ours.then_some(&token)).await;
            let after = report.retry_after;
            if let Some(grant) = grant {
                self.leave(grant, report).await;
            }
            let response = response?;
            let status = response.status();
            if status.is_success() {
                return Ok(Download { response });
            }
            if status == StatusCode::UNAUTHORIZED && is_ours && may_renew {
                may_renew = false;
                token = self.renew(&token).await?;
            } else if status.is_redirection() {
                redirects += 1;
                if redirects > REDIRECTS_MAX {
                    return Err(Failure::malformed("it redirects without end"));
                }
                url = self.leads_to(&url, &response)?;
            } else {
                let failure = Failure::of_answer(status, response.headers(), after, &[], "");
                return Err(if is_ours { failure } else { of_storage(failure) });
            }
        }
    }

    fn leads_to(&self, from: &Url, response: &reqwest::Response) -> Result<Url, Failure> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        match location.and_then(|text| from.join(text).ok()) {
            Some(url) if self.endpoint().owns(&url) || self.endpoint().stores(&url) => Ok(url),
            Some(url) => Err(Failure::off_host(url.host_str())),
            None => Err(Failure::malformed("it redirects nowhere")),
        }
    }
}

/// Storage knows nothing of our token, of the account's limit, or of what the account has paid for.
fn of_storage(failure: Failure) -> Failure {
    match failure {
        Failure::Unauthorized(detail) => Failure::Forbidden(detail),
        Failure::RateLimited { after, detail } => Failure::Unavailable { after, detail },
        Failure::Suspended { status, detail } => Failure::Rejected { status, detail },
        failure => failure,
    }
}

/// A media type in lower case, without its parameters.
#[must_use]
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
