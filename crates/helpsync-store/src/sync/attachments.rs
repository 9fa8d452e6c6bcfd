//! What hangs on articles: records by file, bytes once for an organization.

use helpsync_model::{ConnectionId, FileId, OrganizationId};
use serde_json::json;
use sqlx::Row;

use crate::db::{StoreError, SyncStore, Write, sql};
use crate::run::shards::{StartedShard, check_fence};
use crate::sync::pages::SkippedArticle;

/// Bytes that nobody refers to after this were left by a process that stopped, in ms.
const ARRIVING_MAX: i64 = 3_600_000;

/// Stands in `file.attachments_due` where the list of a file's attachments was refused: 1 is due, 0 is not.
pub(crate) const REFUSED: i64 = 2;

/// A file whose attachments are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueFile {
    /// Its id.
    pub file: FileId,
    /// Zendesk's id.
    pub article_id: i64,
    /// When its row last changed, in ms: a look settles only what it looked at.
    pub updated_at: i64,
}

/// An attachment as Zendesk lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttachment {
    /// Zendesk's id.
    pub attachment_id: i64,
    /// As its author called it.
    pub file_name: String,
    /// As Zendesk took it for.
    pub content_type: String,
    /// Shown within the text.
    pub inline: bool,
    /// Moves when it is replaced.
    pub version: String,
}

/// What is kept of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Bytes that arrived, by [`SyncStore::start_blob`], with their SHA-256 in lower hex and their length.
    Blob(i64, String, i64),
    /// Nothing, for this reason.
    Skipped(String),
    /// Nothing yet, for this reason: what came was not the file. The next run asks for it again.
    Unproven(String),
}

/// An attachment of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttachment {
    /// Zendesk's id.
    pub attachment_id: i64,
    /// As its author called it.
    pub file_name: String,
    /// As Zendesk took it for.
    pub content_type: String,
    /// Shown within the text.
    pub inline: bool,
    /// See [`NewAttachment::version`].
    pub version: String,
    /// Where its bytes are; `None` if it was skipped.
    pub blob: Option<i64>,
    /// Their SHA-256.
    pub hash: Option<String>,
    /// How many.
    pub bytes: Option<i64>,
    /// Why it was skipped.
    pub skipped: Option<String>,
}

impl SyncStore {
    /// Up to `limit` files of a connection whose attachments are to be looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_attachments(
        &self,
        connection: ConnectionId,
        limit: u32,
    ) -> Result<Vec<DueFile>, StoreError> {
        sqlx::query(
            "select id, article_id, updated_at from file
             where connection_id = $1 and attachments_due = 1 order by id limit $2",
        )
        .bind(connection.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(DueFile {
                file: FileId(row.try_get("id")?),
                article_id: row.try_get("article_id")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .collect()
    }

    /// What is kept of a file's attachments.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attachments(
        &self,
        organization: OrganizationId,
        file: FileId,
    ) -> Result<Vec<StoredAttachment>, StoreError> {
        sqlx::query(
            "select attachment.attachment_id, attachment.file_name, attachment.content_type, attachment.is_inline,
               attachment.version, attachment.blob_id, attachment.skipped, blob.hash, blob.bytes from attachment left join blob on blob.id = attachment.blob_id
             where file_id = $1 and exists (select 1 from file where file.id = file_id and file.organization_id = $2)
             order by attachment_id",
        )
        .bind(file.0)
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(StoredAttachment {
                attachment_id: row.try_get("attachment_id")?,
                file_name: row.try_get("file_name")?,
                content_type: row.try_get("content_type")?,
                inline: row.try_get::<i64, _>("is_inline")? != 0,
                version: row.try_get("version")?,
                blob: row.try_get("blob_id")?,
                hash: row.try_get("hash")?,
                bytes: row.try_get("bytes")?,
                skipped: row.try_get("skipped")?,
            })
        })
        .collect()
    }

    /// A place for bytes that arrive. Forgotten when nothing refers to it within an hour.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn start_blob(&self, started: &StartedShard) -> Result<i64, StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        let id =
            sqlx::query_scalar("insert into blob (organization_id, created_at) values ($1, $2) returning id")
                .bind(started.organization.0)
                .bind(self.clock.now_ms())
                .fetch_one(&mut *write.tx)
                .await?;
        write.commit().await?;
        Ok(id)
    }

    /// Adds a chunk, from number 0 on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_chunk(&self, blob: i64, number: i64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query("insert into blob_chunk (blob_id, number, bytes) values ($1, $2, $3)")
            .bind(blob)
            .bind(number)
            .bind(bytes.to_vec())
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// A chunk of an organization's bytes; `None` behind the last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunk(
        &self,
        organization: OrganizationId,
        blob: i64,
        number: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let chunk = sqlx::query_scalar(
            "select bytes from blob_chunk where blob_id = $1 and number = $2
               and exists (select 1 from blob where blob.id = blob_id and blob.organization_id = $3)",
        );
        Ok(chunk.bind(blob).bind(number).bind(organization.0).fetch_optional(&self.pool).await?)
    }

    /// Notes what is kept of one attachment. Bytes that the organization has already are not kept twice.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn keep_attachment(
        &self,
        started: &StartedShard,
        file: FileId,
        attachment: &NewAttachment,
        kept: &Kept,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        // The file may have gone meanwhile; its row is held until its attachment stands.
        let there: Option<i64> =
            sqlx::query_scalar(sql(format!("select id from file where id = $1{}", self.dialect.for_share())))
                .bind(file.0)
                .fetch_optional(&mut *write.tx)
                .await?;
        if there.is_none() {
            return Ok(());
        }
        let (blob, skipped) = match kept {
            Kept::Skipped(reason) | Kept::Unproven(reason) => (None, Some(reason.as_str())),
            Kept::Blob(arrived, hash, bytes) => {
                let organization = started.organization;
                (Some(settle_blob(&mut write, organization, *arrived, hash, *bytes).await?), None)
            }
        };
        sqlx::query(
            "insert into attachment (file_id, attachment_id, file_name, content_type, is_inline, version, blob_id,
               skipped, created_at) values ($1, $2, $3, $4, $5, $6, cast($7 as bigint), $8, $9)
             on conflict (file_id, attachment_id) do update set file_name = excluded.file_name,
               content_type = excluded.content_type, is_inline = excluded.is_inline, version = excluded.version,
               blob_id = excluded.blob_id, skipped = excluded.skipped",
        )
        .bind(file.0)
        .bind(attachment.attachment_id)
        .bind(crate::db::decode::without_nul(&attachment.file_name).into_owned())
        .bind(crate::db::decode::without_nul(&attachment.content_type).into_owned())
        .bind(i64::from(attachment.inline))
        .bind(match kept {
            // Like no version that Zendesk tells, so that it counts as changed.
            Kept::Unproven(_) => String::new(),
            _ => crate::db::decode::without_nul(&attachment.version).into_owned(),
        })
        .bind(blob)
        .bind(skipped)
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// A file's attachments were looked at: those that are not `listed` go.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn settle_attachments(
        &self,
        started: &StartedShard,
        due: DueFile,
        listed: Option<&[i64]>,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        sqlx::query("update run set bytes = bytes + $2, progress_at = $3 where id = $1")
            .bind(started.fence.run.0)
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .bind(self.clock.now_ms())
            .execute(&mut *write.tx)
            .await?;
        // An article that changed meanwhile is looked at again.
        sqlx::query("update file set attachments_due = 0 where id = $1 and updated_at = $2")
            .bind(due.file.0)
            .bind(due.updated_at)
            .execute(&mut *write.tx)
            .await?;
        if let Some(listed) = listed {
            sqlx::query(sql(format!(
                "delete from attachment where file_id = $1 and attachment_id not in {}",
                self.dialect.json_integers("$2")
            )))
            .bind(due.file.0)
            .bind(json!(listed).to_string())
            .execute(&mut *write.tx)
            .await?;
        }
        write.commit().await
    }

    /// What hangs on a file is not told, for this reason, or because the article went. What is held stays, and a later
    /// run asks again.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn refuse_attachments(
        &self,
        started: &StartedShard,
        due: DueFile,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        let now = write.now;
        sqlx::query("update run set progress_at = $2 where id = $1")
            .bind(started.fence.run.0)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        sqlx::query("update file set attachments_due = $3 where id = $1 and updated_at = $2")
            .bind(due.file.0)
            .bind(due.updated_at)
            .bind(REFUSED)
            .execute(&mut *write.tx)
            .await?;
        let skipped = reason.map(|reason| SkippedArticle {
            article_id: Some(due.article_id),
            reason: format!("its attachments are not told: {reason}"),
            created_at: None,
            section_id: None,
        });
        self.record_reasons(&mut write, started, skipped.as_slice()).await?;
        write.commit().await
    }

    /// Forgets bytes that no attachment refers to. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep_blobs(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let gone = sqlx::query(
            "delete from blob where organization_id = $1 and (hash is not null or created_at < $2)
               and not exists (select 1 from attachment where attachment.blob_id = blob.id)",
        )
        .bind(organization.0)
        .bind(self.clock.now_ms().saturating_sub(ARRIVING_MAX))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(gone.rows_affected())
    }
}

/// The one blob of these bytes: what arrived, or what was there.
async fn settle_blob(
    write: &mut Write,
    organization: OrganizationId,
    arrived: i64,
    hash: &str,
    bytes: i64,
) -> Result<i64, StoreError> {
    let named = sqlx::query(
        "update blob set hash = $3, bytes = $4 where id = $2 and not exists
           (select 1 from blob as other where other.organization_id = $1 and other.hash = $3)",
    )
    .bind(organization.0)
    .bind(arrived)
    .bind(hash)
    .bind(bytes)
    .execute(&mut *write.tx)
    .await?;
    if named.rows_affected() == 1 {
        return Ok(arrived);
    }
    // Written unchanged, so that a sweep waits for whoever refers to it from here on.
    let known = sqlx::query_scalar(
        "update blob set bytes = bytes where organization_id = $1 and hash = $2 returning id",
    )
    .bind(organization.0)
    .bind(hash)
    .fetch_one(&mut *write.tx)
    .await?;
    sqlx::query("delete from blob where id = $1").bind(arrived).execute(&mut *write.tx).await?;
    Ok(known)
}
