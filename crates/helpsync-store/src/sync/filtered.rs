//! What a connection's selection leaves of the articles of a page.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use helpsync_model::{ConnectionId, Place, SectionTree, SelectionFilter};
use sqlx::Row;

use crate::db::decode::selection_of;
use crate::db::{StoreError, Write};
use crate::sync::incoming::IncomingArticle;
use crate::sync::tree::ItemKind;

/// An article as it was read, and as the selection leaves it: without translations nothing of it is kept.
///
/// The ledger has also what is left out. It says what Zendesk shows us, so counting, probing by rank and listings
/// find what is gone whatever is selected.
pub(crate) struct Seen<'a> {
    pub(crate) article: Cow<'a, IncomingArticle>,
    /// Something of it is published.
    pub(crate) published: bool,
    /// Its section is one of those that are kept.
    pub(crate) placed: bool,
}

impl Seen<'_> {
    /// Whether it is published, and left out.
    pub(crate) fn is_filtered_out(&self) -> bool {
        self.published && self.article.translations.is_empty()
    }
}

/// A connection's selection, ready to be asked.
pub(crate) struct LoadedFilter {
    pub(crate) selection: SelectionFilter,
    /// `None` = of every section.
    pub(crate) sections: Option<HashSet<i64>>,
    /// Whether anything of this help center is kept.
    pub(crate) brand: bool,
}

impl LoadedFilter {
    /// As it is at this moment; the connection's row is locked, so it stays so until the transaction ends.
    pub(crate) async fn load(write: &mut Write, connection: ConnectionId) -> Result<Self, StoreError> {
        let row = sqlx::query("select id, selection, brand_id from connection where id = $1")
            .bind(connection.0)
            .fetch_one(&mut *write.tx)
            .await?;
        Self::of(write, connection, selection_of(&row)?, row.try_get("brand_id")?).await
    }

    /// [`LoadedFilter::load`] of a row that is at hand.
    pub(crate) async fn of(
        write: &mut Write,
        connection: ConnectionId,
        selection: SelectionFilter,
        brand_id: Option<i64>,
    ) -> Result<Self, StoreError> {
        let sections = if selection.names_places() {
            selection.sections_kept(&tree_of(write, connection).await?)
        } else {
            None
        };
        let brand = selection.keeps_brand(brand_id);
        Ok(Self { selection, sections, brand })
    }

    /// Whether articles of this section are kept.
    pub(crate) fn keeps_place(&self, section: Option<i64>) -> bool {
        match &self.sections {
            None => true,
            Some(kept) => section.is_some_and(|section| kept.contains(&section)),
        }
    }

    /// Leaves of each article what is selected.
    pub(crate) fn read<'a>(&self, articles: &'a [IncomingArticle]) -> Vec<Seen<'a>> {
        articles.iter().map(|article| self.read_one(article)).collect()
    }

    fn read_one<'a>(&self, article: &'a IncomingArticle) -> Seen<'a> {
        let selection = &self.selection;
        let placed = self.keeps_place(article.section_id);
        let keeps = self.brand
            && placed
            && selection.keeps_labels(&article.labels)
            && selection.keeps_segments(&article.user_segment_ids);
        let all_locales = article.translations.iter().all(|one| selection.keeps_locale(&one.locale));
        let left = if keeps && all_locales {
            Cow::Borrowed(article)
        } else {
            let of_locale = |locale: &str| keeps && selection.keeps_locale(locale);
            let translations = article.translations.iter().filter(|one| of_locale(&one.locale)).cloned();
            Cow::Owned(IncomingArticle { translations: translations.collect(), ..article.bare() })
        };
        Seen { article: left, published: !article.translations.is_empty(), placed }
    }
}

/// The sections of a connection, as last seen.
async fn tree_of(write: &mut Write, connection: ConnectionId) -> Result<SectionTree, StoreError> {
    let rows = sqlx::query(
        "select external_id, parent_kind, parent_id, category_id from item
         where connection_id = $1 and kind = 'SECTION'",
    )
    .bind(connection.0)
    .fetch_all(&mut *write.tx)
    .await?;
    let places = rows.iter().map(|row| {
        let (kind, parent): (Option<String>, Option<i64>) =
            (row.try_get("parent_kind")?, row.try_get("parent_id")?);
        let below_category = kind.as_deref() == Some(ItemKind::Category.as_str());
        let category: Option<i64> = row.try_get("category_id")?;
        let place = Place {
            parent: parent.filter(|_| !below_category),
            category: category.or(parent.filter(|_| below_category)),
        };
        Ok((row.try_get("external_id")?, place))
    });
    Ok(SectionTree(places.collect::<Result<HashMap<_, _>, StoreError>>()?))
}
