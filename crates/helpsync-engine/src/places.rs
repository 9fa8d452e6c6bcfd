//! Where sections stand, for selections that depend on it: sections move without any article changing.

use std::collections::BTreeSet;

use helpsync_account::Account;
use helpsync_store::StartedShard;
use helpsync_zendesk::{Next, Section};

use crate::articles::items;
use crate::page::Fetched;
use crate::{Engine, HandlerError};

/// Pages of the list of sections: as deep as page numbers reach.
const SECTION_PAGES_MAX: u32 = 100;

/// The sections of a help center, and what reading them took.
#[derive(Default)]
struct Sections {
    all: Vec<Section>,
    requests: u64,
    bytes: u64,
}

impl Engine {
    /// Before a run reads articles: what moved out of what is kept goes. True: something moved into it, and only
    /// reading every article brings that.
    pub(crate) async fn look_at_places(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<bool, HandlerError> {
        if !started.selection.names_places() {
            return Ok(false);
        }
        let sections = self.sections(account).await?;
        let learned = self.store.learn_tree(started, &items(&sections.all, &[]), sections.requests).await?;
        if learned.removed > 0 {
            tracing::info!(connection = %started.fence.connection, removed = learned.removed,
                "sections left what is selected");
        }
        Ok(learned.gained)
    }

    /// Adds to a page the sections that its articles stand in, where we would not know whether those are kept.
    pub(crate) async fn complete_places(
        &self,
        started: &StartedShard,
        account: &Account,
        fetched: &mut Fetched,
    ) -> Result<(), HandlerError> {
        if !started.selection.names_places() {
            return Ok(());
        }
        let shown: BTreeSet<i64> = fetched.sections.iter().map(|section| section.id).collect();
        let named = fetched.articles.iter().filter_map(|article| article.section_id);
        let above = fetched.sections.iter().filter_map(|section| section.parent_section_id);
        let asked: BTreeSet<i64> = named.chain(above).filter(|id| !shown.contains(id)).collect();
        let asked: Vec<i64> = asked.into_iter().collect();
        if asked.is_empty() || self.store.unknown_sections(started.fence.connection, &asked).await?.is_empty()
        {
            return Ok(());
        }
        let sections = self.sections(account).await?;
        fetched.sections = sections.all;
        fetched.requests += sections.requests;
        fetched.bytes += sections.bytes;
        Ok(())
    }

    async fn sections(&self, account: &Account) -> Result<Sections, HandlerError> {
        let mut sections = Sections::default();
        for page in 1..=SECTION_PAGES_MAX {
            let answer = account.client.sections(page).await.map_err(HandlerError::of_list)?;
            sections.requests += u64::from(answer.requests);
            sections.bytes += answer.bytes;
            sections.all.extend(answer.value.items);
            if !matches!(answer.value.next, Next::Offset(_)) {
                break;
            }
        }
        Ok(sections)
    }
}
