//! Fenced code: where it begins and ends, and the fences of each part of one that is divided.

use std::ops::Range;

use super::containers::{ContainerId, Line};

/// A fence is at least so many backticks or tildes.
const FENCE_MIN: usize = 3;
/// A fence is indented less than this, seen from what contains the code.
const INDENT_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Fence {
    /// Where its opening line begins.
    pub(super) opened_at: usize,
    /// The code itself: lines between the opening one and the closing one, in bytes of the text.
    pub(super) body: Range<usize>,
    pub(super) inside: Option<ContainerId>,
    /// Spaces and the characters of the opening fence.
    pub(super) marks: String,
    pub(super) info: String,
}

impl Fence {
    /// The fence that a line opens.
    pub(super) fn opened_by(start: usize, line: &str, at: Line) -> Option<Self> {
        let content = &line[at.content..];
        let fence = content.trim_start_matches(' ');
        let mark = fence.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = fence.trim_start_matches(mark);
        let marks = &content[..content.len() - info.len()];
        let length = fence.len() - info.len();
        if length < FENCE_MIN || marks.len() - length >= INDENT_MAX || (mark == '`' && info.contains('`')) {
            return None;
        }
        let body = start + line.len()..start + line.len();
        Some(Self {
            opened_at: start,
            body,
            inside: at.inside,
            marks: marks.to_owned(),
            info: info.trim().to_owned(),
        })
    }

    /// Whether a line, without the marks of what contains the code, is the closing fence.
    pub(super) fn is_closed_by(&self, content: &str) -> bool {
        let own = self.marks.trim_start();
        let marks = content.trim();
        let indent = content.len() - content.trim_start_matches(' ').len();
        indent < INDENT_MAX && marks.len() >= own.len() && marks.bytes().all(|byte| own.as_bytes()[0] == byte)
    }
}
