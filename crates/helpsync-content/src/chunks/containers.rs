//! The quotes and items of lists that lines stand in, and how they are opened again before a part of a text.

use std::ops::Range;

/// Containers inside of each other beyond this number are read as text. The converter writes at most twenty.
const DEPTH_MAX: usize = 24;
/// What is indented by so many columns is no marker.
const INDENT_MAX: usize = 4;
/// The longest number of an item.
const DIGITS_MAX: usize = 9;

/// A quote or an item, by its number in [`Containers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContainerId(u32);

#[derive(Debug)]
struct Container {
    outer: Option<ContainerId>,
    /// Its mark with the spaces that belong to it, in bytes of the text.
    mark: Range<usize>,
    is_quote: bool,
}

impl Container {
    /// How a further line goes on in it.
    fn continued(&self, text: &str) -> String {
        if self.is_quote { text[self.mark.clone()].to_owned() } else { " ".repeat(self.mark.len()) }
    }
}

/// The containers of a text, and those that are open at the line which is read.
#[derive(Debug, Default)]
pub(super) struct Containers {
    all: Vec<Container>,
    open: Vec<ContainerId>,
}

/// A line as its containers leave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// The innermost container.
    pub(super) inside: Option<ContainerId>,
    /// Where its content begins, in bytes of the line.
    pub(super) content: usize,
    /// Whether a container begins with it, or has ended before it.
    pub(super) is_new: bool,
    /// Whether an item begins with it.
    pub(super) is_item: bool,
}

impl Containers {
    /// Whether all open containers go on in this line, and where its content begins if they do.
    pub(super) fn continued_by(&self, line: &str) -> Option<usize> {
        let (kept, at) = self.kept(line);
        (kept == self.open.len()).then_some(at)
    }

    /// How many of the open containers go on in this line, and where its content begins.
    fn kept(&self, line: &str) -> (usize, usize) {
        kept(self.open.iter().map(|id| &self.all[id.0 as usize]), line)
    }

    /// How many bytes of a line the marks of these containers take.
    pub(super) fn marks_of(&self, innermost: Option<ContainerId>, line: &str) -> usize {
        kept(self.around(innermost), line).1
    }

    /// Reads a line that begins at `start` of the text. In a paragraph, a line without marks goes on with it wherever it
    /// stands.
    pub(super) fn read(&mut self, start: usize, line: &str, in_paragraph: bool) -> Line {
        let (kept, mut at) = self.kept(line);
        let blank = line[at..].trim().is_empty();
        let (mut is_new, mut is_item) = (false, false);
        let goes_on = in_paragraph && !blank && mark(&line[at..]).is_none();
        if kept < self.open.len() && !goes_on {
            self.open.truncate(kept);
            is_new = true;
        }
        while !blank && self.open.len() < DEPTH_MAX {
            let Some((width, is_quote)) = mark(&line[at..]) else { break };
            let Ok(id) = u32::try_from(self.all.len()).map(ContainerId) else { break };
            let mark = start + at..start + at + width;
            self.all.push(Container { outer: self.open.last().copied(), mark, is_quote });
            self.open.push(id);
            at += width;
            is_new = true;
            is_item |= !is_quote;
        }
        Line { inside: self.open.last().copied(), content: at, is_new, is_item }
    }

    /// What opens the containers again: the marks of all, outermost first. Further lines of the text then go on in them
    /// as they are.
    pub(super) fn opening(&self, text: &str, innermost: Option<ContainerId>) -> String {
        self.around(innermost).map(|it| text[it.mark.clone()].to_owned()).collect()
    }

    /// What begins a further line in the containers.
    pub(super) fn continuation(&self, text: &str, innermost: Option<ContainerId>) -> String {
        self.around(innermost).map(|it| it.continued(text)).collect()
    }

    /// From the outermost to the innermost.
    fn around(&self, innermost: Option<ContainerId>) -> impl Iterator<Item = &Container> {
        let outer = |id: ContainerId| &self.all[id.0 as usize];
        let mut all: Vec<&Container> =
            std::iter::successors(innermost.map(outer), |it| it.outer.map(outer)).collect();
        all.reverse();
        all.into_iter()
    }
}

fn kept<'a>(containers: impl Iterator<Item = &'a Container>, line: &str) -> (usize, usize) {
    let (mut kept, mut at) = (0, 0);
    for container in containers {
        let rest = &line[at..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let width = if container.is_quote {
            mark_of_quote(rest)
        } else if rest.trim().is_empty() {
            // A blank line ends no item.
            Some(spaces)
        } else {
            Some(container.mark.len()).filter(|width| spaces >= *width)
        };
        let Some(width) = width else { break };
        (kept, at) = (kept + 1, at + width);
    }
    (kept, at)
}

/// The mark that a line begins with, its width and whether it is a quote's.
fn mark(line: &str) -> Option<(usize, bool)> {
    mark_of_quote(line).map(|width| (width, true)).or_else(|| mark_of_item(line).map(|width| (width, false)))
}

fn mark_of_quote(line: &str) -> Option<usize> {
    let inner = line.trim_start_matches(' ');
    let indent = line.len() - inner.len();
    let rest = inner.strip_prefix('>').filter(|_| indent < INDENT_MAX)?;
    Some(indent + 1 + usize::from(rest.starts_with(' ')))
}

fn mark_of_item(line: &str) -> Option<usize> {
    let inner = line.trim_start_matches(' ');
    let indent = line.len() - inner.len();
    let bytes = inner.as_bytes();
    let digits = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let mark = match (digits, bytes.get(digits)?) {
        (0, b'-' | b'*' | b'+') => 1,
        (1..=DIGITS_MAX, b'.' | b')') => digits + 1,
        _ => return None,
    };
    let rest = &inner[mark..];
    if indent >= INDENT_MAX || !rest.starts_with([' ', '\t', '\r', '\n']) && !rest.is_empty() {
        return None;
    }
    // Of more than four spaces only the first is the mark's; so it is where nothing follows.
    let content = rest.trim_start_matches(' ');
    let spaces = rest.len() - content.len();
    let own = if content.trim().is_empty() || spaces > INDENT_MAX { spaces.min(1) } else { spaces };
    Some(indent + mark + own + usize::from(rest.starts_with('\t')))
}
