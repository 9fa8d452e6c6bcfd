//! Formulas on one line.

use html5ever::local_name;
use markup5ever_rcdom::{Handle, NodeData};

use crate::tree::{all_text, attribute, element, tag, text, words_of};

/// A `<math>` element as a line: in TeX where it says so, else with signs for what stands above and below.
pub(crate) fn linear(math: &Handle) -> String {
    words_of(math, "alttext").map(String::from).or_else(|| tex(math)).unwrap_or_else(|| part(math))
}

/// A formula that a script of the page draws: as code, as it was typed. One that stands apart is a paragraph.
pub(crate) fn typed(script: &Handle) -> Option<Handle> {
    let kind = attribute(script, "type")?.to_ascii_lowercase();
    if !kind.trim_start().starts_with("math/tex") && !kind.trim_start().starts_with("math/asciimath") {
        return None;
    }
    let formula = all_text(script).split_whitespace().collect::<Vec<_>>().join(" ");
    let code = element(local_name!("code"), vec![text(&formula)]);
    Some(if kind.contains("display") { element(local_name!("p"), vec![code]) } else { code })
}

/// The TeX that a formula was made from.
fn tex(node: &Handle) -> Option<String> {
    if tag(node) == "annotation" {
        let encoding = attribute(node, "encoding").unwrap_or_default().to_ascii_lowercase();
        return encoding.contains("tex").then(|| all_text(node));
    }
    node.children.borrow().iter().find_map(tex)
}

fn part(node: &Handle) -> String {
    if let NodeData::Text { contents } = &node.data {
        return contents.borrow().chars().filter(|c| !is_unseen(*c)).collect::<String>().trim().to_owned();
    }
    let children: Vec<Handle> = node.children.borrow().iter().filter(|it| !is_space(it)).cloned().collect();
    let parts: Vec<String> = children.iter().map(part).collect();
    let group = |at: usize| {
        let part = parts.get(at).map_or("", String::as_str);
        if is_whole(part, children.get(at)) { part.to_owned() } else { format!("({part})") }
    };
    match (tag(node), parts.len()) {
        ("msup" | "mover", 2) => format!("{}^{}", group(0), group(1)),
        ("msub" | "munder", 2) => format!("{}_{}", group(0), group(1)),
        ("msubsup" | "munderover", 3) => format!("{}_{}^{}", group(0), group(1), group(2)),
        ("mmultiscripts", _) => multiscripts(&children, group),
        ("mfrac", 2) if has_no_line(node) => format!("({} over {})", parts[0], parts[1]),
        ("mfrac", 2) => format!("{}/{}", group(0), group(1)),
        ("mroot", 2) => format!("{}^(1/{})", group(0), group(1)),
        ("msqrt", _) => format!("\u{221a}({})", joined(&parts)),
        ("mfenced", _) => fenced(node, &parts),
        ("mtr", _) => format!("{}; ", parts.join(", ")),
        ("annotation" | "annotation-xml" | "mphantom", _) => String::new(),
        _ => joined(&parts),
    }
}

/// Parts side by side. A space stands where they would read as one: between two numbers, and beside what has signs of its
/// own.
fn joined(parts: &[String]) -> String {
    let mut out = String::new();
    let mut before = "";
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let ends = (before.chars().next_back(), part.chars().next());
        if let (Some(last), Some(first)) = ends {
            let has_signs = |part: &str| part.contains(['^', '_', '/']);
            let is_word = |part: &str| part.chars().count() > 1 && part.chars().all(char::is_alphabetic);
            let touch = last.is_alphanumeric() && first.is_alphanumeric();
            let numbers = last.is_numeric() && first.is_numeric();
            if touch && (numbers || [before, part].iter().any(|it| has_signs(it) || is_word(it))) {
                out.push(' ');
            }
        }
        out.push_str(part);
        before = part;
    }
    out
}

/// Whether a part needs no brackets beside a sign: one letter, one number, one name.
fn is_whole(part: &str, node: Option<&Handle>) -> bool {
    let number = |c: char| c.is_numeric() || matches!(c, '.' | ',');
    let mut letters = part.chars();
    if letters.next().is_none() || letters.next().is_none() || part.chars().all(number) {
        return true;
    }
    part.chars().all(char::is_alphanumeric) && node.is_some_and(is_one_name)
}

/// Whether a node is a single token, whatever stands around it.
fn is_one_name(node: &Handle) -> bool {
    let children = node.children.borrow();
    let mut inner = children.iter().filter(|it| !is_space(it));
    match (inner.next(), inner.next()) {
        (Some(only), None) => matches!(only.data, NodeData::Text { .. }) || is_one_name(only),
        _ => false,
    }
}

/// A base with scripts in pairs, low and high, behind it; those behind `<mprescripts>` stand before it.
fn multiscripts(children: &[Handle], group: impl Fn(usize) -> String) -> String {
    let (mut before, mut behind) = (String::new(), String::new());
    let mut leads = false;
    let mut low = true;
    for (at, child) in children.iter().enumerate().skip(1) {
        if tag(child) == "mprescripts" {
            (leads, low) = (true, true);
            continue;
        }
        let script = group(at);
        if !script.is_empty() {
            let out = if leads { &mut before } else { &mut behind };
            out.push(if low { '_' } else { '^' });
            out.push_str(&script);
        }
        low = !low;
    }
    let gap = if before.is_empty() { "" } else { " " };
    format!("{before}{gap}{}{behind}", group(0))
}

/// What stands in brackets, which are attributes here.
fn fenced(node: &Handle, parts: &[String]) -> String {
    let or = |name: &str, usual: &str| attribute(node, name).map_or_else(|| usual.to_owned(), String::from);
    let separators = or("separators", ",");
    let separator = separators.trim().chars().next().map_or_else(String::new, |c| format!("{c} "));
    format!("{}{}{}", or("open", "("), parts.join(&separator), or("close", ")"))
}

/// A fraction without a line is none: "n over k".
fn has_no_line(fraction: &Handle) -> bool {
    attribute(fraction, "linethickness").is_some_and(|it| it.trim_matches(|c: char| c.is_alphabetic()) == "0")
}

/// Signs that only say how a formula is spoken: application, times, comma, plus.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{2061}'..='\u{2064}')
}

fn is_space(node: &Handle) -> bool {
    matches!(&node.data, NodeData::Text { contents } if contents.borrow().trim().is_empty())
}

#[cfg(test)]
mod tests {
    fn line(inner: &str) -> String {
        let html = format!("<math>{inner}</math>");
        crate::convert(&html, None, &crate::Limits::default()).unwrap().text
    }

    #[test]
    fn formulas_keep_their_numbers_apart() {
        let half = "<mfrac><mn>1</mn><mn>2</mn></mfrac>";
        let row = |inner: &str| format!("<mrow>{inner}</mrow>");
        let sum = "<mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow>";
        for (inner, expected) in [
            (format!("<mn>1</mn>{half}"), "1 1/2"),
            (format!("<mn>1</mn><mo>\u{2064}</mo>{}", row(half)), "1 1/2"),
            ("<msup><mn>2</mn><mn>10</mn></msup><mn>5</mn>".to_owned(), "2^10 5"),
            ("<msub><mi>a</mi><mn>1</mn></msub><mn>2</mn>".to_owned(), "a_1 2"),
            (format!("<mfrac><mn>1</mn>{}</mfrac>", row("<mn>2</mn><mi>x</mi>")), "1/(2x)"),
            (format!("<msup><mi>x</mi>{}</msup>", row("<mn>10</mn>")), "x^10"),
            ("<msub><mi>V</mi><mi>max</mi></msub>".to_owned(), "V_max"),
            ("<msup><mi>x</mi><mrow><mo>-</mo><mn>3</mn></mrow></msup>".to_owned(), "x^(-3)"),
            ("<mi>sin</mi><mo>\u{2061}</mo><mi>x</mi>".to_owned(), "sin x"),
            ("<mn>2</mn><mi>x</mi><mo>+</mo><mn>1</mn>".to_owned(), "2x+1"),
            (format!("<munderover><mo>\u{2211}</mo>{sum}<mi>n</mi></munderover><mi>i</mi>"), "\u{2211}_(i=1)^n i"),
            ("<munder><mi>lim</mi><mi>n</mi></munder>".to_owned(), "lim_n"),
            ("<mover><mi>x</mi><mo>\u{2192}</mo></mover>".to_owned(), "x^\u{2192}"),
            (
                "<mmultiscripts><mi>C</mi><none/><mn>2</mn><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>".to_owned(),
                "_6^14 C^2",
            ),
            ("<mfenced><mi>a</mi><mi>b</mi></mfenced>".to_owned(), "(a, b)"),
            ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>".to_owned(), "(n over k)"),
        ] {
            assert_eq!(line(&inner), expected, "{inner}");
        }
    }
}
