//! Which items to sync: articles, and folders with everything below them.

use std::collections::{BTreeMap, HashMap, HashSet};

use helpsync_model::{
    Articles, ConnectionId, CustomerId, EventKind, FileStatus, Lane, OrganizationId, RunKind, RunParams,
    SyncAction, Trigger,
};
use serde_json::{Value, json};

use crate::db::family::{FAMILY, lock};
use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{AdminStore, Entity, StoreError, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::runs::{RunRequest, insert_run};

/// Articles of one run: it has one shard, which starts anew when it is interrupted.
const ARTICLES_PER_RUN: usize = 200;

/// A request to sync items.
#[derive(Debug, Clone)]
pub struct ItemsRequest {
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Zendesk's ids of articles, sections and categories.
    pub ids: Vec<i64>,
    /// Pass over articles that are stored and current.
    pub only_new: bool,
    /// More articles than this are refused.
    pub articles_max: usize,
    /// Stamped on created files.
    pub request_id: String,
    /// Stamped on created files.
    pub upload_id: String,
    /// Tags of created files, and how much of them is kept.
    pub options: Value,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemsRequested {
    /// So many articles will be fetched.
    Queued(usize),
    /// Refused: so many articles stand below what was asked for. Nothing was changed.
    TooMany(usize),
}

impl AdminStore {
    /// Queues requested articles, and those below requested folders as far as a listing has shown them, to be fetched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the connection is not active.
    pub async fn request_items(&self, request: &ItemsRequest) -> Result<ItemsRequested, StoreError> {
        let parents = self.parents(request.connection).await?;
        let mut write = self.write().await?;
        let now = write.now;
        lock(&mut write, request.connection).await?;
        let requested = self.requested_articles(&mut write, request, &parents).await?;
        if requested.len() > request.articles_max {
            return Ok(ItemsRequested::TooMany(requested.len()));
        }
        let articles: Vec<i64> = requested.keys().copied().collect();
        for (home, part) in parts_of(requested) {
            let asked = Articles { articles: part, options: request.options.as_object().cloned() };
            let request = RunRequest {
                connection: ConnectionId(home),
                kind: Some(RunKind::Resync),
                trigger: Trigger::Request,
                lane: Lane::OnDemand,
                request_id: request.request_id.clone(),
                upload_id: request.upload_id.clone(),
                params: RunParams::Articles(asked),
            };
            insert_run(&mut write, &request).await?;
        }
        sqlx::query(sql(format!(
            "update file set status = $3, updated_at = $4 where connection_id in {FAMILY} and hidden_at is null
               and status not in ($3, $5) and article_id in {}",
            self.dialect.json_integers("$2")
        )))
        .bind(request.connection.0)
        .bind(json!(articles).to_string())
        .bind(FileStatus::QueuedForSync.as_str())
        .bind(now)
        .bind(FileStatus::Syncing.as_str())
        .execute(&mut *write.tx)
        .await?;
        let touched = sqlx::query(sql(format!("update connection set last_sync_action = $2, last_synced_at = $3, files_synced_at = $3, updated_at = $3
             where id = $1 and state = {ACTIVE_CONNECTION}")))
        .bind(request.connection.0)
        .bind(SyncAction::Update.as_str())
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        if touched.rows_affected() == 0 {
            return Err(StoreError::NotFound(Entity::ActiveConnection));
        }
        let event = NewEvent {
            organization: request.organization,
            customer: request.customer,
            connection: request.connection,
            kind: EventKind::Update,
            object_type: "DATA_SOURCE",
            object_id: request.connection.to_string(),
            detail: json!({ "request_id": request.request_id }),
        };
        events::record(&mut write, event).await?;
        write.commit().await?;
        Ok(ItemsRequested::Queued(articles.len()))
    }

    /// The requested articles, each with the connection, or the brand of it, whose help center has it.
    async fn requested_articles(
        &self,
        write: &mut Write,
        request: &ItemsRequest,
        parents: &HashMap<i64, Option<i64>>,
    ) -> Result<BTreeMap<i64, i64>, StoreError> {
        let folders = below(parents, &request.ids);
        let in_list = self.dialect.json_integers("$2");
        let known: Vec<(i64, String, i64)> = sqlx::query_as(sql(format!(
            "select article_id, status, connection_id from file where connection_id in {FAMILY} and hidden_at is null
               and (section_id in {in_list} or article_id in {})
             union all
             select listed.article_id, '', listed.connection_id from unsynced_article as listed join remote_article as remote
               on remote.connection_id = listed.connection_id and remote.article_id = listed.article_id
               and remote.published = 1
             where listed.connection_id in {FAMILY} and (listed.section_id in {in_list} or listed.article_id in {})",
            self.dialect.json_integers("$3"),
            self.dialect.json_integers("$3")
        )))
        .bind(request.connection.0)
        .bind(json!(folders).to_string())
        .bind(json!(request.ids).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
        let is_current = |status: &str| request.only_new && status == FileStatus::Ready.as_str();
        let current: HashSet<i64> =
            known.iter().filter(|(_, status, _)| is_current(status)).map(|(article, ..)| *article).collect();
        // What is no folder that we know is taken for an article: Zendesk knows.
        let named = request.ids.iter().filter(|id| !parents.contains_key(id));
        let named = named.map(|article| (*article, request.connection.0));
        let mut requested: BTreeMap<i64, i64> = named.collect();
        requested.extend(known.iter().map(|(article, _, home)| (*article, *home)));
        requested.retain(|article, _| !current.contains(article));
        Ok(requested)
    }
}

/// What one run each fetches: articles of one help center, by the connection that it belongs to.
fn parts_of(requested: BTreeMap<i64, i64>) -> Vec<(i64, Vec<i64>)> {
    let mut by_home: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (article, home) in requested {
        by_home.entry(home).or_default().push(article);
    }
    let mut parts = Vec::new();
    for (home, articles) in by_home {
        parts.extend(articles.chunks(ARTICLES_PER_RUN).map(|part| (home, part.to_vec())));
    }
    parts
}

/// The requested folders and every folder below them.
fn below(parents: &HashMap<i64, Option<i64>>, requested: &[i64]) -> Vec<i64> {
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for (folder, parent) in parents {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*folder);
        }
    }
    let mut found = HashSet::new();
    let mut open: Vec<i64> = requested.iter().copied().filter(|id| parents.contains_key(id)).collect();
    while let Some(folder) = open.pop() {
        if found.insert(folder) {
            open.extend(children.get(&folder).into_iter().flatten());
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_brings_all_below_it_and_a_loop_of_parents_ends() {
        let parents = HashMap::from([(1, None), (2, Some(1)), (3, Some(2)), (4, Some(5)), (5, Some(4))]);
        let sorted = |requested: &[i64]| {
            let mut found = below(&parents, requested);
            found.sort_unstable();
            found
        };
        assert_eq!(sorted(&[2, 99]), [2, 3]);
        assert_eq!(sorted(&[1]), [1, 2, 3]);
        assert_eq!(sorted(&[4]), [4, 5]);
        assert!(sorted(&[99]).is_empty());
    }
}
