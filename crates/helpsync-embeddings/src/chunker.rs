//! The role that divides stored texts into chunks.

use std::sync::Arc;
use std::time::Duration;

use helpsync_content::chunks;
use helpsync_model::{Backoff, ConnectionId, chain};
use helpsync_store::{
    ChunkWords, Chunked, ChunkedFile, FileToChunk, NewChunk, SearchStore, StoreError, StoreOutage,
};
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
    store: SearchStore,
    poll: Duration,
    made: Arc<Notify>,
}

impl Chunker {
    /// Looks for work every `poll`; rings `made` when chunks wait for vectors.
    #[must_use]
    pub const fn new(store: SearchStore, poll: Duration, made: Arc<Notify>) -> Self {
        Self { store, poll, made }
    }

    /// Chunks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut after = ConnectionId(0);
        let mut failures = 0;
        let away = StoreOutage::default();
        while !stop.is_cancelled() {
            let look = away.look();
            match self.round(after).await {
                Ok(served) => {
                    failures = 0;
                    look.worked(&self.store, served.is_some(), "chunking goes on").await;
                    if let Some(served) = served {
                        after = served;
                        continue;
                    }
                }
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    look.failed(&error, "chunking failed, it is tried again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Backoff::of_looks(self.poll).ceiling(failures)) => {}
            }
        }
    }

    /// Chunks what waits now.
    #[cfg(test)]
    pub(crate) async fn drain(&self) {
        let mut after = ConnectionId(0);
        while let Some(served) = self.round(after).await.unwrap() {
            after = served;
        }
    }

    /// One batch of the connection that follows `after`; whose it was.
    async fn round(&self, after: ConnectionId) -> Result<Option<ConnectionId>, StoreError> {
        let Some(connection) = self.store.next_to_chunk(after).await? else { return Ok(None) };
        let files = self.store.claim_files_to_chunk(connection, FILES_MAX, BYTES_MAX, LEASE).await?;
        // Pure CPU: off the runtime's threads.
        let chunked =
            tokio::task::spawn_blocking(move || files.iter().map(chunked).collect::<Vec<_>>()).await;
        let chunked = match chunked {
            Ok(chunked) => chunked,
            Err(error) => {
                tracing::error!(error = chain(&error), "chunking broke off, its files are tried again later");
                return Ok(Some(connection));
            }
        };
        if self.store.store_chunks(&chunked).await? {
            self.made.notify_waiters();
        }
        Ok(Some(connection))
    }
}

fn chunked(file: &FileToChunk) -> ChunkedFile {
    let made = if file.failures > ATTEMPTS_MAX {
        Err("the text could not be divided into chunks".to_owned())
    } else {
        all_chunks(file)
    };
    let FileToChunk { file, version, attempt, .. } = *file;
    let chunked = match made {
        Ok((chunks, embed)) => Chunked::Chunks { chunks, embed },
        Err(error) => {
            tracing::warn!(%file, error, "a text cannot be chunked");
            Chunked::Failed(error)
        }
    };
    ChunkedFile { file, version, attempt, chunked }
}

fn all_chunks(file: &FileToChunk) -> Result<(Vec<NewChunk>, bool), String> {
    let processing = Processing::of(&file.options);
    let mut all = Vec::new();
    for (locale, title, markdown) in file.texts.iter().filter(|_| processing.chunk) {
        let title = if title.is_empty() { &file.name } else { title };
        let prefix = processing.prepend_name.then_some(title.as_str());
        let made = chunks(markdown, processing.chunks, prefix)
            .map_err(|error| format!("{locale}: {}", chain(&error)))?;
        all.extend(made.into_iter().map(|chunk| NewChunk {
            locale: locale.clone(),
            words: ChunkWords::of(locale, title, &file.labels, &chunk.text),
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

    fn file(options: Value, failures: i64) -> FileToChunk {
        let text =
            |locale: &str, title: &str| (locale.to_owned(), title.to_owned(), "Some words.".to_owned());
        FileToChunk {
            file: FileId(1),
            version: 3,
            attempt: 1,
            failures,
            name: "Name".to_owned(),
            labels: Vec::new(),
            options,
            texts: vec![text("en-us", "Title"), text("de", "")],
        }
    }

    fn made(options: Value) -> (Vec<String>, bool) {
        match chunked(&file(options, 1)).chunked {
            Chunked::Chunks { chunks, embed } => {
                (chunks.into_iter().map(|chunk| chunk.text).collect(), embed)
            }
            Chunked::Failed(error) => panic!("{error}"),
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
        assert!(matches!(chunked(&file(json!({}), ATTEMPTS_MAX)).chunked, Chunked::Chunks { .. }));
        assert!(matches!(chunked(&file(json!({}), ATTEMPTS_MAX + 1)).chunked, Chunked::Failed(_)));
    }
}
