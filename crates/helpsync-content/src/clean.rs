//! Makes the tree say what readers see, before anything is written: so that Markdown and plain text agree.

use std::rc::Rc;

use html5ever::local_name;
use html5ever::tendril::StrTendril;
use markup5ever_rcdom::{Handle, Node, NodeData};
use url::Url;

use crate::address::{resolved, web};
use crate::tree::{
    all_text, attribute, declares, element, is_unseen, keeps_lines, put, says_something, set, tag, text,
    words_of,
};
use crate::{math, scripts};

/// Where pages keep the address of a picture that is loaded late.
const LATE_SOURCES: [&str; 3] = ["data-src", "data-original", "data-lazy-src"];

/// Drops scripts, styles and comments; makes addresses absolute and drops those that run or carry something; turns
/// frames and films into links, and pictures that cannot be kept into their words; evens out the spaces.
pub(crate) fn clean(document: &Handle, base: Option<&Url>) {
    // With each, whether it stands in code and in preformatted text.
    let mut stack = vec![(Rc::clone(document), false, false)];
    while let Some((parent, in_code, in_pre)) = stack.pop() {
        let in_pre = in_pre || keeps_lines(&parent);
        let in_code = in_code || tag(&parent) == "code";
        let children = std::mem::take(&mut *parent.children.borrow_mut());
        let mut kept: Vec<Handle> = children
            .into_iter()
            .filter_map(|child| match kept(&child, base, in_code && !in_pre) {
                Kept::No => None,
                Kept::AsIs => Some(child),
                Kept::As(other) => {
                    other.parent.set(Some(Rc::downgrade(&parent)));
                    Some(other)
                }
            })
            .collect();
        if tag(&parent) == "table" {
            in_order(&mut kept);
        }
        let inner = kept.iter().filter(|child| !child.children.borrow().is_empty());
        stack.extend(inner.map(|child| (Rc::clone(child), in_code, in_pre)));
        *parent.children.borrow_mut() = kept;
    }
    scripts::scripts(document);
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

/// Words within a line that no browser shows.
fn is_hidden_within_a_line(node: &Handle) -> bool {
    const WORDS: [&str; 9] = ["a", "b", "em", "font", "i", "small", "span", "strong", "u"];
    WORDS.contains(&tag(node)) && (attribute(node, "hidden").is_some() || declares(node, "display", "none"))
}

enum Kept {
    No,
    AsIs,
    As(Handle),
}

fn kept(node: &Handle, base: Option<&Url>, in_code: bool) -> Kept {
    match &node.data {
        NodeData::Comment { .. } | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {
            Kept::No
        }
        NodeData::Document => Kept::AsIs,
        NodeData::Text { contents } => {
            let evened = if in_code { even_code(&contents.borrow()) } else { even(&contents.borrow()) };
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
        unseen if is_unseen(unseen) => Kept::No,
        // What a page opens stands in blocks; words that are hidden within a line, such as keys to sort by, would join others.
        _ if is_hidden_within_a_line(node) => Kept::No,
        "video" | "audio" => film(node, base).map_or(Kept::AsIs, Kept::As),
        // Its inside is shown by no browser.
        "iframe" | "embed" => match film(node, base) {
            Some(link) => Kept::As(link),
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
        "a" => {
            // A link that runs a script, or that carries a whole file, keeps its words and loses its target.
            let address = attribute(node, "href").and_then(|href| resolved(&href, base));
            if address.is_some() && !says_something(node) {
                put(node, usize::MAX, text(&title_of(node).unwrap_or_default()));
            }
            set(node, "href", address);
            Kept::AsIs
        }
        "svg" => {
            let title = node.children.borrow().iter().find(|child| tag(child) == "title").map(all_text);
            let label = || words_of(node, "aria-label").map(String::from);
            said(title.filter(|title| !title.trim().is_empty()).or_else(label))
        }
        "math" => said(Some(math::linear(node))),
        "input" => said(control(node)),
        "q" => around(node, "\u{201c}", "\u{201d}"),
        "rt" if !all_text(node).trim().is_empty() => around(node, "(", ")"),
        _ => Kept::AsIs,
    }
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

/// What a control says without being touched.
fn control(node: &Node) -> Option<String> {
    let kind = attribute(node, "type").unwrap_or_default().to_ascii_lowercase();
    let checked = attribute(node, "checked").is_some();
    match kind.as_str() {
        "checkbox" => Some(if checked { "\u{2611}" } else { "\u{2610}" }.to_owned()),
        "radio" => Some(if checked { "\u{25c9}" } else { "\u{25cb}" }.to_owned()),
        "submit" | "button" | "reset" => attribute(node, "value").map(String::from),
        "image" => attribute(node, "alt").or_else(|| attribute(node, "value")).map(String::from),
        _ => None,
    }
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

/// Non-breaking spaces as spaces, every line end as a line feed, zero-width characters and stray controls gone; `None` when
/// there are none.
fn even(text: &str) -> Option<String> {
    evened(text, is_blank)
}

/// As [`even`], but no-break spaces stay, because they may indent.
fn even_code(text: &str) -> Option<String> {
    evened(text, |c| c != '\u{a0}' && is_blank(c))
}

fn evened(text: &str, is_blank: impl Fn(char) -> bool) -> Option<String> {
    let odd = |c: char| is_blank(c) || is_invisible(c) || is_line_end(c);
    text.contains(odd).then(|| {
        let text = text.replace("\r\n", "\n");
        let shown = text.chars().filter(|c| !is_invisible(*c));
        shown
            .map(|c| {
                if is_line_end(c) {
                    '\n'
                } else if is_blank(c) {
                    ' '
                } else {
                    c
                }
            })
            .collect()
    })
}

/// Line ends other than the line feed, which references such as `&#13;` bring. To Markdown a carriage return is one, so it
/// would lead out of a quote, a list or a cell. The vertical tab is what Word makes of a line break.
fn is_line_end(c: char) -> bool {
    matches!(c, '\r' | '\u{b}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// No-break, figure and narrow no-break space, and the form feed, which is a space in HTML.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{c}')
}

/// Zero-width space, word joiner, byte-order mark, soft hyphen, and controls other than tabs and line ends. The
/// zero-width joiners stay: they are spelling in several scripts, and hold emoji together.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
        || (c.is_control() && !is_line_end(c) && !matches!(c, '\t' | '\n' | '\u{c}'))
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
