//! The tree as plain text.

use std::rc::Rc;

use markup5ever_rcdom::{Handle, NodeData};

use crate::blocks::Columns;
use crate::code;
use crate::spaces::{indent, shown_indent};
use crate::tree::{is_own_line, is_shown_as_block, is_struck, keeps_lines, tag};

/// Signs behind which no other is needed where a line of a cell ends.
const CLOSED: [char; 6] = ['.', ':', '!', '?', ',', ';'];
/// Around what is struck through.
const MARK: &str = "~~";

/// Something on the way through the tree.
enum Step {
    Enter(Handle),
    Break(Gap),
    EndPreformatted,
    EndStruck,
    EndRow,
    EndCell(Entered),
}

/// What separates two pieces of text; the widest asked for wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Gap {
    #[default]
    Nothing,
    Space,
    Line,
    Paragraph,
}

/// Writes what a reader sees: paragraphs apart by an empty line, list items and lines on their own, preformatted text as it
/// stands, and nowhere more than one space, but for indents. A row is one line: there is a tab before each column but the
/// first, and what stands on several lines of a cell stands apart by signs. What is struck through stands between `~~`:
/// without a mark it would read as valid.
pub(crate) fn text(document: &Handle, columns: &Columns) -> String {
    let mut out = Writer::default();
    let mut stack = vec![Step::Enter(Rc::clone(document))];
    // How many of the elements around us are <pre>.
    let mut preformatted = 0usize;
    while let Some(step) = stack.pop() {
        let node = match step {
            Step::Enter(node) => node,
            Step::EndPreformatted => {
                preformatted -= 1;
                continue;
            }
            Step::EndStruck => {
                out.end_struck();
                continue;
            }
            Step::Break(gap) => {
                out.part(gap);
                continue;
            }
            Step::EndRow => {
                out.rows.pop();
                continue;
            }
            Step::EndCell(entered) => {
                out.end_cell(entered);
                continue;
            }
        };
        let column = columns.get(&Rc::as_ptr(&node));
        let is_cell = column.is_some();
        if let Some(column) = column {
            stack.push(Step::EndCell(out.cell(*column)));
        }
        match &node.data {
            NodeData::Text { contents } if preformatted > 0 => out.verbatim(&contents.borrow()),
            NodeData::Text { contents } => out.words(&contents.borrow()),
            NodeData::Element { .. } => {
                let tag = tag(&node);
                let gap = if is_cell { Gap::Nothing } else { gap_of(&node, preformatted > 0) };
                if tag == "tr" {
                    out.rows.push(0);
                    stack.push(Step::EndRow);
                }
                out.part(gap);
                if gap > Gap::Nothing {
                    stack.push(Step::Break(gap));
                }
                if keeps_lines(&node) {
                    preformatted += 1;
                    stack.push(Step::EndPreformatted);
                }
                if is_struck(&node) {
                    out.struck += 1;
                    stack.push(Step::EndStruck);
                }
            }
            _ => {}
        }
        stack.extend(node.children.borrow().iter().rev().map(|child| Step::Enter(Rc::clone(child))));
    }
    out.text
}

fn gap_of(node: &Handle, preformatted: bool) -> Gap {
    let tag = tag(node);
    if tag == "code" && !preformatted && code::is_block(node) {
        Gap::Line
    } else if preformatted && code::is_passed_over(tag) {
        Gap::Nothing
    } else if is_shown_as_block(node) && !code::is_passed_over(tag) {
        gap_around(tag).max(if preformatted { Gap::Line } else { Gap::Paragraph })
    } else {
        gap_around(tag)
    }
}

fn gap_around(tag: &str) -> Gap {
    match tag {
        "br" | "li" | "tr" | "dt" | "dd" | "caption" | "figcaption" | "summary" => Gap::Line,
        own_line if is_own_line(own_line) => Gap::Line,
        // A picture stands between its neighbours, and its words are no text.
        "img" | "image" | "button" | "video" | "audio" => Gap::Space,
        "address" | "article" | "aside" | "blockquote" | "center" | "details" | "div" | "dl" | "fieldset"
        | "figure" | "footer" | "form" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hr"
        | "hgroup" | "listing" | "main" | "menu" | "nav" | "ol" | "p" | "plaintext" | "pre" | "section"
        | "table" | "td" | "th" | "ul" | "xmp" => Gap::Paragraph,
        _ => Gap::Nothing,
    }
}

/// What stood before a cell that is written.
#[derive(Clone, Copy)]
struct Entered {
    gap: Gap,
    /// Whether anything was written since the cell around it began.
    wrote: bool,
}

/// What is owed before a cell: what parts its row from the one before, and its columns.
struct Lead {
    gap: Gap,
    columns: usize,
    /// The column that the row is in then, and which of the rows around it is.
    column: usize,
    row: usize,
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Owed before the next piece; never written at the start or the end.
    gap: Gap,
    /// Owed before that: of the cells around us in which nothing is written yet.
    leads: Vec<Lead>,
    /// How many cells are around us.
    cells: usize,
    /// The columns that the rows around us are in.
    rows: Vec<usize>,
    /// Whether anything was written in the cell around us.
    wrote: bool,
    /// How far no-break spaces indent what comes next, if it begins a line.
    indent: usize,
    /// How many of the elements around us strike through.
    struck: usize,
    /// Whether the mark of what is struck is written.
    marked: bool,
    /// Where the last such mark ended.
    unmarked_at: usize,
}

impl Writer {
    fn part(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
        if gap >= Gap::Line {
            self.indent = 0;
        }
    }

    /// Begins a cell in a column of its row.
    fn cell(&mut self, column: usize) -> Entered {
        let gap = std::mem::take(&mut self.gap);
        let columns = column.saturating_sub(self.rows.last().copied().unwrap_or_default());
        // Spaces between cells are those of the HTML.
        let before = if gap == Gap::Space { Gap::Nothing } else { gap };
        self.leads.push(Lead { gap: before, columns, column, row: self.rows.len().saturating_sub(1) });
        self.cells += 1;
        Entered { gap, wrote: std::mem::take(&mut self.wrote) }
    }

    /// Ends a cell: after an empty one what was owed before it is owed still.
    fn end_cell(&mut self, entered: Entered) {
        self.cells -= 1;
        self.indent = 0;
        if self.wrote {
            self.gap = Gap::Nothing;
        } else {
            self.leads.pop();
            self.gap = entered.gap;
            self.wrote = entered.wrote;
        }
    }

    fn settle(&mut self) {
        let mut gap = std::mem::take(&mut self.gap);
        let begins_line = gap >= Gap::Line || self.text.is_empty();
        if !self.leads.is_empty() {
            let outermost = self.cells - self.leads.len();
            for (level, lead) in std::mem::take(&mut self.leads).into_iter().enumerate() {
                // Inside of a cell in which nothing stands yet, nothing is to be parted.
                if level == 0 {
                    self.separate(lead.gap, outermost);
                }
                let column = if outermost + level == 0 { "\t" } else { " | " };
                self.text.extend(std::iter::repeat_n(column, lead.columns));
                if let Some(row) = self.rows.get_mut(lead.row) {
                    *row = lead.column;
                }
            }
            gap = Gap::Nothing;
        }
        self.separate(gap, self.cells);
        let indent = shown_indent(std::mem::take(&mut self.indent));
        if begins_line && self.cells == 0 {
            self.text.extend(std::iter::repeat_n(' ', indent));
        }
        self.wrote = true;
        if self.struck > 0 && !self.marked {
            if self.text.len() == self.unmarked_at && self.unmarked_at > 0 {
                // Parts of one thing that is struck.
                self.text.truncate(self.unmarked_at - MARK.len());
            } else {
                self.text.push_str(MARK);
            }
            self.marked = true;
        }
    }

    /// Writes what parts two pieces; in a cell, which is one line, signs instead of line ends.
    fn separate(&mut self, gap: Gap, cells: usize) {
        if self.text.is_empty() {
            return;
        }
        self.text.push_str(match gap {
            Gap::Nothing => "",
            Gap::Space => " ",
            _ if cells > 0 && self.text.ends_with(CLOSED) => " ",
            _ if cells > 0 => "; ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        });
    }

    fn end_struck(&mut self) {
        self.struck -= 1;
        if self.struck == 0 && self.marked {
            self.text.push_str(MARK);
            self.unmarked_at = self.text.len();
            self.marked = false;
        }
    }

    fn words(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.part(Gap::Space);
            self.indent += indent(text);
        }
        for (index, word) in text.split_whitespace().enumerate() {
            if index > 0 {
                self.part(Gap::Space);
            }
            self.settle();
            self.text.push_str(word);
        }
        if text.ends_with(char::is_whitespace) {
            self.part(Gap::Space);
        }
    }

    fn verbatim(&mut self, text: &str) {
        if self.cells > 0 {
            return self.lines_in_cell(text);
        }
        let text = if self.text.is_empty() { text.trim_start_matches(['\n', '\r']) } else { text };
        let body = text.trim_end_matches(['\n', '\r']);
        if !body.is_empty() {
            self.settle();
            // Code that was typed with no-break spaces runs only with plain ones.
            self.text.push_str(&body.replace('\u{a0}', " "));
        }
        if body.len() < text.len() {
            self.part(Gap::Line);
        }
    }

    fn lines_in_cell(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            let body = line.trim_end_matches(['\n', '\r']);
            if !body.trim().is_empty() {
                self.settle();
                self.text.push_str(&body.replace('\u{a0}', " "));
            }
            if body.len() < line.len() {
                self.part(Gap::Line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    fn text(html: &str) -> String {
        crate::convert(html, None, &crate::Limits::default()).unwrap().text
    }

    #[test]
    fn a_row_of_text_keeps_its_columns() {
        for (html, expected) in [
            ("<table><tr><th>a<th>b<th>c<tr><td>1<td><td>3<tr><td><td>2<td></table>", "a\tb\tc\n1\t\t3\n\t2"),
            ("<table><tr><th><th>b<tr><th>r<td>1</table>", "\tb\nr\t1"),
            ("<table><tr><th>a<th>b<tr><td rowspan=2>x<td>1<tr><td>2</table>", "a\tb\nx\t1\n\t2"),
            ("<table><tr><th>a<th>b<th>c<tr><td colspan=2>x<td>3</table>", "a\tb\tc\nx\t\t3"),
            (
                "<table><tr><th>a<th>b<tr><td><p>one.</p><p>two</p><td><ul><li>x<li>y</ul><tr><td><pre>p\n q</pre><td>2</table>",
                "a\tb\none. two\tx; y\np;  q\t2",
            ),
            (
                "<table><tr><th>a<th>b<tr><td><table><tr><td>1<td><td>2<tr><td>3</table><td>z</table>",
                "a\tb\n1 |  | 2; 3\tz",
            ),
            ("<table><tr><th>a<th>b<tr><td><s>1</s><td><s>2</s></table>", "a\tb\n~~1~~\t~~2~~"),
            // Only there to arrange.
            ("<table><tr><td><p>a</p><ul><li>b</ul><td>c</table>", "a\n\nb\n\nc"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn lines_and_indents_that_a_style_keeps_are_lines_of_the_text() {
        for (html, expected) in [
            ("<p style='white-space: pre-wrap'>a\n    b\n\tc</p>", "a\n    b\n    c"),
            ("<p>a<br>&nbsp;&nbsp; b<br>&nbsp;c&nbsp;&nbsp;d</p>", "a\n  b\nc d"),
            ("<textarea>a\nb</textarea>c", "a\nb\nc"),
            ("<ol type=i><li>x<li>y</ol>", "(i) x\n(ii) y"),
            ("<table style='white-space: pre'>\n<tr>\n<td>a</td>\n<td>b\nc</td></tr></table>", "a\tb; c"),
            ("<pre>was <del>10</del> 9\n10<sup>6</sup></pre>", "was ~~10~~ 9\n10^6"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }
}
