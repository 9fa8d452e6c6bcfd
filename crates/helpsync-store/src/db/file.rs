//! The file of a SQLite database, and whether it is still there to be written.
//!
//! A file that is deleted or replaced under an open database goes on to be read, and what is written to it is lost with
//! the process. So its identity is looked at before anything is written.

use std::fs::Metadata;
use std::io::{Error, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use helpsync_model::chain;
use sqlx::Row as _;

use crate::db::{Database, Dialect, StoreError};

/// As much must be free for the database to be called well.
const ROOM_BYTES: usize = 1024 * 1024;
/// How often the write-ahead log is tried to be emptied while others read and write.
const EMPTY_LOG_TRIES: usize = 5;

/// What keeps other processes off a database file.
pub trait Holder: std::fmt::Debug + Send + Sync {
    /// Whether it still does. Asked before anything is written.
    ///
    /// # Errors
    /// Why not: nothing may be written.
    fn check(&self) -> Result<(), Error>;
}

/// A database file as it was when it was opened.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    identity: (u64, u64),
    holder: OnceLock<Weak<dyn Holder>>,
}

impl SqliteFile {
    /// Remembers a file that is open.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let identity = identity(&std::fs::metadata(path)?);
        Ok(Self { path: path.to_owned(), identity, holder: OnceLock::new() })
    }

    /// From now on it is written only while `holder` holds it. The first one stays.
    pub(crate) fn hold(&self, holder: &Arc<dyn Holder>) {
        self.holder.get_or_init(|| Arc::downgrade(holder));
    }

    /// Whether it is still the file of this name, and nobody else's.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let name = self.path.display();
        match std::fs::metadata(&self.path) {
            Ok(now) if identity(&now) == self.identity => {
                // A holder that is gone let go of it: the process ends.
                let holder = self.holder.get().and_then(Weak::upgrade);
                holder.map_or(Ok(()), |holder| holder.check())
            }
            Ok(_other) => Err(Error::other(format!(
                "the database file {name} was replaced by another: restart the process to use that one"
            ))),
            Err(error) => Err(Error::new(
                error.kind(),
                format!(
                    "the database file {name} is gone ({}): put it back, or restart the process",
                    chain(&error)
                ),
            )),
        }
    }

    /// Whether the folder takes files, and the disk bytes. A small write to the database would not tell: it may find room
    /// in its log.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // It has no name that could be another file's, and goes with its handle.
        let written = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; ROOM_BYTES]));
        written.map_err(|error| {
            let folder = folder.display();
            Error::new(
                error.kind(),
                format!("the database's folder {folder} takes no files: {}", chain(&error)),
            )
        })
    }
}

impl Database {
    /// SQLite's write-ahead log keeps pages as they were until others are written over them: this takes them into the file
    /// and empties the log, if there is one. `false` where somebody read or wrote all the while; it is then as it was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn empty_log(&self) -> Result<bool, StoreError> {
        if self.dialect != Dialect::Sqlite {
            return Ok(true);
        }
        for _ in 0..EMPTY_LOG_TRIES {
            // It waits for readers and writers as long as any statement does for a lock.
            let row = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(&self.pool).await?;
            if row.try_get::<i64, _>("busy")? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_or_another_is_told_from_the_one_that_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        std::fs::write(&path, "one").unwrap();
        let file = SqliteFile::of(&path).unwrap();
        assert!(file.check().is_ok() && file.check_room().is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of the look");
        let aside = folder.path().join("aside.db");
        std::fs::rename(&path, &aside).unwrap();
        assert!(file.check().unwrap_err().to_string().contains("is gone"));
        std::fs::write(&path, "two").unwrap();
        assert!(file.check().unwrap_err().to_string().contains("replaced"));
        std::fs::rename(&aside, &path).unwrap();
        assert!(file.check().is_ok());
        drop(folder);
        assert!(file.check_room().unwrap_err().to_string().contains("takes no files"));
    }
}
