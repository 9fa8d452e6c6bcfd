use super::population::{DAY_MS, Guesses, Population};
use super::tally::{Lateness, Tally, Times};
use super::world::World;
use super::{Installed, MIDNIGHT};

const CUSTOMERS: u32 = 300;

fn day(workers: usize, guesses: Guesses) -> Tally {
    let installed = Installed::by_default(workers).unwrap();
    World::new(&installed, Population::new(guesses, 7).unwrap(), CUSTOMERS).pass()
}

/// Nobody does anything but the schedule, and nothing changes.
fn still() -> Guesses {
    Guesses {
        articles_sigma: 0.0,
        agents: 1.0,
        subscribed: 0.0,
        asked: 0.0,
        connecting: 0.0,
        ..Guesses::default()
    }
}

#[test]
fn a_day_of_few_customers_is_the_same_wherever_it_is_simulated() {
    let busy = Guesses { asked: 0.5, connecting: 0.05, ..Guesses::default() };
    let tally = day(2, busy);
    let whole = tally.whole();
    let counts = tally.started_after.each_ref().map(Times::count);
    assert_eq!(counts, [283, 136, 32, 17], "{whole:?}");
    let work = [whole.runs, whole.shards, whole.messages, whole.requests, whole.redis];
    assert_eq!(work, [468.0, 1_853.0, 507.0, 2_071.0, 4_190.0]);
    assert_eq!([whole.stored, whole.compared], [15_203.0, 35_098.0], "articles");
}

#[test]
fn each_schedule_fires_once_and_takes_one_message_and_four_shards() {
    let tally = day(2, still());
    let whole = tally.whole();
    let customers = f64::from(CUSTOMERS);
    let schedules = &tally.started_after[Lateness::Schedule as usize];
    assert_eq!((schedules.count(), tally.merged), (CUSTOMERS as usize, 0));
    assert_eq!(tally.done_after[Lateness::Schedule as usize].count(), CUSTOMERS as usize);
    assert_eq!(whole.runs, customers);
    // The tree takes two, the export and the count one each; audits and removals come on top.
    assert!(whole.requests >= 4.0 * customers, "{whole:?}");
    assert!(whole.shards >= 4.0 * customers && whole.messages < 1.2 * customers, "{whole:?}");
}

#[test]
fn too_few_workers_make_people_wait_and_lose_nothing() {
    let busy = Guesses { asked: 40.0, ..still() };
    let many = day(8, busy.clone());
    let mut installed = Installed::by_default(1).unwrap();
    (installed.slots, installed.on_demand_slots) = (1, 0);
    installed.costs.run.worker_us *= 100.0;
    let few = World::new(&installed, Population::new(busy, 7).unwrap(), CUSTOMERS).pass();
    let person = Lateness::Person as usize;
    assert!(few.started_after[person].within(99) > 4 * many.started_after[person].within(99));
    for tally in [&many, &few] {
        assert_eq!(tally.started_after[person].count(), tally.done_after[person].count());
    }
}

#[test]
fn the_day_is_a_whole_one() {
    assert_eq!(MIDNIGHT % DAY_MS, 0);
}
