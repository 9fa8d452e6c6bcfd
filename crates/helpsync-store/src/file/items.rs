//! The tree of a help center as callers choose from it: categories, sections, articles.

use std::collections::HashMap;

use helpsync_model::{ConnectionId, OrganizationId};
use sqlx::Row;

use crate::db::conditions::Conditions;
use crate::db::family::FAMILY;
use crate::db::{AdminStore, Dialect, StoreError, sql};
use crate::filter::file_query::holding;
use crate::filter::viewer::Viewer;

/// Steps up the tree at most; a loop of parents ends there.
const DEPTH_MAX: usize = 16;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemListKind {
    /// The top of the tree.
    Category,
    /// Below a category or another section.
    Section,
    /// A published article.
    Article,
}

impl ItemListKind {
    /// Carbon's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Category => "CATEGORY",
            Self::Section => "SECTION",
            Self::Article => "ARTICLE",
        }
    }
}

/// One entry of the tree.
#[derive(Debug, Clone)]
pub struct Item {
    /// Zendesk's id.
    pub external_id: i64,
    /// What it is.
    pub kind: ItemListKind,
    /// Its name.
    pub name: String,
    /// Its public page.
    pub external_url: Option<String>,
    /// Zendesk's id of what it stands in.
    pub parent: Option<i64>,
    /// Zendesk's id of the top of its tree.
    pub root: Option<i64>,
    /// The file that was made of it.
    pub file: Option<i64>,
    /// When a listing last showed it, in ms.
    pub synced_at: i64,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// How entries are ordered; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ItemOrder {
    /// By name.
    #[default]
    Name,
    /// By id.
    Id,
    /// Folders, then articles, each by name.
    FoldersFirst,
}

/// Which entries of a connection's tree, and of its brands' trees. `None` = no condition.
#[derive(Debug, Clone)]
pub struct ItemQuery {
    /// Whose.
    pub organization: OrganizationId,
    /// Whose tree.
    pub connection: ConnectionId,
    /// Directly below this id.
    pub parent: Option<i64>,
    /// Without a parent that is known.
    pub roots_only: bool,
    /// These ids only.
    pub ids: Option<Vec<i64>>,
    /// Part of the name.
    pub name: Option<String>,
    /// These kinds only, in Carbon's words.
    pub kinds: Option<Vec<String>>,
    /// Only ids above this.
    pub starting_id: i64,
    /// Ordered by.
    pub order: ItemOrder,
    /// Largest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
    /// Only articles that this reader may read.
    pub viewer: Option<Viewer>,
}

/// What is read of an entry.
const ENTRY: &str =
    "entry.id, entry.kind, entry.name, entry.external_url, entry.parent_id, entry.file_id, entry.synced_at,
  entry.created_at, entry.updated_at";

/// The entries that a query asks for, as one row source called `entry`, with what is bound to it. Each condition stands in each
/// part, so that a database finds its index of them: files stand for their articles; listed articles are those that nobody
/// asked for; folders are for every reader.
///
/// `strange` are the sections of articles that are no entry themselves: what stands there has no parent that is known.
fn tree(dialect: Dialect, query: &ItemQuery, family: &[i64], strange: &[i64]) -> (String, Conditions) {
    let mut all = Conditions::new(dialect);
    let family: Vec<String> = family.iter().map(|id| all.integer(*id)).collect();
    let family = family.join(", ");
    let above = (query.starting_id > 0).then(|| all.integer(query.starting_id));
    let parent = query.parent.map(|parent| all.integer(parent));
    let ids = query.ids.as_ref().map(|ids| all.integers(ids));
    let name = query.name.as_deref().map(|name| all.text(holding(name)));
    let kinds = query.kinds.as_ref().map(|kinds| all.texts(kinds));
    // Written out, numbers of ours: behind an `or` a database finds no index for what is bound as a list.
    let strange: Vec<String> = strange.iter().map(i64::to_string).collect();
    let mine = query.viewer.as_ref().map(|viewer| all.integers(&viewer.segments));
    // Of which table, and what id, parent and kind are called there.
    let part = |table: &str, id: &str, below: &str, kind: &str| {
        let mut asked = format!("{table}.connection_id in ({family})");
        let mut and = |condition: String| asked.push_str(&format!(" and {condition}"));
        above.iter().for_each(|above| and(format!("{table}.{id} > {above}")));
        parent.iter().for_each(|parent| and(format!("{table}.{below} = {parent}")));
        ids.iter().for_each(|ids| and(format!("{table}.{id} in {ids}")));
        name.iter().for_each(|name| and(format!("lower({table}.name) like {name} escape '\\'")));
        kinds.iter().for_each(|kinds| and(format!("{kind} in {kinds}")));
        match (query.roots_only, strange.as_slice()) {
            (false, _) => {}
            (true, _) if table == "item" => and(format!(
                "(item.parent_id is null or not exists (select 1 from item as above
                   where above.connection_id in ({family}) and above.external_id = item.parent_id))"
            )),
            (true, []) => and(format!("{table}.{below} is null")),
            (true, strange) => {
                let strange = strange.join(", ");
                and(format!("({table}.{below} is null or {table}.{below} in ({strange}))"));
            }
        }
        asked
    };
    let (folders, files) = (
        part("item", "external_id", "parent_id", "item.kind"),
        part("file", "article_id", "section_id", "'ARTICLE'"),
    );
    let listed = part("listed", "article_id", "section_id", "'ARTICLE'");
    let (file_for_reader, listed_for_reader) = match &mine {
        None => (String::new(), String::new()),
        Some(mine) => (
            format!(" and {}", Viewer::may_read_sql(dialect, mine)),
            format!(
                " and (listed.user_segment_ids = '[]' or {})",
                Viewer::one_of(dialect, "listed.user_segment_ids", mine)
            ),
        ),
    };
    let text = format!(
        "(
    select external_id as id, kind, name, external_url, parent_id, cast(null as bigint) as file_id, synced_at,
      created_at, updated_at, 0 as leaf from item where {folders}
    union all
    select article_id, 'ARTICLE', name, external_url, section_id, id, coalesce(last_sync, updated_at), created_at,
      updated_at, 1 from file where {files} and hidden_at is null{file_for_reader}
    union all
    select listed.article_id, 'ARTICLE', listed.name, listed.external_url, listed.section_id, null, listed.synced_at,
      listed.created_at, listed.updated_at, 1 from unsynced_article as listed
      join remote_article as remote on remote.connection_id = listed.connection_id
        and remote.article_id = listed.article_id and remote.published = 1
      where {listed}{listed_for_reader}
        and not exists (select 1 from file
          where file.connection_id = listed.connection_id and file.article_id = listed.article_id)
  ) as entry"
    );
    (text, all)
}

/// The tables that know in which sections articles stand.
const SECTIONS: [&str; 2] = ["file", "unsynced_article"];

/// Each section that articles of the family stand in, by a jump from one to the next in the table's index: there are some
/// thousand at most, whatever the number of articles.
fn sections_sql(table: &str, family: &[i64], bound: &mut Conditions) -> String {
    let family: Vec<String> = family.iter().map(|id| bound.integer(*id)).collect();
    let next = |behind: &str| {
        format!("(select min({table}.section_id) from {table} where {table}.connection_id = {behind})")
    };
    format!(
        "with recursive place (connection_id, section_id) as (
           select connection.id, {} from connection where connection.id in ({})
           union all select place.connection_id, {} from place where place.section_id is not null)
         select distinct section_id from place where section_id is not null",
        next("connection.id"),
        family.join(", "),
        next(&format!("place.connection_id and {table}.section_id > place.section_id")),
    )
}

impl AdminStore {
    /// A page of entries, and how many match before paging.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn items(&self, query: &ItemQuery) -> Result<(Vec<Item>, i64), StoreError> {
        self.connection(query.organization, query.connection).await?;
        let direction = if query.descending { "desc" } else { "asc" };
        let order = match query.order {
            ItemOrder::Name => format!("lower(entry.name) {direction}"),
            ItemOrder::Id => format!("entry.id {direction}"),
            ItemOrder::FoldersFirst => format!("entry.leaf {direction}, lower(entry.name) asc"),
        };
        let (family, parents) = (self.family(query.connection).await?, self.parents(query.connection).await?);
        let mut strange = Vec::new();
        if query.roots_only {
            for table in SECTIONS {
                let mut bound = Conditions::new(self.dialect);
                let sections = sections_sql(table, &family, &mut bound);
                for row in bound.bind(sqlx::query(sql(sections))).fetch_all(&self.pool).await? {
                    let section: i64 = row.try_get("section_id")?;
                    strange.extend(Some(section).filter(|section| !parents.contains_key(section)));
                }
            }
        }
        let (tree, bound) = tree(self.dialect, query, &family, &strange);
        let mut paged = bound.clone();
        let (limit, offset) = (paged.integer(query.limit), paged.integer(query.offset));
        let listing =
            format!("select {ENTRY} from {tree} order by {order}, entry.id limit {limit} offset {offset}");
        let found = paged.bind(sqlx::query(sql(listing))).fetch_all(&self.pool).await?;
        let counting = sql(format!("select count(*) as matches from {tree}"));
        let count = bound.bind(sqlx::query(counting)).fetch_one(&self.pool).await?.try_get("matches")?;
        let items = found
            .iter()
            .map(|row| {
                let kind: String = row.try_get("kind")?;
                let parent: Option<i64> = row.try_get("parent_id")?;
                Ok(Item {
                    external_id: row.try_get("id")?,
                    kind: match kind.as_str() {
                        "CATEGORY" => ItemListKind::Category,
                        "SECTION" => ItemListKind::Section,
                        _ => ItemListKind::Article,
                    },
                    name: row.try_get("name")?,
                    external_url: row.try_get("external_url")?,
                    parent,
                    root: parent.map(|parent| top(&parents, parent)),
                    file: row.try_get("file_id")?,
                    synced_at: row.try_get("synced_at")?,
                    created_at: row.try_get("created_at")?,
                    updated_at: row.try_get("updated_at")?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((items, count))
    }

    /// A connection and its brands, by number: a list that a database can plan with.
    async fn family(&self, connection: ConnectionId) -> Result<Vec<i64>, StoreError> {
        let family = sql(format!("select id from connection where id in {FAMILY} order by id"));
        Ok(sqlx::query_scalar(family).bind(connection.0).fetch_all(&self.pool).await?)
    }

    /// Every folder with what it stands in, those of its brands too.
    pub(crate) async fn parents(
        &self,
        connection: ConnectionId,
    ) -> Result<HashMap<i64, Option<i64>>, StoreError> {
        Ok(sqlx::query_as(sql(format!(
            "select external_id, parent_id from item where connection_id in {FAMILY}"
        )))
        .bind(connection.0)
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .collect())
    }
}

fn top(parents: &HashMap<i64, Option<i64>>, start: i64) -> i64 {
    let mut at = start;
    for _ in 0..DEPTH_MAX {
        match parents.get(&at) {
            Some(Some(parent)) => at = *parent,
            _ => break,
        }
    }
    at
}
