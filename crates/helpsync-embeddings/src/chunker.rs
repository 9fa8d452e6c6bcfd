//! The role that divides stored texts into chunks.

use std::sync::Arc;
use std::time::Duration;

use helpsync_content::chunks;
use helpsync_model::ConnectionId;
use helpsync_store::{Cut, CutFile, FileToCut, NewChunk, Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Processing;

/// Files that are chunked and stored together.
const FILES_MAX: u32 = 32;
/// HTML of the files that are chunked together; one longer file is a batch of its own.
const BYTES_MAX: i64 = 8 * 1024 * 1024;
/// The largest texts take seconds: whoever has a batch this long is gone.
const LEASE: Duration = Duration::from_secs(300);
/// A text that ended its process so often is not tried again until it changes.
const ATTEMPTS_MAX: i64 = 5;

/// Chunks the texts that wait for it, one batch at a time, connections in turns. Any number may run over one store.
#[derive(Debug)]
pub struct Chunker {
    store: Store,
    poll: Duration,
    made: Arc<Notify>,
}

impl Chunker {
    /// Looks for work every `poll`; rings `made` when chunks wait for vectors.
    #[must_use]
    pub const fn new(store: Store, poll: Duration, made: Arc<Notify>) -> Self {
        Self { store, poll, made }
    }

    /// Chunks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut after = ConnectionId(0);
        while !stop.is_cancelled() {
            match self.round(after).await {
                Ok(Some(served)) => {
                    after = served;
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %error, "chunking failed, trying again"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.poll) => {}
            }
        }
    }

    /// One batch of the connection that follows `after`; whose it was.
    async fn round(&self, after: ConnectionId) -> Result<Option<ConnectionId>, StoreError> {
        let Some(connection) = self.store.next_to_cut(after).await? else { return Ok(None) };
        let files = self.store.claim_files_to_cut(connection, FILES_MAX, BYTES_MAX, LEASE).await?;
        // Pure CPU: off the runtime's threads.
        let chunked =
            tokio::task::spawn_blocking(move || files.iter().map(chunked).collect::<Vec<_>>()).await;
        let chunked = match chunked {
            Ok(chunked) => chunked,
            Err(error) => {
                tracing::error!(error = %error, "chunking broke off, its files are tried again later");
                return Ok(Some(connection));
            }
        };
        if self.store.store_cut(&chunked).await? {
            self.made.notify_waiters();
        }
        Ok(Some(connection))
    }
}

fn chunked(file: &FileToCut) -> CutFile {
    let made = if file.attempt > ATTEMPTS_MAX {
        Err("the text could not be divided into chunks".to_owned())
    } else {
        all_chunks(file)
    };
    let FileToCut { file, version, attempt, .. } = *file;
    let cut = match made {
        Ok((chunks, embed)) => Cut::Chunks { chunks, embed },
        Err(error) => {
            tracing::warn!(%file, error, "a text cannot be chunked");
            Cut::Failed(error)
        }
    };
    CutFile { file, version, attempt, cut }
}

fn all_chunks(file: &FileToCut) -> Result<(Vec<NewChunk>, bool), String> {
    let processing = Processing::of(&file.options);
    let mut all = Vec::new();
    for (locale, title, markdown) in file.texts.iter().filter(|_| processing.chunk) {
        let title = if title.is_empty() { &file.name } else { title };
        let title = processing.prepend_name.then_some(title.as_str());
        let made =
            chunks(markdown, processing.chunks, title).map_err(|error| format!("{locale}: {error}"))?;
        all.extend(made.into_iter().map(|chunk| NewChunk {
            locale: locale.clone(),
            hash: chunk.hash,
            tokens: i64::try_from(chunk.tokens).unwrap_or(i64::MAX),
            text: chunk.text,
        }));
    }
    Ok((all, processing.embed))
}

#[cfg(test)]
mod tests {
    use helpsync_model::FileId;
    use serde_json::{Value, json};

    use super::*;

    fn file(options: Value, attempt: i64) -> FileToCut {
        let text =
            |locale: &str, title: &str| (locale.to_owned(), title.to_owned(), "Some words.".to_owned());
        FileToCut {
            file: FileId(1),
            version: 3,
            attempt,
            name: "Name".to_owned(),
            options,
            texts: vec![text("en-us", "Title"), text("de", "")],
        }
    }

    fn made(options: Value) -> (Vec<String>, bool) {
        match chunked(&file(options, 1)).cut {
            Cut::Chunks { chunks, embed } => (chunks.into_iter().map(|chunk| chunk.text).collect(), embed),
            Cut::Failed(error) => panic!("{error}"),
        }
    }

    #[test]
    fn every_translation_is_chunked_as_the_options_say() {
        assert_eq!(made(json!({})), (vec!["Some words.".to_owned(); 2], true));
        let titled = made(json!({ "prepend_filename_to_chunks": true, "skip_embedding_generation": true }));
        let expected = ["Title\n\nSome words.", "Name\n\nSome words."].map(str::to_owned).to_vec();
        assert_eq!(titled, (expected, false));
        assert_eq!(made(json!({ "file_sync_config": { "store_file_only": true } })), (vec![], false));
    }

    #[test]
    fn a_text_that_ends_its_process_again_and_again_is_given_up() {
        assert!(matches!(chunked(&file(json!({}), ATTEMPTS_MAX)).cut, Cut::Chunks { .. }));
        assert!(matches!(chunked(&file(json!({}), ATTEMPTS_MAX + 1)).cut, Cut::Failed(_)));
    }
}
