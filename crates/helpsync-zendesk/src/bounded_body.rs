//! Keeping an answer within a bound while it arrives, by cutting out its long texts.
//!
//! A page holds what its articles hold: one of fifty megabytes, or a thousand of a hundred kilobytes. Once the bound
//! comes near, every JSON string that is long is replaced by [`CUT`], so that the rest of the page, its ids and its
//! links are read all the same; the articles that lost a text are rejected as too long and can be asked for alone.

use crate::Failure;

/// Stands where a text was. Two code points that are no characters, so that no sane text is the same.
pub(crate) const CUT: &str = "\u{fdd0}cut\u{fdd0}";
/// Why an article that lost a text is rejected.
pub(crate) const TOO_LONG: &str = "one of its texts is longer than an answer may be (zendesk.body_bytes_max)";
/// Shorter texts are never cut: ids, links and cursors among them.
const SHORT_BYTES_MAX: usize = 1_024;
/// So many times the bound may arrive before reading ends: texts are cut, but not for ever.
const RECEIVED_PER_KEPT: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// In a string that begins at this byte of what is kept.
    Inside(usize),
    /// In a string that was cut.
    Cutting,
}

/// A body that is being received.
pub(crate) struct Body {
    kept: Vec<u8>,
    received: usize,
    bytes_max: usize,
    place: Place,
    escaped: bool,
}

impl Body {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { kept: Vec::new(), received: 0, bytes_max, place: Place::Outside, escaped: false }
    }

    /// Takes more of the body.
    ///
    /// # Errors
    /// [`Failure::TooLarge`]: without its long texts it is still longer than the bound, or it never ends.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.received = self.received.saturating_add(chunk.len());
        let bytes_max = u64::try_from(self.bytes_max).unwrap_or(u64::MAX);
        if self.received > self.bytes_max.saturating_mul(RECEIVED_PER_KEPT) {
            return Err(Failure::TooLarge { bytes_max });
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            let length = self.run_of(rest);
            let (run, after) = rest.split_at(length);
            if self.place != Place::Cutting {
                self.kept.extend_from_slice(run);
            }
            self.cut_if_long();
            rest = after;
            if let Some((&byte, after)) = rest.split_first() {
                self.step(byte);
                rest = after;
            }
            if self.kept.len() > self.bytes_max {
                return Err(Failure::TooLarge { bytes_max });
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.kept
    }

    /// How many bytes come before one that may change the place.
    fn run_of(&self, bytes: &[u8]) -> usize {
        if self.escaped {
            return 0;
        }
        let stop = if self.place == Place::Outside {
            memchr::memchr(b'"', bytes)
        } else {
            memchr::memchr2(b'"', b'\\', bytes)
        };
        stop.unwrap_or(bytes.len())
    }

    fn step(&mut self, byte: u8) {
        let was_cutting = self.place == Place::Cutting;
        if self.escaped {
            self.escaped = false;
        } else {
            match (self.place, byte) {
                (Place::Outside, b'"') => self.place = Place::Inside(self.kept.len() + 1),
                (Place::Inside(_), b'"') => self.place = Place::Outside,
                (Place::Cutting, b'"') => {
                    self.kept.extend_from_slice(CUT.as_bytes());
                    self.kept.push(byte);
                    self.place = Place::Outside;
                }
                (Place::Inside(_) | Place::Cutting, b'\\') => self.escaped = true,
                _ => {}
            }
        }
        if !was_cutting {
            self.kept.push(byte);
        }
    }

    /// A quarter of the bound is left to what must not be cut.
    fn cut_if_long(&mut self) {
        let Place::Inside(start) = self.place else { return };
        if self.kept.len() > self.bytes_max / 4 * 3 && self.kept.len() - start > SHORT_BYTES_MAX {
            self.kept.truncate(start);
            self.place = Place::Cutting;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(bytes: &[u8], bytes_max: usize, chunk: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Body::new(bytes_max);
        for chunk in bytes.chunks(chunk) {
            body.push(chunk)?;
        }
        Ok(body.finish())
    }

    #[test]
    fn a_long_text_is_cut_out_and_everything_around_it_stays() {
        let long = "x\"\\ü".repeat(20_000);
        let whole = json!({ "a": 1, "b": [long, "short", "y".repeat(900)], "next": "z" });
        let kept = read(whole.to_string().as_bytes(), 16 * 1024, 777).unwrap();
        let kept: Value = serde_json::from_slice(&kept).unwrap();
        assert_eq!(kept, json!({ "a": 1, "b": [CUT, "short", "y".repeat(900)], "next": "z" }));
    }

    #[test]
    fn what_is_long_without_long_texts_is_too_large() {
        let many = json!(vec![7; 9_000]).to_string();
        assert!(matches!(read(many.as_bytes(), 8_192, 512), Err(Failure::TooLarge { bytes_max: 8_192 })));
        let endless = format!("\"{}", "x".repeat(17 * 8_192));
        assert!(matches!(read(endless.as_bytes(), 8_192, 512), Err(Failure::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn what_fits_is_kept_byte_for_byte_however_it_arrives(text in any::<Vec<String>>(), chunk in 1_usize..64) {
            let whole = json!({ "texts": text, "n": -1.5 }).to_string().into_bytes();
            prop_assert_eq!(read(&whole, 1 << 20, chunk).unwrap(), whole);
        }

        #[test]
        fn whatever_is_cut_stays_json_and_within_the_bound(lengths in proptest::collection::vec(0_usize..9_000, 0..9), chunk in 1_usize..9_000) {
            let texts: Vec<String> = lengths.iter().map(|length| "\\\"é".chars().cycle().take(*length).collect()).collect();
            let whole = serde_json::to_vec(&texts).unwrap();
            let kept = read(&whole, 16 * 1024, chunk).unwrap();
            prop_assert!(kept.len() <= 16 * 1024);
            let kept: Vec<String> = serde_json::from_slice(&kept).unwrap();
            for (kept, text) in kept.iter().zip(&texts) {
                prop_assert!(kept == text || kept == CUT);
            }
        }
    }
}
