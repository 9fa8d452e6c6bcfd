//! `fetch_attachments`: looks at what hangs on articles that are new or changed, and fetches what is new of it. In a run of
//! its own and in the backfill lane, so that no article ever waits for a picture.

use helpsync_account::Account;
use helpsync_model::chain;
use helpsync_store::{DueFile, Kept, NewAttachment, ShardEnd, StartedShard};
use helpsync_zendesk::Failure;

use crate::walk_list::yielded_turn;
use crate::{Engine, HandlerError};

/// Articles that are looked at before others get their turn.
const ARTICLES_PER_TURN: u32 = 50;

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
            // It went meanwhile, which is for the removal stage to find out, or this list is refused: what is held stays.
            Err(failure @ (Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Rejected { .. })) => {
                let gone = matches!(failure, Failure::NotFound(_));
                let reason = (!gone).then(|| chain(&failure));
                return Ok(self.store.refuse_attachments(started, due, reason.as_deref()).await?);
            }
            Err(failure) => return Err(failure.into()),
        };
        let mut bytes = answer.bytes;
        let known = self.store.attachments(started.organization, due.file).await?;
        for attachment in &answer.value.listed {
            let same = known.iter().find(|known| known.attachment_id == attachment.id);
            if same.is_some_and(|known| known.version == attachment.version) {
                continue;
            }
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
        let listed: Vec<i64> = answer.value.listed.iter().map(|attachment| attachment.id).collect();
        let listed = answer.value.whole.then_some(listed.as_slice());
        Ok(self.store.settle_attachments(started, due, listed, bytes).await?)
    }
}
