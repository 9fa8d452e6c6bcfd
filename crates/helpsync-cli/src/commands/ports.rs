//! Whether a process may listen where the settings say, and who listens there now.

use std::net::{SocketAddr, TcpListener};

use helpsync_app::{Finding, Severity};
use helpsync_config::Settings;
use helpsync_model::{Clock as _, SystemClock};
use helpsync_store::StoreExam;
use reqwest::Client;

use crate::client::{innermost, unanswered};
use crate::commands::doctor::answers;

/// Processes say every few seconds that they live.
const SEEN_WITHIN_MS: i64 = 60_000;
/// What every answer of `/metrics` holds.
const OURS: &str = "helpsync_";

/// An address that a process listens on.
struct Port {
    name: &'static str,
    address: SocketAddr,
    setting: &'static str,
}

/// Looks at every address of the settings. An installation whose processes are apart has health ports, too.
pub(crate) async fn findings(settings: &Settings, exam: Option<&StoreExam>, http: &Client) -> Vec<Finding> {
    let runs = exam.map(runs);
    let api = Port { name: "port", address: settings.api.listen, setting: "HELPSYNC_API__LISTEN" };
    let base = api.base();
    let mut found = vec![api.finding(runs, || answers(http, &base)).await];
    if let Some(address) = settings.telemetry.listen {
        let port = Port { name: "metrics port", address, setting: "HELPSYNC_TELEMETRY__LISTEN" };
        found.push(port.finding(runs, || tells(http, port.base(), "/metrics", OURS)).await);
    }
    if settings.store.is_postgres() && settings.queue.url.is_some() {
        for (name, address, setting) in [
            ("worker's port", settings.worker.health_listen, "HELPSYNC_WORKER__HEALTH_LISTEN"),
            ("dispatcher's port", settings.dispatcher.health_listen, "HELPSYNC_DISPATCHER__HEALTH_LISTEN"),
        ] {
            let port = Port { name, address, setting };
            let mut finding = port.finding(runs, || tells(http, port.base(), "/livez", "alive")).await;
            // Not every machine runs every role.
            finding.severity = finding.severity.min(Severity::Warning);
            found.push(finding);
        }
    }
    found
}

/// Whether a process of this installation said lately that it lives.
fn runs(exam: &StoreExam) -> bool {
    let since = SystemClock.now_ms() - SEEN_WITHIN_MS;
    exam.processes.first().is_some_and(|process| process.seen_at > since)
}

impl Port {
    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `runs`: whether a process of this installation lives; `None`: the store did not say. `ask`: whether a Helpsync
    /// answers there.
    async fn finding<A>(&self, runs: Option<bool>, ask: impl FnOnce() -> A) -> Finding
    where
        A: Future<Output = Result<(), String>>,
    {
        let Self { name, address, setting } = self;
        if TcpListener::bind(address).is_ok() {
            return Finding::ok(name, format!("{address} is free"));
        }
        match (ask().await, runs) {
            (Ok(()), Some(true)) => Finding::ok(name, format!("a Helpsync answers at {address}")),
            (Ok(()), None) => Finding::unchecked(
                name,
                format!(
                    "a Helpsync answers at {address}; whether it is one of this installation cannot be told without the store"
                ),
            ),
            (Ok(()), Some(false)) => Finding::wrong(
                name,
                format!(
                    "a Helpsync of another installation answers at {address}: no process uses this database"
                ),
                format!("set {setting} to another address, or stop the other one"),
            ),
            (Err(why), _) => Finding::wrong(
                name,
                format!("{address} cannot be listened on ({why})"),
                format!("set {setting} to another address, or stop what listens there"),
            ),
        }
    }
}

/// Whether this path answers with this text in it.
async fn tells(http: &Client, base: String, path: &str, part: &str) -> Result<(), String> {
    let url = format!("{base}{path}");
    let answer = http.get(&url).send().await.map_err(|error| unanswered(&error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| innermost(&error))?;
    if text.contains(part) {
        Ok(())
    } else {
        Err(format!("{url} answers {status}, and not as Helpsync does"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whose_a_taken_port_is_the_store_says() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let port = Port { name: "port", address, setting: "HELPSYNC_API__LISTEN" };
        for (runs, ours, severity, part) in [
            (Some(true), true, Severity::Ok, "a Helpsync answers"),
            (Some(false), true, Severity::Wrong, "of another installation"),
            (None, true, Severity::Unchecked, "cannot be told"),
            (Some(true), false, Severity::Wrong, "cannot be listened on (another)"),
            (None, false, Severity::Wrong, "cannot be listened on (another)"),
        ] {
            let ask = || std::future::ready(if ours { Ok(()) } else { Err("another".to_owned()) });
            let finding = port.finding(runs, ask).await;
            assert!(finding.severity == severity && finding.text.contains(part), "{finding:?}");
        }
        drop(taken);
        assert_eq!(port.finding(None, || std::future::ready(Ok(()))).await.severity, Severity::Ok);
    }
}
