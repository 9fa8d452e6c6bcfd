//! What a connection holds, in one number: for receipts.

use futures::TryStreamExt as _;
use helpsync_model::ConnectionId;
use sha2::{Digest as _, Sha256};
use sqlx::Row;

use crate::db::{StoreError, SyncStore};

/// The files of a connection that are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldFiles {
    pub(crate) files: i64,
    /// SHA-256 over a line `article id:content hash` for each, by article id; in lower hex.
    pub(crate) digest: String,
}

impl SyncStore {
    /// Reads them row by row: memory does not grow with their number.
    pub(crate) async fn digest(&self, connection: ConnectionId) -> Result<HeldFiles, StoreError> {
        let mut rows = sqlx::query(
            "select article_id, coalesce(content_hash, '') as content_hash from file
             where connection_id = $1 and hidden_at is null order by article_id",
        )
        .bind(connection.0)
        .fetch(&self.pool);
        let (mut files, mut digest) = (0, Sha256::new());
        while let Some(row) = rows.try_next().await? {
            let (article, hash): (i64, String) = (row.try_get("article_id")?, row.try_get("content_hash")?);
            digest.update(format!("{article}:{hash}\n"));
            files += 1;
        }
        Ok(HeldFiles { files, digest: hex::encode(digest.finalize()) })
    }
}
