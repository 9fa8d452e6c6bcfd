//! Dividing one block that is too long.

use super::blocks::Kind;
use super::pack::{End, Frame, Packer};

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
    let at = |end, position| Some(End { end, next: number, position, closing: code });
    if let Some(code) = code {
        let body = packer.blocks.fences[code].body.clone();
        let first = floor.max(body.start);
        if let Some(line) = text.get(first..limit.min(body.end)).and_then(|lines| lines.rfind('\n')) {
            let end = first + line + 1;
            // The closing line is not left over.
            return if end < body.end { at(end, end) } else { whole(packer, number, code) };
        }
        if number > packer.at {
            return None;
        }
        let end = word_end(text, first, limit).unwrap_or_else(|| letter_end(text, first, limit));
        return if end < body.end { at(end, end) } else { whole(packer, number, code) };
    }
    let prose = matches!(block.kind, Kind::Prose | Kind::Heading(_));
    let sentence = sentence_end(text, floor, limit)
        .filter(|end| prose && packer.index.between(from, *end) * 2 >= room)
        .or_else(|| word_end(text, floor, limit));
    let end = match sentence {
        Some(end) => end,
        None if number > packer.at => return None,
        None => letter_end(text, floor, limit),
    };
    let position = end + (text[end..].len() - text[end..].trim_start().len());
    let end = floor + text[floor..end].trim_end().len();
    Some(if position >= block.end {
        let next = packer.blocks.all.get(number + 1);
        let position = next.map_or(block.end, |next| next.start);
        End { end: block.end, next: number + 1, position, closing: None }
    } else {
        End { end, next: number, position, closing: None }
    })
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

/// The limit, or the end of the first character where that reaches further.
fn letter_end(text: &str, floor: usize, limit: usize) -> usize {
    let one = text[floor..].chars().next().map_or(floor, |letter| floor + letter.len_utf8());
    one.max(limit)
}
