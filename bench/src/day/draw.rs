//! Draws from the three distributions that a day needs.

use std::f64::consts::TAU;

use rand::Rng as _;
use rand::rngs::StdRng;

/// Above it, how often something happens is drawn as a normal deviate: there the two differ little.
const COUNTED_ONE_BY_ONE: f64 = 30.0;

/// A size or a time: half of them are below the median, and the logarithm of all spreads by `sigma`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogNormal {
    pub(super) median: f64,
    pub(super) sigma: f64,
}

impl LogNormal {
    pub(super) fn draw(self, random: &mut StdRng) -> f64 {
        self.median * (self.sigma * normal(random)).exp()
    }

    pub(super) fn mean(self) -> f64 {
        self.median * (self.sigma * self.sigma / 2.0).exp()
    }
}

/// How often something happens that is expected so often, each time by itself.
pub(super) fn times(expected: f64, random: &mut StdRng) -> u32 {
    if expected > COUNTED_ONE_BY_ONE {
        return (expected + expected.sqrt() * normal(random)).round().max(0.0) as u32;
    }
    let (mut left, mut count) = (random.random::<f64>(), 0);
    let least = (-expected).exp();
    while left > least {
        left *= random.random::<f64>();
        count += 1;
    }
    count
}

/// By Box and Muller.
fn normal(random: &mut StdRng) -> f64 {
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}
