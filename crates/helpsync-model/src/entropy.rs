//! Randomness as a parameter.

use std::sync::Mutex;

use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// A source of random bytes. Production uses [`OsEntropy`]; tests use [`SeededEntropy`] and print the seed.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills `into` with random bytes.
    fn fill(&self, into: &mut [u8]);

    /// A fraction in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64 {
        let mut bytes = [0u8; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    /// A random (version 4) UUID.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0u8; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The operating system's generator, fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that takes system randomness")]
    fn fill(&self, into: &mut [u8]) {
        rand::rng().fill_bytes(into);
    }
}

/// A repeatable generator for tests and the simulator.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// The same seed gives the same bytes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, into: &mut [u8]) {
        // A poisoned generator is still a generator: no invariant spans its calls.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(into);
    }
}
