//! What a file's sync options say about its chunks.

use helpsync_content::{CHUNK_OVERLAP_DEFAULT, CHUNK_SIZE_DEFAULT, CHUNK_SIZE_MAX, ChunkOptions};
use serde_json::Value;

/// How a file is to be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processing {
    /// Whether it has chunks.
    pub chunk: bool,
    /// Whether they have vectors.
    pub embed: bool,
    /// Their sizes.
    pub chunks: ChunkOptions,
    /// Every chunk starts with the title and the path of its headings.
    pub prepend_name: bool,
}

impl Processing {
    /// Reads sync options. `skip_file_processing` beats `store_file_only`, which beats `generate_chunks_only`, which beats
    /// `skip_embedding_generation`: each of them takes more away than the next. Numbers out of bounds, which older versions
    /// kept unchecked, are brought within them.
    #[must_use]
    pub fn of(options: &Value) -> Self {
        let config = &options["file_sync_config"];
        let says = |of: &Value, name: &str| of[name] == Value::Bool(true);
        let chunk = !says(config, "skip_file_processing") && !says(config, "store_file_only");
        let embed =
            chunk && !says(config, "generate_chunks_only") && !says(options, "skip_embedding_generation");
        let number = |name: &str, default: usize| {
            options[name].as_i64().map_or(default, |number| usize::try_from(number).unwrap_or(0))
        };
        let size = number("chunk_size", CHUNK_SIZE_DEFAULT).clamp(1, CHUNK_SIZE_MAX);
        let overlap = number("chunk_overlap", CHUNK_OVERLAP_DEFAULT).min(size - 1);
        Self {
            chunk,
            embed,
            chunks: ChunkOptions { size, overlap },
            prepend_name: says(options, "prepend_filename_to_chunks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_option_takes_more_away_than_the_next() {
        let of = |options: Value| {
            let it = Processing::of(&options);
            (it.chunk, it.embed)
        };
        assert_eq!(of(json!({})), (true, true));
        assert_eq!(of(json!(null)), (true, true));
        assert_eq!(of(json!({ "skip_embedding_generation": true })), (true, false));
        assert_eq!(of(json!({ "file_sync_config": { "generate_chunks_only": true } })), (true, false));
        assert_eq!(of(json!({ "file_sync_config": { "store_file_only": true } })), (false, false));
        assert_eq!(of(json!({ "file_sync_config": { "skip_file_processing": true } })), (false, false));
        let all = json!({ "skip_embedding_generation": false,
            "file_sync_config": { "store_file_only": true, "generate_chunks_only": false } });
        assert_eq!(of(all), (false, false));
    }

    #[test]
    fn sizes_have_their_defaults_and_stay_within_bounds() {
        let of = |options: Value| {
            let chunks = Processing::of(&options).chunks;
            (chunks.size, chunks.overlap)
        };
        assert_eq!(of(json!({})), (1_500, 20));
        assert_eq!(of(json!({ "chunk_size": null, "chunk_overlap": null })), (1_500, 20));
        assert_eq!(of(json!({ "chunk_size": 100, "chunk_overlap": 5 })), (100, 5));
        assert_eq!(of(json!({ "chunk_size": 10 })), (10, 9));
        assert_eq!(of(json!({ "chunk_size": 0, "chunk_overlap": -3 })), (1, 0));
        assert_eq!(of(json!({ "chunk_size": 1_000_000 })), (CHUNK_SIZE_MAX, 20));
        assert!(Processing::of(&json!({ "prepend_filename_to_chunks": true })).prepend_name);
    }
}
