//! What `helpsync doctor` finds of store, keys, queue and coordinator. It changes nothing, and needs nothing of a server
//! that runs beside it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use helpsync_config::Settings;
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_model::{Clock, KeyRing, OsEntropy, SystemClock, chain};
use helpsync_queue_rabbitmq::RabbitSettings;
use helpsync_store::{KeyUse, StoreExam, Vault};

use crate::keys::KeySource;
use crate::{AppError, broker_policies, broker_rights, home};

/// Clocks may differ by so much: leases and budgets are counted in seconds.
const CLOCK_DIFFERENCE_MAX_MS: u64 = 2_000;
/// A person who asks waits longer than a worker does: what is slow is not called away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Less room than this beside a SQLite file is worth a warning.
const ROOM_BYTES_LOW: u64 = 1024 * 1024 * 1024;
/// With less than this, work stops soon.
const ROOM_BYTES_LEAST: u64 = 16 * 1024 * 1024;

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Nobody could look: that is nothing to mend, and no proof either.
    Unchecked,
    /// It works, and a person should look at it.
    Warning,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub severity: Severity,
    /// What was found.
    pub text: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, severity: Severity::Ok, text: text.into(), mend: None }
    }

    /// Nobody could look; the text says why.
    #[must_use]
    pub fn unchecked(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, severity: Severity::Unchecked, text: text.into(), mend: None }
    }

    /// It works, and a person should look at it.
    #[must_use]
    pub fn warning(name: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, severity: Severity::Warning, text: text.into(), mend: Some(mend.into()) }
    }

    /// It does not work.
    #[must_use]
    pub fn wrong(name: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, severity: Severity::Wrong, text: text.into(), mend: Some(mend.into()) }
    }
}

/// A finding about another machine's clock, which said its time at some moment since `asked_ms` (Unix time): how long it
/// took to answer is no difference of clocks.
#[must_use]
pub fn clock_finding(name: &'static str, whose: &str, asked_ms: i64, theirs_ms: i64) -> Finding {
    let answered_ms = SystemClock.now_ms().max(asked_ms);
    let apart = theirs_ms.abs_diff(theirs_ms.clamp(asked_ms, answered_ms));
    if apart <= CLOCK_DIFFERENCE_MAX_MS {
        return Finding::ok(name, format!("{whose} has the same time"));
    }
    let text = format!("{whose} and this machine are {} s apart", apart / 1_000);
    Finding::warning(name, text, "let both take the time from a server (NTP, chrony)")
}

/// Looks at what the settings name. The second part of the answer is what was seen of the store, for further questions;
/// `None`: nothing was.
pub async fn examine_backends(settings: &Settings) -> (Vec<Finding>, Option<StoreExam>) {
    let mut found = Vec::new();
    let exam = examine_store(settings, &mut found).await;
    examine_queue(settings, &mut found).await;
    found.extend(broker_policies::examine(&settings.queue).await);
    examine_coordinator(settings, &mut found).await;
    (found, exam)
}

/// The keys in force: those of the settings, or those beside a SQLite file. None are made.
fn keys(settings: &Settings, found: &mut Vec<Finding>) -> Option<KeyRing> {
    match KeySource::of(settings).read(settings) {
        Ok(ring) => ring,
        Err(error) => {
            found.push(Finding::wrong("sealing keys", chain(&error), mend_of_keys(&error)));
            None
        }
    }
}

fn mend_of_keys(error: &AppError) -> &'static str {
    match error {
        AppError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "give it to the user that runs Helpsync"
        }
        _ => "put the file back from a backup",
    }
}

async fn examine_store(settings: &Settings, found: &mut Vec<Finding>) -> Option<StoreExam> {
    let url = settings.store.url.expose();
    let unreadable = found.len();
    let ring = keys(settings, found);
    let keys_are_unreadable = found.len() > unreadable;
    let vault = ring.as_ref().map(|ring| Vault::new(ring, Arc::new(OsEntropy)));
    let asked_ms = SystemClock.now_ms();
    let exam = match helpsync_store::examine(url, vault.as_ref()).await {
        Ok(exam) => exam,
        Err(error) => {
            let advice = error.advice().unwrap_or("name another database");
            let mend = format!("{advice} (HELPSYNC_STORE__URL)");
            found.push(Finding::wrong("store", chain(&error), mend));
            return None;
        }
    };
    found.push(store_finding(&exam));
    if let Some(at) = exam.clock_ms {
        found.push(clock_finding("clock of the store", "Postgres", asked_ms, at));
    }
    if let Some(path) = home::database(url) {
        file_findings(Path::new(path), found);
    }
    if !keys_are_unreadable {
        found.push(keys_finding(&exam, ring.is_some(), SystemClock.now_ms()));
    }
    Some(exam)
}

fn store_finding(exam: &StoreExam) -> Finding {
    let later = &exam.later_migrations;
    if let Some(why) = &exam.read_only {
        return Finding::wrong(
            "store",
            why.clone(),
            "name the primary in HELPSYNC_STORE__URL, and grant its user the tables and the schema",
        );
    }
    if !exam.is_made {
        return Finding::ok("store", "it answers and is empty: the first start makes its tables");
    }
    let changed = &exam.changed_migrations;
    if !changed.is_empty() {
        return Finding::wrong(
            "store",
            format!(
                "its migrations {changed:?} have another text than this program's: no process of it starts here"
            ),
            "install the version that made this database, or start with an empty one and connect every workspace again; \
             docs/upgrade.md says what versions promise",
        );
    }
    if !exam.missing_migrations.is_empty() {
        let text = format!("migrations {:?} are missing", exam.missing_migrations);
        return Finding::warning(
            "store",
            text,
            "the next start of this version applies them: back the database up first",
        );
    }
    if !later.is_empty() {
        let text = format!("a later version was here: its migrations {later:?} are not known to this one");
        return Finding::warning("store", text, "install the version that made them (docs/upgrade.md)");
    }
    Finding::ok("store", "it answers, migrated")
}

fn keys_finding(exam: &StoreExam, has_keys: bool, now: i64) -> Finding {
    const NAME: &str = "sealing keys";
    // What does not open says more.
    let fault = exam.keys.iter().find_map(KeyUse::fault).filter(|_| exam.unopened.is_empty());
    if let Some(fault) = fault {
        return Finding::wrong(
            NAME,
            format!("no process starts with this ring: {fault}"),
            "helpsync keys list shows what each key is (docs/keys.md)",
        );
    }
    match (exam.unopened.first(), has_keys) {
        (None, false) => Finding::ok(NAME, "none yet: the first start makes them"),
        (None, true) => match exam.keys.iter().find(|key| !key.is_in_ring && key.signed_until(now).is_some())
        {
            Some(key) => Finding::wrong(
                NAME,
                format!(
                    "the ring lacks the key {}, and what that signed may still be good: no process starts",
                    key.id
                ),
                format!("put the key back, or end what it signed: helpsync keys remove {} --void", key.id),
            ),
            None if exam.sealed == 0 => Finding::ok(NAME, "nothing is sealed yet"),
            None => Finding::ok(NAME, format!("they open all of the {} secrets looked at", exam.sealed)),
        },
        (Some((place, why)), _) => Finding::wrong(
            NAME,
            format!(
                "{} of {} secrets do not open, the first of them {place}: {why}",
                exam.unopened.len(),
                exam.sealed
            ),
            "put the keys back that sealed them (HELPSYNC_SECRETS__KEYS, or the .keys file beside the database): \
             without them every workspace must be connected anew, and Helpsync does not start",
        ),
    }
}

fn file_findings(path: &Path, found: &mut Vec<Finding>) {
    let folder = home::folder(path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for suffix in ["", ".keys", ".api-key"] {
            let file = format!("{}{suffix}", path.display());
            let mode = std::fs::metadata(&file).map_or(0, |it| it.permissions().mode());
            if mode & 0o077 != 0 {
                let text = format!("others may read {file}, which holds secrets");
                found.push(Finding::warning("permissions", text, format!("chmod 600 {file}")));
            }
        }
        if let Some(free) = home::free_bytes(path) {
            found.push(room_finding(folder, free));
        }
        if path.exists() && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
            let text = format!("{} cannot be written by this user", path.display());
            let mend = "give it to the user that runs Helpsync, on a disk that is not mounted read-only";
            found.push(Finding::wrong("permissions", text, mend));
        }
        if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
            let text = format!("the folder {} takes no files of this user", folder.display());
            found.push(Finding::wrong("permissions", text, "give it to the user that runs Helpsync"));
        }
    }
}

fn room_finding(folder: &Path, bytes: u64) -> Finding {
    let text = format!("{} MB are free in {}", bytes / 1_000_000, folder.display());
    let mend = "make room, or move the database to another disk (HELPSYNC_STORE__URL)";
    match bytes {
        bytes if bytes < ROOM_BYTES_LEAST => Finding::wrong("disk", text, mend),
        bytes if bytes < ROOM_BYTES_LOW => Finding::warning("disk", text, mend),
        _ => Finding::ok("disk", text),
    }
}

async fn examine_queue(settings: &Settings, found: &mut Vec<Finding>) {
    let Some(url) = &settings.queue.url else {
        found.push(Finding::ok("queue", "within the process"));
        return;
    };
    let rabbit = RabbitSettings {
        prefix: settings.queue.name_prefix.clone(),
        ..RabbitSettings::new(url.expose().to_owned().into())
    };
    found.push(match helpsync_queue_rabbitmq::examine(&rabbit).await {
        Err(why) => Finding::wrong(
            "queue",
            why,
            "check host, user, password and virtual host in HELPSYNC_QUEUE__URL, and that RabbitMQ runs",
        ),
        Ok(exam) => match exam.wrong.first() {
            Some((queue, why)) => Finding::wrong(
                "queue",
                format!("{queue}: {why}"),
                "a queue with other arguments must be emptied and deleted, and is made again at the next start",
            ),
            None if !exam.missing_rights.is_empty() => {
                broker_rights::finding(url.expose(), &rabbit.prefix, &exam.missing_rights)
            }
            None if exam.missing.is_empty() => Finding::ok("queue", format!("{} queues, as declared", exam.ready)),
            None => Finding::ok("queue", format!("it answers; the next start makes {} queues", exam.missing.len())),
        },
    });
}

async fn examine_coordinator(settings: &Settings, found: &mut Vec<Finding>) {
    const NAME: &str = "coordinator";
    let Some(url) = &settings.coordinator.url else {
        found.push(Finding::ok(NAME, "within the process"));
        return;
    };
    let redis = RedisSettings {
        prefix: settings.coordinator.key_prefix.clone(),
        deadline: settings.coordinator.call_timeout.max(PATIENCE),
        ..RedisSettings::new(url.expose().to_owned().into())
    };
    let asked_ms = SystemClock.now_ms();
    let exam = match RedisCoordinator::new(redis, Arc::new(SystemClock)) {
        Ok(redis) => redis.examine().await,
        Err(error) => Err(error),
    };
    let exam = match exam {
        Ok(exam) => exam,
        Err(error) => {
            let mend = "check address, user and password in HELPSYNC_COORDINATOR__URL, that its user may run scripts on the \
                 keys of the prefix, and that Redis runs";
            found.push(Finding::wrong(NAME, chain(&error), mend));
            return;
        }
    };
    found.push(match (exam.role.as_deref(), exam.eviction_policy.as_deref()) {
        (Some("slave"), _) => Finding::wrong(
            NAME,
            "it is a replica, which takes no writes",
            "name the primary in HELPSYNC_COORDINATOR__URL",
        ),
        (_, Some(policy)) if policy != "noeviction" => Finding::warning(
            NAME,
            format!("it may evict budgets and leases: its maxmemory-policy is {policy}"),
            "redis-cli config set maxmemory-policy noeviction, and the same in its configuration",
        ),
        _ => Finding::ok(NAME, "it answers, runs scripts and evicts nothing"),
    });
    found.push(clock_finding("clock of the coordinator", "Redis", asked_ms, exam.clock_ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_none_is_wrong() {
        let severity = |bytes| room_finding(Path::new("/x"), bytes).severity;
        assert_eq!(severity(ROOM_BYTES_LEAST - 1), Severity::Wrong);
        assert_eq!(severity(ROOM_BYTES_LEAST), Severity::Warning);
        assert_eq!(severity(ROOM_BYTES_LOW), Severity::Ok);
    }

    #[test]
    fn keys_that_this_user_may_not_read_are_no_lost_keys() {
        let error = |kind: ErrorKind| AppError::File { path: "x.keys".to_owned(), source: kind.into() };
        assert!(mend_of_keys(&error(ErrorKind::PermissionDenied)).contains("give it to the user"));
        assert!(mend_of_keys(&error(ErrorKind::InvalidData)).contains("backup"));
    }

    #[test]
    fn clocks_that_are_apart_are_a_warning() {
        let now = SystemClock.now_ms();
        assert_eq!(clock_finding("clock", "it", now, now).severity, Severity::Ok);
        assert_eq!(clock_finding("clock", "it", now, now - 60_000).severity, Severity::Warning);
        assert_eq!(clock_finding("clock", "it", now, now + 60_000).severity, Severity::Warning);
        // An answer that took a minute said its time at some moment of that minute.
        assert_eq!(clock_finding("clock", "it", now - 60_000, now - 59_000).severity, Severity::Ok);
    }

    #[test]
    fn what_the_store_lacks_is_told_with_what_to_do() {
        let made = || StoreExam { is_made: true, ..StoreExam::default() };
        for (exam, severity) in [
            (StoreExam::default(), Severity::Ok),
            (made(), Severity::Ok),
            (StoreExam { missing_migrations: vec![1], ..made() }, Severity::Warning),
            (StoreExam { later_migrations: vec![9], ..made() }, Severity::Warning),
            (
                StoreExam { changed_migrations: vec![1], missing_migrations: vec![9], ..made() },
                Severity::Wrong,
            ),
            (StoreExam { read_only: Some("x".to_owned()), ..made() }, Severity::Wrong),
        ] {
            let finding = store_finding(&exam);
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert_eq!(finding.mend.is_none(), severity == Severity::Ok, "{finding:?}");
        }
    }
}
