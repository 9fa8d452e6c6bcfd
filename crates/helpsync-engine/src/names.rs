//! Names of content tags: asked for when a page shows a tag that nobody asked for yet, and once in a while anew.

use std::collections::BTreeSet;
use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::chain;
use helpsync_store::{NewAuthor, StartedShard};
use helpsync_zendesk::{Article, Author, Failure, Next};

use crate::{Engine, HandlerError};

/// Pages of the list of tags that one look reads at most; it ends before, once every name that is wanted was seen.
const TAG_PAGES_MAX: u32 = 20;
/// A tag is asked for again when it is seen this long after: it may have been renamed, or its name refused.
const NAMES_KEPT: Duration = Duration::from_hours(7 * 24);

/// The tags that articles carry.
pub(crate) fn tags_of(articles: &[Article]) -> BTreeSet<String> {
    articles.iter().flat_map(|article| article.content_tag_ids.iter().cloned()).collect()
}

pub(crate) fn authors(authors: Vec<Author>) -> Vec<NewAuthor> {
    authors.into_iter().map(|author| NewAuthor { author_id: author.id, name: author.name }).collect()
}

impl Engine {
    /// Learns what tags are called. A help center that does not tell is no trouble: the ids are kept without.
    pub(crate) async fn learn_tags(
        &self,
        started: &StartedShard,
        account: &Account,
        tags: &BTreeSet<String>,
    ) -> Result<(), HandlerError> {
        if tags.is_empty() {
            return Ok(());
        }
        let kept = i64::try_from(NAMES_KEPT.as_millis()).unwrap_or(i64::MAX);
        let since = self.clock.now_ms().saturating_sub(kept);
        let connection = started.fence.connection;
        if self.store.unnamed_tags(connection, tags, since).await?.is_empty() {
            return Ok(());
        }
        // Several shards meet the same tags at once, and one request brings the names of all.
        let _alone = self.naming.take(connection).await;
        let asked = self.store.unnamed_tags(connection, tags, since).await?;
        let mut wanted: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let (mut named, mut after) = (Vec::new(), None);
        for _ in 0..TAG_PAGES_MAX {
            let page = match account.client.content_tags(after.as_deref()).await {
                Ok(answer) => answer.value,
                // They are not told to this grant.
                Err(failure @ (Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Rejected { .. })) => {
                    tracing::debug!(%connection, error = chain(&failure), "tags have no names");
                    break;
                }
                // Not now: the next page that shows one of them asks again.
                Err(_) => return Ok(()),
            };
            for tag in page.tags {
                wanted.remove(tag.id.as_str());
                named.push((tag.id, tag.name));
            }
            match page.next {
                Next::Cursor(next) if !wanted.is_empty() => after = Some(next),
                _ => break,
            }
        }
        Ok(self.store.name_tags(started, &named, &asked).await?)
    }
}
