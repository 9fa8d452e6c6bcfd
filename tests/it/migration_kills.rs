//! A process that is killed while it migrates: the database has all of a migration or nothing, and the next start goes on.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use helpsync_store::testing::{Bare, InTheWay, schema};
use tempfile::TempDir;
use tokio::sync::Mutex;
use zendesk_sim::{Sim, SimOptions};

use crate::app::{Shape, broker, named, prefix, services, settings_of, sqlite_url, until};
use crate::processes::Running;

/// Kills are spread evenly over so many parts of a first start.
const KILLS: u32 = 8;
/// Tables at the beginning, in the middle and at the end of the first migration.
const TABLES: [&str; 3] = ["organization", "file", "ping"];

/// A database that no process has opened yet.
enum Fresh {
    Folder(TempDir),
    Postgres(Bare),
}

impl Fresh {
    async fn of(shape: Shape) -> Self {
        match shape {
            Shape::Embedded => Self::Folder(tempfile::tempdir().unwrap()),
            Shape::Services => Self::Postgres(Bare::postgres().await),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Folder(folder) => sqlite_url(folder.path()),
            Self::Postgres(bare) => bare.url.clone(),
        }
    }

    /// What migrations have made in it so far.
    async fn made(&self) -> Vec<String> {
        match self {
            Self::Folder(folder) if !folder.path().join("app.db").exists() => Vec::new(),
            _ => schema(&self.url()).await,
        }
    }
}

/// How processes of a shape are started on any database.
struct Installation {
    shape: Shape,
    prefix: String,
    sim: Sim,
}

impl Installation {
    async fn new(shape: Shape) -> Self {
        Self { shape, prefix: prefix(), sim: Sim::start(SimOptions::default()).await.unwrap() }
    }

    fn start(&self, on: &Fresh) -> Running {
        let mut env = settings_of(&self.sim);
        match self.shape {
            Shape::Embedded => {
                env.push(named("STORE__URL", on.url()));
                Running::start("helpsync", &["up"], &env)
            }
            Shape::Services => {
                env.extend(services(&on.url(), &self.prefix));
                Running::start("helpsync-dispatcher", &[], &env)
            }
        }
    }

    async fn is_up(&self, process: &Running) {
        let mark = if self.shape == Shape::Embedded { "Helpsync is up at " } else { "API at " };
        process.said(mark).await;
    }

    /// What a start that nobody disturbs makes, and how long it takes.
    async fn undisturbed(&self) -> (Vec<String>, Duration) {
        let on = Fresh::of(self.shape).await;
        let began = Instant::now();
        let process = self.start(&on);
        self.is_up(&process).await;
        let took = began.elapsed();
        assert!(process.stop().await.success());
        let made = on.made().await;
        assert!(made.len() > 50, "{made:?}");
        (made, took)
    }

    /// The next start goes on, and what it makes is what an undisturbed one makes.
    async fn goes_on(&self, on: &Fresh, right: &[String]) {
        let process = self.start(on);
        self.is_up(&process).await;
        assert!(process.stop().await.success());
        assert_eq!(on.made().await, right);
    }

    async fn end(self) {
        if self.shape == Shape::Services {
            let names = helpsync_queue_rabbitmq::Names::new(&self.prefix);
            helpsync_queue_rabbitmq::delete_topology(&broker(), &names).await.unwrap();
        }
        self.sim.stop().await;
    }
}

/// Migrations are there or not, from the first on: nothing is there that an undisturbed start does not make. A half of one
/// would stop the next start, which makes it anew.
fn assert_whole(made: &[String], right: &[String], at: Duration) {
    // A later migration may add to what an earlier one made, so names are compared.
    let named = |part: &String| part.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    let known: HashSet<Vec<String>> = right.iter().map(named).collect();
    let strange: Vec<&String> = made.iter().filter(|part| !known.contains(&named(part))).collect();
    assert!(strange.is_empty(), "killed after {at:?}: {strange:?}");
}

async fn killed_at_any_moment(shape: Shape) {
    let installation = Installation::new(shape).await;
    let (right, took) = installation.undisturbed().await;
    let again = Fresh::of(shape).await;
    for kill in 0..KILLS {
        let at = took * kill / KILLS;
        // One database that every start goes on with, and one that this is the first start of.
        let fresh = Fresh::of(shape).await;
        for on in [&again, &fresh] {
            let process = installation.start(on);
            // Not a wait for anything: the moment of the kill is what differs.
            tokio::time::sleep(at).await;
            process.kill();
            assert_whole(&on.made().await, &right, at);
        }
        installation.goes_on(&fresh, &right).await;
    }
    installation.goes_on(&again, &right).await;
    installation.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_file_that_is_killed_at_any_moment_is_gone_on_with() {
    killed_at_any_moment(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_services_that_is_killed_at_any_moment_is_gone_on_with() {
    killed_at_any_moment(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_killed_in_its_middle_leaves_nothing_and_the_next_start_goes_on() {
    let installation = Installation::new(Shape::Services).await;
    let (right, _) = installation.undisturbed().await;
    let on = Fresh::of(Shape::Services).await;
    for table in TABLES {
        let obstacle = Mutex::new(InTheWay::of(&on.url(), table).await);
        let process = installation.start(&on);
        until("the migration to be in its middle", async || {
            obstacle.lock().await.is_met().await.then_some(())
        })
        .await;
        // Another one that starts meanwhile waits for its turn, and gets none of a half-made schema.
        let other = installation.start(&on);
        process.kill();
        other.kill();
        assert_eq!(on.made().await, Vec::<String>::new());
        obstacle.into_inner().give_way().await;
    }
    let both = [installation.start(&on), installation.start(&on)];
    for process in both {
        installation.is_up(&process).await;
        assert!(process.stop().await.success());
    }
    assert_eq!(on.made().await, right);
    installation.end().await;
}
