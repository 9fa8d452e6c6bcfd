//! Makes the tree say what readers see, before anything is written: so that Markdown and plain text agree.

use std::rc::Rc;

use html5ever::local_name;
use html5ever::tendril::StrTendril;
use markup5ever_rcdom::{Handle, Node, NodeData};
use url::Url;

use crate::address::{resolved, web};
use crate::spaces::{self, Kept as Spaces, even};
use crate::tree::{
    all_text, attribute, element, is_hidden_within_a_line, is_unseen, keeps_lines, put, says_something_with,
    set, tag, text, words_of,
};
use crate::{controls, letters, math, scripts};

/// Where pages keep the address of a picture that is loaded late.
const LATE_SOURCES: [&str; 3] = ["data-src", "data-original", "data-lazy-src"];

/// The most line ends of texts that a style keeps. Those behind them are spaces: each line costs as much as an element.
pub(crate) const LINES_MAX: usize = 20_000;

/// Drops scripts, styles and comments; makes addresses absolute and drops those that run or carry something; turns
/// frames and films into links, and pictures that cannot be kept into their words; evens out the spaces.
pub(crate) fn clean(document: &Handle, base: Option<&Url>) {
    let mut lines_left = LINES_MAX;
    let mut stack = vec![(Rc::clone(document), Around::default())];
    while let Some((parent, around)) = stack.pop() {
        let around = Around {
            in_code: around.in_code || tag(&parent) == "code",
            in_pre: around.in_pre || keeps_lines(&parent),
            spaces: spaces::kept_by(&parent).unwrap_or(around.spaces),
        };
        let children = std::mem::take(&mut *parent.children.borrow_mut());
        let mut shown: Vec<Handle> = Vec::with_capacity(children.len());
        for child in children {
            match kept(&child, base) {
                Kept::No => {}
                // Between cells no text has a place; the parser leaves scripts there.
                Kept::As(_) if matches!(tag(&parent), "table" | "thead" | "tbody" | "tfoot" | "tr") => {}
                Kept::AsIs if around.has_lines() && spaces::is_line_of(&parent, &child) => {
                    shown.extend(spaces::lines(&child, around.spaces, &mut lines_left));
                }
                Kept::AsIs => shown.push(child),
                Kept::As(other) => shown.push(other),
            }
        }
        for child in &shown {
            child.parent.set(Some(Rc::downgrade(&parent)));
        }
        if tag(&parent) == "table" {
            in_order(&mut shown);
        }
        let inner = shown.iter().filter(|child| !child.children.borrow().is_empty());
        stack.extend(inner.map(|child| (Rc::clone(child), around)));
        *parent.children.borrow_mut() = shown;
    }
    scripts::scripts(document);
    stray_meanings(document);
    letters::letters(document);
}

/// What surrounds a node.
#[derive(Clone, Copy, Default)]
struct Around {
    in_code: bool,
    in_pre: bool,
    /// What a style keeps of the spaces.
    spaces: Spaces,
}

impl Around {
    /// Whether line ends are lines outside of code, which has its own.
    fn has_lines(self) -> bool {
        self.spaces != Spaces::Nothing && !self.in_code && !self.in_pre
    }
}

/// The address that an article's addresses are relative to: that of its first `<base>`, wherever it stands, or else its
/// own.
pub(crate) fn base_of(document: &Handle, own: Option<Url>) -> Option<Url> {
    let mut stack = vec![Rc::clone(document)];
    while let Some(node) = stack.pop() {
        let href = if tag(&node) == "base" { attribute(&node, "href") } else { None };
        if let Some(href) = href {
            return resolved(&href, own.as_ref()).and_then(|address| web(&address)).or(own);
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    own
}

/// A table's parts in the order in which they are shown: the first foot may stand before the body. Others stay where they
/// are, as in a browser: <https://www.w3.org/TR/CSS21/tables.html#table-display>.
fn in_order(parts: &mut [Handle]) {
    let first = |name: &str| parts.iter().find(|part| tag(part) == name).cloned();
    let (head, foot) = (first("thead"), first("tfoot"));
    let is = |part: &Handle, it: &Option<Handle>| it.as_ref().is_some_and(|it| Rc::ptr_eq(part, it));
    parts.sort_by_key(|part| match tag(part) {
        "caption" | "colgroup" => 0,
        _ if is(part, &head) => 1,
        _ if is(part, &foot) => 3,
        _ => 2,
    });
}

/// A `dd` before which no `dt` stands is no meaning, and what stands before its list no term: it was an indented paragraph.
fn stray_meanings(document: &Handle) {
    let mut stack = vec![Rc::clone(document)];
    while let Some(node) = stack.pop() {
        let mut has_term = false;
        for child in node.children.borrow_mut().iter_mut() {
            has_term |= tag(child) == "dt";
            if tag(child) == "dd" && !has_term {
                let inside = child.children.take();
                *child = element(local_name!("div"), inside);
                child.parent.set(Some(Rc::downgrade(&node)));
            }
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
}

enum Kept {
    No,
    AsIs,
    As(Handle),
}

fn kept(node: &Handle, base: Option<&Url>) -> Kept {
    match &node.data {
        NodeData::Comment { .. } | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {
            Kept::No
        }
        NodeData::Document => Kept::AsIs,
        NodeData::Text { contents } => {
            let evened = spaces::even_text(&contents.borrow());
            if let Some(evened) = evened {
                contents.replace(StrTendril::from(evened));
            }
            Kept::AsIs
        }
        NodeData::Element { .. } => kept_element(node, base),
    }
}

fn kept_element(node: &Handle, base: Option<&Url>) -> Kept {
    match tag(node) {
        "script" => math::typed(node).map_or(Kept::No, Kept::As),
        unseen if is_unseen(unseen) => Kept::No,
        // What a page opens stands in blocks; words that are hidden within a line, such as keys to sort by, would join others.
        _ if is_hidden_within_a_line(node) => Kept::No,
        "video" | "audio" => film(node, base).map_or(Kept::AsIs, Kept::As),
        // Its inside is shown by no browser.
        "iframe" | "embed" => match film(node, base) {
            Some(link) => Kept::As(link),
            None => said(title_of(node)),
        },
        "oembed" => match attribute(node, "url").and_then(|url| resolved(&url, base)) {
            Some(address) => Kept::As(linked(title_of(node), &address)),
            None => said(title_of(node)),
        },
        "area" => match attribute(node, "href").and_then(|href| resolved(&href, base)) {
            Some(address) => {
                Kept::As(linked(words_of(node, "alt").map(String::from).or_else(|| title_of(node)), &address))
            }
            None => said(attribute(node, "alt").map(String::from)),
        },
        "object" => match attribute(node, "data").and_then(|data| resolved(&data, base)) {
            Some(address) => Kept::As(linked(title_of(node), &address)),
            // What stands inside is shown instead.
            None => Kept::AsIs,
        },
        "img" | "image" => image(node, base),
        "a" => link(node, base),
        "svg" => {
            let title = node.children.borrow().iter().find(|child| tag(child) == "title").map(all_text);
            let label = || words_of(node, "aria-label").map(String::from);
            said(title.filter(|title| !title.trim().is_empty()).or_else(label))
        }
        "math" => said(Some(math::linear(node))),
        "input" => said(controls::said_by(node)),
        "optgroup" | "option" => {
            controls::name(node);
            Kept::AsIs
        }
        "q" => around(node, "\u{201c}", "\u{201d}"),
        "rt" if !all_text(node).trim().is_empty() => around(node, "(", ")"),
        _ => match embedded(node, base) {
            Some(link) => Kept::As(link),
            None => Kept::AsIs,
        },
    }
}

/// What editors leave of a film whose frame is made when the page is shown.
fn embedded(node: &Handle, base: Option<&Url>) -> Option<Handle> {
    let address = resolved(&attribute(node, "data-oembed-url")?, base)?;
    (!says_something_with(node, &|picture| is_shown(picture, base))).then(|| linked(title_of(node), &address))
}

/// A link that runs a script, or that carries a whole file, keeps its words and loses its target. One around a picture that
/// cannot be kept is called by the picture's title, or else by its address; one around nothing by its own title.
fn link(node: &Handle, base: Option<&Url>) -> Kept {
    let address = attribute(node, "href").and_then(|href| resolved(&href, base));
    if let Some(address) = &address
        && !says_something_with(node, &|picture| is_shown(picture, base))
    {
        let of_picture = || picture_in(node).map(|it| title_of(&it).unwrap_or_else(|| address.clone()));
        put(node, usize::MAX, text(&title_of(node).or_else(of_picture).unwrap_or_default()));
    }
    set(node, "href", address);
    Kept::AsIs
}

/// Whether anything is left of a picture.
fn is_shown(picture: &Node, base: Option<&Url>) -> bool {
    words_of(picture, "alt").is_some()
        || source(picture, base).or_else(|| first_of_set(picture, base)).is_some()
}

/// The first picture below a node that has an address, of whatever kind.
fn picture_in(node: &Handle) -> Option<Handle> {
    let mut stack = vec![Rc::clone(node)];
    while let Some(node) = stack.pop() {
        if tag(&node) == "img" && words_of(&node, "src").or_else(|| words_of(&node, "srcset")).is_some() {
            return Some(node);
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    None
}

/// Words in place of what they stand for, apart from their neighbours.
fn said(words: Option<String>) -> Kept {
    match words.filter(|words| !words.trim().is_empty()) {
        Some(words) => {
            let words = format!(" {words} ");
            Kept::As(text(&even(&words).unwrap_or(words)))
        }
        None => Kept::No,
    }
}

fn around(node: &Handle, before: &str, after: &str) -> Kept {
    put(node, 0, text(before));
    put(node, usize::MAX, text(after));
    Kept::AsIs
}

fn image(node: &Handle, base: Option<&Url>) -> Kept {
    let address = source(node, base).or_else(|| first_of_set(node, base));
    if address.is_none() {
        return said(attribute(node, "alt").map(String::from));
    }
    set(node, "src", address);
    for name in ["alt", "title"] {
        if let Some(evened) = attribute(node, name).and_then(|words| even(&words)) {
            set(node, name, Some(evened));
        }
    }
    Kept::AsIs
}

/// The address of a picture, frame or film. One that is loaded late counts more: the other is a placeholder then.
fn source(node: &Node, base: Option<&Url>) -> Option<String> {
    LATE_SOURCES
        .into_iter()
        .chain(["src"])
        .filter_map(|name| attribute(node, name))
        .find_map(|source| resolved(&source, base))
}

/// The first address of a picture that has several and none by itself.
fn first_of_set(node: &Node, base: Option<&Url>) -> Option<String> {
    ["srcset", "data-srcset"].into_iter().filter_map(|name| attribute(node, name)).find_map(|set| {
        let first = set.split_ascii_whitespace().next()?;
        resolved(first.trim_end_matches(','), base)
    })
}

/// A frame, film or sound as a link of its own block.
fn film(node: &Handle, base: Option<&Url>) -> Option<Handle> {
    let inner = || {
        let children = node.children.borrow();
        children.iter().filter(|child| tag(child) == "source").find_map(|child| source(child, base))
    };
    source(node, base).or_else(inner).map(|address| linked(title_of(node), &address))
}

/// What something is called that shows no words.
fn title_of(node: &Node) -> Option<String> {
    words_of(node, "title").or_else(|| words_of(node, "aria-label")).map(String::from)
}

/// A link in a paragraph, called by `words` or else its address.
fn linked(words: Option<String>, address: &str) -> Handle {
    let words = words.unwrap_or_else(|| address.to_owned());
    let link = element(local_name!("a"), vec![text(&words)]);
    set(&link, "href", Some(address.to_owned()));
    element(local_name!("p"), vec![link])
}

#[cfg(test)]
mod tests {
    use crate::{Converted, Limits, convert};

    fn both(html: &str) -> Converted {
        convert(html, None, &Limits::default()).unwrap()
    }

    /// To Markdown a carriage return ends a line, and so a quote, a list and a row.
    #[test]
    fn a_carriage_return_leads_out_of_nothing() {
        let script = "&lt;script&gt;alert(1)&lt;/script&gt;";
        for html in [
            format!("<blockquote><pre>a&#13;{script}</pre></blockquote>"),
            format!("<ul><li><pre>a&#13;&#10;{script}</pre></ul>"),
            format!("<table><tr><th>a<th>b<tr><td><pre>x&#13;{script}</pre><td>2</table>"),
            format!("<table><tr><th>a<th>b<tr><td><code>x&#13;{script}</code><td>2</table>"),
            format!("<blockquote><p style=\"white-space: pre\">a&#13;{script}</p></blockquote>"),
        ] {
            let both = both(&html);
            assert!(!both.markdown.contains('\r') && !both.text.contains('\r'), "{html}: {both:?}");
            let prefix = ["> ", "- ", "  ", "|"];
            let all_inside =
                both.markdown.lines().all(|line| prefix.iter().any(|it| line.starts_with(it)) || line == ">");
            assert!(all_inside, "{html}: {}", both.markdown);
        }
        assert_eq!(both("<p>one&#11;two&#x2028;three</p>").text, "one two three");
    }

    #[test]
    fn a_meaning_without_a_term_is_a_paragraph() {
        for (html, expected) in [
            ("<p>Do not press.</p><dl><dd>Unless told.</dd></dl>", "Do not press.\n\nUnless told."),
            ("<dl><dt>V<dd>w</dl><dl><dd>only</dl>", "V\n: w\n\nonly"),
            ("<dl><dt>a<dd>b<dd>c</dl>", "a\n: b\n: c"),
        ] {
            assert_eq!(both(html).markdown.trim(), expected, "{html}");
        }
    }

    #[test]
    fn only_the_first_head_and_foot_of_a_table_move() {
        let rows = |name: &str| format!("<{name}><tr><td>{name}<td>1</{name}>");
        let of = |parts: &[&str]| {
            let html = format!("<table>{}</table>", parts.iter().map(|part| rows(part)).collect::<String>());
            both(&html)
                .text
                .split_whitespace()
                .filter(|word| *word != "1")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&["thead", "tbody", "thead", "tbody"]), ["thead", "tbody", "thead", "tbody"]);
        assert_eq!(of(&["tfoot", "tbody", "tfoot", "tbody"]), ["tbody", "tfoot", "tbody", "tfoot"]);
    }

    #[test]
    fn spans_are_read_as_browsers_read_numbers() {
        let made = both("<table><tr><th>a<th>b<tr><td rowspan=\"2px\">EU<td>5<tr><td>6</table>").markdown;
        assert!(
            made.lines().last().is_some_and(|row| row.contains("| 6") && !row.starts_with("| 6")),
            "{made}"
        );
    }

    #[test]
    fn a_hidden_key_to_sort_by_is_no_part_of_a_number() {
        let made = both(
            r#"<p><span style="display:none">0042</span>42 EUR, <span hidden>9</span>9 EUR</p><div style="display: none">Opened by a click</div>"#,
        );
        assert_eq!(made.text, "42 EUR, 9 EUR\n\nOpened by a click");
        assert!(made.markdown.starts_with("42 EUR, 9 EUR"), "{}", made.markdown);
    }
}
