//! The tree of sections and categories. They are renamed and moved without any article changing, and an article's page
//! brings only the section that it stands in, so each sync reads the tree itself: one request for the sections and one
//! for the categories where nothing has changed. The first sync reads it after its articles, and only if those do not
//! bring all of it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use helpsync_account::Account;
use helpsync_model::{ExportAccess, RunKind, Timestamp, chain};
use helpsync_store::{RunNote, StartedShard};
use helpsync_zendesk::{Answer, Category, Failure, Next, Section, TreePage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::articles::items;
use crate::page::Fetched;
use crate::{Engine, HandlerError};

/// Pages of the list of sections, and of categories: as deep as page numbers reach.
const TREE_PAGES_MAX: u32 = 100;

/// The sections and categories of a help center, and what reading them took.
#[derive(Default)]
struct Tree {
    sections: Vec<Section>,
    categories: Vec<Category>,
    mark: TreeMark,
    bytes: u64,
}

/// Whether a list has changed shows on its first page, latest change first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TreeMark {
    sections: ListMark,
    categories: ListMark,
}

/// How many there are, and when the latest of them changed; `None`: not told. Of two changes in one second the time tells
/// the first alone, so what the page says counts too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ListMark {
    count: Option<u64>,
    newest: Option<i64>,
    /// SHA-256 of the first page.
    #[serde(default)]
    said: Option<String>,
}

impl TreeMark {
    /// Whether both lists are told apart by it from what they were before.
    const fn tells(&self) -> bool {
        self.sections.count.is_some() && self.categories.count.is_some()
    }
}

impl Engine {
    /// Before a run reads articles: sections and categories are brought up to date, and what moved out of what is kept
    /// goes. Answers whether something moved into what is kept, which only reading every article brings.
    pub(crate) async fn look_at_places(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<bool, HandlerError> {
        if is_first(started) {
            return Ok(false);
        }
        self.read_tree(started, account).await
    }

    /// After the first walk: sections above those that hold articles come with no page.
    pub(crate) async fn complete_tree(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<(), HandlerError> {
        if is_first(started) && self.store.lacks_sections(started.fence.connection).await? {
            self.read_tree(started, account).await?;
        }
        Ok(())
    }

    async fn read_tree(&self, started: &StartedShard, account: &Account) -> Result<bool, HandlerError> {
        // A full run and an audit believe no mark.
        let whole = started.run.kind == RunKind::Full || started.run.params.is_audit();
        let known = started.tree_mark.as_deref().filter(|_| !whole);
        let known = known.and_then(|mark| serde_json::from_str::<TreeMark>(mark).ok());
        let tree = match self.tree(account, known.as_ref()).await {
            Ok(tree) => tree,
            Err(error) if is_refused_alone(started, &error) => {
                tracing::warn!(connection = %started.fence.connection, error = chain(&error),
                    "sections and categories are not told: paths stay as they are known");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if tree.mark.tells() && known.as_ref() == Some(&tree.mark) && !started.selection.names_places() {
            // As it was, and nothing depends on it: there is nothing to store.
            return Ok(false);
        }
        let items = items(&tree.sections, &tree.categories);
        let learned = self.store.learn_tree(started, &items).await?;
        let mark = serde_json::to_string(&tree.mark).ok();
        if mark != started.tree_mark {
            let note = RunNote { tree_mark: mark, ..RunNote::default() };
            self.store.note_run(&started.fence, &note).await?;
        }
        if learned.removed > 0 {
            tracing::info!(connection = %started.fence.connection, removed = learned.removed,
                "sections left what is selected");
        }
        Ok(learned.gained)
    }

    /// Adds to a page the sections that its articles stand in, where we would not know whether those are kept, or no
    /// other shard of the run reads the tree.
    pub(crate) async fn complete_places(
        &self,
        started: &StartedShard,
        account: &Account,
        fetched: &mut Fetched,
    ) -> Result<(), HandlerError> {
        if !started.selection.names_places() && started.run.kind != RunKind::Resync {
            return Ok(());
        }
        let shown: BTreeSet<i64> = fetched.sections.iter().map(|section| section.id).collect();
        let named = fetched.articles.iter().filter_map(|article| article.section_id);
        let above = fetched.sections.iter().filter_map(|section| section.parent_section_id);
        let asked: BTreeSet<i64> = named.chain(above).filter(|id| !shown.contains(id)).collect();
        let asked: Vec<i64> = asked.into_iter().collect();
        if asked.is_empty() || self.store.unknown_sections(started.fence.connection, &asked).await?.is_empty()
        {
            return Ok(());
        }
        let tree = self.tree(account, None).await?;
        fetched.sections = tree.sections;
        fetched.categories = tree.categories;
        fetched.bytes += tree.bytes;
        Ok(())
    }

    /// Reads both lists at once; of one that is as it was `known`, no more than its first page.
    async fn tree(&self, account: &Account, known: Option<&TreeMark>) -> Result<Tree, HandlerError> {
        let client = &account.client;
        // Both are waited for whatever the other comes to: a request that is dropped keeps its permit.
        let (sections, categories) = tokio::join!(
            read_list(
                |page| client.sections(page),
                |section| section.updated_at,
                known.map(|it| &it.sections)
            ),
            read_list(|page| client.categories(page), |it| it.updated_at, known.map(|it| &it.categories)),
        );
        let (sections, categories) = (sections?, categories?);
        Ok(Tree {
            mark: TreeMark { sections: sections.mark, categories: categories.mark },
            bytes: sections.bytes + categories.bytes,
            sections: sections.items,
            categories: categories.items,
        })
    }
}

/// Whether it is the tree that is refused, for good, and not the help center: articles are read without it then. What
/// the selection keeps may depend on it, and a locale may be wanted, which is found out elsewhere.
fn is_refused_alone(started: &StartedShard, error: &HandlerError) -> bool {
    let wants_locale =
        started.list_locales.is_empty() && started.export_access != Some(ExportAccess::Allowed);
    let refused = match error {
        HandlerError::NoHelpCenter(_)
        | HandlerError::Zendesk(Failure::Rejected { status: 400 | 422, .. }) => !wants_locale,
        HandlerError::Zendesk(Failure::Rejected { .. }) => true,
        _ => false,
    };
    refused && !started.selection.names_places()
}

/// Nothing was read before, and what is kept does not depend on the tree.
fn is_first(started: &StartedShard) -> bool {
    started.run.kind == RunKind::Full && started.last_audit_at.is_none() && !started.selection.names_places()
}

/// One list as it was read, and what that took.
struct List<T> {
    items: Vec<T>,
    mark: ListMark,
    bytes: u64,
}

async fn read_list<T: Debug, Pages>(
    mut page_of: impl FnMut(u32) -> Pages,
    changed_at: impl Fn(&T) -> Option<Timestamp>,
    known: Option<&ListMark>,
) -> Result<List<T>, HandlerError>
where
    Pages: Future<Output = Result<Answer<TreePage<T>>, Failure>>,
{
    let mut list = List { items: Vec::new(), mark: ListMark::default(), bytes: 0 };
    for page in 1..=TREE_PAGES_MAX {
        let answer = page_of(page).await.map_err(HandlerError::of_list)?;
        list.bytes += answer.bytes;
        let TreePage { items, rejected, count, next, .. } = answer.value;
        let times: Vec<_> = items.iter().map(&changed_at).collect();
        // Only a first page that keeps the order tells anything of those behind it.
        let ordered = rejected.is_empty() && times.is_sorted_by(|a, b| a >= b) && !times.contains(&None);
        if page == 1 && ordered {
            let newest = times.first().copied().flatten().map(Timestamp::as_second);
            let said = Some(hex::encode(Sha256::digest(format!("{items:?}"))));
            list.mark = ListMark { count, newest, said };
        }
        let as_known = page == 1 && ordered && count.is_some() && known == Some(&list.mark);
        list.items.extend(items);
        if as_known || !matches!(next, Next::Offset(_)) {
            break;
        }
    }
    Ok(list)
}
