//! What ends a process in order.

use std::future::Future;

/// Where Linux says what a process does with signals.
const OWN_STATUS: &str = "/proc/self/status";

/// Ends at the first SIGINT, SIGTERM or SIGHUP (the terminal was closed). A SIGHUP that whoever started us had ignored, as
/// `nohup` does, stays ignored.
///
/// # Errors
/// When the operating system takes no handler.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let status = std::fs::read_to_string(OWN_STATUS).unwrap_or_default();
    let mut hangup = if ignores_hangup(&status) { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hung_up => {}
        }
    })
}

/// By the mask of ignored signals, of which the lowest bit is SIGHUP. What cannot be read is taken as ignored: a handler
/// would end what somebody means to outlive the terminal.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_was_ignored_when_we_started_stays_ignored() {
        for (status, ignored) in [
            ("Name:\tx\nSigIgn:\t0000000000000001\n", true),
            ("SigIgn:\t0000000000001007\nSigCgt:\t0\n", true),
            ("SigIgn:\t0000000000001000\nSigCgt:\t1\n", false),
            ("", true),
        ] {
            assert_eq!(ignores_hangup(status), ignored, "{status}");
        }
    }
}
