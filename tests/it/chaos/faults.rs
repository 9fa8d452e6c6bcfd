//! The script of faults: drawn from a seed, the same for the same seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{Entropy, SeededEntropy};
use test_servers::{Death, Service};
use tokio::sync::Mutex;

use super::fleet::{Fleet, Kind, index};
use super::services::Services;
use crate::app::until;

/// Between two faults.
const PAUSE_MAX: Duration = Duration::from_millis(1_200);
/// A killed process is started again within this time, as a supervisor does.
const PROCESS_AWAY_MAX: Duration = Duration::from_millis(1_500);
/// A service is away, or its network is.
const SERVICE_AWAY_MAX: Duration = Duration::from_millis(2_500);

const SERVICES: [Service; 3] = [Service::Postgres, Service::Redis, Service::RabbitMq];

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Kill(Kind),
    /// A process is told to stop, and one of the other version takes its place.
    Replace(Kind),
    /// Every connection to a service is cut at once.
    Cut(Service),
    /// A service refuses connections for a while.
    Refuse(Service),
    /// Packets to a service are dropped for a while.
    Stall(Service),
    FlushRedis,
    Restart(Service, Death),
}

impl Fault {
    fn name(self) -> String {
        match self {
            Self::Kill(kind) => format!("kill -9 of a {}", format!("{kind:?}").to_lowercase()),
            Self::Replace(kind) => {
                format!("a {} replaced by the other version", format!("{kind:?}").to_lowercase())
            }
            Self::Cut(service) => format!("connections to {service:?} cut"),
            Self::Refuse(service) => format!("connections to {service:?} refused for a while"),
            Self::Stall(service) => format!("traffic to {service:?} stalled for a while"),
            Self::FlushRedis => "Redis flushed".to_owned(),
            Self::Restart(service, Death::Crash) => format!("{service:?} crashed and restarted"),
            Self::Restart(service, Death::Stop) => format!("{service:?} stopped and restarted"),
        }
    }
}

/// How often each happens, of some hundred: what takes long to come back is rare.
fn weights() -> Vec<(Fault, u32)> {
    let mut weights = vec![
        (Fault::Kill(Kind::Worker), 30),
        (Fault::Kill(Kind::Dispatcher), 14),
        (Fault::Replace(Kind::Worker), 8),
        (Fault::Replace(Kind::Dispatcher), 6),
        (Fault::FlushRedis, 8),
        (Fault::Restart(Service::Redis, Death::Crash), 4),
        (Fault::Restart(Service::Postgres, Death::Stop), 3),
        (Fault::Restart(Service::Postgres, Death::Crash), 3),
        (Fault::Restart(Service::RabbitMq, Death::Crash), 1),
        (Fault::Restart(Service::RabbitMq, Death::Stop), 1),
    ];
    for service in SERVICES {
        weights.extend([(Fault::Cut(service), 6), (Fault::Refuse(service), 3), (Fault::Stall(service), 3)]);
    }
    weights
}

/// The whole script: every kind once, in an order of its own, then by weight.
pub(super) fn script(count: usize, entropy: &SeededEntropy) -> Vec<Fault> {
    let weights = weights();
    let mut script = Vec::with_capacity(count);
    let mut each: Vec<Fault> = weights.iter().map(|(fault, _)| *fault).collect();
    while !each.is_empty() && script.len() < count {
        script.push(each.swap_remove(index(entropy.fraction(), each.len())));
    }
    let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
    while script.len() < count {
        let mut left = entropy.fraction() * f64::from(sum);
        let drawn = weights.iter().find(|(_, weight)| {
            left -= f64::from(*weight);
            left < 0.0
        });
        script.extend(drawn.map(|(fault, _)| *fault));
    }
    script
}

/// Plays the script; answers how often each fault happened.
pub(super) async fn play(
    script: Vec<Fault>,
    entropy: &SeededEntropy,
    services: &mut Services,
    fleet: &Arc<Mutex<Fleet>>,
) -> BTreeMap<String, usize> {
    let mut happened = BTreeMap::new();
    for fault in script {
        tokio::time::sleep(PAUSE_MAX.mul_f64(entropy.fraction())).await;
        let (which, long) = (entropy.fraction(), entropy.fraction());
        let away = SERVICE_AWAY_MAX.mul_f64(long);
        match fault {
            Fault::Kill(kind) => {
                let away = PROCESS_AWAY_MAX.mul_f64(long);
                // Another kill may have been quicker than the supervisor.
                until("a process to kill", async || fleet.lock().await.kill(kind, which, away).then_some(()))
                    .await;
            }
            Fault::Replace(kind) => {
                let taken = until("a process to replace", async || fleet.lock().await.replace(kind, which));
                taken.await.stop().await;
            }
            Fault::Cut(service) => {
                services.of(service).proxy.cut();
            }
            Fault::Refuse(service) => {
                services.of(service).proxy.refuse();
                tokio::time::sleep(away).await;
                services.of(service).proxy.forward();
            }
            Fault::Stall(service) => {
                services.of(service).proxy.stall();
                tokio::time::sleep(away).await;
                services.of(service).proxy.forward();
            }
            Fault::FlushRedis => services.of(Service::Redis).server.flush().await,
            Fault::Restart(service, death) => services.restart(service, death, away).await,
        }
        *happened.entry(fault.name()).or_default() += 1;
    }
    happened
}

#[test]
fn the_same_seed_gives_the_same_script_with_every_kind_in_it() {
    let draw = |seed| script(60, &SeededEntropy::new(seed));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    for (fault, _) in weights() {
        assert!(draw(7).contains(&fault), "{fault:?}");
    }
}
