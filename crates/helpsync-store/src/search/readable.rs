//! What a reader sees of a chunk's Markdown: the words that it is searched for. Marks of emphasis part no word, addresses
//! and the names of tags and entities are no words, and what is code or an escaped sign is text.

use std::collections::HashMap;

/// The tags that the converter writes: those that part words, and those that do not.
const TAGS_THAT_PART: [&str; 1] = ["br"];
const TAGS_THAT_JOIN: [&str; 4] = ["strong", "em", "del", "code"];
/// The longest name of an entity.
const ENTITY_BYTES_MAX: usize = 32;
/// A fence has at least so many backticks or tildes.
const FENCE_MIN: usize = 3;
/// The number of an item has at most so many digits. Source: CommonMark 0.31, 5.2.
const ITEM_DIGITS_MAX: usize = 9;

/// A chunk as a reader sees it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Readable {
    /// A line for each heading.
    pub(crate) headings: String,
    /// The rest.
    pub(crate) body: String,
}

/// Reads Markdown. Linear, whatever the text.
pub(crate) fn readable(markdown: &str) -> Readable {
    let mut read = Readable { body: String::with_capacity(markdown.len()), ..Readable::default() };
    let mut fence: Option<&str> = None;
    let mut brackets = 0;
    for line in markdown.lines() {
        let content = behind_marks(line, &mut read.body);
        if let Some(marks) = fence {
            let line = content.trim_end();
            if line.starts_with(marks) && line.bytes().all(|byte| byte == marks.as_bytes()[0]) {
                fence = None;
            } else {
                read.body.push_str(content);
                read.body.push('\n');
            }
            continue;
        }
        fence = opened(content);
        if fence.is_some() {
            continue;
        }
        // The words of a link may go on behind the end of a line, and not behind that of a paragraph.
        if content.is_empty() {
            brackets = 0;
        }
        let hashes = content.len() - content.trim_start_matches('#').len();
        let heading = (1..=6).contains(&hashes) && content[hashes..].starts_with(' ');
        let to = if heading { &mut read.headings } else { &mut read.body };
        brackets = Line::of(content, brackets).write(to);
        to.push('\n');
    }
    read
}

/// A line behind the marks of quotes and items; the numbers of items are words, and go to `out`.
fn behind_marks<'a>(line: &'a str, out: &mut String) -> &'a str {
    let mut rest = line.trim_start();
    loop {
        let mark = ["> ", "- ", "* ", "+ ", ">"].iter().find_map(|mark| rest.strip_prefix(mark));
        let (number, behind) =
            mark.map_or_else(|| numbered(rest), |behind| Some(("", behind))).unwrap_or(("", ""));
        if behind.is_empty() {
            return rest;
        }
        if !number.is_empty() {
            out.push_str(number);
            out.push(' ');
        }
        rest = behind.trim_start();
    }
}

/// The number of an item, and what stands behind its mark.
fn numbered(rest: &str) -> Option<(&str, &str)> {
    let digits = rest.bytes().take(ITEM_DIGITS_MAX).take_while(u8::is_ascii_digit).count();
    let (number, behind) = rest.split_at(digits);
    let behind = behind.strip_prefix(". ").or_else(|| behind.strip_prefix(") "))?;
    (!number.is_empty()).then_some((number, behind))
}

/// The fence of code that a line opens.
fn opened(content: &str) -> Option<&str> {
    let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let info = content.trim_start_matches(mark);
    let marks = &content[..content.len() - info.len()];
    (marks.len() >= FENCE_MIN && !info.contains('`')).then_some(marks)
}

/// A line that is being read.
struct Line<'a> {
    text: &'a str,
    at: usize,
    /// Brackets that may begin a link.
    brackets: usize,
    /// Where the last run of so many backticks begins.
    last_run: HashMap<usize, usize>,
    /// No address that begins before it has an end.
    no_address_before: usize,
}

impl<'a> Line<'a> {
    fn of(text: &'a str, brackets: usize) -> Self {
        let mut last_run = HashMap::new();
        let mut at = 0;
        while let Some(found) = text[at..].find('`') {
            let length = run(&text[at + found..], '`');
            last_run.insert(length, at + found);
            at += found + length;
        }
        Self { text, at: 0, brackets, last_run, no_address_before: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Answers how many brackets are open at its end.
    fn write(mut self, out: &mut String) -> usize {
        let special = |c: char| matches!(c, '\\' | '`' | '*' | '~' | '[' | ']' | '<' | '&');
        while let Some(found) = self.rest().find(special) {
            out.push_str(&self.rest()[..found]);
            self.at += found;
            self.special(out);
        }
        out.push_str(self.rest());
        self.brackets
    }

    /// Takes in what begins with a sign that may be markup.
    fn special(&mut self, out: &mut String) {
        let rest = self.rest();
        let Some(sign) = rest.chars().next() else { return };
        match sign {
            '\\' => {
                let escaped = rest[1..].chars().next().filter(char::is_ascii_punctuation);
                out.push(escaped.unwrap_or(sign));
                self.at += 1 + escaped.map_or(0, char::len_utf8);
            }
            '`' => self.code(out),
            '*' | '~' => self.at += run(rest, sign),
            '[' => {
                self.brackets += 1;
                self.sign(sign, out);
            }
            ']' => self.end_of_link(out),
            '<' => self.tag(out),
            _ => self.entity(out),
        }
    }

    fn sign(&mut self, sign: char, out: &mut String) {
        out.push(sign);
        self.at += sign.len_utf8();
    }

    /// A span of code, as it stands.
    fn code(&mut self, out: &mut String) {
        let length = run(self.rest(), '`');
        let behind = self.at + length;
        if self.last_run.get(&length).is_none_or(|last| *last < behind) {
            self.at = behind;
            out.push(' ');
            return;
        }
        let mut end = behind;
        while let Some(found) = self.text[end..].find('`') {
            end += found;
            let closing = run(&self.text[end..], '`');
            if closing == length {
                break;
            }
            end += closing;
        }
        out.push_str(&self.text[behind..end]);
        self.at = (end + length).min(self.text.len());
    }

    /// The end of a link's or a picture's words, with its address, which is no word, and its title.
    fn end_of_link(&mut self, out: &mut String) {
        out.push(' ');
        self.at += 1;
        if self.brackets == 0 {
            return;
        }
        self.brackets -= 1;
        if !self.rest().starts_with('(') || self.at < self.no_address_before {
            return;
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while let Some(byte) = bytes.get(end).filter(|byte| !matches!(byte, b')' | b' ')) {
            end += 1 + usize::from(*byte == b'\\');
        }
        match bytes.get(end) {
            Some(b')') => self.at = end + 1,
            // The title is read like the words around it.
            Some(b' ') if bytes.get(end + 1) == Some(&b'"') => self.at = end,
            _ => self.no_address_before = end,
        }
    }

    fn tag(&mut self, out: &mut String) {
        let rest = self.rest();
        let inner = rest[1..].strip_prefix('/').unwrap_or(&rest[1..]);
        let named = |names: &[&str]| {
            names.iter().find_map(|name| inner.strip_prefix(name)?.strip_prefix('>')).map(str::len)
        };
        let part = named(&TAGS_THAT_PART);
        match part.or_else(|| named(&TAGS_THAT_JOIN)) {
            Some(left) => {
                out.push_str(if part.is_some() { " " } else { "" });
                self.at = self.text.len() - left;
            }
            None => self.sign('<', out),
        }
    }

    /// A reference to a character: of those that stand in words as signs the sign, of others a gap.
    fn entity(&mut self, out: &mut String) {
        let rest = &self.rest()[1..];
        let name = rest.strip_prefix('#').unwrap_or(rest);
        let length = name.bytes().take(ENTITY_BYTES_MAX).take_while(u8::is_ascii_alphanumeric).count();
        if length == 0 || name.as_bytes().get(length) != Some(&b';') {
            return self.sign('&', out);
        }
        out.push(if &name[..length] == "amp" { '&' } else { ' ' });
        self.at = self.text.len() - name[length + 1..].len();
    }
}

/// How often a sign stands at the start of a text.
fn run(text: &str, sign: char) -> usize {
    text.len() - text.trim_start_matches(sign).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(markdown: &str) -> String {
        let Readable { headings, body } = readable(markdown);
        format!("{headings}{body}").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_reader_sees_words_and_no_markup() {
        for (markdown, expected) in [
            ("**W**ireless <strong>L</strong>AN ~~old~~ *i*Phone", "Wireless LAN old iPhone"),
            ("| a<br>b | &emsp;- c |", "| a b | - c |"),
            ("AT&T R\\&D a \\&lt; b &amp; c &#124; d", "AT&T R&D a &lt; b & c d"),
            ("\\*a\\* 5 * 3 C:\\\\dir a\\_b", "*a* 5 3 C:\\dir a_b"),
            ("see `a](b c` and ``x`y [i](j)``z", "see a](b c and x`y [i](j)z"),
            ("x](y z \\[a](b)", "x (y z [a (b)"),
            ("[a **b**c](/x\\)y) [d](/e \"f \\\"g\\\"\") ![h](/i)j", "[a bc [d \"f \"g\"\") ![h j"),
            ("[![a](/b)](/c)d [e](", "[![a d [e ("),
            ("a ` b", "a b"),
            ("<b>x</b> 1 < 2", "<b>x</b> 1 < 2"),
        ] {
            assert_eq!(seen(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn a_numbered_item_may_begin_with_code_and_a_link_go_on_behind_its_line() {
        let seen = |markdown| seen(markdown);
        assert_eq!(
            seen("1. ```\n   code[i](call)\n   ```\n\nSee [here](/no) **W**arp"),
            "1 code[i](call) See [here Warp"
        );
        assert_eq!(seen("> 2) - ```\n>      a](b)\n>      ```\n[c](d)"), "2 a](b) [c");
        assert_eq!(seen("[one\ntwo](/no) x"), "[one two x");
        assert_eq!(seen("[one\n\ntwo](/yes) x"), "[one two (/yes) x");
        assert_eq!(readable("1. ## Step").headings, "## Step\n");
    }

    #[test]
    fn code_is_text_and_its_language_is_none() {
        let fenced = "> - ```js\n>   a](b) **c** <br>\n>   ```\n\nd **e**f";
        assert_eq!(seen(fenced), "a](b) **c** <br> d ef");
        assert_eq!(seen("````\n```\nx\n````\n~~~~\ny"), "``` x y");
    }

    #[test]
    fn headings_stand_apart_also_in_items_and_quotes() {
        let read = readable("# A *b*\n\nc\n\n- ## D\n> ### E\n#f\n####### g");
        assert_eq!(read.headings, "# A b\n## D\n### E\n");
        assert_eq!(read.body, "\nc\n\n#f\n####### g\n");
    }

    #[test]
    fn hostile_texts_are_read_in_one_go() {
        // No time is measured: should one of these turn quadratic, the suite hangs where it took a blink.
        let long: String = (1..1_500).map(|length| format!("{} ", "`".repeat(length))).collect();
        let mut all: Vec<String> = [
            "[](", "[](a\\", "`", "`a``b", "[", "]", "](", "&", "&a", "<", "\\", "*", "> ", "- ", "[x](y \"",
        ]
        .iter()
        .map(|piece| piece.repeat(300_000))
        .collect();
        all.push(long);
        for text in all {
            readable(&text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([\\PC\n]|[\\[\\]()`*~\\\\<>&;\" \n]){0,200}") {
            let read = readable(&text);
            prop_assert!(read.headings.len() + read.body.len() <= 2 * text.len() + 2);
        }
    }
}
