//! Something that is away is told of once, not at every try.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something is away, as far as has been told.
#[derive(Debug, Default)]
pub struct Outage(AtomicBool);

impl Outage {
    /// It failed. `true`: for the first time, so somebody should hear of it.
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// It worked. `true`: for the first time since it failed.
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Outage;

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let outage = Outage::default();
        assert!(!outage.ends());
        assert!(outage.begins() && !outage.begins());
        assert!(outage.ends() && !outage.ends());
        assert!(outage.begins());
    }
}
