//! What a tree says, by a plain walk.

use markup5ever_rcdom::Handle;
use url::Url;

use crate::dom::{attribute, children, own_text, tag};
use crate::grid::{Grid, grid};

/// What an article says besides its words.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Level and words.
    pub headings: Vec<(String, String)>,
    pub tables: Vec<Grid>,
    /// Depth, number and first words.
    pub items: Vec<(usize, Option<i64>, String)>,
    /// Blocks and spans of code, byte for byte.
    pub code: Vec<String>,
    /// Where words or pictures lead; once where several in a row lead to the same.
    pub links: Vec<String>,
    /// Addresses and alt texts.
    pub images: Vec<(String, String)>,
    /// Letters that are struck, strong and emphasized.
    pub styled: [String; 3],
    /// How deep quoted letters are.
    pub quoted: Vec<(usize, String)>,
    /// Whether this is the article and not its copy.
    source: bool,
}

/// What surrounds a node.
#[derive(Clone, Default)]
struct Around {
    lists: usize,
    quotes: usize,
    in_table: bool,
    in_code: bool,
    in_heading: bool,
    in_pre: bool,
    link: Option<String>,
    styles: [bool; 3],
}

impl Facts {
    pub(crate) fn of(document: &Handle, source: bool) -> Self {
        let mut facts = Self { source, ..Self::default() };
        facts.walk(document, &Around::default());
        facts
    }

    /// The first difference between an article and its copy.
    pub(crate) fn difference(&self, copy: &Self) -> Option<String> {
        fn differ<T: PartialEq + std::fmt::Debug>(what: &str, source: &T, copy: &T) -> Option<String> {
            (source != copy).then(|| format!("{what}:\n  article {source:?}\n  copy    {copy:?}"))
        }
        differ("headings", &self.headings, &copy.headings)
            .or_else(|| differ("items", &self.items, &copy.items))
            .or_else(|| differ("code", &self.code, &copy.code))
            .or_else(|| differ("links", &self.links, &copy.links))
            .or_else(|| differ("images", &self.images, &copy.images))
            .or_else(|| differ("struck, strong and emphasized", &self.styled, &copy.styled))
            .or_else(|| differ("quoted", &self.quoted, &copy.quoted))
            .or_else(|| differ("number of tables", &self.tables.len(), &copy.tables.len()))
            .or_else(|| {
                self.tables.iter().zip(&copy.tables).find_map(|(source, copy)| source.difference(copy))
            })
    }

    fn walk(&mut self, node: &Handle, around: &Around) {
        if let Some(text) = own_text(node) {
            self.text(&text, around);
            return;
        }
        let mut inside = around.clone();
        match tag(node) {
            "head" | "script" | "style" | "template" | "noscript" => return,
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") if !around.in_table => {
                let heading = words(&text(node)).join(" ");
                if !heading.is_empty() {
                    self.headings.push((name.to_owned(), heading));
                }
                inside.in_heading = true;
            }
            "table" if !around.in_table => {
                self.tables.extend(grid(node));
                inside.in_table = true;
            }
            "ul" | "ol" if !around.in_table => {
                inside.lists += usize::from(children(node).iter().any(|child| tag(child) == "li"));
                self.list(node, &inside);
                return;
            }
            "pre" => {
                self.block_of_code(node, around);
                (inside.in_code, inside.in_pre) = (true, true);
            }
            "code" if !around.in_code => {
                self.span_of_code(node, around);
                inside.in_code = true;
            }
            "iframe" | "embed" | "video" | "audio" => {
                let own = attribute(node, "src")
                    .or_else(|| children(node).iter().find_map(|it| attribute(it, "src")));
                inside.link = own.and_then(|it| absolute(&it));
                self.link(&inside);
                return;
            }
            "blockquote" => inside.quotes += 1,
            "a" => inside.link = attribute(node, "href").and_then(|it| absolute(&it)).or(inside.link),
            "del" | "s" => inside.styles[0] = true,
            "strong" | "b" => inside.styles[1] |= !around.in_code,
            "em" | "i" => inside.styles[2] |= !around.in_code,
            "img" => {
                let alt = words(&attribute(node, "alt").unwrap_or_default()).join(" ");
                if let Some(address) = attribute(node, "src").and_then(|it| absolute(&it)) {
                    self.images.push((address, alt));
                    self.link(around);
                }
            }
            _ => {}
        }
        let mut below = children(node);
        if tag(node) == "table" {
            // As they are shown.
            below.sort_by_key(|part| ["thead", "tbody", "tfoot"].iter().position(|name| *name == tag(part)));
        }
        for child in below {
            self.walk(&child, &inside);
        }
    }

    fn text(&mut self, text: &str, around: &Around) {
        if text.trim().is_empty() {
            return;
        }
        self.link(around);
        if around.quotes > 0 && !around.in_table {
            let letters = words(text).concat();
            match self.quoted.last_mut() {
                Some((depth, quoted)) if *depth == around.quotes => quoted.push_str(&letters),
                _ => self.quoted.push((around.quotes, letters)),
            }
        }
        // A block of code has no style.
        for (styled, _) in self.styled.iter_mut().zip(around.styles).filter(|(_, is)| *is && !around.in_pre) {
            styled.extend(text.chars().filter(|c| !c.is_whitespace()));
        }
    }

    fn link(&mut self, around: &Around) {
        if let Some(link) = &around.link
            && self.links.last() != Some(link)
        {
            self.links.push(link.clone());
        }
    }

    /// The items of a list that say something, each with the number that it shows.
    fn list(&mut self, node: &Handle, inside: &Around) {
        let ordered = tag(node) == "ol";
        let integer =
            |node: &Handle, name: &str| attribute(node, name).and_then(|it| it.trim().parse::<i64>().ok());
        let mut number = integer(node, "start").unwrap_or(1);
        for child in children(node) {
            if tag(&child) == "li" {
                number = integer(&child, "value").unwrap_or(number);
                let own = words(&own_words(&child)).join(" ");
                if !own.is_empty() {
                    self.items.push((inside.lists, ordered.then_some(number), own));
                }
                number += 1;
            } else if !matches!(tag(&child), "ul" | "ol") {
                // Text between items stands under the one before.
                let stray = words(&text(&child)).join(" ");
                if let (false, Some((_, _, own))) = (stray.is_empty(), self.items.last_mut()) {
                    own.push(' ');
                    own.push_str(&stray);
                }
            }
            self.walk(&child, inside);
        }
    }

    fn block_of_code(&mut self, node: &Handle, around: &Around) {
        let mut code = String::new();
        lines_of_code(node, &mut code);
        let code = code.trim_end_matches('\n');
        if code.trim().is_empty() || around.in_code {
            return;
        }
        if around.in_table {
            self.code.extend(code.split('\n').filter(|line| !line.trim().is_empty()).map(str::to_owned));
        } else {
            self.code.push(code.to_owned());
        }
    }

    fn span_of_code(&mut self, node: &Handle, around: &Around) {
        let mut code = String::new();
        lines_of_code(node, &mut code);
        if self.source && around.in_table || around.in_heading {
            let lines = code.split('\n').map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
            self.code.extend(lines);
        } else if !code.trim().is_empty() {
            self.code.push(spaces_of_code(&code));
        }
    }
}

/// Every space of a span of code stays; line ends only part it, and at its ends they come of how the HTML was written.
fn spaces_of_code(code: &str) -> String {
    let code = code.replace('\u{a0}', " ");
    let inner = code.trim();
    let start = code.len() - code.trim_start().len();
    let kept = |part: &str| if part.contains('\n') { String::new() } else { part.to_owned() };
    let (before, after) = (kept(&code[..start]), kept(&code[start + inner.len()..]));
    format!("{before}{inner}{after}").replace(['\n', '\r'], " ")
}

/// The text of code, with line ends where they are seen.
fn lines_of_code(node: &Handle, out: &mut String) {
    for child in children(node) {
        match (own_text(&child), tag(&child)) {
            (Some(text), _) => out.push_str(&text),
            (None, "br") => out.push('\n'),
            _ => lines_of_code(&child, out),
        }
    }
}

/// The words of an item before and after the lists in it, but not theirs.
fn own_words(node: &Handle) -> String {
    let mut out = String::new();
    for child in children(node) {
        match (own_text(&child), tag(&child)) {
            (Some(text), _) => out.push_str(&text),
            // Tables are compared as grids.
            (None, "ul" | "ol" | "table") => out.push(' '),
            (None, name) => {
                let apart = if is_inline(name) { "" } else { " " };
                out.push_str(apart);
                out.push_str(&own_words(&child));
                out.push_str(apart);
            }
        }
    }
    out
}

/// The text of a tree, with space around everything that stands apart.
pub(crate) fn text(node: &Handle) -> String {
    if let Some(text) = own_text(node) {
        return text;
    }
    if matches!(tag(node), "head" | "script" | "style" | "template" | "noscript") {
        return String::new();
    }
    let inner: String = children(node).iter().map(text).collect();
    if is_inline(tag(node)) { inner } else { format!(" {inner} ") }
}

pub(crate) fn is_inline(tag: &str) -> bool {
    matches!(
        tag,
        "a" | "b"
            | "strong"
            | "i"
            | "em"
            | "del"
            | "s"
            | "code"
            | "span"
            | "font"
            | "u"
            | "ins"
            | "mark"
            | "small"
            | "sup"
            | "sub"
            | "kbd"
            | "bdi"
            | "wbr"
    )
}

/// Letters and digits, without what is never seen.
pub(crate) fn words(text: &str) -> Vec<String> {
    let seen: String =
        text.chars().filter(|c| !matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{2060}')).collect();
    seen.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// An address from the article's own; `None` where it must not be kept.
fn absolute(address: &str) -> Option<String> {
    let base = Url::parse(crate::URL).unwrap();
    let url = base.join(address.trim()).ok()?;
    let kept = matches!(url.scheme(), "http" | "https" | "mailto" | "tel");
    // The parser of Markdown writes some characters otherwise, which means the same.
    (kept && !address.trim().is_empty()).then(|| {
        [("%7C", "|"), ("%5B", "["), ("%5D", "]")]
            .iter()
            .fold(url.to_string(), |url, (code, c)| url.replace(code, c))
    })
}
