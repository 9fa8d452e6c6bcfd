//! `fetch_attachments`: looks at what hangs on articles that are new or changed, and fetches what is new of it. In a run of
//! its own and in the backfill lane, so that no article ever waits for a picture.

use helpsync_account::Account;
use helpsync_model::chain;
use helpsync_store::{DueFile, Kept, NewAttachment, ShardEnd, StartedShard};
use helpsync_zendesk::{Attachment, Failure};
use sha2::{Digest, Sha256};

use crate::walk_list::yielded_turn;
use crate::{Engine, HandlerError};

/// Articles that are looked at before others get their turn.
const ARTICLES_PER_TURN: u32 = 50;
/// Bytes that are held at once, and stored as one chunk.
const CHUNK_BYTES: usize = 256 * 1024;

impl Engine {
    pub(crate) async fn fetch_attachments(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<ShardEnd, HandlerError> {
        let due = self.store.due_attachments(started.fence.connection, ARTICLES_PER_TURN).await?;
        if due.is_empty() || !started.selection.attachments {
            self.store.sweep_blobs(started.organization).await?;
            return Ok(ShardEnd::Done(Vec::new()));
        }
        for file in due {
            self.look_at_attachments(started, account, file).await?;
        }
        Ok(yielded_turn())
    }

    async fn look_at_attachments(
        &self,
        started: &StartedShard,
        account: &Account,
        due: DueFile,
    ) -> Result<(), HandlerError> {
        let answer = match account.client.attachments(due.article_id).await {
            Ok(answer) => answer,
            // It went meanwhile, which is for the removal stage to find out.
            Err(Failure::NotFound(_) | Failure::Forbidden(_)) => {
                return Ok(self.store.settle_attachments(started, due, None, 1, 0).await?);
            }
            Err(failure) => return Err(failure.into()),
        };
        let (mut requests, mut bytes) = (u64::from(answer.requests), answer.bytes);
        let known = self.store.attachments(started.organization, due.file).await?;
        for attachment in &answer.value {
            let same = known.iter().find(|known| known.attachment_id == attachment.id);
            if same.is_some_and(|known| known.version == attachment.version) {
                continue;
            }
            requests += 1;
            let kept = self.fetch_bytes(started, account, attachment).await?;
            if let Kept::Blob(_, _, length) = &kept {
                bytes += u64::try_from(*length).unwrap_or(0);
            }
            let new = NewAttachment {
                attachment_id: attachment.id,
                file_name: attachment.file_name.clone(),
                content_type: attachment.content_type.clone(),
                inline: attachment.inline,
                version: attachment.version.clone(),
            };
            self.store.keep_attachment(started, due.file, &new, &kept).await?;
        }
        let listed: Vec<i64> = answer.value.iter().map(|attachment| attachment.id).collect();
        Ok(self.store.settle_attachments(started, due, Some(&listed), requests, bytes).await?)
    }

    /// Reads an attachment chunk by chunk into the store; more than a chunk is never held.
    async fn fetch_bytes(
        &self,
        started: &StartedShard,
        account: &Account,
        attachment: &Attachment,
    ) -> Result<Kept, HandlerError> {
        let most = self.options.attachment_bytes_max;
        let too_long = || Ok(Kept::Skipped(format!("longer than {most} bytes (sync.attachment_bytes_max)")));
        if attachment.size > most {
            return too_long();
        }
        let mut download = match account.client.download(attachment.id).await {
            Ok(download) => download,
            Err(failure @ (Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Malformed(_))) => {
                return Ok(Kept::Skipped(chain(&failure)));
            }
            Err(failure) => return Err(failure.into()),
        };
        if download.length().is_some_and(|length| length > most) {
            return too_long();
        }
        let blob = self.store.start_blob(started).await?;
        let (mut hash, mut held, mut number, mut length) = (Sha256::new(), Vec::new(), 0_i64, 0_u64);
        while let Some(bytes) = download.next().await? {
            length += bytes.len() as u64;
            if length > most {
                return too_long();
            }
            hash.update(&bytes);
            held.extend_from_slice(&bytes);
            if held.len() >= CHUNK_BYTES {
                self.store.add_chunk(blob, number, &std::mem::take(&mut held)).await?;
                number += 1;
            }
        }
        if !held.is_empty() {
            self.store.add_chunk(blob, number, &held).await?;
        }
        Ok(Kept::Blob(blob, hex::encode(hash.finalize()), i64::try_from(length).unwrap_or(i64::MAX)))
    }
}
