//! Names behind ids: people, content tags. Source:
//! <https://developer.zendesk.com/api-reference/help_center/help-center-api/content_tags/>.

use crate::client::{Answer, Client};
use crate::envelope::{Envelope, Next, text};
use crate::fields::Fields;
use crate::{Failure, Rejected};

/// The longest page of content tags that connectors were seen to get.
const TAGS_PAGE: &str = "30";

/// Somebody who writes articles. Nothing but the name is read of him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// His identity.
    pub id: i64,
    /// As the account calls him.
    pub name: String,
}

/// A tag that articles of all kinds share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTag {
    /// A ULID.
    pub id: String,
    /// As people see it.
    pub name: String,
}

/// One page of content tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagsPage {
    /// The tags.
    pub tags: Vec<ContentTag>,
    /// Tags that could not be read.
    pub rejected: Vec<Rejected>,
    /// Where the list goes on.
    pub next: Next,
}

impl Author {
    pub(crate) fn read(fields: &Fields) -> Result<Self, String> {
        let name = fields.some_text("name").ok_or("name is missing")?;
        Ok(Self { id: fields.id("id").ok_or("id is missing or no number")?, name })
    }
}

impl Client {
    /// A page of the content tags, by cursor.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn content_tags(&self, after: Option<&str>) -> Result<Answer<TagsPage>, Failure> {
        let mut pairs = vec![("page[size]", TAGS_PAGE)];
        pairs.extend(after.map(|after| ("page[after]", after)));
        self.get("/api/v2/guide/content_tags", &pairs).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let (tags, rejected) = envelope.records("records", |fields| {
                let id = fields.some_text("id").ok_or("id is missing")?;
                Ok(ContentTag { id, name: fields.text("name") })
            })?;
            Ok(TagsPage { tags, rejected, next: envelope.next_cursor(self.endpoint(), after)? })
        })
    }
}
