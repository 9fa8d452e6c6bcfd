//! What people do to a connection and its runs.

use helpsync_model::{ConnectionState, Stage};

use crate::action::Action;
use crate::processes::State;

/// Hands the request that a run kept to a run after it.
pub(crate) fn serve_pending_request(state: &mut State, run: u8) {
    let pending = state.rows.run_mut(run).is_some_and(|run| std::mem::take(&mut run.pending_request));
    if pending && state.rows.add_run() {
        state.seen.request_waits = false;
    }
}

pub(crate) fn people(state: &mut State, action: Action) -> Option<()> {
    if action == Action::Request {
        state.faults.requests = state.faults.requests.checked_sub(1)?;
        return match state.rows.active_run() {
            // It serves both.
            Some(run) if run.stage == Stage::Plan => None,
            Some(run) => {
                run.pending_request = true;
                state.seen.request_waits = true;
                Some(())
            }
            None => state.rows.add_run().then_some(()),
        };
    }
    state.faults.interrupts = state.faults.interrupts.checked_sub(1)?;
    if action != Action::Cancel {
        state.rows.epoch += 1;
    }
    state.rows.cancel_active();
    state.seen.request_waits = false;
    match action {
        Action::Disconnect => state.rows.connection = ConnectionState::Revoked,
        Action::Reconnect => {
            state.rows.add_run();
        }
        _ => {}
    }
    Some(())
}
