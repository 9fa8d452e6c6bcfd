//! `helpsync keys`: the keys that seal what is stored. They are no business of the API: whoever may change them can read the
//! settings of the installation.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use helpsync_app::{AppError, KeySource, Parts, Runtime, reseal_all};
use helpsync_config::Settings;
use helpsync_model::{Clock as _, KeyRing, KeyRingError, OsEntropy, SystemClock, chain};
use helpsync_store::{KeyUse, ProcessKeys, Store, StoreExam, StoreOptions, Vault};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::args::{AddKey, KeyAction, KeySettings, Keys, RemoveKey, RotateKeys};
use crate::commands::ask::rows;
use crate::exit::{Exit, refusal};
use crate::output::{Output, span};
use crate::role::settings;

/// Between two looks at what running processes have done.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A process that has been silent for so long, in ms, is not waited for: three signs of life did not come.
const SILENT_MS: i64 = 30_000;
/// Looks after which sealing anew that gets nowhere is given up.
const LOOKS_WITHOUT_PROGRESS_MAX: u32 = 120;
const IN_SETTINGS: &str = "the keys are in HELPSYNC_SECRETS__KEYS, which this command cannot change";

/// The installation of the settings: its keys, and what the database says of them.
struct Installation {
    settings: Settings,
    source: KeySource,
    ring: KeyRing,
    /// Held where they are to be changed: of two commands one would write over what the other has written.
    lock: Option<File>,
}

impl Installation {
    fn of(args: &KeySettings) -> anyhow::Result<Self> {
        Self::open(args, |_| Ok(None))
    }

    /// To change its keys, and what the database says of them. They have to be those that it knows by their ids.
    async fn to_change(args: &KeySettings) -> anyhow::Result<(Self, StoreExam)> {
        let installation = Self::open(args, KeySource::lock)?;
        let exam = installation.look().await?;
        // A key in front that was given up is what `rotate` mends.
        match exam.keys.iter().filter(|key| key.differs).find_map(KeyUse::fault) {
            Some(fault) => Err(refusal(Exit::Failed, chain(&fault))),
            None => Ok((installation, exam)),
        }
    }

    fn open(
        args: &KeySettings,
        lock: impl FnOnce(&KeySource) -> Result<Option<File>, AppError>,
    ) -> anyhow::Result<Self> {
        let settings = settings(args.config.clone())?;
        let source = KeySource::of(&settings);
        let lock = lock(&source)?;
        let ring = source.read(&settings)?;
        let ring = ring.ok_or_else(|| {
            refusal(Exit::Failed, "there are no sealing keys yet: the first start of Helpsync makes them")
        })?;
        Ok(Self { settings, source, ring, lock })
    }

    async fn look(&self) -> anyhow::Result<StoreExam> {
        let vault = Vault::new(&self.ring, Arc::new(OsEntropy));
        let exam = helpsync_store::examine(self.settings.store.url.expose(), Some(&vault)).await?;
        if !exam.missing_migrations.is_empty() {
            let text =
                "the database is of the version before: start Helpsync, which migrates it, and try again";
            return Err(refusal(Exit::Failed, text));
        }
        Ok(exam)
    }

    /// Gives up what a key signed. Also beside a running server: it is one statement.
    async fn void(&self, id: &str) -> anyhow::Result<()> {
        let options = StoreOptions {
            url: self.settings.store.url.expose().to_owned(),
            connections_max: 1,
            acquire_timeout: self.settings.store.acquire_timeout,
        };
        let vault = Vault::new(&self.ring, Arc::new(OsEntropy));
        let store = Store::open(&options, vault, Arc::new(SystemClock)).await?;
        store.admin().void_key(id).await?;
        store.close().await;
        Ok(())
    }

    /// Puts the ring into its file, or prints it for whoever keeps the settings.
    fn keep(&mut self, ring: KeyRing, done: &str, output: Output) -> anyhow::Result<()> {
        let ids = ring.ids();
        if let Some(lock) = self.source.write(&ring)? {
            (self.ring, self.lock) = (ring, Some(lock));
            return output.show(&json!({ "keys": ids, "written": true }), || done.to_owned());
        }
        let text = ring.to_secret().expose_secret().to_owned();
        output.show(&json!({ "keys": ids, "written": false, "value": text }), || text.clone())?;
        output.note(format_args!(
            "{IN_SETTINGS}: this is their new value. Give it to every process and start them again"
        ));
        Ok(())
    }
}

pub(crate) async fn keys(args: Keys, output: Output) -> anyhow::Result<()> {
    match args.action {
        KeyAction::List(args) => list(&args, output).await,
        KeyAction::Add(args) => add(args, output).await,
        KeyAction::Rotate(args) => rotate(args, output).await,
        KeyAction::Reseal(args) => reseal(&args, output).await,
        KeyAction::Remove(args) => remove(&args, output).await,
    }
}

/// Until when something may be good that it signed, in ms.
fn signed_until(key: &KeyUse) -> Option<i64> {
    key.signed_until(SystemClock.now_ms())
}

fn shown(key: &KeyUse) -> Value {
    let does = match (key.is_in_ring, key.seals) {
        _ if key.differs => "is another key than the one of this id that the database knows",
        (true, true) if key.voided_at.is_some() => "is given up: no process starts with it in front",
        (true, true) => "seals and opens",
        (true, false) if key.sealed_at.is_none() => "opens, has not sealed yet",
        (true, false) if key.sealed > 0 => "opens, and is needed",
        (true, false) if key.voided_at.is_some() => "opens, is given up, and may be removed",
        (true, false) if signed_until(key).is_some() => "opens, and is needed for what it signed",
        (true, false) => "opens, and may be removed",
        (false, _) if key.sealed > 0 => "is not in the ring, and is needed",
        (false, _) if key.voided_at.is_some() => "is not in the ring, and is given up",
        (false, _) if signed_until(key).is_some() => "is not in the ring, and is needed for what it signed",
        (false, _) => "is not in the ring",
    };
    json!({ "id": key.id, "sealed": key.sealed, "does": does, "seals": key.seals, "in_ring": key.is_in_ring,
        "derives": key.derives, "sealed_at": key.sealed_at, "superseded_at": key.superseded_at, "voided_at": key.voided_at,
        "signed_until": signed_until(key) })
}

async fn list(args: &KeySettings, output: Output) -> anyhow::Result<()> {
    let installation = Installation::of(args)?;
    let exam = installation.look().await?;
    if !exam.is_made {
        let text = format!(
            "there is no database yet at {}: nothing is sealed; the first start of Helpsync makes it, with the keys {}",
            installation.settings.store.url,
            installation.ring.ids().join(", ")
        );
        return Err(refusal(Exit::Failed, text));
    }
    let keys: Vec<Value> = exam.keys.iter().map(shown).collect();
    let answer = json!({ "keys": keys, "unopened": exam.unopened.len() });
    output.show(&answer, || rows(&answer["keys"], &["id", "sealed", "does"]))
}

/// An id for a new key that no key has or had.
fn free_id(installation: &Installation, exam: &StoreExam) -> String {
    let held = exam.processes.iter().filter_map(|process| process.keys.as_ref()).flatten();
    installation.ring.free_id(exam.keys.iter().map(|key| &key.id).chain(held).map(String::as_str))
}

/// A key that was added, and was in front of the ring never. Those that were, and those that came with the first start, stand
/// before the last one that sealed; what is added stands behind it.
fn added(exam: &StoreExam) -> Option<&KeyUse> {
    let ring: Vec<&KeyUse> = exam.keys.iter().filter(|key| key.is_in_ring).collect();
    let behind = ring.iter().rposition(|key| key.sealed_at.is_some())? + 1;
    ring.into_iter().skip(behind).find(|key| !key.seals && key.voided_at.is_none())
}

async fn add(args: AddKey, output: Output) -> anyhow::Result<()> {
    let (mut installation, exam) = Installation::to_change(&args.settings).await?;
    if let Some(id) =
        args.id.as_ref().filter(|id| exam.keys.iter().any(|key| key.id == **id && !key.is_in_ring))
    {
        let text = format!(
            "the database knows another key {id}, which is not in the ring: name another id, or none"
        );
        return Err(refusal(Exit::Usage, text));
    }
    let id = args.id.unwrap_or_else(|| free_id(&installation, &exam));
    let ring = installation.ring.with_new_key(&id, &OsEntropy).map_err(|fault| {
        let why = match fault {
            KeyRingError::Twice(_) => format!("there is a key {id} already: name another id, or none"),
            KeyRingError::Id(_) => format!("{id:?} is no id: it must be 1 to 32 letters, digits, - or _"),
            fault => chain(&fault),
        };
        refusal(Exit::Usage, why)
    })?;
    let done =
        format!("the key {id} is added: it opens, and seals once `helpsync keys rotate` puts it in front");
    installation.keep(ring, &done, output)
}

async fn rotate(args: RotateKeys, output: Output) -> anyhow::Result<()> {
    let (mut installation, exam) = Installation::to_change(&args.settings).await?;
    let id = match (args.id, added(&exam)) {
        (Some(id), _) => id,
        (None, Some(added)) => added.id.clone(),
        (None, None) if installation.source == KeySource::Settings => {
            let text = format!(
                "{IN_SETTINGS}: `helpsync keys add` prints a value with one key more. When every process has it, this command \
                 prints the one with that key in front"
            );
            return Err(refusal(Exit::Failed, text));
        }
        (None, None) => {
            let id = free_id(&installation, &exam);
            let ring = installation.ring.with_new_key(&id, &OsEntropy)?;
            installation.lock = installation.source.write(&ring)?;
            installation.ring = ring;
            output.note(format_args!("the key {id} is added"));
            id
        }
    };
    if exam.keys.iter().any(|key| key.id == id && key.voided_at.is_some()) {
        return Err(refusal(
            Exit::Failed,
            format!("the key {id} was given up: it never seals or signs again"),
        ));
    }
    let turned = installation.ring.sealing_with(&id);
    let turned = turned.ok_or_else(|| {
        refusal(Exit::Failed, format!("there is no key {id:?} in the ring: `helpsync keys list` has them"))
    })?;
    let is_file = installation.source != KeySource::Settings;
    held_by_all(&installation, &id, Duration::from_secs(args.wait), is_file, output).await?;
    let done = format!(
        "the key {id} seals now. Running processes take it within seconds, and seal anew what is stored: \
         `helpsync keys reseal` waits for that"
    );
    installation.keep(turned, &done, output)
}

/// Whether it gave a sign of life lately.
const fn lives(process: &ProcessKeys, now: i64) -> bool {
    now.saturating_sub(process.seen_at) < SILENT_MS
}

/// Processes that live and do not hold the key.
fn without<'a>(processes: &'a [ProcessKeys], id: &str, now: i64) -> Vec<&'a ProcessKeys> {
    let lacks =
        |process: &&ProcessKeys| !process.keys.as_ref().is_some_and(|keys| keys.iter().any(|key| key == id));
    processes.iter().filter(|process| lives(process, now)).filter(lacks).collect()
}

/// Waits until every process that lives holds the key: one that does not could not open what the others seal with it.
async fn held_by_all(
    installation: &Installation,
    id: &str,
    patience: Duration,
    may_come: bool,
    output: Output,
) -> anyhow::Result<()> {
    let since = Instant::now();
    let mut told = BTreeSet::new();
    loop {
        let exam = installation.look().await?;
        let lacking = without(&exam.processes, id, SystemClock.now_ms());
        let Some(first) = lacking.first() else { return Ok(()) };
        if !may_come || since.elapsed() >= patience {
            let text = format!(
                "{} running processes do not hold the key {id} yet, one of them {}: give the keys to them, and try again. \
                 Nothing is sealed with it so far",
                lacking.len(),
                first.holder
            );
            return Err(refusal(Exit::Failed, text));
        }
        for process in &lacking {
            if told.insert(process.holder.clone()) {
                output.note(format_args!("waiting until {} holds the key {id}", process.holder));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Secrets that another key than the first sealed.
fn left(exam: &StoreExam) -> i64 {
    exam.keys.iter().filter(|key| !key.seals).map(|key| key.sealed).sum()
}

async fn reseal(args: &KeySettings, output: Output) -> anyhow::Result<()> {
    let installation = Installation::of(args)?;
    let mut exam = installation.look().await?;
    if let Some(fault) = exam.keys.iter().find_map(KeyUse::fault) {
        return Err(refusal(Exit::Failed, chain(&fault)));
    }
    let total = left(&exam);
    let now = SystemClock.now_ms();
    let runs = exam.processes.iter().any(|process| now.saturating_sub(process.seen_at) < SILENT_MS);
    if total > 0 && !runs {
        let parts = Parts::open(installation.settings.clone(), Runtime::default()).await?;
        let done = reseal_all(&parts.store, |done| {
            output.detail(format_args!("{} of {total} are sealed anew", done.sealed));
        });
        done.await.context("cannot seal anew")?;
        parts.store.close().await;
        exam = installation.look().await?;
    }
    let (mut last, mut looks) = (left(&exam), 0);
    while last > 0 && runs {
        output.note(format_args!("{} of {total} secrets are sealed anew", total - last));
        tokio::time::sleep(LOOK_EVERY).await;
        let now = left(&installation.look().await?);
        looks = if now < last { 0 } else { looks + 1 };
        last = now;
        if looks >= LOOKS_WITHOUT_PROGRESS_MAX {
            break;
        }
    }
    if last > 0 {
        let text = format!(
            "{last} secrets are still sealed with another key: the log of the dispatchers says why, `helpsync doctor` which"
        );
        return Err(refusal(Exit::Failed, text));
    }
    let seals = installation.ring.ids().swap_remove(0);
    output.show(&json!({ "resealed": total, "left": last, "key": seals }), || {
        format!("everything is sealed with the key {seals}; {total} secrets were not before")
    })
}

async fn remove(args: &RemoveKey, output: Output) -> anyhow::Result<()> {
    let mut installation = Installation::open(&args.settings, KeySource::lock)?;
    let (id, exam) = (&args.id, installation.look().await?);
    let Some(key) = exam.keys.iter().find(|key| key.id == *id) else {
        return Err(refusal(Exit::Failed, format!("there is no key {id:?}: `helpsync keys list` has them")));
    };
    // A key that only has the id of one that the database knows sealed and signed nothing here.
    if key.seals || !key.differs {
        may_go(key, &exam.processes, args.void).map_err(|why| refusal(Exit::Failed, why))?;
    }
    // Also one that has not sealed: whoever has it could sign with it.
    if args.void && !key.differs {
        installation.void(id).await?;
    }
    match installation.ring.without(id).filter(|_| key.is_in_ring) {
        Some(left) => installation.keep(left, &format!("the key {id} is removed"), output),
        None => output.show(&json!({ "keys": installation.ring.ids(), "written": false }), || {
            format!("nothing needs the key {id}, which is not in the ring")
        }),
    }
}

/// Why a key has to stay, if it has to.
fn may_go(key: &KeyUse, processes: &[ProcessKeys], void: bool) -> Result<(), String> {
    let (id, now) = (&key.id, SystemClock.now_ms());
    if key.seals {
        return Err(format!("the key {id} seals: `helpsync keys rotate` has another one seal"));
    }
    let seals = |process: &&ProcessKeys| {
        let front = process.keys.as_ref().and_then(|keys| keys.first());
        lives(process, now) && front.is_none_or(|front| front == id)
    };
    if let Some(process) = processes.iter().find(seals) {
        return Err(format!(
            "a running process, {}, seals with the key {id} still: it takes the ring with another one in front within \
             seconds, or with its next start where the keys are in its settings. Try again then",
            process.holder
        ));
    }
    if key.sealed > 0 {
        return Err(format!(
            "{} secrets are sealed with the key {id}: `helpsync keys reseal`, and try again",
            key.sealed
        ));
    }
    match signed_until(key) {
        Some(until) if !void => Err(format!(
            "what the key {id} signed may be good for {} more: remove it then, or end all of it now with --void",
            span(Duration::from_millis(until.abs_diff(now)))
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_and_lacks_the_key_is_waited_for() {
        let process = |holder: &str, keys: Option<&[&str]>, seen_at| ProcessKeys {
            holder: holder.to_owned(),
            keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
            seen_at,
        };
        let now = 1_000_000;
        let processes = [
            process("has", Some(&["k1", "k2"]), now),
            process("lacks", Some(&["k1"]), now - SILENT_MS + 1),
            process("says nothing", None, now),
            process("dead", Some(&["k1"]), now - SILENT_MS),
        ];
        let found: Vec<&str> = without(&processes, "k2", now).iter().map(|it| it.holder.as_str()).collect();
        assert_eq!(found, ["lacks", "says nothing"]);
    }
}
