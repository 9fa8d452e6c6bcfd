//! What a request says of the files that its run finds: their tags, and how much of them is kept.

use helpsync_model::{RunKind, Trigger};
use serde_json::{Map, Value};

use crate::run::runs::Run;

/// The members of sync options that are kept with a new file.
const KEPT_WITH_FILE: [&str; 6] = [
    "chunk_size",
    "chunk_overlap",
    "file_sync_config",
    "skip_embedding_generation",
    "prepend_filename_to_chunks",
    "embedding_model",
];

/// What a run does with the files that it finds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileOptions {
    /// Put on new files.
    pub tags: Map<String, Value>,
    /// Kept with new files.
    pub kept: Map<String, Value>,
    /// Articles that are no files yet are listed, and wait to be asked for.
    pub lists_only: bool,
    /// New files are records without content.
    pub record_only: bool,
    /// The run was asked for files that are records to be fetched.
    pub fetches_records: bool,
    /// What is kept of the options takes the place of what files had: they were asked for with options of their own.
    pub replaces_kept: bool,
}

impl FileOptions {
    /// A run's own options win over its connection's.
    pub(crate) fn of(run: &Run, connection: &Value) -> Self {
        let own = run.params.get("options").filter(|own| own.is_object());
        let options = own.unwrap_or(connection);
        let requested = run.kind == RunKind::Resync && run.trigger != Trigger::Webhook;
        let skips = options["file_sync_config"]["skip_file_processing"] == Value::Bool(true);
        Self {
            tags: options["tags"].as_object().cloned().unwrap_or_default(),
            kept: KEPT_WITH_FILE
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), options.get(name)?.clone())))
                .collect(),
            lists_only: !requested && is_by_item(connection),
            record_only: skips,
            fetches_records: requested && !(own.is_some() && skips),
            replaces_kept: requested && own.is_some(),
        }
    }

    /// Whether an article becomes, or stays, a record without content. `known` is its file: whether that is a record.
    pub(crate) fn keeps_record(&self, known: Option<bool>) -> bool {
        match known {
            None => self.record_only,
            Some(record) => record && !self.fetches_records,
        }
    }
}

/// Whether a connection was made without syncing its files: they are then asked for one by one.
pub(crate) fn is_by_item(options: &Value) -> bool {
    options["sync_files_on_connection"] == Value::Bool(false)
}
