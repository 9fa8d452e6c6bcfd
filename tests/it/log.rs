//! What the code under test logs: a test that ends with an ERROR line that it did not expect fails.
//!
//! Tests run side by side in one process, each on a runtime of its own. A line belongs to the runtime on whose thread
//! it was written, so spawned and blocking tasks need not carry anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tracing::field::{Field, Visit};
use tracing::span::Attributes;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};
use zendesk_sim::PLANTED_IN_TOKENS;

use crate::app::{API_KEY, CLIENT_SECRET};

/// Lines of less weight are not kept: some tests would fill the memory with them.
const KEPT: Level = Level::INFO;
/// Lines of less weight are not searched for secrets either.
const SEARCHED: Level = Level::DEBUG;
/// At most so many lines of one test; the checks are about its few errors and the ends of its runs.
const LINES_MAX: usize = 100_000;

/// What no line, no span and no process may print: the tests' API key, client secret and sealing key; the simulator's tokens
/// and codes; what we sign; the broker's password.
pub(crate) const PLANTED: [&str; 7] = [
    API_KEY,
    CLIENT_SECRET,
    "k1:AAAAAAAA",
    PLANTED_IN_TOKENS,
    "eyJhbGciOiJSUzI1Ni",
    "eyJlIjo",
    BROKER_CREDENTIALS,
];
/// As they stand in the broker's URL.
const BROKER_CREDENTIALS: &str = "guest:guest";

/// What each test's runtime has logged.
static KEPT_LINES: LazyLock<Mutex<BTreeMap<String, Kept>>> = LazyLock::new(Mutex::default);

/// Different statements of SQLite of all tests that run, once somebody has asked for them.
static NOBODYS: Mutex<Option<BTreeSet<String>>> = Mutex::new(None);

/// Watches statements that no test's runtime sends from here on. Answers with those since the first time.
pub(crate) fn nobodys_statements() -> BTreeSet<String> {
    NOBODYS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().clone()
}

/// The whole text of a statement that the driver logs: a short one is its own summary.
fn statement(event: &Event<'_>) -> String {
    let mut text = StatementText::default();
    event.record(&mut text);
    if text.whole.trim().is_empty() { text.summary } else { text.whole.trim().to_owned() }
}

#[derive(Default)]
struct StatementText {
    summary: String,
    whole: String,
}

impl Visit for StatementText {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// A line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) level: Level,
    /// The message, then `name=value` for each field.
    pub(crate) text: String,
}

#[derive(Debug, Default)]
struct Kept {
    /// Installations that run on this runtime.
    users: usize,
    lines: Vec<Line>,
    /// Parts of ERROR lines that must come.
    expected: Vec<String>,
    /// What was asked of the database and the queue, if that is watched.
    work: Option<Work>,
    /// Lines and spans that hold a secret.
    leaks: Vec<String>,
    /// Secrets of this test alone, which it was given.
    planted: Vec<String>,
}

/// Has the log of this test searched for one more secret, from here on.
pub(crate) fn plant(secret: &str) {
    let Ok(handle) = Handle::try_current() else { return };
    if let Some(kept) = kept().get_mut(&key(handle.id())) {
        kept.planted.push(secret.to_owned());
    }
}

/// The secret of every test that a text holds.
pub(crate) fn leaked(text: &str) -> Option<&'static str> {
    PLANTED.into_iter().find(|planted| text.contains(planted))
}

/// What was asked of the database and the queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// Statements. SQLite's are made on threads of its own and stand in no test's log: see [`nobodys_statements`].
    pub(crate) statements: Vec<String>,
    /// Transactions, those of one statement included.
    pub(crate) transactions: usize,
    /// Messages published.
    pub(crate) messages: usize,
}

fn kept() -> MutexGuard<'static, BTreeMap<String, Kept>> {
    // A test that panics elsewhere must not fail the others.
    KEPT_LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(runtime: Id) -> String {
    runtime.to_string()
}

/// The log of one test. Dropping it checks it.
#[derive(Debug)]
pub(crate) struct Log {
    key: String,
}

impl Log {
    /// Keeps what this test's runtime logs from here on.
    pub(crate) fn keep(filter: &str) -> Self {
        let shown = fmt::layer().with_writer(std::io::stderr).with_filter(EnvFilter::new(filter));
        // The one error is that an earlier test has started it.
        drop(tracing_subscriber::registry().with(shown).with(Keeper).try_init());
        let key = key(Handle::current().id());
        kept().entry(key.clone()).or_default().users += 1;
        Self { key }
    }

    /// An ERROR line with `text` in it must have come when the test ends, and is no fault.
    pub(crate) fn expect_error(&self, text: &str) {
        if let Some(kept) = kept().get_mut(&self.key) {
            kept.expected.push(text.to_owned());
        }
    }

    /// Watches what is asked of the database and the queue from here on. Answers with what was since the last time.
    pub(crate) fn work(&self) -> Work {
        let mut kept = kept();
        kept.get_mut(&self.key).and_then(|kept| kept.work.replace(Work::default())).unwrap_or_default()
    }

    /// The lines so far that have `text` in them.
    pub(crate) fn with(&self, text: &str) -> Vec<Line> {
        let kept = kept();
        let lines = kept.get(&self.key).map(|kept| kept.lines.as_slice()).unwrap_or_default();
        lines.iter().filter(|line| line.text.contains(text)).cloned().collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut all = kept();
        let Some(kept) = all.get_mut(&self.key) else { return };
        kept.users -= 1;
        if kept.users > 0 {
            return;
        }
        let kept = all.remove(&self.key).unwrap_or_default();
        drop(all);
        if !std::thread::panicking() {
            assert!(kept.leaks.is_empty(), "secrets were logged: {:?}", kept.leaks);
            let errors = kept.lines.iter().filter(|line| line.level == Level::ERROR);
            check(errors.map(|line| line.text.as_str()), &kept.expected);
        }
    }
}

/// Fails for an ERROR line that nobody expected, and for an expected one that never came.
pub(crate) fn check<'a>(errors: impl Iterator<Item = &'a str>, expected: &[String]) {
    let mut came = vec![false; expected.len()];
    for error in errors {
        let mut is_expected = false;
        for (text, came) in expected.iter().zip(&mut came) {
            if error.contains(text) {
                *came = true;
                is_expected = true;
            }
        }
        assert!(is_expected, "the test did not expect this ERROR line: {error}");
    }
    let missing: Vec<_> = expected.iter().zip(came).filter(|(_, came)| !came).map(|(text, _)| text).collect();
    assert!(missing.is_empty(), "these ERROR lines never came: {missing:?}");
}

/// The part of the subscriber that keeps lines.
struct Keeper;

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_new_span(&self, span: &Attributes<'_>, _id: &tracing::Id, _context: Context<'_, S>) {
        let name = span.metadata().name();
        if span.metadata().target().starts_with("helpsync") {
            let mut fields = Written::default();
            span.record(&mut fields);
            note_leak(&fields.fields);
        }
        if name != "transaction" && name != "publish" {
            return;
        }
        let Ok(handle) = Handle::try_current() else { return };
        if let Some(work) = kept().get_mut(&key(handle.id())).and_then(|kept| kept.work.as_mut()) {
            work.transactions += usize::from(name == "transaction");
            work.messages += usize::from(name == "publish");
        }
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let Ok(handle) = Handle::try_current() else {
                if let Some(statements) = NOBODYS.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                    statements.insert(statement(event));
                }
                return;
            };
            if let Some(work) = kept().get_mut(&key(handle.id())).and_then(|kept| kept.work.as_mut()) {
                work.statements.push(statement(event));
            }
            return;
        }
        let level = *event.metadata().level();
        if level > SEARCHED || !event.metadata().target().starts_with("helpsync") {
            return;
        }
        // A thread outside every runtime serves nobody's test.
        let Ok(handle) = Handle::try_current() else { return };
        let mut line = Written::default();
        event.record(&mut line);
        note_leak(&line.message);
        note_leak(&line.fields);
        if level > KEPT {
            return;
        }
        if let Some(kept) = kept().get_mut(&key(handle.id()))
            && kept.lines.len() < LINES_MAX
        {
            kept.lines.push(Line { level, text: line.message + &line.fields });
        }
    }
}

/// Notes a text that is logged if it holds a secret.
fn note_leak(text: &str) {
    let Ok(handle) = Handle::try_current() else { return };
    if let Some(kept) = kept().get_mut(&key(handle.id()))
        && (leaked(text).is_some() || kept.planted.iter().any(|planted| text.contains(planted)))
    {
        kept.leaks.push(text.to_owned());
    }
}

#[derive(Default)]
struct Written {
    message: String,
    fields: String,
}

impl Visit for Written {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.fields, " {field}={value}").unwrap();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").unwrap();
        } else {
            write!(self.fields, " {field}={value:?}").unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{API_KEY, CLIENT_SECRET, Log, PLANTED_IN_TOKENS, check, plant};
    use crate::app::broker;

    /// What the guard says at the end of a test that does this.
    fn ends_with(test: impl FnOnce(&Log) + Send + 'static) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = std::thread::spawn(move || {
            runtime.block_on(async {
                let log = Log::keep("off");
                test(&log);
            });
        });
        ended.join().map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
    }

    #[test]
    fn a_secret_in_a_line_or_a_span_fails_the_test() {
        let leak = |log: fn()| ends_with(move |_| log());
        assert!(leak(|| tracing::debug!(target: "helpsync_x", key = API_KEY, "used")).is_err());
        assert!(leak(|| tracing::info!(target: "helpsync_x", "with {CLIENT_SECRET}")).is_err());
        assert!(
            leak(|| drop(tracing::info_span!(target: "helpsync_x", "s", token = PLANTED_IN_TOKENS))).is_err()
        );
        assert!(leak(|| tracing::info!(target: "helpsync_x", "nothing of that")).is_ok());
        assert!(leak(|| tracing::debug!(target: "helpsync_x", url = broker(), "joined")).is_err());
        let made = || {
            plant("made-for-this-test");
            tracing::info!(target: "helpsync_x", "signed with made-for-this-test");
        };
        assert!(ends_with(move |_| made()).is_err());
    }

    #[test]
    fn an_error_line_that_was_not_expected_fails_the_test_that_wrote_it_and_no_other() {
        let told = ends_with(|_log| tracing::error!(target: "helpsync_x", code = 7, "it broke")).unwrap_err();
        assert!(told.ends_with("ERROR line: it broke code=7"), "{told}");
        let other = ends_with(|log| {
            ends_with(|_log| tracing::error!(target: "helpsync_x", "it broke")).unwrap_err();
            assert!(log.with("broke").is_empty());
        });
        assert_eq!(other, Ok(()));
    }

    #[test]
    fn an_expected_error_line_is_no_fault_and_has_to_come() {
        let told = ends_with(|log| {
            log.expect_error("it broke");
            tracing::error!(target: "helpsync_x", "it broke");
        });
        assert_eq!(told, Ok(()));
        assert!(ends_with(|log| log.expect_error("it broke")).unwrap_err().contains("never came"));
    }

    #[test]
    fn lines_of_less_weight_are_kept_and_no_fault() {
        let told = ends_with(|log| {
            tracing::warn!(target: "helpsync_x", why = "rain", "put off");
            tracing::debug!(target: "helpsync_x", "put off");
            let lines = log.with("put off");
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!(lines[0].text, "put off why=rain");
        });
        assert_eq!(told, Ok(()));
    }

    #[test]
    fn every_line_is_checked() {
        let one = ["a".to_owned()];
        assert!(catch_unwind(|| check(["a", "b"].into_iter(), &one)).is_err());
        assert!(catch_unwind(|| check(["a", "a"].into_iter(), &one)).is_ok());
    }
}
