//! The processes of an installation, with the supervisor that every deployment has.

use std::time::Duration;

use tokio::time::Instant;

use crate::processes::{Running, binary, binary_of_version_before};

/// A supervisor does not start a process again at once that has given up.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What a dispatcher logs of requests that come while its database is away.
const STORE_AWAY: [&str; 3] =
    ["the store failed a request", "the store failed a grant", "an export broke off"];

/// What a process of the fleet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dispatcher,
    Worker,
}

impl Kind {
    pub(super) const fn binary(self) -> &'static str {
        match self {
            Self::Dispatcher => "helpsync-dispatcher",
            Self::Worker => "helpsync-worker",
        }
    }
}

/// A place for one process, which is started again whenever it has ended.
struct Slot {
    kind: Kind,
    process: Option<Running>,
    start_at: Instant,
    /// The next process here is one of the version before.
    before: bool,
}

/// All of them.
pub(super) struct Fleet {
    env: Vec<(String, String)>,
    slots: Vec<Slot>,
    /// What processes said last that ended unasked.
    pub(super) ended: Vec<String>,
    /// Processes started.
    pub(super) starts: usize,
}

impl Fleet {
    pub(super) fn new(env: Vec<(String, String)>, dispatchers: usize, workers: usize) -> Self {
        let slot = |kind| Slot { kind, process: None, start_at: Instant::now(), before: false };
        let slots = (0..dispatchers)
            .map(|_| slot(Kind::Dispatcher))
            .chain((0..workers).map(|_| slot(Kind::Worker)))
            .collect();
        Self { env, slots, ended: Vec::new(), starts: 0 }
    }

    /// Starts whatever does not run and may.
    pub(super) fn tend(&mut self) {
        for slot in &mut self.slots {
            if let Some(process) = &mut slot.process
                && process.has_ended()
            {
                self.ended.push(format!("{:?}: {}", slot.kind, process.last_line()));
                slot.process = None;
                slot.start_at = Instant::now() + RESTART_PAUSE;
            }
            if slot.process.is_none() && slot.start_at <= Instant::now() {
                let name = slot.kind.binary();
                let binary = if slot.before { binary_of_version_before(name) } else { binary(name) };
                slot.process = Some(Running::start_from(&binary, &[], &self.env).allowing(&STORE_AWAY));
                self.starts += 1;
            }
        }
    }

    /// `kill -9` of one of a kind, which is started again after `away`. False: that one is not running.
    pub(super) fn kill(&mut self, kind: Kind, which: f64, away: Duration) -> bool {
        let mut of_kind: Vec<&mut Slot> = self.slots.iter_mut().filter(|slot| slot.kind == kind).collect();
        let at = index(which, of_kind.len());
        let slot = &mut of_kind[at];
        let Some(process) = slot.process.take() else { return false };
        process.kill();
        slot.start_at = Instant::now() + away;
        true
    }

    /// Takes out one of a kind, to be stopped; one of the other version starts in its place. `None`: that one is not
    /// running.
    pub(super) fn replace(&mut self, kind: Kind, which: f64) -> Option<Running> {
        let mut of_kind: Vec<&mut Slot> = self.slots.iter_mut().filter(|slot| slot.kind == kind).collect();
        let at = index(which, of_kind.len());
        let slot = &mut of_kind[at];
        let process = slot.process.take()?;
        slot.before = !slot.before;
        slot.start_at = Instant::now();
        Some(process)
    }

    /// The API of one of the dispatchers that run.
    pub(super) fn api(&self, which: f64) -> Option<String> {
        let apis: Vec<String> = self
            .slots
            .iter()
            .filter(|slot| slot.kind == Kind::Dispatcher)
            .filter_map(|slot| slot.process.as_ref()?.has_said("API at "))
            .collect();
        (!apis.is_empty()).then(|| apis[index(which, apis.len())].clone())
    }

    /// SIGTERM to all; each must end well.
    pub(super) async fn stop(self) {
        for process in self.slots.into_iter().filter_map(|slot| slot.process) {
            let status = process.stop().await;
            assert!(status.success(), "{status:?}");
        }
    }
}

/// Which of `count`, for a fraction in `0.0..1.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small and not negative"
)]
pub(super) fn index(fraction: f64, count: usize) -> usize {
    ((fraction * count as f64) as usize).min(count.saturating_sub(1))
}
