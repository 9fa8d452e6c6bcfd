//! What an article says, its copy says: facts are read from the HTML, and from the Markdown as an independent parser
//! renders it, by the same plain walk over the tree; they must be equal. The walk shares nothing with the converter.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod alone;
mod cases;
mod dom;
mod facts;
mod generated;
mod grid;
mod kinds;
mod links;
mod real;
mod shapes;

use facts::Facts;
use helpsync_content::{Converted, Limits, convert};

/// The address of every article here.
pub(crate) const URL: &str = "https://acme.example.com/hc/en-us/articles/1";

/// The only elements that Markdown may come to.
const ALLOWED: [&str; 26] = [
    "html", "head", "body", "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "thead",
    "tbody", "tr", "th", "td", "a", "img", "strong", "em", "del", "br", "hr",
];
/// And these.
const ALLOWED_CODE: [&str; 3] = ["pre", "code", "blockquote"];
/// The only attributes.
const ALLOWED_ATTRIBUTES: [&str; 7] = ["href", "title", "src", "alt", "start", "class", "style"];

pub(crate) fn converted(html: &str) -> Converted {
    convert(html, Some(URL), &Limits::default()).unwrap()
}

/// What is wrong with a conversion, if anything: words that are missing or out of order, and elements that the article
/// cannot have shown.
pub(crate) fn faults(converted: &Converted) -> Option<String> {
    let rendered = dom::rendered(&converted.markdown);
    if let Some(word) = missing_word(&converted.text, &facts::text(&rendered)) {
        return Some(format!("the word {word:?} of the plain text is missing"));
    }
    strange(&rendered)
}

/// An element or an attribute that no article can have shown.
pub(crate) fn strange(rendered: &markup5ever_rcdom::Handle) -> Option<String> {
    dom::all(rendered).into_iter().find_map(|node| {
        let tag = dom::tag(&node);
        if !tag.is_empty() && !ALLOWED.contains(&tag) && !ALLOWED_CODE.contains(&tag) {
            return Some(format!("an element <{tag}>"));
        }
        dom::attributes(&node).into_iter().find_map(|(name, value)| {
            let address = matches!(name.as_str(), "href" | "src");
            let runs =
                address && ["javascript:", "data:", "vbscript:"].iter().any(|it| value.starts_with(it));
            (!ALLOWED_ATTRIBUTES.contains(&name.as_str()) || runs)
                .then(|| format!("an attribute {name}={value:?}"))
        })
    })
}

/// What the HTML says and the Markdown does not, or otherwise.
pub(crate) fn differences(html: &str, converted: &Converted) -> Option<String> {
    let source = Facts::of(&dom::parsed(html), true);
    let copy = Facts::of(&dom::rendered(&converted.markdown), false);
    source.difference(&copy)
}

/// The first word of `text` that does not stand in `rendered` after those before it.
fn missing_word(text: &str, rendered: &str) -> Option<String> {
    // What is struck has marks in one and an element in the other.
    let rendered = facts::words(&rendered.replace("~~", ""));
    let mut rest = rendered.iter();
    facts::words(&text.replace("~~", "")).into_iter().find(|word| !rest.any(|it| it == word))
}
