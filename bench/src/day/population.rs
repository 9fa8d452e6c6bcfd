//! The customers of a day: how large their help centers are, how often those change, what people want of them.

use anyhow::Context as _;
use helpsync_model::CustomerId;
use helpsync_store::first_slot;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Deserialize;

use super::draw::{LogNormal, times};

/// Numbers of real help centers, with their sources.
const HELP_CENTERS: &str = include_str!("../../data/help-centers.json");
pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// Normal deviates below which 9 of 10 lie.
const P90_DEVIATE: f64 = 1.281_551_565_545;

/// What is known of help centers.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HelpCenters {
    /// Of each that was counted.
    articles: Vec<f64>,
    changes: Changes,
    pub(super) body_bytes: BodyBytes,
}

/// How one help center changed over some years.
#[derive(Debug, Clone, Deserialize)]
struct Changes {
    days: f64,
    articles: f64,
    created_edited_moved: f64,
    archived_unpublished: f64,
    /// Articles that change on one day, if any does.
    burst_p50: f64,
    burst_p90: f64,
}

/// How long the HTML of articles is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BodyBytes {
    pub(super) mean: f64,
}

/// What nobody has counted: guesses, and docs/scale.md calls them so.
#[derive(Debug, Clone)]
pub(super) struct Guesses {
    /// How far sizes spread: the deviation of their logarithm.
    pub(super) articles_sigma: f64,
    /// Customers whose grant is an agent's, who may read the export.
    pub(super) agents: f64,
    /// Customers of whom Zendesk tells us each change by an event.
    pub(super) subscribed: f64,
    /// Syncs that people ask for, a customer and day.
    pub(super) asked: f64,
    /// Customers that connect on this day, of all.
    pub(super) connecting: f64,
    /// How long Zendesk takes for an answer, in ms: half of them less.
    pub(super) answer_ms: f64,
    /// How far that spreads.
    pub(super) answer_sigma: f64,
    /// Of what people do, this much more at the height of the day, and as much less at night.
    pub(super) daytime: f64,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            articles_sigma: 1.0,
            agents: 0.8,
            subscribed: 0.1,
            asked: 0.02,
            connecting: 0.001,
            answer_ms: 200.0,
            answer_sigma: 0.5,
            daytime: 0.8,
        }
    }
}

/// One customer with one help center.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) articles: u32,
    /// May read the export.
    pub(super) export: bool,
    pub(super) subscribed: bool,
    /// Up to when everything is stored, ms; `None` = it connects today.
    pub(super) synced_at: Option<i64>,
    /// ms.
    pub(super) audited_at: Option<i64>,
    /// ms.
    pub(super) next_slot: i64,
    /// A full run or a delta is under way.
    pub(super) syncing: bool,
    /// Runs under way.
    pub(super) runs: u32,
}

/// Something that somebody wants of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// A first sync.
    First,
    /// A sync, by a person.
    Sync,
    /// An article that changed, by an event of Zendesk.
    Article,
}

/// Draws customers and what happens to them. The same seed draws the same.
#[derive(Debug)]
pub(super) struct Population {
    known: HelpCenters,
    guesses: Guesses,
    sizes: LogNormal,
    bursts: LogNormal,
    answers: LogNormal,
    random: StdRng,
}

impl Population {
    pub(super) fn new(guesses: Guesses, seed: u64) -> anyhow::Result<Self> {
        let known: HelpCenters = serde_json::from_str(HELP_CENTERS)?;
        let mut counted = known.articles.clone();
        counted.sort_by(f64::total_cmp);
        // Of the four that were counted the second: those who publish theirs are rather large.
        let median = *counted.get(1).context("no help center was counted")?;
        let spread = (known.changes.burst_p90 / known.changes.burst_p50).ln() / P90_DEVIATE;
        Ok(Self {
            sizes: LogNormal { median, sigma: guesses.articles_sigma },
            bursts: LogNormal { median: known.changes.burst_p50, sigma: spread },
            answers: LogNormal { median: guesses.answer_ms, sigma: guesses.answer_sigma },
            random: StdRng::seed_from_u64(seed),
            known,
            guesses,
        })
    }

    /// A customer as the day begins at `midnight` (ms).
    pub(super) fn customer(&mut self, number: u32, midnight: i64, interval: i64, audit: i64) -> Customer {
        let first = self.random.random_bool(self.guesses.connecting);
        let audited_at = midnight - self.random.random_range(0..audit);
        Customer {
            articles: self.sizes.draw(&mut self.random).round().clamp(1.0, 1_000_000.0) as u32,
            export: self.random.random_bool(self.guesses.agents),
            subscribed: self.random.random_bool(self.guesses.subscribed),
            synced_at: None,
            audited_at: (!first).then_some(audited_at),
            next_slot: first_slot(midnight, interval, CustomerId(i64::from(number))),
            syncing: false,
            runs: 0,
        }
        .synced(first, interval)
    }

    /// What is wanted of a customer in the day from `midnight` on, besides its schedule.
    pub(super) fn wanted(&mut self, customer: &Customer, midnight: i64) -> Vec<(i64, Wanted)> {
        let mut wanted = Vec::new();
        if customer.synced_at.is_none() {
            return vec![(midnight + self.time_of_day(), Wanted::First)];
        }
        for _ in 0..self.times(self.guesses.asked) {
            wanted.push((midnight + self.time_of_day(), Wanted::Sync));
        }
        if customer.subscribed {
            for burst in self.bursts_in(customer, DAY_MS) {
                let at = midnight + self.time_of_day();
                wanted.extend((0..burst).map(|_| (at, Wanted::Article)));
            }
        }
        wanted
    }

    /// Articles that changed in so many ms, one by one also if they changed at once.
    pub(super) fn changed(&mut self, customer: &Customer, elapsed: i64) -> u32 {
        self.bursts_in(customer, elapsed).into_iter().fold(0_u32, u32::saturating_add).min(customer.articles)
    }

    /// Articles that went in so many ms.
    pub(super) fn removed(&mut self, customer: &Customer, elapsed: i64) -> u32 {
        let changes = &self.known.changes;
        let rate = changes.archived_unpublished / changes.days / changes.articles;
        self.times(rate * f64::from(customer.articles) * days(elapsed)).min(customer.articles)
    }

    /// How long Zendesk takes for an answer, in ms.
    pub(super) fn answer_ms(&mut self) -> i64 {
        self.answers.draw(&mut self.random).round().clamp(1.0, 30_000.0) as i64
    }

    /// Where in a stretch of time something happened.
    pub(super) fn somewhere_in(&mut self, elapsed: i64) -> i64 {
        self.random.random_range(0..elapsed.max(1))
    }

    pub(super) fn body_bytes(&self) -> f64 {
        self.known.body_bytes.mean
    }

    fn bursts_in(&mut self, customer: &Customer, elapsed: i64) -> Vec<u32> {
        let changes = &self.known.changes;
        let a_day = changes.created_edited_moved / changes.days / changes.articles;
        let expected = a_day * f64::from(customer.articles) * days(elapsed) / self.bursts.mean();
        let bursts = self.times(expected);
        (0..bursts)
            .map(|_| {
                self.bursts.draw(&mut self.random).round().clamp(1.0, f64::from(customer.articles)) as u32
            })
            .collect()
    }

    /// How often something happens that is expected so often.
    fn times(&mut self, expected: f64) -> u32 {
        times(expected, &mut self.random)
    }

    /// When in a day people do something: more at its height than at night.
    fn time_of_day(&mut self) -> i64 {
        loop {
            let at: f64 = self.random.random();
            let busy = 1.0 - self.guesses.daytime * (at * std::f64::consts::TAU).cos();
            if self.random.random::<f64>() * (1.0 + self.guesses.daytime) < busy {
                return (at * DAY_MS as f64) as i64;
            }
        }
    }
}

impl Customer {
    /// Its last sync was at its slot before, unless it connects today.
    fn synced(mut self, first: bool, interval: i64) -> Self {
        self.synced_at = (!first).then_some(self.next_slot - interval);
        self
    }
}

fn days(elapsed: i64) -> f64 {
    elapsed as f64 / DAY_MS as f64
}
