//! The sealing keys of a running process: taken again when their file changes, and what is stored sealed anew.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use helpsync_config::Settings;
use helpsync_model::{Entropy, KeyRing, chain};
use helpsync_store::{ResealCursor, Resealed, RingError, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{AppError, Parts, home};

/// Between two looks at the file of the keys, and at the keys that were given up.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two steps of sealing anew: syncs go on beside it.
const STEP_EVERY: Duration = Duration::from_millis(20);
/// After a round that sealed something: what somebody held meanwhile is looked for again.
const ROUND_AGAIN: Duration = Duration::from_secs(5);
/// After a round that found nothing.
const ROUND_EVERY: Duration = Duration::from_secs(600);
/// Between two lines about how far it is.
const TOLD_EVERY: u64 = 10_000;

/// Where the sealing keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file: beside a SQLite database, or named by `HELPSYNC_SECRETS__KEYS_FILE`. Running processes see that it changes.
    File(PathBuf),
    /// The settings: a process keeps what it was started with.
    Settings,
}

impl KeySource {
    /// Where these settings take the keys from.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let named = settings.file_of("secrets.keys").map(std::path::Path::to_path_buf);
        let beside = || home::key_ring_file(settings.store.url.expose());
        match &settings.secrets.keys {
            Some(_) => named.map_or(Self::Settings, Self::File),
            // Settings::check refuses a shared store without keys.
            None => beside().map_or(Self::Settings, Self::File),
        }
    }

    /// The keys as they are now; `None`: none were made yet.
    ///
    /// # Errors
    /// [`AppError::File`].
    pub fn read(&self, settings: &Settings) -> Result<Option<KeyRing>, AppError> {
        match self {
            Self::File(path) => home::read_key_ring(path),
            Self::Settings => Ok(settings.secrets.keys.clone()),
        }
    }

    /// Puts another ring in the place of the keys, and keeps it from other commands as [`KeySource::lock`] does. `None`: the
    /// keys are in the settings, which are somebody else's to change.
    ///
    /// # Errors
    /// [`AppError::File`].
    pub fn write(&self, ring: &KeyRing) -> Result<Option<File>, AppError> {
        match self {
            Self::File(path) => home::write_key_ring(path, ring).map(Some),
            Self::Settings => Ok(None),
        }
    }

    /// Keeps other commands from changing the keys while the answer lives. They are no file's: there is nothing to keep.
    ///
    /// # Errors
    /// [`AppError::File`], also where another command changes them now.
    pub fn lock(&self) -> Result<Option<File>, AppError> {
        match self {
            Self::File(path) => home::lock_key_ring(path),
            Self::Settings => Ok(None),
        }
    }

    /// The keys to start with. Where there are none, they are made, unless there is something that others have sealed.
    pub(crate) async fn open(&self, settings: &Settings, entropy: &dyn Entropy) -> Result<KeyRing, AppError> {
        if let Some(ring) = self.read(settings)? {
            return Ok(ring);
        }
        let Self::File(path) = self else { return Err(AppError::NotShared) };
        let url = settings.store.url.expose();
        let Some(id) = helpsync_store::first_key_id(url).await? else {
            let database = home::database(url).unwrap_or_default().to_owned();
            return Err(AppError::KeysGone { path: path.display().to_string(), database });
        };
        home::key_ring(path, &id, entropy)
    }
}

/// Takes the keys again whenever their file has changed, and believes no key that was given up: where the keys are in the
/// settings, this process has it until its next start. Ends where the key that seals here was given up and no other took its
/// place, or where the database knows another key of its id: the process ends with it, for what it seals and signs is lost.
pub(crate) async fn watch(parts: Parts, stop: CancellationToken) {
    let mut refused = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match take_changed(&parts).await {
            Ok(()) => refused = None,
            Err(error) => told_once(&mut refused, chain(&error)),
        }
        if let Err(error) = heed_known(&parts).await {
            tracing::error!(
                error = chain(&error),
                "the sealing key of this process is not to be used any more"
            );
            return;
        }
    }
}

/// Takes the keys of the file where they are others than those in use. A file that is just being replaced, or was lost: what
/// is in use stays.
async fn take_changed(parts: &Parts) -> Result<(), AppError> {
    let Some(ring) = parts.keys.read(parts.settings())? else { return Ok(()) };
    if parts.store.vault().is_of(&ring) {
        return Ok(());
    }
    parts.store.admin().take_ring(&ring).await?;
    tracing::info!(keys = ring.ids().join(","), "other sealing keys are in use, the first one seals");
    parts.keys_changed.notify_waiters();
    Ok(())
}

/// An error where the keys of this process are not to be used any more.
async fn heed_known(parts: &Parts) -> Result<(), RingError> {
    let admin = parts.store.admin();
    match admin.heed_known_keys().await {
        Ok(true) => tracing::info!("what the keys signed that were given up is believed no more"),
        Ok(false) => {}
        Err(StoreError::Ring(fault)) => return Err(fault),
        // The look at the database has told that it is away.
        Err(error) => tracing::debug!(error = chain(&error), "the keys that were given up are not known"),
    }
    admin.check_front()
}

fn told_once(told: &mut Option<String>, why: String) {
    if told.as_ref() != Some(&why) {
        tracing::warn!(error = why, "the changed sealing keys are not taken, those of before stay in use");
        *told = Some(why);
    }
}

/// Seals anew what another key than the first has sealed: at the start, when other keys were taken, and now and then.
pub(crate) async fn reseal(parts: Parts, stop: CancellationToken) {
    loop {
        // Registered before the round, so that no change during it is missed.
        let changed = parts.keys_changed.notified();
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            ended = round(&parts) => if ended { ROUND_EVERY } else { ROUND_AGAIN },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One round over everything; whether nothing is left to do, as far as can be.
async fn round(parts: &Parts) -> bool {
    let told = |total: &Resealed| {
        if total.sealed > 0 && total.sealed.is_multiple_of(TOLD_EVERY) {
            tracing::info!(sealed = total.sealed, "secrets are being sealed anew");
        }
    };
    let total = match reseal_all(&parts.store, told).await {
        Ok(total) => total,
        Err(error) => {
            tracing::warn!(error = chain(&error), "sealing anew stopped, it goes on later");
            return true;
        }
    };
    if total.unopened > 0 {
        tracing::warn!(
            unopened = total.unopened,
            "secrets open with no key of the ring: their workspaces must be connected anew"
        );
    }
    if total.sealed > 0 {
        tracing::info!(sealed = total.sealed, "secrets were sealed anew");
    }
    total.sealed == 0 && (total.unopened > 0 || !is_left(parts).await)
}

/// Whether secrets are sealed with another key of the ring: rows that somebody held were passed over.
async fn is_left(parts: &Parts) -> bool {
    let uses = parts.store.admin().key_uses().await;
    uses.is_ok_and(|uses| uses.iter().any(|key| key.is_in_ring && !key.seals && key.sealed > 0))
}

/// Seals everything anew that the first key of the ring has not sealed, step by step; `told` hears of each step.
///
/// # Errors
/// [`StoreError`]; what was sealed anew until then stays so, and the rest can be done at any time.
pub async fn reseal_all(store: &Store, told: impl Fn(&Resealed) + Send) -> Result<Resealed, StoreError> {
    let (mut cursor, mut total) = (ResealCursor::default(), Resealed::default());
    while !total.is_done {
        let step = store.admin().reseal_some(&mut cursor).await?;
        total.sealed += step.sealed;
        total.unopened += step.unopened;
        total.is_done = step.is_done;
        told(&total);
        if step.sealed > 0 {
            tokio::time::sleep(STEP_EVERY).await;
        }
    }
    Ok(total)
}
