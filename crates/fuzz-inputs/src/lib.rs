//! Inputs of fuzz targets: something that somebody did send, with changes that nobody would make.
//!
//! A target is a test: `bolero::check!().with_type::<Changed>().for_each(|changed| …)`. In the suite its changes are drawn at
//! random for about a second; `deploy/dev.sh fuzz` has libFuzzer choose them by what they reach.

#[cfg(test)]
mod targets;

use bolero::TypeGenerator;

/// What parsers stumble over.
const ODD: [&str; 24] = [
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-1",
    "-0",
    "1e999",
    "9223372036854775808",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[",
    "{\"a\":",
    "\u{202e}",
    "\u{FEFF}",
    "%00",
    "../",
    "\r\n",
    "javascript:x",
    "<svg onload=1>",
    "<table><td>",
    "<li><ol>",
    "&#x10FFFF;",
    ".",
];
/// The most bytes that one change takes or repeats.
const RUN_BYTES_MAX: u8 = 32;
/// How often a run is repeated at most.
const REPEATS_MAX: u8 = 40;
/// An input that has become longer than this is not changed any more.
const INPUT_BYTES_MAX: usize = 64 * 1_024;

/// One change of an input.
#[derive(Debug, Clone, Copy, TypeGenerator)]
enum Change {
    /// Another byte in the place of one.
    Byte { at: u16, byte: u8 },
    /// A run is left out.
    Cut { at: u16, length: u8 },
    /// A run is repeated.
    Repeat { at: u16, length: u8, times: u8 },
    /// A run is repeated elsewhere.
    Copy { at: u16, length: u8, to: u16 },
    /// Everything behind is left out.
    End { at: u16 },
    /// Something odd stands there.
    Odd { at: u16, length: u8, odd: u8 },
}

/// A seed with changes.
#[derive(Debug, Clone, TypeGenerator)]
pub struct Changed {
    seed: u8,
    changes: Vec<Change>,
}

/// Bytes that one change is made of, for whoever draws changes without bolero.
const CHANGE_BYTES: usize = 7;

impl Changed {
    /// The seed and the changes that these bytes stand for, whichever they are: one byte, and seven for each change.
    #[must_use]
    pub fn by(bytes: &[u8]) -> Self {
        let (seed, changes) = bytes.split_first().unwrap_or((&0, &[]));
        Self { seed: *seed, changes: changes.chunks_exact(CHANGE_BYTES).map(Change::by).collect() }
    }

    /// The input that it makes of one of `seeds`; nothing where there are none.
    #[must_use]
    pub fn of(&self, seeds: &[&[u8]]) -> Vec<u8> {
        let mut input =
            seeds.get(usize::from(self.seed) % seeds.len().max(1)).map_or_else(Vec::new, |it| it.to_vec());
        for change in &self.changes {
            if input.len() <= INPUT_BYTES_MAX {
                change.make(&mut input);
            }
        }
        input
    }

    /// The same as text: what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, seeds: &[&[u8]]) -> String {
        String::from_utf8_lossy(&self.of(seeds)).into_owned()
    }

    /// A number below `end` that goes with the input, to choose something else by; 0 where there is no choice.
    #[must_use]
    pub fn choice(&self, end: usize) -> usize {
        usize::from(self.seed) % end.max(1)
    }
}

impl Change {
    fn by(bytes: &[u8]) -> Self {
        let byte = |place: usize| bytes.get(place).copied().unwrap_or(0);
        let wide = |place: usize| u16::from_be_bytes([byte(place), byte(place + 1)]);
        let (at, length) = (wide(1), byte(3));
        match byte(0) % 6 {
            0 => Self::Byte { at, byte: length },
            1 => Self::Cut { at, length },
            2 => Self::Repeat { at, length, times: byte(4) },
            3 => Self::Copy { at, length, to: wide(4) },
            4 => Self::End { at },
            _ => Self::Odd { at, length, odd: byte(4) },
        }
    }

    fn make(self, input: &mut Vec<u8>) {
        let place = |at: u16| usize::from(at) % (input.len() + 1);
        let run = |at: u16, length: u8| {
            let start = place(at);
            start..(start + usize::from(length % RUN_BYTES_MAX)).min(input.len())
        };
        match self {
            Self::Byte { at, byte } => {
                let at = place(at);
                if let Some(here) = input.get_mut(at) {
                    *here = byte;
                }
            }
            Self::Cut { at, length } => drop(input.drain(run(at, length))),
            Self::Repeat { at, length, times } => {
                let run = run(at, length);
                let repeated = input[run.clone()].repeat(usize::from(times % REPEATS_MAX));
                input.splice(run.start..run.start, repeated);
            }
            Self::Copy { at, length, to } => {
                let (copy, to) = (input[run(at, length)].to_vec(), place(to));
                input.splice(to..to, copy);
            }
            Self::End { at } => input.truncate(place(at)),
            Self::Odd { at, length, odd } => {
                let odd = ODD[usize::from(odd) % ODD.len()];
                input.splice(run(at, length), odd.bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_makes_what_it_says_wherever_it_falls() {
        let of = |change: Change| Changed { seed: 1, changes: vec![change] }.text(&[b"other", b"abcdef"]);
        assert_eq!(of(Change::Byte { at: 2, byte: b'X' }), "abXdef");
        assert_eq!(of(Change::Byte { at: 6, byte: b'X' }), "abcdef", "there is no byte behind the end");
        assert_eq!(of(Change::Cut { at: 8, length: 2 }), "adef", "a place is one of the input's seven");
        assert_eq!(of(Change::Repeat { at: 0, length: 2, times: 2 }), "abababcdef");
        assert_eq!(of(Change::Copy { at: 0, length: 2, to: 6 }), "abcdefab");
        assert_eq!(of(Change::End { at: 3 }), "abc");
        assert_eq!(of(Change::Odd { at: 1, length: 31, odd: 2 }), "anull");
        let drawn = Changed::by(&[1, 1, 0, 8, 2, 0, 0, 0, 5, 0, 1, 31, 2, 0, 0, 9]);
        assert_eq!(drawn.text(&[b"other", b"abcdef"]), "anull", "two changes, and a byte that is none");
        let long = Changed { seed: 1, changes: vec![Change::Repeat { at: 0, length: 31, times: 39 }; 100] };
        assert!(long.of(&[b"", &[b'x'; 40]]).len() <= INPUT_BYTES_MAX + 31 * 39);
        assert!(long.of(&[]).is_empty());
    }
}
