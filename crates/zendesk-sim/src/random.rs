//! Repeatable randomness: the same seed gives the same help center, tokens and ids, on any machine and library version.

/// SplitMix64: eight lines, well spread, and ours, so that no dependency's update changes what a seed means.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

/// Crockford's alphabet, in which ULIDs are written.
const ULID_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// A generator of its own for one name, so that adding draws for one purpose does not shift another's.
    pub(crate) fn named(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |sum, byte| sum.wrapping_mul(0x0100_0000_01B3) ^ u64::from(byte));
        Self::new(mixed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to but not including `bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }

    /// A number between both ends, ends included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number from 0.0 up to but not including 1.0.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of the given, or `None` when there is none.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// `bytes` random bytes in lower-case hexadecimal.
    pub(crate) fn hex(&mut self, bytes: usize) -> String {
        hex::encode(self.bytes(bytes))
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count + 8);
        while out.len() < count {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(count);
        out
    }

    /// Twenty-six characters in the shape of a ULID, as webhook and content tag ids have it.
    pub(crate) fn ulid(&mut self) -> String {
        let tail: String = (0..24).map(|_| char::from(ULID_DIGITS[self.below(32)])).collect();
        format!("01{tail}")
    }
}

/// Hands out ascending ids of 14 digits, with gaps, as a young Zendesk account has them.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    last: i64,
    random: Random,
}

impl Ids {
    pub(crate) fn new(mut random: Random) -> Self {
        Self { last: 40_000_000_000_000 + (random.next() % 9_000_000_000_000) as i64, random }
    }

    pub(crate) fn next(&mut self) -> i64 {
        self.last += 16 + (self.random.next() % 400_000) as i64;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_of_fourteen_digits() {
        let draw = || {
            let mut ids = Ids::new(Random::named(7, "acme"));
            (0..100).map(|_| ids.next()).collect::<Vec<_>>()
        };
        let ids = draw();
        assert_eq!(ids, draw());
        assert!(ids.iter().all(|id| id.to_string().len() == 14));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_bound_is_never_reached_and_every_value_below_it_is() {
        let mut random = Random::new(1);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[random.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
