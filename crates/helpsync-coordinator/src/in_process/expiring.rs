//! A map whose entries end by themselves.

use std::collections::HashMap;
use std::time::Duration;

/// Ended entries are swept when the map has grown to this many, or to twice what the last sweep left.
const SWEEP_ABOVE: usize = 1_024;

/// Texts under names, each with an end (microseconds since 1970).
#[derive(Debug, Default)]
pub(super) struct Expiring {
    entries: HashMap<String, (String, u64)>,
    sweep_above: usize,
}

impl Expiring {
    /// The text and its end, unless it has ended.
    pub(super) fn get(&self, name: &str, now: u64) -> Option<(&str, u64)> {
        self.entries.get(name).filter(|(_, ends)| *ends > now).map(|(text, ends)| (text.as_str(), *ends))
    }

    pub(super) fn put(&mut self, name: &str, text: &str, ttl: Duration, now: u64) {
        if self.entries.len() >= self.sweep_above.max(SWEEP_ABOVE) {
            self.entries.retain(|_, (_, ends)| *ends > now);
            self.sweep_above = self.entries.len() * 2;
        }
        let ends = now.saturating_add(u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX));
        self.entries.insert(name.to_owned(), (text.to_owned(), ends));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_entries_are_swept_so_that_the_map_stays_bounded() {
        let mut map = Expiring::default();
        for at in 0..10 * SWEEP_ABOVE as u64 {
            map.put(&format!("name-{at}"), "x", Duration::from_micros(10), at);
        }
        assert!(map.entries.len() <= SWEEP_ABOVE, "{} entries", map.entries.len());
    }
}
