//! What lies beside a SQLite file: its lock, the sealing keys and the API key that were made for it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use helpsync_model::{Entropy, KeyRing};
use helpsync_store::Holder;
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

use crate::AppError;

/// Of a file that is about to take another one's place.
const FRESH_PREFIX: &str = ".helpsync-";
/// Random bytes of a generated API key.
const API_KEY_BYTES: usize = 32;
/// What of a file's mode is for everybody.
const EVERYBODY: u32 = 0o007;

/// The database file of a `sqlite:` URL; `None` for another store.
pub(crate) fn database(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    path.strip_prefix("//").unwrap_or(path).split('?').next()
}

/// The SQLite file that a store's URL names; `None` for another store.
#[must_use]
pub fn database_file(store_url: &str) -> Option<PathBuf> {
    database(store_url).map(PathBuf::from)
}

/// The folder of a SQLite file.
pub(crate) fn folder(database: &Path) -> &Path {
    database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that may still be written to the disk of a SQLite file; `None` where it cannot be told.
pub(crate) fn free_bytes(database: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder(database)).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

fn beside(url: &str, suffix: &str) -> Option<PathBuf> {
    database(url).map(|path| PathBuf::from(format!("{path}{suffix}")))
}

/// Where the API key of an embedded installation is kept, for the CLI on the same machine.
#[must_use]
pub fn api_key_file(store_url: &str) -> Option<PathBuf> {
    beside(store_url, ".api-key")
}

/// Where the sealing keys of an embedded installation are kept.
#[must_use]
pub fn key_ring_file(store_url: &str) -> Option<PathBuf> {
    beside(store_url, ".keys")
}

/// Holds a SQLite file for one process; the operating system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Home {
    database: String,
    path: PathBuf,
    /// The file of this path, locked.
    lock: Mutex<File>,
}

impl Home {
    /// Locks the file of `url`; `None` for a store that many may use.
    pub(crate) fn enter(url: &str) -> Result<Option<Self>, AppError> {
        let (Some(path), Some(database)) = (beside(url, ".lock"), database(url)) else { return Ok(None) };
        match lock(&path) {
            Ok(lock) => {
                keep_private(database).map_err(|source| failed(Path::new(database), source))?;
                Ok(Some(Self { database: database.to_owned(), path, lock: Mutex::new(lock) }))
            }
            Err(TryLockError::WouldBlock) => Err(AppError::InUse { path: database.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(&path, source)),
        }
    }
}

/// An error if another process holds the file of `url`. Makes nothing, unlike [`Home::enter`].
pub(crate) fn check_free(url: &str) -> Result<(), AppError> {
    let (Some(path), Some(database)) = (beside(url, ".lock"), database(url)) else { return Ok(()) };
    // No lock file, no process.
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return Ok(()) };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(AppError::InUse { path: database.to_owned() }),
        _ => Ok(()),
    }
}

impl Holder for Home {
    /// A lock file that somebody deleted keeps nobody out any more. It is made again, unless another process was faster:
    /// then the database is that one's.
    fn check(&self) -> std::io::Result<()> {
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if is_at(&held, &self.path)? {
            return Ok(());
        }
        match lock(&self.path) {
            Ok(lock) => {
                tracing::warn!(path = %self.path.display(), "the lock file was deleted or replaced, it is locked anew");
                *held = lock;
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                Err(Error::other(AppError::InUse { path: self.database.clone() }.to_string()))
            }
            Err(TryLockError::Error(source)) => Err(source),
        }
    }
}

/// Locks the file of this path.
fn lock(path: &Path) -> Result<File, TryLockError> {
    loop {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let file = options.open(path).map_err(TryLockError::Error)?;
        file.try_lock()?;
        // One that was deleted in between keeps nobody out.
        if is_at(&file, path).map_err(TryLockError::Error)? {
            return Ok(file);
        }
    }
}

/// Whether an open file is the one of this path.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let identity = |of: &Metadata| (of.dev(), of.ino());
    match std::fs::metadata(path) {
        Ok(now) => Ok(identity(&now) == identity(&file.metadata()?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The database and what lies beside it are their owner's alone: they hold texts and sealed tokens. SQLite gives what it
/// makes beside a database that database's mode.
fn keep_private(database: &str) -> std::io::Result<()> {
    // SQLite reads percent signs as escapes: such a name is another file's, and is made by SQLite itself.
    if !database.contains(['%', ':']) {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        options.open(database)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for suffix in ["", "-wal", "-shm", ".lock", ".keys", ".api-key"] {
            let (path, owners) = (format!("{database}{suffix}"), std::fs::Permissions::from_mode(0o600));
            // A folder of that name is somebody else's; the start is refused for it later.
            if Path::new(&path).is_dir() {
                continue;
            }
            match std::fs::set_permissions(path, owners) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// New files are for their owner alone.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _nothing_to_say = options;
}

/// The sealing keys in a file, made if it is missing: one key, called `id`.
pub(crate) fn key_ring(path: &Path, id: &str, entropy: &dyn Entropy) -> Result<KeyRing, AppError> {
    let text = read_or_make(path, || KeyRing::generate(id, entropy).to_secret())?;
    parsed(path, text.expose_secret())
}

/// The sealing keys in a file, where there is one; none are made.
pub(crate) fn read_key_ring(path: &Path) -> Result<Option<KeyRing>, AppError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parsed(path, text.trim()).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(path, source)),
    }
}

fn parsed(path: &Path, text: &str) -> Result<KeyRing, AppError> {
    KeyRing::parse(text).map_err(|fault| failed(path, std::io::Error::new(ErrorKind::InvalidData, fault)))
}

/// Keeps other commands from changing the keys in a file while the answer lives; `None`: there are none.
pub(crate) fn lock_key_ring(path: &Path) -> Result<Option<File>, AppError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(path, source)),
    };
    let busy =
        || failed(path, std::io::Error::other("another command changes these keys just now: try again"));
    file.try_lock().map_err(|_held| busy())?;
    // Whoever had the lock before may have put another file in its place.
    if is_at(&file, path).map_err(|source| failed(path, source))? { Ok(Some(file)) } else { Err(busy()) }
}

/// Puts other keys into a file, whole or not at all. Owner and mode stay as they are, but for a file that everybody could
/// read: that one is its owner's alone from now on. Who had the old one locked has the new one locked from its first moment
/// on: the answer.
pub(crate) fn write_key_ring(path: &Path, ring: &KeyRing) -> Result<File, AppError> {
    // A link stays one: the file that it names is replaced.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let written = fresh(path, ring.to_secret().expose_secret()).and_then(|fresh| {
        if let Ok(before) = std::fs::metadata(path) {
            as_before(fresh.path(), &before)?;
        }
        fresh.as_file().lock()?;
        Ok(fresh.persist(path)?)
    });
    written.map_err(|source| failed(path, source))
}

/// Gives a fresh file the owner of the one whose place it takes, and its mode where not everybody could read that.
fn as_before(fresh: &Path, before: &Metadata) -> std::io::Result<()> {
    let made = std::fs::metadata(fresh)?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        std::os::unix::fs::chown(fresh, Some(before.uid()), Some(before.gid()))?;
    }
    if before.mode() & EVERYBODY == 0 {
        std::fs::set_permissions(fresh, before.permissions())?;
    }
    Ok(())
}

/// The API key of this installation, made at its first start.
pub(crate) fn api_key(url: &str, entropy: &dyn Entropy) -> Result<Option<SecretString>, AppError> {
    let generate = || {
        let mut bytes = [0; API_KEY_BYTES];
        entropy.fill(&mut bytes);
        SecretString::from(hex::encode(bytes))
    };
    api_key_file(url).map(|path| read_or_make(&path, generate)).transpose()
}

/// Reads the secret, or makes it in a file that only its owner can read. The file appears whole or not at all.
fn read_or_make(path: &Path, make: impl FnOnce() -> SecretString) -> Result<SecretString, AppError> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned().into()),
        Ok(_) => {
            let source = std::io::Error::new(ErrorKind::InvalidData, "it is empty; restore it from a backup");
            return Err(failed(path, source));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(source) => return Err(failed(path, source)),
    }
    let secret = make();
    let made = fresh(path, secret.expose_secret()).and_then(|fresh| Ok(fresh.persist(path)?));
    made.map_err(|source| failed(path, source))?;
    Ok(secret)
}

/// A file of its owner's alone in the folder of `path`, which is to take that one's place. Its name is no other file's: nothing is
/// written over, and no link of somebody else's is followed. It is removed unless it is kept.
fn fresh(path: &Path, text: &str) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(FRESH_PREFIX).tempfile_in(folder(path))?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn failed(path: &Path, source: std::io::Error) -> AppError {
    AppError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use helpsync_model::SeededEntropy;

    use super::*;

    fn url(folder: &tempfile::TempDir) -> String {
        format!("sqlite:{}", folder.path().join("x.db").display())
    }

    #[test]
    fn a_second_process_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Home::enter(&url(&folder)).unwrap();
        assert!(matches!(Home::enter(&url(&folder)), Err(AppError::InUse { .. })));
        assert!(matches!(check_free(&url(&folder)), Err(AppError::InUse { .. })));
        drop(first);
        check_free(&url(&folder)).unwrap();
        assert!(Home::enter(&url(&folder)).unwrap().is_some());
    }

    #[test]
    fn asking_who_holds_a_file_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        check_free(&url(&folder)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_file_that_was_deleted_is_made_again_or_left_to_who_was_faster() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&url(&folder), ".lock").unwrap();
        let first = Home::enter(&url(&folder)).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        first.check().unwrap();
        assert!(matches!(Home::enter(&url(&folder)), Err(AppError::InUse { .. })));

        std::fs::remove_file(&path).unwrap();
        let faster = Home::enter(&url(&folder)).unwrap().unwrap();
        let refused = first.check().unwrap_err().to_string();
        assert!(refused.contains("in use by another helpsync process"), "{refused}");
        faster.check().unwrap();
        drop(faster);
        first.check().unwrap();
    }

    #[test]
    fn a_made_secret_stays_and_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = SeededEntropy::new(1);
        let made = api_key(&url(&folder), &entropy).unwrap().unwrap();
        let again = api_key(&url(&folder), &entropy).unwrap().unwrap();
        assert_eq!(made.expose_secret(), again.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(api_key_file(&url(&folder)).unwrap()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    fn mode(path: impl AsRef<Path>) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    fn write_with_mode(path: impl AsRef<Path>, text: &str, mode: u32) {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(
            path,
            <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode),
        )
        .unwrap();
    }

    #[test]
    fn files_that_everybody_could_read_are_their_owners_alone_once_a_process_holds_them() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db").display().to_string();
        let all = ["", "-wal", "-shm", ".lock", ".keys", ".api-key"];
        for suffix in all {
            write_with_mode(format!("{database}{suffix}"), "", 0o644);
        }
        let foreign = folder.path().join("other.db.keys");
        std::fs::create_dir(&foreign).unwrap();
        let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(&foreign, open).unwrap();
        keep_private(&folder.path().join("other.db").display().to_string()).unwrap();
        assert_eq!(mode(foreign.display().to_string()), 0o755, "a folder is none of ours");
        let _home = Home::enter(&url(&folder)).unwrap();
        for suffix in all {
            assert_eq!(mode(format!("{database}{suffix}")), 0o600, "{suffix}");
        }
    }

    #[test]
    fn changed_keys_are_nobody_elses_and_a_mode_that_was_chosen_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        for (before, after) in
            [(0o644, 0o600), (0o666, 0o600), (0o640, 0o640), (0o600, 0o600), (0o400, 0o400)]
        {
            write_with_mode(&path, "k1:old", before);
            write_with_mode(path.with_extension("new"), "another file", 0o644);
            write_key_ring(&path, &KeyRing::generate("k2", &SeededEntropy::new(1))).unwrap();
            assert_eq!(mode(&path), after, "{before:o}");
            assert!(std::fs::read_to_string(&path).unwrap().starts_with("k2:"));
            assert_eq!(std::fs::read_to_string(path.with_extension("new")).unwrap(), "another file");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left there");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn of_a_link_the_file_changes_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write_with_mode(&real, "k1:old", 0o600);
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_key_ring(&link, &KeyRing::generate("k2", &SeededEntropy::new(1))).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(std::fs::read_to_string(&real).unwrap().starts_with("k2:"));
    }

    #[test]
    fn made_files_write_over_no_other_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let others = ["x.db.new", "x.new", "ring.new"].map(|name| folder.path().join(name));
        for other in &others {
            std::fs::write(other, "another file").unwrap();
        }
        key_ring(&key_ring_file(&url(&folder)).unwrap(), "k1", &SeededEntropy::new(1)).unwrap();
        api_key(&url(&folder), &SeededEntropy::new(1)).unwrap().unwrap();
        for other in &others {
            assert_eq!(std::fs::read_to_string(other).unwrap(), "another file");
            // A ring may be called so itself.
            let changed = write_key_ring(other, &KeyRing::generate("k2", &SeededEntropy::new(1))).unwrap();
            assert!(changed.try_lock().is_ok() && lock_key_ring(other).is_err(), "the answer holds it");
        }
    }

    #[test]
    fn an_emptied_or_altered_key_file_is_an_error_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_ring_file(&url(&folder)).unwrap();
        for altered in ["", "k1:short"] {
            std::fs::write(&path, altered).unwrap();
            assert!(matches!(key_ring(&path, "k1", &SeededEntropy::new(1)), Err(AppError::File { .. })));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), altered);
        }
    }

    #[test]
    fn a_shared_store_has_no_files_beside_it() {
        assert!(Home::enter("postgres://x/y").unwrap().is_none());
        assert!(api_key_file("postgres://x/y").is_none());
    }
}
