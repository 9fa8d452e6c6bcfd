//! What a day came to: how much of what, minute by minute, and how late.

use std::ops::AddAssign;

use helpsync_model::Lane;

use super::population::MINUTE_MS;

/// What something takes. Processor time in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) worker_us: f64,
    pub(super) postgres_us: f64,
    pub(super) transactions: f64,
    pub(super) statements: f64,
}

/// What has happened in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Minute {
    pub(super) cost: Cost,
    pub(super) runs: f64,
    pub(super) shards: f64,
    /// Messages of RabbitMQ: each is published, confirmed, delivered and acknowledged.
    pub(super) messages: f64,
    pub(super) requests: f64,
    /// Calls of Redis.
    pub(super) redis: f64,
    pub(super) stored: f64,
    pub(super) compared: f64,
    /// ms, over all slots.
    pub(super) busy_ms: f64,
}

impl AddAssign for Minute {
    fn add_assign(&mut self, other: Self) {
        self.cost.worker_us += other.cost.worker_us;
        self.cost.postgres_us += other.cost.postgres_us;
        self.cost.transactions += other.cost.transactions;
        self.cost.statements += other.cost.statements;
        self.runs += other.runs;
        self.shards += other.shards;
        self.messages += other.messages;
        self.requests += other.requests;
        self.redis += other.redis;
        self.stored += other.stored;
        self.compared += other.compared;
        self.busy_ms += other.busy_ms;
    }
}

/// Whose lateness it is that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lateness {
    Schedule,
    /// A person waits.
    Person,
    Event,
    First,
}

impl Lateness {
    pub(super) const ALL: [Self; 4] = [Self::Schedule, Self::Person, Self::Event, Self::First];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Person => "a person's request",
            Self::Event => "Zendesk's event",
            Self::First => "first sync",
        }
    }

    pub(super) const fn lane(self) -> Lane {
        match self {
            Self::Schedule => Lane::Scheduled,
            Self::Person | Self::Event => Lane::OnDemand,
            Self::First => Lane::Backfill,
        }
    }
}

/// Times in ms, of which shares are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<i64>);

impl Times {
    pub(super) fn add(&mut self, time: i64) {
        self.0.push(time);
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many of a hundred are, once sorted.
    pub(super) fn within(&self, percent: usize) -> i64 {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// A whole day.
#[derive(Debug, Default)]
pub(super) struct Tally {
    minutes: Vec<Minute>,
    /// From when it was wanted to when a worker began, by [`Lateness::ALL`].
    pub(super) started_after: [Times; 4],
    /// From when it was wanted to when it was done.
    pub(super) done_after: [Times; 4],
    /// From a change at Zendesk to when it was stored: of customers without event subscription, and with.
    pub(super) stored_after: [Times; 2],
    /// Requests for a sync that was under way already.
    pub(super) merged: u64,
    /// Shards put off, because a request would have waited for long.
    pub(super) snoozed: u64,
    /// Questions for a permit that were answered with a wait.
    pub(super) throttled: u64,
    /// Articles of all customers.
    pub(super) articles: u64,
}

impl Tally {
    /// The minute that a time since midnight (ms) lies in.
    pub(super) fn at(&mut self, time: i64) -> &mut Minute {
        let number = usize::try_from(time / MINUTE_MS).unwrap_or(0);
        if self.minutes.len() <= number {
            self.minutes.resize(number + 1, Minute::default());
        }
        &mut self.minutes[number]
    }

    pub(super) fn whole(&self) -> Minute {
        let mut whole = Minute::default();
        for minute in &self.minutes {
            whole += *minute;
        }
        whole
    }

    /// What the minute has in which most of it is.
    pub(super) fn peak(&self, of: impl Fn(&Minute) -> f64) -> f64 {
        self.minutes.iter().map(of).fold(0.0, f64::max)
    }

    pub(super) fn sort(&mut self) {
        let times = self.started_after.iter_mut().chain(&mut self.done_after).chain(&mut self.stored_after);
        times.for_each(Times::sort);
    }
}
