//! A path through the model as a person reads it.

use std::fmt::Write as _;

use stateright::Path;

use crate::action::Action;
use crate::processes::State;
use crate::rows::ShardAt;

/// The steps of a path, one a line, each with what it changed in the rows: `run: queued -> running`.
#[must_use]
pub fn story(path: Path<State, Action>) -> String {
    let steps = path.into_vec();
    let mut text = String::new();
    for (number, pair) in (1..).zip(steps.windows(2)) {
        let [(before, Some(action)), (after, _)] = pair else { continue };
        let changes = changes(before, after);
        let changes = if changes.is_empty() { changes } else { format!("  [{changes}]") };
        // Writing into a string cannot fail.
        writeln!(text, "{number:2}. {action}{changes}").unwrap_or_default();
    }
    text
}

fn changes(before: &State, after: &State) -> String {
    let mut found = Vec::new();
    for (number, (old, new)) in before.rows.runs.iter().zip(&after.rows.runs).enumerate() {
        let name = if number == 0 { "run" } else { "second run" };
        match (old, new) {
            (None, Some(run)) => found.push(format!("{name}: {}", run.state)),
            (Some(old), Some(new)) if (old.state, old.stage) != (new.state, new.stage) => {
                found.push(format!("{name}: {}, {}", new.state, new.stage));
            }
            (Some(old), Some(new)) if old.ends != new.ends => found.push(format!("{name}: ended again")),
            _ => {}
        }
    }
    for at in ShardAt::all() {
        match (before.rows.shard(at), after.rows.shard(at)) {
            (None, Some(shard)) => found.push(format!("{at}: {}", shard.state)),
            (Some(old), Some(new)) if old.state != new.state => found.push(format!("{at}: {}", new.state)),
            _ => {}
        }
    }
    if before.rows.epoch != after.rows.epoch {
        found.push(format!("epoch: {}", after.rows.epoch));
    }
    if !before.seen.refused && after.seen.refused {
        found.push("refused by the fence".to_owned());
    }
    if !before.seen.stale_write && after.seen.stale_write {
        found.push("a stale write counted".to_owned());
    }
    if !before.seen.unclean_removal && after.seen.unclean_removal {
        found.push("removed after an unclean listing".to_owned());
    }
    found.join("; ")
}
