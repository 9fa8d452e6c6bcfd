//! Fenced code: where it begins and ends, and what stands around each part of one that is divided.

use std::ops::Range;

use super::blocks::continued;

/// A fence is at least so many backticks or tildes.
const FENCE_MIN: usize = 3;
/// A closing fence is indented less than this, seen from what contains the code.
const INDENT_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Fence {
    /// Where its opening line begins.
    pub(super) opened_at: usize,
    /// The code itself: lines between the opening one and the closing one, in bytes of the text.
    pub(super) body: Range<usize>,
    /// What begins every line, inside lists and quotes: spaces and `>`.
    container: String,
    /// The characters of the opening fence.
    marks: String,
    info: String,
}

impl Fence {
    /// The fence that a line opens. `container` and `content` are the line's two parts.
    pub(super) fn opened_by(start: usize, line: &str, container: &str, content: &str) -> Option<Self> {
        let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = content.trim_start_matches(mark);
        let marks = &content[..content.len() - info.len()];
        if marks.len() < FENCE_MIN || (mark == '`' && info.contains('`')) {
            return None;
        }
        let container = continued(container);
        let body = start + line.len()..start + line.len();
        Some(Self {
            opened_at: start,
            body,
            container,
            marks: marks.to_owned(),
            info: info.trim().to_owned(),
        })
    }

    pub(super) fn is_closed_by(&self, line: &str) -> bool {
        let inner =
            line.strip_prefix(self.container.as_str()).unwrap_or_else(|| line.trim_start_matches(' '));
        let marks = inner.trim();
        let indent = inner.len() - inner.trim_start_matches(' ').len();
        indent < INDENT_MAX
            && marks.len() >= self.marks.len()
            && marks.bytes().all(|byte| self.marks.as_bytes()[0] == byte)
    }

    /// Whether a line is no longer part of the quote that the code stands in.
    pub(super) fn is_left_by(&self, line: &str) -> bool {
        self.container.contains('>') && !line.trim_start_matches(' ').starts_with('>')
    }

    /// The line that opens a further part, with the same info string.
    pub(super) fn opening(&self) -> String {
        format!("{}{}{}\n", self.container, self.marks, self.info)
    }

    /// The line that closes a part.
    pub(super) fn closing(&self) -> String {
        format!("{}{}", self.container, self.marks)
    }
}
