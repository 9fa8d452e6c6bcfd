//! Listing, exporting and fetching articles. Source:
//! <https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/>.

use crate::article::read_translations;
use crate::client::{Answer, Client};
use crate::envelope::{Envelope, Next, query, text};
use crate::{Article, Author, Category, Failure, Rejected, Section, Translation, UnreadTranslation};

/// The longest page of a plain list.
pub const PAGE_SIZE_MAX: u32 = 100;
/// How deep offset pages reach, in records.
pub const OFFSET_RECORDS_MAX: u64 = 10_000;
/// The documented longest page of the incremental export, in articles. Accept any length.
pub const EXPORT_PAGE_MAX: usize = 1_000;
/// How many pages of translations one article may have: 1,000 locales.
const TRANSLATION_PAGES_MAX: u32 = 10;

/// What comes along with a page. Of users (the authors) only names are read.
const SIDELOADS: &str = "translations,sections,categories,users";

const ARTICLES: &str = "/api/v2/help_center/articles";

/// One page of the incremental export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPage {
    /// Changed at or after the start, ascending by `updated_at`, drafts included.
    pub articles: Vec<Article>,
    /// Articles that could not be read.
    pub rejected: Vec<Rejected>,
    /// The sections that they are in.
    pub sections: Vec<Section>,
    /// The categories that those are in.
    pub categories: Vec<Category>,
    /// Who wrote them, where Zendesk tells.
    pub authors: Vec<Author>,
    /// Zendesk's count, when given.
    pub count: Option<u64>,
    /// Zendesk's `end_time`, epoch seconds. An empty page says 1: never a cursor.
    pub end_time: Option<i64>,
    /// The next page's `start_time`, epoch seconds; `None` at the proven end. It may equal the one asked with, when
    /// more than a page of articles share a second: time alone does not lead past them.
    pub next_start: Option<i64>,
}

impl ExportPage {
    /// Whether it brings no article, not even one that cannot be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.articles.is_empty() && self.rejected.is_empty()
    }

    /// The last second (epoch) in which one of its articles changed.
    #[must_use]
    pub fn latest(&self) -> Option<i64> {
        self.articles.iter().map(|article| article.updated_at.as_second()).max()
    }
}

/// Which articles to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that the token's user may see.
    All,
    /// Those of one section.
    Section(i64),
    /// Those of one category.
    Category(i64),
}

/// Which page, and how pages are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRef {
    /// By number, from 1; counted (`count`, `page_count`), but only [`OFFSET_RECORDS_MAX`] records deep.
    Offset {
        /// From 1.
        page: u32,
        /// At most [`PAGE_SIZE_MAX`].
        per_page: u32,
    },
    /// By cursor; of any depth, not counted.
    Cursor {
        /// From [`Next::Cursor`]; `None` starts.
        after: Option<String>,
        /// At most [`PAGE_SIZE_MAX`].
        size: u32,
    },
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// Never changes: the only order in which a walk misses and repeats nothing.
    CreatedAt,
    /// Content or metadata changed.
    UpdatedAt,
    /// Content changed.
    EditedAt,
    /// As readers see it.
    Position,
    /// By title.
    Title,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// A request for one page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which articles.
    pub scope: Scope,
    /// Which page.
    pub page: PageRef,
    /// Ordered by.
    pub sort_by: SortBy,
    /// In which direction.
    pub sort_order: SortOrder,
    /// Whether translations, sections, categories and authors come along.
    pub sideload: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Drafts included.
    pub articles: Vec<Article>,
    /// Articles that could not be read.
    pub rejected: Vec<Rejected>,
    /// The sections that they are in, when sideloaded.
    pub sections: Vec<Section>,
    /// The categories that those are in, when sideloaded.
    pub categories: Vec<Category>,
    /// Who wrote them, when sideloaded.
    pub authors: Vec<Author>,
    /// Records in the whole list; offset pages only.
    pub count: Option<u64>,
    /// Pages in the whole list; offset pages only.
    pub page_count: Option<u32>,
    /// Where the list goes on.
    pub next: Next,
}

impl ListQuery {
    /// The walk for a whole listing: by cursor, oldest first, with everything sideloaded.
    #[must_use]
    pub fn walk(scope: Scope, after: Option<String>) -> Self {
        Self {
            scope,
            page: PageRef::Cursor { after, size: PAGE_SIZE_MAX },
            sort_by: SortBy::CreatedAt,
            sort_order: SortOrder::Asc,
            sideload: true,
        }
    }

    /// One offset page of a whole listing: oldest first, with everything sideloaded.
    #[must_use]
    pub fn offset(scope: Scope, page: u32) -> Self {
        Self { page: PageRef::Offset { page, per_page: PAGE_SIZE_MAX }, ..Self::walk(scope, None) }
    }
}

impl SortBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::EditedAt => "edited_at",
            Self::Position => "position",
            Self::Title => "title",
        }
    }
}

impl SortOrder {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

impl Client {
    /// One page of the incremental export: articles changed at or after `start_time` (epoch seconds).
    ///
    /// Agents and administrators only: others get [`Failure::NotFound`].
    ///
    /// # Errors
    /// [`Failure`]; `Malformed` when the answer proves neither an end nor a next page.
    pub async fn export_articles(&self, start_time: i64) -> Result<Answer<ExportPage>, Failure> {
        let start = start_time.to_string();
        let query_pairs = [("start_time", start.as_str()), ("include", SIDELOADS)];
        self.get("/api/v2/help_center/incremental/articles", &query_pairs).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let (articles, rejected) = envelope.records("articles", Article::read)?;
            let next_start = match envelope.next_page(self.endpoint())? {
                None => None,
                Some(url) => Some(
                    query(&url, "start_time")
                        .and_then(|text| text.parse().ok())
                        .ok_or_else(|| Failure::malformed("next_page has no start_time"))?,
                ),
            };
            Ok(ExportPage {
                articles,
                rejected,
                sections: envelope.sideload("sections", Section::read),
                categories: envelope.sideload("categories", Category::read),
                authors: envelope.sideload("users", Author::read),
                count: envelope.count("count"),
                end_time: envelope.number("end_time"),
                next_start,
            })
        })
    }

    /// One page of a list.
    ///
    /// # Errors
    /// [`Failure`]; `PaginationTooDeep` beyond [`OFFSET_RECORDS_MAX`].
    pub async fn list_articles(&self, list: &ListQuery) -> Result<Answer<ListPage>, Failure> {
        let path = match list.scope {
            Scope::All => self.localized("articles"),
            Scope::Section(id) => self.localized(&format!("sections/{id}/articles")),
            Scope::Category(id) => self.localized(&format!("categories/{id}/articles")),
        };
        let (number, size);
        let mut pairs = vec![("sort_by", list.sort_by.as_str()), ("sort_order", list.sort_order.as_str())];
        if list.sideload {
            pairs.push(("include", SIDELOADS));
        }
        match &list.page {
            PageRef::Offset { page, per_page } => {
                (number, size) = (page.to_string(), per_page.to_string());
                pairs.extend([("page", number.as_str()), ("per_page", size.as_str())]);
            }
            PageRef::Cursor { after, size: page_size } => {
                size = page_size.to_string();
                pairs.push(("page[size]", &size));
                pairs.extend(after.as_deref().map(|after| ("page[after]", after)));
            }
        }
        self.get(&path, &pairs).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let (articles, rejected) = envelope.records("articles", Article::read)?;
            let next = match &list.page {
                PageRef::Offset { page, .. } => envelope.next_offset(self.endpoint(), *page)?,
                PageRef::Cursor { after, .. } => envelope.next_cursor(self.endpoint(), after.as_deref())?,
            };
            let page_count = envelope.count("page_count").and_then(|count| count.try_into().ok());
            // Of one article a page there are as many pages.
            let alone = matches!(list.page, PageRef::Offset { per_page: 1, .. });
            let pages = page_count.filter(|pages| alone && (*pages > 0 || articles.is_empty()));
            Ok(ListPage {
                articles,
                rejected,
                sections: envelope.sideload("sections", Section::read),
                categories: envelope.sideload("categories", Category::read),
                authors: envelope.sideload("users", Author::read),
                count: envelope.count("count").or(pages.map(u64::from)),
                page_count,
                next,
            })
        })
    }

    /// One article with its translations: one request, or more when Zendesk does not sideload them.
    ///
    /// # Errors
    /// [`Failure`]; `Unreadable` when the article itself is broken, `NotFound` when it is gone (if the account is
    /// healthy).
    pub async fn article(&self, id: i64) -> Result<Answer<Article>, Failure> {
        let path = self.localized(&format!("articles/{id}"));
        let mut answer = self.get(&path, &[("include", "translations")]).await?.try_map(|body| {
            let text = text(&body);
            let mut fields = Envelope::read(&text)?.object("article")?;
            let article =
                Article::read_alone(&mut fields).map_err(|reason| Failure::Unreadable { reason })?;
            if article.id == id {
                Ok(article)
            } else {
                Err(Failure::Unreadable { reason: format!("article {} came in its place", article.id) })
            }
        })?;
        if answer.value.lacks_translations() {
            let cost = self.complete_article(&mut answer.value).await?;
            answer.bytes += cost.bytes;
        }
        Ok(answer)
    }

    /// Asks for the translations of an article whose answer lacked them. If Zendesk does not give them out, that is
    /// noted with the article, which stays as good as it is. Answers with what it cost.
    ///
    /// # Errors
    /// [`Failure`], but for what says no more than that there are none to be had.
    pub async fn complete_article(&self, article: &mut Article) -> Result<Answer<()>, Failure> {
        match self.translations(article.id).await {
            Ok(answer) => {
                let (good, mut unread) = answer.value;
                if good.is_empty() && unread.is_empty() {
                    let reason = "an empty list of translations came, and every article has one".to_owned();
                    unread.push(UnreadTranslation { locale: None, reason });
                }
                article.translations = Some(good);
                article.unread = unread;
                Ok(Answer { value: (), bytes: answer.bytes, date: None })
            }
            Err(failure @ (Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Rejected { .. })) => {
                let reason = format!("its translations cannot be had: {}", helpsync_model::chain(&failure));
                article.unread = vec![UnreadTranslation { locale: None, reason }];
                Ok(Answer { value: (), bytes: 0, date: None })
            }
            Err(failure) => Err(failure),
        }
    }

    /// How many articles the token's user may see, drafts included.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn count_articles(&self) -> Result<Answer<u64>, Failure> {
        let query = ListQuery {
            page: PageRef::Offset { page: 1, per_page: 1 },
            sideload: false,
            ..ListQuery::walk(Scope::All, None)
        };
        self.list_articles(&query)
            .await?
            .try_map(|page| page.count.ok_or_else(|| Failure::malformed("count is missing")))
    }

    async fn translations(
        &self,
        id: i64,
    ) -> Result<Answer<(Vec<Translation>, Vec<UnreadTranslation>)>, Failure> {
        let path = format!("{ARTICLES}/{id}/translations");
        let mut all = Answer { value: (Vec::new(), Vec::new()), bytes: 0, date: None };
        let (mut page, mut seen) = (1, 0);
        loop {
            let number = page.to_string();
            let answer = self.get(&path, &[("page", &number), ("per_page", "100")]).await?;
            all.bytes += answer.bytes;
            let text = text(&answer.value);
            let envelope = Envelope::read(&text)?;
            let (fields, broken) = envelope.fields("translations")?;
            seen += fields.len() + broken.len();
            let (good, unread) = read_translations(fields);
            all.value.0.extend(good);
            all.value.1.extend(unread);
            all.value.1.extend(broken.into_iter().map(|reason| UnreadTranslation { locale: None, reason }));
            match envelope.next_offset(self.endpoint(), page)? {
                Next::Offset(next) if next <= TRANSLATION_PAGES_MAX => page = next,
                Next::Offset(_) => {
                    return Err(Failure::Unreadable { reason: "it has too many translations".to_owned() });
                }
                next => {
                    if !envelope.is_whole(seen, next == Next::End) {
                        let reason = "the list of its translations does not show that it is whole".to_owned();
                        all.value.1.push(UnreadTranslation { locale: None, reason });
                    }
                    return Ok(all);
                }
            }
        }
    }
}
