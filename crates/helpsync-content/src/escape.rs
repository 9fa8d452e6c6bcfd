//! Text that stays text: everything that CommonMark, or GitHub's extensions of it, would read as markup is escaped.

use std::borrow::Cow;

/// The longest name of an entity that is looked for.
const ENTITY_BYTES_MAX: usize = 40;

/// Where a text stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// In a table's cell, where bars part cells.
    pub cell: bool,
    /// In a link's or an image's words, where a bracket ends them.
    pub brackets: bool,
    /// In a title. Some parsers read its entities before its escapes: an escaped `&` would still begin one.
    pub title: bool,
}

/// Escapes the text of one paragraph, heading or cell, or a part of it: its ends may touch markup. What is markup only
/// at the start of a line is [`line_start`]'s.
pub(crate) fn text(text: &str, place: Place, out: &mut String) {
    let special =
        |c: char| matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '&' | '~' | '!' | '|' | ':');
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        before = rest[..at].chars().next_back().or(before);
        let tail = &rest[at..];
        let c = tail.chars().next().unwrap_or_default();
        let after = tail[c.len_utf8()..].chars().next();
        if c == '|' && place.cell && before == Some('\\') {
            // Parsers disagree on a backslash before an escaped bar.
            out.push_str("&#124;");
        } else if c == '&' && place.title && is_entity(tail) {
            out.push_str("&amp;");
        } else {
            if is_markup(c, before, after, tail, place) {
                out.push('\\');
            }
            out.push(c);
        }
        before = Some(c);
        rest = &tail[c.len_utf8()..];
    }
    out.push_str(rest);
}

/// Whether `c` could be markup between `before` and `after`; at an end of the text, whatever may follow counts.
fn is_markup(c: char, before: Option<char>, after: Option<char>, tail: &str, place: Place) -> bool {
    let apart = before.is_some_and(char::is_whitespace) && after.is_some_and(char::is_whitespace);
    match c {
        '`' | '[' => true,
        ']' => place.brackets,
        '|' => place.cell,
        '\\' => after.is_none_or(|c| c.is_ascii_punctuation()),
        '*' | '~' => !apart,
        '_' => {
            let letters = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            !(apart || letters(before) && letters(after))
        }
        '<' => after.is_none_or(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')),
        '!' => after.is_none_or(|c| c == '['),
        '&' => after.is_none() || is_entity(tail),
        ':' => !before.is_some_and(char::is_alphanumeric) && is_emoji_name(tail),
        _ => false,
    }
}

/// Whether a text starts like an entity: `&`, a name or number, `;`.
pub(crate) fn is_entity(text: &str) -> bool {
    let Some(name) = text.strip_prefix('&') else { return false };
    let name = name.strip_prefix('#').unwrap_or(name);
    let length = name.bytes().take(ENTITY_BYTES_MAX).take_while(u8::is_ascii_alphanumeric).count();
    length > 0 && name.as_bytes().get(length) == Some(&b';')
}

/// Whether a text starts like `:smile:`, which some renderers replace.
fn is_emoji_name(text: &str) -> bool {
    let name = &text.as_bytes()[1..];
    let legal = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-');
    let length = name.iter().take(ENTITY_BYTES_MAX).take_while(legal).count();
    length > 0 && name.get(length) == Some(&b':') && name[..length].iter().any(u8::is_ascii_alphabetic)
}

/// Escapes what would turn a paragraph's line into another block: a heading, list, quote, rule, underline or table.
pub(crate) fn line_start(line: &str) -> Cow<'_, str> {
    match block_mark(line) {
        Some(at) => Cow::Owned(format!("{}\\{}", &line[..at], &line[at..])),
        None => Cow::Borrowed(line),
    }
}

/// Where a line is escaped that would be another block than a paragraph.
pub(crate) fn block_mark(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let ends = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    match *bytes.first()? {
        b'#' => {
            let length = bytes.iter().take_while(|byte| **byte == b'#').count();
            (length <= 6 && ends(length)).then_some(0)
        }
        b'>' | b'|' => Some(0),
        b'+' | b'*' => ends(1).then_some(0),
        b'-' => (ends(1) || bytes[1] == b'-' || bytes[1] == b'|' || bytes[1] == b':').then_some(0),
        b'=' => bytes.iter().all(|byte| *byte == b'=' || *byte == b' ').then_some(0),
        b':' => (bytes.get(1) == Some(&b'-')).then_some(0),
        b'~' => line.starts_with("~~~").then_some(0),
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let marks = matches!(bytes.get(digits), Some(b'.' | b')'));
            (marks && ends(digits + 1)).then_some(digits)
        }
        _ => None,
    }
}

/// Escapes the hashes that would be taken for the end of a heading.
pub(crate) fn heading_end(line: &str) -> Cow<'_, str> {
    let words = line.trim_end_matches('#');
    if words.len() < line.len() && (words.is_empty() || words.ends_with(' ')) {
        Cow::Owned(format!("{words}\\{}", &line[words.len()..]))
    } else {
        Cow::Borrowed(line)
    }
}

/// The longest run of backticks.
fn backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Code between two words, byte for byte. `code` has no line ends.
pub(crate) fn code_span(code: &str, cell: bool, out: &mut String) {
    if cell && code.contains("\\|") {
        // In a cell's code a bar needs a backslash, and there is no way to write one before it.
        out.push_str("<code>");
        text(code, Place { cell, brackets: true, title: false }, out);
        out.push_str("</code>");
        return;
    }
    let longest = backticks(code);
    // A fence as short as it can be without standing inside.
    let fence = if longest == 0 { 1 } else { longest + 1 };
    let spaced = code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty();
    let pad = code.starts_with('`') || code.ends_with('`') || spaced;
    out.extend(std::iter::repeat_n('`', fence));
    out.push_str(if pad { " " } else { "" });
    if cell {
        out.push_str(&code.replace('|', "\\|"));
    } else {
        out.push_str(code);
    }
    out.push_str(if pad { " " } else { "" });
    out.extend(std::iter::repeat_n('`', fence));
}

/// The fence of a block of code.
pub(crate) fn fence(code: &str) -> String {
    "`".repeat((backticks(code) + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(plain: &str) -> String {
        let mut out = String::new();
        text(plain, Place::default(), &mut out);
        out
    }

    #[test]
    fn markup_is_escaped_and_ordinary_text_is_left_alone() {
        for plain in
            ["5 * 3 < 20 & more", "snake_case", "AT&T", "C:\\Users", "10:30:45", "a ~ b", "x ] y", "ok! (a)"]
        {
            assert_eq!(escaped(plain), plain);
        }
        for (plain, expected) in [
            ("*a*", "\\*a\\*"),
            ("_a_", "\\_a\\_"),
            ("[a](b)", "\\[a](b)"),
            ("<b>", "\\<b>"),
            ("&lt;", "\\&lt;"),
            ("~~a~~", "\\~\\~a\\~\\~"),
            ("a\\", "a\\\\"),
            ("\\*", "\\\\\\*"),
            ("!", "\\!"),
            (":smile:", "\\:smile:"),
            ("`", "\\`"),
        ] {
            assert_eq!(escaped(plain), expected);
        }
    }

    #[test]
    fn starts_of_blocks_are_escaped() {
        for (line, expected) in [
            ("# a", "\\# a"),
            ("#", "\\#"),
            ("#a", "#a"),
            ("- a", "\\- a"),
            ("---", "\\---"),
            ("-a", "-a"),
            ("+ a", "\\+ a"),
            ("1. a", "1\\. a"),
            ("12) a", "12\\) a"),
            ("1.5 a", "1.5 a"),
            ("> a", "\\> a"),
            ("===", "\\==="),
            ("|-|-|", "\\|-|-|"),
            (":-:|:-:", "\\:-:|:-:"),
            ("-|-", "\\-|-"),
        ] {
            assert_eq!(line_start(line), expected);
        }
        assert_eq!(heading_end("a #"), "a \\#");
        assert_eq!(heading_end("C#"), "C#");
    }

    #[test]
    fn code_is_kept_byte_for_byte() {
        for (code, cell, expected) in [
            ("a", false, "`a`"),
            ("`", false, "`` ` ``"),
            ("a`b``c", false, "```a`b``c```"),
            (" a ", false, "`  a  `"),
            ("a|b", true, "`a\\|b`"),
            ("a\\|b", true, "<code>a\\\\&#124;b</code>"),
        ] {
            let mut out = String::new();
            code_span(code, cell, &mut out);
            assert_eq!(out, expected);
        }
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("a"), "```");
    }
}
