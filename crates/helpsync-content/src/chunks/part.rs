//! Dividing one block that is too long.

use super::blocks::Kind;
use super::pack::{End, Frame, Packer};
use super::spans::settled;

/// The longest rest of a block that is looked at for something that it says.
const LEFT_BYTES_MAX: usize = 128;

/// Where block `number` may be divided such that what lies between `from` and there has no more than `room` tokens. A word
/// is divided only where the chunk begins with it.
pub(super) fn split(
    packer: &Packer<'_>,
    number: usize,
    from: usize,
    room: usize,
    frame: &Frame,
) -> Option<End> {
    let block = packer.blocks.all[number];
    let floor = block.start.max(packer.position);
    let text = packer.text;
    let code = match block.kind {
        Kind::Code(code) if packer.is_fenced_again(code, frame) => Some(code),
        _ => None,
    };
    let closing = code.map_or(0, |code| {
        let fence = &packer.blocks.fences[code];
        packer.index.between(fence.opened_at, fence.body.start) + 1
    });
    let limit = packer.index.reach(from, room.saturating_sub(closing)).min(block.end);
    let limit = text.floor_char_boundary(limit);
    if let Some(code) = code {
        return split_code(packer, number, code, floor, limit);
    }
    let limit = match block.kind {
        // A delimiter row is not left alone: the end of the header stays with it.
        Kind::Head(_) => match text[floor..block.end].find('\n') {
            Some(line @ 1..) if limit >= floor + line => text.floor_char_boundary(floor + line - 1),
            _ => limit,
        },
        _ => limit,
    };
    let prose = matches!(block.kind, Kind::Prose | Kind::Heading(_));
    let sentence = sentence_end(text, floor, limit)
        .filter(|end| prose && packer.index.between(from, *end) * 2 >= room)
        .or_else(|| word_end(text, floor, limit));
    let end = match sentence {
        Some(end) => end,
        None if number > packer.at => return None,
        None if frame.is_bare => letter_end(text, floor, limit),
        None => settled(text, floor, letter_end(text, floor, limit)),
    };
    let end = match packer.blocks.spans.settled(text, floor, end, frame.pairs) {
        _ if frame.is_bare => end,
        Some(end) => end,
        None if number > packer.at => return None,
        None => first_letter(packer, floor),
    };
    let position = end + (text[end..].len() - text[end..].trim_start().len());
    let end = floor + text[floor..end].trim_end().len();
    // The last bar of a row is not left over, nor a line of a quote in which nothing stands.
    let says_nothing = |it: char| it.is_whitespace() || it == '>' || it == '|' && !prose;
    let left = text.get(position..block.end).unwrap_or_default();
    let is_end =
        left.is_empty() || !frame.is_bare && left.len() <= LEFT_BYTES_MAX && left.chars().all(says_nothing);
    Some(if is_end {
        let next = packer.blocks.all.get(number + 1);
        let position = next.map_or(block.end, |next| next.start);
        End { end: block.end, next: number + 1, position, closing: None }
    } else {
        End { end, next: number, position, closing: None }
    })
}

/// Where fenced code is divided: at the end of a line before `limit`, or within the line that the chunk begins with.
fn split_code(packer: &Packer<'_>, number: usize, code: usize, floor: usize, limit: usize) -> Option<End> {
    let text = packer.text;
    let body = packer.blocks.fences[code].body.clone();
    let first = floor.max(body.start);
    let lines = text.get(first..limit.min(body.end)).and_then(|lines| lines.rfind('\n'));
    let end = match lines {
        Some(line) => first + line + 1,
        None if number > packer.at => return None,
        None => word_end(text, first, limit).unwrap_or_else(|| letter_end(text, first, limit)),
    };
    // The closing line is not left over.
    if end < body.end {
        Some(End { end, next: number, position: end, closing: Some(code) })
    } else {
        whole(packer, number, code)
    }
}

/// The part ends with the last line of the code.
fn whole(packer: &Packer<'_>, number: usize, code: usize) -> Option<End> {
    let body = &packer.blocks.fences[code].body;
    let next = packer.blocks.all.get(number + 1);
    let position = next.map_or(packer.blocks.all[number].end, |next| next.start);
    Some(End { end: body.end, next: number + 1, position, closing: Some(code) })
}

/// The last end of a sentence or a line in the text from `floor` to `limit`.
fn sentence_end(text: &str, floor: usize, limit: usize) -> Option<usize> {
    let part = text.get(floor..limit)?;
    // A sentence that ends exactly at the limit.
    let mut after = text[limit..].chars().next();
    for (at, letter) in part.char_indices().rev() {
        let end = floor + at + letter.len_utf8();
        let spaced = after.is_none_or(char::is_whitespace);
        match letter {
            '\n' if at > 0 => return Some(end),
            '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => return Some(end),
            '.' | '!' | '?' | '\u{2026}' | '\u{61f}' | '\u{964}' if spaced => return Some(end),
            _ => after = Some(letter),
        }
    }
    None
}

/// The last end of a word in the text from `floor` to `limit`, behind the white space that follows it.
fn word_end(text: &str, floor: usize, limit: usize) -> Option<usize> {
    let part = text.get(floor..limit)?;
    if limit > floor
        && text[limit..].chars().next().is_none_or(char::is_whitespace)
        && !part.trim().is_empty()
    {
        return Some(limit);
    }
    let (at, space) = part.char_indices().rev().find(|(_, letter)| letter.is_whitespace())?;
    let end = at + space.len_utf8();
    (!part[..end].trim().is_empty()).then_some(floor + end)
}

/// Behind the first character of what begins at `floor` with marks: of pairs, of a span of code.
fn first_letter(packer: &Packer<'_>, floor: usize) -> usize {
    let start = packer.blocks.spans.pairs.behind_opening(floor);
    let start = packer.blocks.spans.around(start + 1).map_or(start, |span| span.code.start.max(start));
    let blank = packer.text[start..].len() - packer.text[start..].trim_start().len();
    let first = start + blank;
    // An escape stays with what it escapes.
    settled(packer.text, first, letter_end(packer.text, first, 0))
}

/// The limit, or the end of the first character where that reaches further.
fn letter_end(text: &str, floor: usize, limit: usize) -> usize {
    let one = text[floor..].chars().next().map_or(floor, |letter| floor + letter.len_utf8());
    one.max(limit)
}
