//! The bytes of one attachment. An answer of 200 is not yet the file: a help center that wants a login answers with its
//! page, and a proxy with half a body or none. What does not agree with what Zendesk says of the attachment is asked for
//! again, and then left out with its reason; the next run asks again.

use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::chain;
use helpsync_store::{Kept, StartedShard};
use helpsync_zendesk::{Attachment, Download, Failure, essence};
use sha2::{Digest, Sha256};

use crate::{Engine, HandlerError};

/// Bytes that are held at once, and stored as one chunk.
const CHUNK_BYTES: usize = 256 * 1024;
/// Before bytes that were no file are asked for again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// After so many tries of the shard it is this attachment that Zendesk fails to give.
const TRIES_MAX: i64 = 3;
/// As much of the beginning as tells a page from a file.
const HEAD_BYTES: usize = 512;
/// Says nothing of what it is.
const ANY_TYPE: [&str; 3] = ["", "application/octet-stream", "binary/octet-stream"];
/// What files that are pages are called.
const PAGE_NAMES: [&str; 3] = [".html", ".htm", ".xhtml"];
/// What pages begin with.
const PAGE_TAGS: [&str; 6] = ["<!doctype html", "<html", "<head", "<body", "<script", "<meta"];
/// What may stand before that, from and to.
const SKIPPED: [(&str, &str); 2] = [("<!--", COMMENT_END), ("<?xml", "?>")];
const COMMENT_END: &str = "-->";
const BYTE_ORDER_MARK: char = '\u{feff}';
/// What pages and errors come as.
const PAGE_TYPES: [&str; 3] = ["text/html", "application/xhtml+xml", "application/json"];

/// What one try came to.
enum Tried {
    Settled(Kept),
    /// What came was not the file, for this reason; the next try may bring it.
    NoFile(String),
}

impl Engine {
    /// Reads an attachment chunk by chunk into the store; more than a chunk is never held.
    pub(crate) async fn fetch_bytes(
        &self,
        started: &StartedShard,
        account: &Account,
        attachment: &Attachment,
    ) -> Result<Kept, HandlerError> {
        if attachment.size.is_some_and(|size| size > self.options.attachment_bytes_max) {
            return Ok(self.too_long());
        }
        let mut pauses = PAUSES.iter();
        loop {
            let reason = match self.try_bytes(started, account, attachment).await? {
                Tried::Settled(kept) => return Ok(kept),
                Tried::NoFile(reason) => reason,
            };
            let Some(pause) = pauses.next() else {
                return Ok(Kept::Unproven(reason));
            };
            tracing::debug!(attachment = attachment.id, reason, "an attachment is asked for again");
            tokio::time::sleep(*pause).await;
        }
    }

    fn too_long(&self) -> Kept {
        let most = self.options.attachment_bytes_max;
        Kept::Skipped(format!("longer than {most} bytes (sync.attachment_bytes_max)"))
    }

    async fn try_bytes(
        &self,
        started: &StartedShard,
        account: &Account,
        attachment: &Attachment,
    ) -> Result<Tried, HandlerError> {
        let mut download = match account.client.download(attachment).await {
            Ok(download) => download,
            Err(failure) => return self.refused(failure, started),
        };
        // Of one that is told to be shorter, what is too long is not the file.
        let too_long = |length: u64| length > self.options.attachment_bytes_max;
        if attachment.size.is_none() && download.length().is_some_and(too_long) {
            return Ok(Tried::Settled(self.too_long()));
        }
        if let Some(reason) = other_type(attachment, &download.content_type()) {
            return Ok(Tried::NoFile(reason));
        }
        self.store_bytes(started, attachment, &mut download).await
    }

    async fn store_bytes(
        &self,
        started: &StartedShard,
        attachment: &Attachment,
        download: &mut Download,
    ) -> Result<Tried, HandlerError> {
        let blob = self.store.start_blob(started).await?;
        let (mut hash, mut held, mut number, mut length) = (Sha256::new(), Vec::new(), 0_i64, 0_u64);
        let mut head = Vec::new();
        loop {
            let bytes = match download.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(failure) => return Ok(Tried::NoFile(chain(&failure))),
            };
            length += bytes.len() as u64;
            if let Some(size) = attachment.size.filter(|size| length > *size) {
                return Ok(Tried::NoFile(format!("more than {size} bytes came, and it has no more")));
            }
            if length > self.options.attachment_bytes_max {
                return Ok(Tried::Settled(self.too_long()));
            }
            head.extend(bytes.iter().take(HEAD_BYTES.saturating_sub(head.len())));
            hash.update(&bytes);
            held.extend_from_slice(&bytes);
            if held.len() >= CHUNK_BYTES {
                self.store.add_chunk(blob, number, &std::mem::take(&mut held)).await?;
                number += 1;
            }
        }
        if let Some(reason) = other_bytes(attachment, &head, length) {
            return Ok(Tried::NoFile(reason));
        }
        if !held.is_empty() {
            self.store.add_chunk(blob, number, &held).await?;
        }
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        Ok(Tried::Settled(Kept::Blob(blob, hex::encode(hash.finalize()), length)))
    }

    /// What becomes of an attachment that Zendesk does not give. The next run asks again: a login, a role or a lock may
    /// have stood before it.
    fn refused(&self, failure: Failure, started: &StartedShard) -> Result<Tried, HandlerError> {
        let tries = TRIES_MAX.min(self.options.attempts_max.into());
        match failure {
            Failure::NotFound(_)
            | Failure::Forbidden(_)
            | Failure::Malformed(_)
            | Failure::OffHost { .. }
            | Failure::Rejected { .. } => Ok(Tried::Settled(Kept::Unproven(chain(&failure)))),
            // The list of attachments was answered a moment ago, so it is not Zendesk that is away.
            Failure::Unavailable { .. } if started.shard.failures >= tries => {
                Ok(Tried::Settled(Kept::Unproven(chain(&failure))))
            }
            failure => Err(failure.into()),
        }
    }
}

/// Why an answer of this type is not the attachment. A page never is, unless the attachment is one; of other types a
/// length that agrees says more than names, of which several mean one thing.
fn other_type(attachment: &Attachment, answered: &str) -> Option<String> {
    let told = essence(&attachment.content_type);
    let is_any = |name: &str| ANY_TYPE.contains(&name);
    let is_page = PAGE_TYPES.contains(&answered);
    if answered == told || is_any(answered) || (!is_page && (is_any(&told) || attachment.size.is_some())) {
        return None;
    }
    let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    if !is_page && kind(answered) == kind(&told) {
        return None;
    }
    Some(format!("the answer is {answered}, and the attachment {told}"))
}

/// Why these bytes are not the attachment.
fn other_bytes(attachment: &Attachment, head: &[u8], length: u64) -> Option<String> {
    match attachment.size {
        Some(size) if size != length => return Some(format!("{length} bytes came, and it has {size}")),
        None if length == 0 => return Some("no bytes came".to_owned()),
        _ => {}
    }
    let told = essence(&attachment.content_type);
    let name = attachment.file_name.to_ascii_lowercase();
    let may_be_page = told.starts_with("text/")
        || told == PAGE_TYPES[1]
        || PAGE_NAMES.iter().any(|end| name.ends_with(end));
    (!may_be_page && begins_as_page(head)).then(|| "a page came in place of the attachment".to_owned())
}

/// Whether bytes begin as a page does, behind whatever may stand before that.
fn begins_as_page(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut rest = head.as_str();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == BYTE_ORDER_MARK);
        let passed = SKIPPED.iter().find_map(|(from, to)| rest.strip_prefix(from).map(|after| (after, to)));
        let Some((after, to)) = passed else { break };
        // One that does not end within the head is nothing that files of other kinds begin with.
        let Some((_, behind)) = after.split_once(to) else { return *to == COMMENT_END };
        rest = behind;
    }
    PAGE_TAGS.iter().any(|tag| rest.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(content_type: &str, size: Option<u64>) -> Attachment {
        Attachment {
            id: 1,
            file_name: "x".to_owned(),
            content_type: content_type.to_owned(),
            inline: false,
            size,
            relative_path: None,
            version: "v".to_owned(),
        }
    }

    #[test]
    fn a_page_is_no_file_and_names_of_one_type_are_not_fought_over() {
        for (told, size, answered, agrees) in [
            ("image/png", Some(3), "image/png", true),
            ("image/png", Some(3), "text/html", false),
            ("image/png", None, "text/html", false),
            ("application/pdf", Some(3), "application/json", false),
            ("", None, "text/html", false),
            ("application/octet-stream", None, "text/html", false),
            ("text/html; charset=utf-8", None, "text/html", true),
            ("application/json", Some(3), "application/json", true),
            ("image/jpg", None, "image/jpeg", true),
            ("image/png", None, "application/octet-stream", true),
            ("image/png", None, "", true),
            ("text/csv", Some(3), "application/vnd.ms-excel", true),
            ("text/csv", None, "application/vnd.ms-excel", false),
            ("IMAGE/PNG", None, "image/png", true),
        ] {
            let said = other_type(&attachment(told, size), answered);
            assert_eq!(said.is_none(), agrees, "{told} {size:?} {answered}: {said:?}");
        }
    }

    #[test]
    fn a_file_that_is_called_a_page_may_be_one() {
        let mut page = attachment("application/octet-stream", Some(6));
        assert!(other_bytes(&page, b"<html>", 6).is_some());
        page.file_name = "Manual.HTML".to_owned();
        assert!(other_bytes(&page, b"<html>", 6).is_none());
    }

    #[test]
    fn bytes_must_be_as_many_as_there_are_and_no_page() {
        for (told, size, head, length, agrees) in [
            ("image/png", Some(3), "png", 3, true),
            ("image/png", Some(3), "pn", 2, false),
            ("image/png", Some(3), "pngx", 4, false),
            ("image/png", Some(3), "", 0, false),
            ("text/plain", Some(0), "", 0, true),
            ("text/plain", None, "", 0, false),
            ("image/png", None, "png", 3, true),
            ("image/png", None, " <!DOCTYPE html><p>sign in", 26, false),
            ("application/pdf", Some(12), "<HTML>sign in", 12, false),
            ("text/html", None, "<html>", 6, true),
            ("text/plain", Some(6), "<html>", 6, true),
            ("application/xhtml+xml; charset=utf-8", None, "<html>", 6, true),
            ("application/pdf", None, "\u{feff}<!-- gateway -->\n<!DOCTYPE html><p>sign in", 46, false),
            ("application/pdf", None, "<?xml version=\"1.0\"?><!DOCTYPE html>", 36, false),
            ("application/pdf", None, "<script>location='/login'</script>", 34, false),
            ("application/pdf", None, "<!-- a comment that goes on", 27, false),
            ("image/svg+xml", None, "<?xml version=\"1.0\"?><svg></svg>", 32, true),
            ("application/xml", None, "<?xml version=\"1.0\"", 19, true),
        ] {
            let said = other_bytes(&attachment(told, size), head.as_bytes(), length);
            assert_eq!(said.is_none(), agrees, "{told} {size:?} {head} {length}: {said:?}");
        }
    }
}
