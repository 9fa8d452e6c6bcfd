//! What a run and its shards are asked to do, and where a shard stands: the types of the store's JSON columns.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::state::ShardKind;

/// What a run is asked to do, besides its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum RunParams {
    /// Read the articles.
    Sync {
        /// List every id, whatever the count says.
        audit: bool,
    },
    /// Fetch these articles, and no others.
    Articles(Articles),
    /// Fetch what hangs on articles, and no article.
    Attachments,
}

/// Articles that somebody asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Articles {
    /// Zendesk's ids.
    pub articles: Vec<i64>,
    /// Sync options of their own, in place of the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Map<String, Value>>,
}

impl Default for RunParams {
    fn default() -> Self {
        Self::Sync { audit: false }
    }
}

impl RunParams {
    /// Reads the articles and lists every id, whatever the count says.
    #[must_use]
    pub const fn audit() -> Self {
        Self::Sync { audit: true }
    }

    /// Fetches these articles, with their connection's options.
    #[must_use]
    pub const fn articles(articles: Vec<i64>) -> Self {
        Self::Articles(Articles { articles, options: None })
    }

    /// Whether every id is listed, whatever the count says.
    #[must_use]
    pub const fn is_audit(&self) -> bool {
        matches!(self, Self::Sync { audit: true })
    }

    /// The articles that were asked for by name; none if the run is for all.
    #[must_use]
    pub fn named_articles(&self) -> &[i64] {
        match self {
            Self::Articles(asked) => &asked.articles,
            Self::Sync { .. } | Self::Attachments => &[],
        }
    }

    /// What the run's first shard is to do.
    #[must_use]
    pub fn first_shard(&self, kind: ShardKind) -> ShardParams {
        match (kind, self) {
            (ShardKind::FetchArticles, Self::Articles(asked)) => ShardParams::FetchArticles(asked.clone()),
            (kind, _) => ShardParams::empty(kind),
        }
    }
}

/// What a shard does, and what it does it to. In a row the kind is a column of its own, and JSON has the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardParams {
    /// See [`ShardKind::Plan`].
    Plan,
    /// See [`ShardKind::WalkExport`].
    WalkExport(ExportRange),
    /// See [`ShardKind::WalkList`].
    WalkList(ListParams),
    /// See [`ShardKind::FindRemoved`].
    FindRemoved,
    /// See [`ShardKind::ConfirmRemoved`].
    ConfirmRemoved(Confirm),
    /// See [`ShardKind::FetchArticles`].
    FetchArticles(Articles),
    /// See [`ShardKind::FetchAttachments`].
    FetchAttachments,
    /// See [`ShardKind::Finalize`].
    Finalize,
}

/// A range of the incremental export, `start <= updated_at < end`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRange {
    /// Epoch seconds.
    pub start: i64,
    /// Epoch seconds; `None` = open.
    pub end: Option<i64>,
    /// A delta that is to bring every article, because more of them are kept than before.
    #[serde(default)]
    pub everything: bool,
}

/// What is read of the list of articles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum ListParams {
    /// Pages by number, both included, oldest first.
    Pages {
        /// From 1.
        first: u32,
        /// From 1.
        last: u32,
        /// What the list was when the run began to read it.
        #[serde(flatten)]
        measured: Measured,
    },
    /// So many pages by cursor.
    End {
        /// From which end.
        from: ListEnd,
        /// How many.
        pages: u64,
        /// What the list was when the run began to read it.
        #[serde(flatten)]
        measured: Measured,
    },
    /// What changed, latest first, by cursor.
    Changes {
        /// Down to this time of change, in epoch seconds.
        until: i64,
    },
}

/// What one small request told of the list before it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The latest change, in epoch seconds; 0 if there is no article.
    pub newest: i64,
    /// How many articles there were.
    pub count: u64,
    /// If the incremental export did not lead past a second (epoch): up to this one the list brings everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowded: Option<i64>,
}

/// An end of the list of articles, in the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListEnd {
    /// From the oldest article up.
    Oldest,
    /// From the latest article down.
    Latest,
}

impl ListEnd {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Latest => "latest",
        }
    }
}

/// How hidden articles are asked for once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Confirm {
    /// By a second listing of everything.
    Listing,
    /// One by one.
    Articles {
        /// Zendesk's ids.
        articles: Vec<i64>,
    },
}

impl ShardParams {
    /// Which kind of shard it is.
    #[must_use]
    pub const fn kind(&self) -> ShardKind {
        match self {
            Self::Plan => ShardKind::Plan,
            Self::WalkExport(_) => ShardKind::WalkExport,
            Self::WalkList(_) => ShardKind::WalkList,
            Self::FindRemoved => ShardKind::FindRemoved,
            Self::ConfirmRemoved(_) => ShardKind::ConfirmRemoved,
            Self::FetchArticles(_) => ShardKind::FetchArticles,
            Self::FetchAttachments => ShardKind::FetchAttachments,
            Self::Finalize => ShardKind::Finalize,
        }
    }

    /// A shard of a kind that is asked for nothing in particular.
    #[must_use]
    pub const fn empty(kind: ShardKind) -> Self {
        match kind {
            ShardKind::Plan => Self::Plan,
            ShardKind::WalkExport => Self::WalkExport(ExportRange { start: 0, end: None, everything: false }),
            ShardKind::WalkList => Self::WalkList(ListParams::Changes { until: 0 }),
            ShardKind::FindRemoved => Self::FindRemoved,
            ShardKind::ConfirmRemoved => Self::ConfirmRemoved(Confirm::Listing),
            ShardKind::FetchArticles => Self::FetchArticles(Articles { articles: Vec::new(), options: None }),
            ShardKind::FetchAttachments => Self::FetchAttachments,
            ShardKind::Finalize => Self::Finalize,
        }
    }

    /// Reads the JSON that [`ShardParams::to_json`] writes, for a shard of this kind.
    ///
    /// # Errors
    /// What is no JSON, or lacks a member that the kind has.
    pub fn read(kind: ShardKind, json: &str) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            ShardKind::WalkExport => Self::WalkExport(serde_json::from_str(json)?),
            ShardKind::WalkList => Self::WalkList(serde_json::from_str(json)?),
            ShardKind::ConfirmRemoved => Self::ConfirmRemoved(serde_json::from_str(json)?),
            ShardKind::FetchArticles => Self::FetchArticles(serde_json::from_str(json)?),
            ShardKind::Plan => Self::Plan,
            ShardKind::FindRemoved => Self::FindRemoved,
            ShardKind::FetchAttachments => Self::FetchAttachments,
            ShardKind::Finalize => Self::Finalize,
        })
    }

    /// An object without the kind; empty where the kind says it all.
    ///
    /// # Errors
    /// Never for values of these types; what the serializer says, if they should come to hold what is no JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::WalkExport(range) => serde_json::to_string(range),
            Self::WalkList(list) => serde_json::to_string(list),
            Self::ConfirmRemoved(confirm) => serde_json::to_string(confirm),
            Self::FetchArticles(asked) => serde_json::to_string(asked),
            Self::Plan | Self::FindRemoved | Self::FetchAttachments | Self::Finalize => Ok("{}".to_owned()),
        }
    }
}

/// Where a shard that reads many pages stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardCursor {
    /// In a range of the incremental export.
    Export(ExportCursor),
    /// In the list by number: the page to read next.
    Page(u32),
    /// In the list by cursor.
    List(ListCursor),
}

/// Where a walk of the incremental export stands: what is left of its range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportCursor {
    /// Epoch seconds.
    pub start: i64,
    /// Epoch seconds; `None` = open.
    pub end: Option<i64>,
    /// Full pages that it has read.
    pub pages: u64,
    /// Nothing is left.
    pub ended: bool,
}

/// Where a walk of the list by cursor stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// Zendesk's cursor; `None` before the first page and after the last.
    pub after: Option<String>,
    /// Pages that it has read.
    pub pages: u64,
    /// Creation (ms) and id of the last article read.
    pub edge: Option<(i64, i64)>,
    /// The latest change on its first page, in epoch seconds.
    pub newest: Option<i64>,
    /// Which of the help center's locales it reads, from 0, where the list has to be asked for by locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<usize>,
    /// Articles that it has read, each once, by locale.
    #[serde(default)]
    pub listed: Vec<i64>,
    /// When the latest of them in this locale was created, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<i64>,
    /// Those that were created then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<i64>,
    /// Pages in a row that brought nothing. They count on over the tries, because each page that is stored sets those back.
    #[serde(default)]
    pub idle: u32,
    /// When the last article read changed, in epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_change: Option<i64>,
    /// The list does not keep the order that was asked for: it has to be read to its end.
    #[serde(default)]
    pub unordered: bool,
    /// Creation (ms) and id of an article that an earlier page ended with: a list that comes by it again and again runs in a
    /// circle. Until it came by once it is chosen anew at pages 1, 2, 4, 8 …, so that a circle of any length holds one (Brent's
    /// algorithm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landmark: Option<(i64, i64)>,
    /// Whether the last page had it.
    #[serde(default)]
    pub at_landmark: bool,
    /// How often it came by.
    #[serde(default)]
    pub rounds: u32,
    /// How often it began anew, because a cursor led nowhere.
    #[serde(default)]
    pub restarts: u32,
    /// It has read what it was to read.
    pub ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured { newest: 5, count: 7, crowded: Some(3) }
    }

    fn samples() -> Vec<ShardParams> {
        let mut samples: Vec<_> = ShardKind::ALL.iter().map(|kind| ShardParams::empty(*kind)).collect();
        samples.extend([
            ShardParams::WalkExport(ExportRange { start: 1, end: Some(2), everything: true }),
            ShardParams::WalkList(ListParams::Pages { first: 1, last: 2, measured: measured() }),
            ShardParams::WalkList(ListParams::End { from: ListEnd::Latest, pages: 2, measured: measured() }),
            ShardParams::ConfirmRemoved(Confirm::Articles { articles: vec![i64::MAX] }),
            ShardParams::FetchArticles(Articles { articles: vec![1], options: Some(Map::new()) }),
        ]);
        samples
    }

    #[test]
    fn what_a_shard_does_reads_back_from_its_kind_and_its_json() {
        for params in samples() {
            let json = params.to_json().unwrap();
            assert!(serde_json::from_str::<Map<String, Value>>(&json).is_ok(), "{json}");
            assert_eq!(ShardParams::read(params.kind(), &json).unwrap(), params);
        }
    }

    #[test]
    fn a_shard_that_lacks_what_its_kind_needs_is_refused() {
        for kind in
            [ShardKind::WalkExport, ShardKind::WalkList, ShardKind::ConfirmRemoved, ShardKind::FetchArticles]
        {
            assert!(ShardParams::read(kind, "{}").is_err(), "{kind}");
        }
    }

    #[test]
    fn what_a_run_does_and_where_a_shard_stands_read_back_from_json() {
        for params in
            [RunParams::default(), RunParams::audit(), RunParams::articles(vec![7]), RunParams::Attachments]
        {
            let json = serde_json::to_string(&params).unwrap();
            assert_eq!(serde_json::from_str::<RunParams>(&json).unwrap(), params, "{json}");
        }
        let list = ListCursor { after: Some("c".into()), edge: Some((1, 2)), ..ListCursor::default() };
        for cursor in
            [ShardCursor::Page(3), ShardCursor::Export(ExportCursor::default()), ShardCursor::List(list)]
        {
            let json = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<ShardCursor>(&json).unwrap(), cursor, "{json}");
        }
    }
}
