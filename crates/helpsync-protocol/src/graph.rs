//! The whole graph of states, for what the checker cannot say: that no execution goes round in circles.
//!
//! Stateright checks `eventually` on paths that end, and is blind to an execution that comes back to where it was. So the
//! graph is walked once more. If it has no circle, every execution within the bounds comes to a state in which nothing
//! can happen any more, and `always` properties say what such a state looks like: then everything that is accepted ends,
//! in every execution.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use stateright::Model;

use crate::action::Action;
use crate::processes::State;
use crate::protocol::Protocol;

/// What was found of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Different states.
    pub states: usize,
    /// Those in which nothing can happen any more.
    pub ends: usize,
    /// Steps of the longest execution.
    pub longest: u32,
    /// An action that leads back to a state that was passed on the way to it.
    pub circle: Option<Action>,
}

/// A state on the way from the first one.
struct Passed {
    state: State,
    actions: Vec<Action>,
    /// Steps to an end, as far as its actions have been followed.
    longest: u32,
}

/// Walks every state once, depth first. `states_max` bounds the memory; `None`: there are more states than that.
#[must_use]
pub fn walk_graph(model: &Protocol, states_max: usize) -> Option<Graph> {
    /// On the way from the first state; every known length is smaller.
    const ON_THE_WAY: u32 = u32::MAX;
    // By fingerprint, as stateright keeps them: of a million states two share one with a chance of 1 in 10^7.
    let mut lengths: HashMap<u64, u32> = HashMap::new();
    let mut graph = Graph { states: 0, ends: 0, longest: 0, circle: None };
    let pass = |state: State| {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        Passed { state, actions, longest: 0 }
    };
    for first in model.init_states() {
        lengths.insert(fingerprint(&first), ON_THE_WAY);
        let mut way = vec![pass(first)];
        while let Some(here) = way.last_mut() {
            let Some(action) = here.actions.pop() else {
                let length = here.longest;
                lengths.insert(fingerprint(&here.state), length);
                graph.ends += usize::from(length == 0);
                graph.longest = graph.longest.max(length);
                way.pop();
                if let Some(before) = way.last_mut() {
                    before.longest = before.longest.max(length + 1);
                }
                continue;
            };
            let Some(next) = model.next_state(&here.state, action) else { continue };
            match lengths.get(&fingerprint(&next)) {
                Some(&ON_THE_WAY) => graph.circle = Some(action),
                Some(&length) => here.longest = here.longest.max(length + 1),
                None if lengths.len() >= states_max => return None,
                None => {
                    lengths.insert(fingerprint(&next), ON_THE_WAY);
                    way.push(pass(next));
                }
            }
        }
    }
    graph.states = lengths.len();
    Some(graph)
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
