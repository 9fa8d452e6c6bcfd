//! An article as blocks: what stands between the parsed tree and the Markdown.

use std::collections::HashMap;

use markup5ever_rcdom::Node;

/// What a piece of text is besides text; several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style(u8);

impl Style {
    pub(crate) const STRONG: Self = Self(1);
    pub(crate) const EMPHASIS: Self = Self(2);
    pub(crate) const STRUCK: Self = Self(4);
    pub(crate) const CODE: Self = Self(8);
    /// Those with a beginning and an end of their own.
    pub(crate) const PAIRED: [Self; 3] = [Self::STRUCK, Self::STRONG, Self::EMPHASIS];

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether asterisks stand around it.
    pub(crate) fn is_starred(self) -> bool {
        self.has(Self::STRONG.with(Self::EMPHASIS))
    }

    pub(crate) fn without_code(self) -> Self {
        Self(self.0 & !Self::CODE.0)
    }
}

/// A link of the article, by its place in [`Article::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkId(pub usize);

/// A link's target.
#[derive(Debug)]
pub(crate) struct Link {
    /// Resolved.
    pub address: String,
    pub title: Option<String>,
}

/// A piece of a paragraph.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub kind: LeafKind,
    pub style: Style,
    pub link: Option<LinkId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeafKind {
    Text(String),
    Space,
    Break,
    Image { address: String, alt: String, title: Option<String> },
}

/// A block.
#[derive(Debug)]
pub(crate) enum Block {
    Paragraph(Vec<Leaf>),
    Heading(usize, Vec<Leaf>),
    Code {
        language: String,
        code: String,
        /// Of a link around it.
        link: Option<LinkId>,
    },
    Rule,
    Quote(Vec<Block>),
    List(List),
    /// What a term means; the term is the paragraph before.
    Definition(Vec<Block>),
    Table(Table),
}

#[derive(Debug)]
pub(crate) struct List {
    pub ordered: bool,
    /// Made for items that stood in no list.
    pub stray: bool,
    pub items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) struct Item {
    /// Of ordered lists.
    pub number: i64,
    pub blocks: Vec<Block>,
    /// A list that stood in a list without an item around it.
    pub bare: bool,
}

/// A table as a grid.
#[derive(Debug)]
pub(crate) struct Table {
    pub cells: Vec<Cell>,
    pub rows: Vec<Vec<Slot>>,
    /// How many cells the widest row has.
    pub columns: usize,
    /// How many rows from the first on name columns; where none does, the header is empty.
    pub header_rows: usize,
    /// Which rows, besides those, say what the rows behind them are: titles of sections, and names of columns that come
    /// again.
    pub titles: Vec<bool>,
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub blocks: Vec<Block>,
}

/// A place of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A cell's own place.
    Own(usize),
    /// Where a cell reaches that spans several.
    Spanned(usize),
}

/// A whole article.
#[derive(Debug, Default)]
pub(crate) struct Article {
    pub blocks: Vec<Block>,
    pub links: Vec<Link>,
    /// Addresses.
    pub images: Vec<String>,
    /// In which column each cell of the tree stands. Those of tables that only arrange are missing.
    pub columns: Columns,
}

/// Cells of the tree, by where they lie in memory, and their columns.
pub(crate) type Columns = HashMap<*const Node, usize>;
