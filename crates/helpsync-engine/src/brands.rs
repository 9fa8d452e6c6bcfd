//! Further brands of an account: looked for before a run that reads everything, and as often as there are audits. Other
//! deltas do not ask: each costs two requests where nothing changed.

use helpsync_account::Account;
use helpsync_model::{RunKind, chain};
use helpsync_store::{BrandEnded, LostBrand, NewBrand, StartedShard};
use helpsync_zendesk::{Brand, Class, Failure, Next};

use crate::{Engine, HandlerError};

/// Pages of the list of brands; Zendesk's largest plan has three of them.
const BRAND_PAGES_MAX: u32 = 5;
/// Brands that are not shown any more and are asked for by one run.
const LOST_MAX: usize = 10;

/// The brands of an account, and what reading them took.
struct Listed {
    brands: Vec<NewBrand>,
    whole: bool,
}

impl Engine {
    /// Learns which brands the account has, where the grant shows them. An account that does not tell, or not now, is
    /// no trouble: the brands stay as they are known.
    pub(crate) async fn look_for_brands(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<(), HandlerError> {
        let Some(asked_at) = started.brands_asked_at else { return Ok(()) };
        let every = i64::try_from(self.options.audit_every.as_millis()).unwrap_or(i64::MAX);
        let due = asked_at.saturating_add(every) <= self.clock.now_ms();
        let audit = started.run.params.is_audit();
        if !due && !audit && started.run.kind != RunKind::Full {
            return Ok(());
        }
        let listed = match list(account).await {
            Ok(listed) => listed,
            Err(failure) => {
                tracing::debug!(connection = %started.fence.connection, error = chain(&failure), "brands are not told of");
                // What may pass is asked for by the next run again.
                let passes = matches!(failure, Failure::Suspended { .. });
                if !passes && matches!(failure.class(), Class::Gone | Class::Permanent) {
                    self.store.note_brands_asked(started).await?;
                }
                return Ok(());
            }
        };
        let lost = self.store.learn_brands(started, &listed.brands, listed.whole).await?;
        for brand in lost.into_iter().take(LOST_MAX) {
            self.end_if_gone(started, account, brand).await?;
        }
        Ok(())
    }

    /// A brand that is not shown may be one that this role may not see any more: it is asked for alone.
    async fn end_if_gone(
        &self,
        started: &StartedShard,
        account: &Account,
        lost: LostBrand,
    ) -> Result<(), HandlerError> {
        let deleted = match account.client.brand(lost.id).await {
            Ok(answer) if answer.value.deleted => true,
            Err(Failure::NotFound(_)) => lost.deleted,
            Ok(_) | Err(_) => return Ok(()),
        };
        let lost = LostBrand { deleted, ..lost };
        match self.store.end_brand(started, lost, self.options.ceiling).await? {
            BrandEnded::Removed(removed) => {
                tracing::info!(connection = %started.fence.connection, brand = lost.id, removed, "a brand is gone");
            }
            BrandEnded::Held(held) => {
                tracing::warn!(connection = %started.fence.connection, brand = lost.id, held,
                    "removals held back: a brand is not shown any more");
            }
        }
        Ok(())
    }
}

async fn list(account: &Account) -> Result<Listed, Failure> {
    let mut listed = Listed { brands: Vec::new(), whole: true };
    let mut at = None;
    for _ in 0..BRAND_PAGES_MAX {
        let answer = account.client.brands(at.as_ref()).await?;
        listed.whole &= answer.value.rejected.is_empty();
        listed.brands.extend(answer.value.brands.into_iter().map(new_brand));
        match answer.value.next {
            Next::End => return Ok(listed),
            Next::Unproven => break,
            next @ (Next::Cursor(_) | Next::Offset(_)) => at = Some(next),
        }
    }
    listed.whole = false;
    Ok(listed)
}

fn new_brand(brand: Brand) -> NewBrand {
    NewBrand {
        id: brand.id,
        name: brand.name,
        subdomain: brand.subdomain.as_str().to_owned(),
        has_articles: brand.has_articles,
        deleted: brand.deleted,
    }
}
